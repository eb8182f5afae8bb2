"""Every model talks to the embedded server, which was emptied; models of other tests are not known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from tests.registered import models_of


@pytest.fixture(autouse=True)
def client(rapyer_redis: Redis, request: pytest.FixtureRequest) -> Iterator[Redis]:
    with models_of(request.module.__name__):
        AtomicRedisModel.Meta.redis = rapyer_redis
        yield rapyer_redis
        AtomicRedisModel.Meta.redis = None
