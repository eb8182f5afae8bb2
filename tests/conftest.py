"""What all tests share. The plain server comes from :mod:`rapyer.testing`, as it does for users."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers import RedisProcess, running

StartServer = Callable[..., RedisProcess]

# The same examples in every run; RAPYER_EXAMPLES=500 looks for new ones, and deeper.
settings.register_profile("rapyer", derandomize="RAPYER_EXAMPLES" not in os.environ)
settings.load_profile("rapyer")

pytest_plugins = ["pytester"]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start a server of a special kind: ``start_server("--requirepass", "secret", json=False)``."""
    with ExitStack() as servers:
        started = 0

        def start(*options: str, json: bool = True, mode: tuple[str, ...] = ()) -> RedisProcess:
            nonlocal started
            started += 1
            server = RedisProcess(tmp_path / f"r{started}", *options, json=json)
            return servers.enter_context(running(server, *mode))

        yield start
