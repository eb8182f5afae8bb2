"""What the tests of the library share: every model talks to the embedded server, and looks at what is stored."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from redis.asyncio import Redis

from rapyer import AtomicRedisModel

Stored = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def redis(rapyer_redis: Redis) -> Iterator[Redis]:
    """The client of all models, of a server that was emptied."""
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
