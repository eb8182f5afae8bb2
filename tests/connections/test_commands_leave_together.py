"""Commands of tasks that run at the same time leave together; each has its own outcome."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from rapyer import errors
from rapyer.connections import Session, client_from_url
from rapyer.connections.coalescing import (
    EARLY_BATCHES,
    EARLY_COMMANDS,
    Broken,
    Together,
)
from rapyer.embedded import EmbeddedServer
from tests.servers import proxied


@pytest.fixture
async def session(rapyer_redis: Redis) -> Session:
    session = Session.of(rapyer_redis)
    await session.execute("SET", "n", "0", write=True)
    return session


def held(session: Session) -> int:
    """How many connections the session's lane has made."""
    pool: Any = session._pool
    return len(pool._available_connections) + len(pool._in_use_connections)


async def test_concurrent_commands_share_a_few_connections(session: Session) -> None:
    replies = await asyncio.gather(*(session.execute("INCR", "n", write=True) for _ in range(1000)))
    assert sorted(replies) == list(range(1, 1001))
    assert held(session) < 20


async def test_each_gets_its_own_error_reply(session: Session) -> None:
    results = await asyncio.gather(
        *(session.execute("INCR", "n", write=True) for _ in range(5)),
        session.execute("LPUSH", "n", "x", write=True),
        session.execute("GET", "n", write=False),
        return_exceptions=True,
    )
    assert results[:5] == [1, 2, 3, 4, 5]
    assert isinstance(results[5], ResponseError)
    assert results[6] == b"5"


async def test_a_cancelled_command_disturbs_nobody(session: Session) -> None:
    tasks = [asyncio.create_task(session.execute("INCR", "n", write=True)) for _ in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    numbers = [result for result in results if isinstance(result, int)]
    assert len(numbers) >= 33
    assert len(set(numbers)) == len(numbers)
    assert await session.execute("ECHO", "in step", write=False) == b"in step"


async def test_a_command_that_is_cancelled_before_it_left_is_not_sent() -> None:
    sent: list[tuple[bytes, int]] = []

    async def converse(payload: bytes, count: int) -> list[Any]:
        sent.append((payload, count))
        return list(range(count))

    together = Together(asyncio.get_running_loop(), converse)
    gone = asyncio.ensure_future(together.exchange(b"a", 1))
    stays = asyncio.ensure_future(together.exchange(b"b", 2))
    gone.cancel()
    assert await stays == [0, 1]
    assert sent == [(b"b", 2)]


async def test_batches_are_bounded() -> None:
    sizes: list[int] = []

    async def converse(payload: bytes, count: int) -> list[Any]:
        sizes.append(count)
        return [None] * count

    together = Together(asyncio.get_running_loop(), converse)
    await asyncio.gather(*(together.exchange(b"x" * 10_000, 1) for _ in range(100)))
    assert sum(sizes) == 100
    assert max(sizes) <= 13


async def test_many_commands_begin_to_leave_before_all_are_made() -> None:
    begun: list[bytes] = []

    async def converse(payload: bytes, count: int) -> list[Any]:
        raise AssertionError("a connection is free")

    def begin(payload: bytes) -> Any:
        begun.append(payload)

        async def finish(count: int) -> list[Any]:
            return list(payload[:count])

        return finish

    together = Together(asyncio.get_running_loop(), converse, begin)
    futures = [together.exchange(b"%c" % number, 1) for number in range(100)]
    early = len(begun)
    assert 1 < early <= EARLY_BATCHES
    assert b"".join(begun) == bytes(range(early * EARLY_COMMANDS))
    assert await asyncio.gather(*futures) == [[number] for number in range(100)]


async def test_a_lost_connection_is_told_to_each_by_what_it_did(
    rapyer_server: EmbeddedServer, rapyer_redis: Redis
) -> None:
    await rapyer_redis.set("n", 0)
    async with proxied(rapyer_server.address) as proxy:
        client = client_from_url(f"redis://127.0.0.1:{proxy.port}")
        session = Session.of(client)
        await session.execute("PING", write=False)
        proxy.cut_after = b"INCR"
        results = await asyncio.gather(
            session.execute("GET", "n", write=False),
            *(session.execute("INCR", "n", write=True) for _ in range(10)),
            session.execute("GET", "n", write=False),
            return_exceptions=True,
        )
        unknown = [
            result for result in results[1:-1] if isinstance(result, errors.OutcomeUnknownError)
        ]
        known = [result for result in results[1:-1] if isinstance(result, int)]
        assert unknown
        assert len(unknown) + len(known) == 10
        assert type(results[-1]) in (errors.ConnectionError, bytes)
        stored = int(await rapyer_redis.get("n"))
        assert len(known) <= stored <= 10
        await client.aclose()


async def test_one_setting_sends_each_over_a_connection_of_its_own(
    rapyer_server: EmbeddedServer, rapyer_redis: Redis
) -> None:
    client = client_from_url(f"unix://{rapyer_server.address}")
    session = Session.of(client)
    session.coalesce = False
    await asyncio.gather(*(session.execute("PING", write=False) for _ in range(20)))
    assert held(session) == 20
    await client.aclose()


async def test_broken_tells_whether_anything_was_sent() -> None:
    async def converse(payload: bytes, count: int) -> list[Any]:
        raise Broken(OSError("gone"), sent=False)

    together = Together(asyncio.get_running_loop(), converse)
    results = await asyncio.gather(
        *(together.exchange(b"x", 1) for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [Broken] * 3
    assert {result.sent for result in results if isinstance(result, Broken)} == {False}
