"""What all tests share. The plain server comes from :mod:`rapyer.testing`, as it does for users."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from tests.servers import RedisProcess, running, use_test_server

StartServer = Callable[..., RedisProcess]
Stored = Callable[..., Awaitable[Any]]

# The same examples in every run; RAPYER_EXAMPLES=500 looks for new ones, and deeper.
settings.register_profile("rapyer", derandomize="RAPYER_EXAMPLES" not in os.environ)
settings.load_profile("rapyer")

pytest_plugins = ["pytester"]

use_test_server()


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


@pytest.fixture
def redis(rapyer_redis: Redis) -> Iterator[Redis]:
    """The client of all models, of a server that was emptied. Rooms whose models are stored use it for every test."""
    AtomicRedisModel.Meta.redis = rapyer_redis
    yield rapyer_redis
    AtomicRedisModel.Meta.redis = None


@pytest.fixture
def stored_text(redis: Redis) -> Stored:
    """``await stored_text(model or key, path)`` is the JSON text that the server has, None without one."""

    async def read(model: Any, path: str = "") -> str | None:
        key = model if isinstance(model, str) else model.key
        words = [path] if path else []
        text = await redis.execute_command("JSON.GET", key, *words)
        if text is None:
            return None
        return str(text.decode() if isinstance(text, bytes) else text)

    return read


@pytest.fixture
def stored(stored_text: Stored) -> Stored:
    """``await stored(model or key)`` is the parsed document that the server has."""

    async def read(model: Any) -> Any:
        text = await stored_text(model)
        return None if text is None else json.loads(text)

    return read


@pytest.fixture
def commands(redis: Redis) -> Callable[[], Awaitable[int]]:
    """``await commands()`` is how many commands the server has executed, this one excluded."""

    async def count() -> int:
        info: Any = await redis.info("commandstats")
        return sum(
            entry["calls"] for name, entry in info.items() if not name.startswith("cmdstat_info")
        )

    return count
