"""Every model talks to the embedded server, which was emptied."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis.asyncio import Redis

from rapyer import AtomicRedisModel


@pytest.fixture(autouse=True)
def client(rapyer_redis: Redis) -> Iterator[Redis]:
    AtomicRedisModel.Meta.redis = rapyer_redis
    yield rapyer_redis
    AtomicRedisModel.Meta.redis = None
