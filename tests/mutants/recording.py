"""A pytest plugin for the runs on broken lines: notes which test runs which line, and puts the tests chosen in order.

Under coverage each test is a context of its own, how long each took is written to ``RAPYER_MUTANTS_TIMES``,
and of the tests only those of ``RAPYER_MUTANTS_CHOSEN`` (JSON, a list of node ids) are run, in that order.
Random tests do not look for smaller examples: that one fails is all that is asked.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest
from hypothesis import Phase, settings

TIMES = "RAPYER_MUTANTS_TIMES"
CHOSEN = "RAPYER_MUTANTS_CHOSEN"
_seconds: dict[str, float] = {}


def pytest_configure() -> None:
    """Before any module of tests is imported."""
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    settings.register_profile("mutants", phases=phases, database=None)
    settings.load_profile("mutants")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the chosen tests only."""
    chosen = os.environ.get(CHOSEN)
    if chosen is not None:
        place = {name: at for at, name in enumerate(json.loads(Path(chosen).read_text()))}
        left_out = [item for item in items if item.nodeid not in place]
        config.hook.pytest_deselected(items=left_out)
        items[:] = sorted(
            (item for item in items if item.nodeid in place), key=lambda item: place[item.nodeid]
        )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let the lines that run from here on be those of this test, its fixtures included."""
    recorder = coverage.Coverage.current()
    if recorder is not None:
        recorder.switch_context(item.nodeid)
    began = time.monotonic()
    try:
        return (yield)
    finally:
        _seconds[item.nodeid] = time.monotonic() - began
        if recorder is not None:
            recorder.switch_context("")


def pytest_sessionfinish() -> None:
    """Write down how long each test took."""
    times = os.environ.get(TIMES)
    if times is not None:
        Path(times).write_text(json.dumps(_seconds))
