"""A lock that was lost, or whose taking was, is held by nobody."""
# ruff: noqa: PT012 - a lock is lost inside its block

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from pydantic import (
    ConfigDict,
    Field,
    model_validator,
)
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.config import RedisConfig
from rapyer.connections import client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.errors import (
    LockError,
    OutcomeUnknownError,
)
from tests.servers import proxied


class Span(AtomicRedisModel):
    model_config = ConfigDict(validate_assignment=True)

    name: str = Field(default="span", frozen=True)
    low: int = 0
    high: int = 10

    @model_validator(mode="after")
    def _check(self) -> Span:
        if self.low > self.high:
            raise ValueError("low must not exceed high")
        return self


async def test_a_lock_whose_taking_was_cancelled_or_lost_is_left_to_nobody(
    rapyer_server: EmbeddedServer, redis: Redis
) -> None:
    span = await Span().save()
    name = f"rapyer:lock:{span.key}"
    for turns in range(12):
        waiting = asyncio.create_task(span.lock(expiry=60).__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0)
        if waiting.done():
            break
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        assert await redis.exists(name) == 0
    await redis.delete(name)
    async with proxied(rapyer_server.status().address) as proxy:
        Span.Meta = RedisConfig(redis=client_from_url(f"redis://127.0.0.1:{proxy.port}"))
        proxy.cut_after = b"\r\nNX\r\n"
        with pytest.raises(OutcomeUnknownError):
            async with span.lock(expiry=60):
                pass
        await Span.Meta.redis.aclose()
        del Span.Meta
    assert await redis.exists(name) == 0


async def test_a_lock_that_cannot_be_renewed_is_lost_when_it_expires(
    rapyer_server: EmbeddedServer,
) -> None:
    span = await Span().save()
    async with proxied(rapyer_server.status().address) as proxy:
        Span.Meta = RedisConfig(redis=client_from_url(f"redis://127.0.0.1:{proxy.port}"))
        with pytest.raises(LockError, match="lost while it was held"):
            async with asyncio.timeout(10), span.lock(expiry=0.3):
                proxy.mute = True
                await asyncio.Event().wait()
        del Span.Meta
