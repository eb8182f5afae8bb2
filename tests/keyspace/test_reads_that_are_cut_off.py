"""A read whose reply is lost says that the connection was lost, and never that something may have been written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, RedisConfig, errors
from rapyer.config import use_client
from rapyer.connections import client_from_url
from rapyer.embedded import EmbeddedServer
from tests.servers import proxied


class CutOff(AtomicRedisModel):
    Meta = RedisConfig(ttl=600, refresh_ttl=True)
    count: int = 0
    tags: list[str] = []


READS: list[Callable[[Any], Awaitable[object]]] = [
    lambda cut: CutOff.get(cut.key),
    lambda cut: CutOff.find(),
    lambda cut: CutOff.find(cut.key),
    lambda cut: CutOff.find(CutOff.count == 0),
    lambda cut: CutOff.find_one(CutOff.count == 0),
    lambda cut: rapyer.get(cut.key),
    lambda cut: rapyer.find(cut.key),
    lambda cut: cut.load(),
    lambda cut: cut.count.load(),
    lambda cut: cut.tags.load(),
]


@asynccontextmanager
async def cutting(server: EmbeddedServer, after: bytes) -> AsyncIterator[None]:
    """In the block the connections of all models are cut after a command, before its reply."""
    async with proxied(server.status().address) as proxy:
        client = client_from_url(f"redis://127.0.0.1:{proxy.port}")
        proxy.cut_after = after
        with use_client(client):
            yield
        await client.aclose()


@pytest.mark.parametrize("after", [b"PEXPIRE", b"JSON."])
@pytest.mark.parametrize("read", READS)
async def test_a_lost_read_is_no_write_of_unknown_fate(
    redis: Redis,
    rapyer_server: EmbeddedServer,
    read: Callable[[Any], Awaitable[object]],
    after: bytes,
) -> None:
    with use_client(redis):
        cut = await CutOff().save()
    async with cutting(rapyer_server, after):
        with pytest.raises(errors.ConnectionError) as lost:
            await read(cut)
    assert not isinstance(lost.value, errors.OutcomeUnknownError)


async def test_a_lost_write_is_one_of_unknown_fate(
    redis: Redis, rapyer_server: EmbeddedServer
) -> None:
    with use_client(redis):
        cut: Any = await CutOff().save()
    async with cutting(rapyer_server, b"EVALSHA"):
        with pytest.raises(errors.OutcomeUnknownError):
            await cut.count.increase()
