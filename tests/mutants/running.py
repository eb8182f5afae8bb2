"""Running tests on a copy of the tree in which one line is broken.

First those that reach the line, then, as some lines work at import or on the server, all that look at its room.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.mutants.choice import ROOT
from tests.mutants.mutant import Mutant
from tests.mutants.recording import CHOSEN, TIMES

_LEFT_OUT = (
    ".git",
    ".venv",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "*.egg-info",
    "dist",
    "build",
    ".mutants_cache",
)
_MEMORY = 8 << 30  # a broken loop must not take the machine with it


class Outcome(NamedTuple):
    """What became of a run: ``killer`` is the test that failed (or why there was none), None when all passed."""

    killer: str | None
    seconds: float


class Workshop:
    """A copy of the tree."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "tree"
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns(*_LEFT_OUT))

    def run(
        self, rooms: Sequence[str], seconds: float, *, chosen: Sequence[str] | None = None
    ) -> Outcome:
        """Run the tests of ``rooms``, or the ``chosen`` ones, up to the first failure, for at most that long."""
        environment = {
            "PYTHONDONTWRITEBYTECODE": "1"
        }  # bytecode of a broken line must not outlive it
        paths = self._paths(rooms)
        if chosen is not None:
            paths = sorted({test.partition("::")[0] for test in chosen})
            listed = self.root / "chosen.json"
            listed.write_text(json.dumps(chosen))
            environment[CHOSEN] = str(listed)
        return self._pytest([sys.executable, "-m"], ["-x", *paths], environment, seconds)

    def record(self, room: str, into: Path, seconds: float) -> Outcome:
        """Run the tests of ``room`` on the unbroken code, writing down which lines each runs, and for how long."""
        rules = self.root / f"{room}.coveragerc"
        rules.write_text(
            f"[run]\nsource = rapyer\ndata_file = {into / room}.lines\ncore = ctrace\n"
        )
        covered = [sys.executable, "-m", "coverage", "run", f"--rcfile={rules}", "-m"]
        times = {TIMES: str(into / f"{room}.times")}
        return self._pytest(covered, self._paths([room]), times, seconds)

    def _paths(self, rooms: Sequence[str]) -> list[str]:
        return [f"tests/{room}" for room in rooms if (self.root / "tests" / room).exists()]

    def _pytest(
        self, python: list[str], words: Sequence[str], environment: dict[str, str], seconds: float
    ) -> Outcome:
        plugins = ("-p", "no:cacheprovider", "-p", "tests.mutants.recording")
        began = time.monotonic()
        process = subprocess.Popen(
            [*python, "pytest", "-q", "--no-header", "--tb=no", *plugins, *words],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_as_at_a_prompt,
        )
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return Outcome("nothing: it did not end in time", time.monotonic() - began)
        taken = time.monotonic() - began
        return Outcome(_killer(output) if process.returncode else None, taken)

    @contextmanager
    def broken(self, mutant: Mutant) -> Iterator[None]:
        """Meanwhile ``mutant`` stands in place of the code."""
        path = self.root / mutant.file
        source = path.read_bytes()
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()
        path.write_bytes(mutant.applied(source))
        try:
            yield
        finally:
            path.write_bytes(source)


def _as_at_a_prompt() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # a shell makes what runs in its background ignore it


def _killer(output: str) -> str:
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    return found.group(1) if found else "nothing: the tests cannot be collected"
