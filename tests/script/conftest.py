"""What the tests of the script share: documents as stored text, and models that are stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis

from rapyer.connections import Session

Store = Callable[..., Awaitable[None]]


@pytest.fixture(autouse=True)
def _models_are_stored(redis: Redis) -> None:
    """All models talk to the embedded server, which is empty."""


@pytest.fixture
def session(rapyer_redis: Redis) -> Session:
    """The way to the server."""
    return Session.of(rapyer_redis)


@pytest.fixture
def store(session: Session) -> Store:
    """``await store(text, key)`` stores a document."""

    async def store(text: str | bytes, key: str = "D:1") -> None:
        await session.execute("JSON.SET", key, "$", text, write=True)

    return store
