"""A time to live is what was asked for last, and never one that deletes at once."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.config import RedisConfig
from rapyer.errors import (
    ConfigurationError,
)
from rapyer.types import RedisInt


class Session(AtomicRedisModel):
    Meta = RedisConfig(ttl=600, refresh_ttl=True)
    hits: RedisInt = RedisInt(0)


async def test_a_ttl_set_by_hand_is_not_refreshed_in_the_same_step(redis: Redis) -> None:
    Session.Meta.redis = redis
    session = await Session().save()
    await session.set_ttl(5)
    assert await redis.ttl(session.key) <= 5
    await session.hits.increase()
    assert await redis.ttl(session.key) > 5
    async with session.pipeline():
        session.hits += 1
        await session.set_ttl(5)
        session.hits += 1
    assert await redis.ttl(session.key) <= 5


@pytest.mark.parametrize("ttl", [0, -1, 10**17])
async def test_a_ttl_that_would_delete_at_once_is_refused_before_anything_is_sent(
    redis: Redis, ttl: int
) -> None:
    class Odd(AtomicRedisModel):
        Meta = RedisConfig(ttl=ttl, refresh_ttl=True, redis=redis)

    odd = Odd()
    with pytest.raises(ConfigurationError, match="ttl"):
        await odd.save()
    with pytest.raises(ConfigurationError, match="ttl"):
        await Odd.insert(odd)
    assert await redis.exists(odd.key) == 0
