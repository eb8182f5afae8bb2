"""Locks: one holder at a time, a token, an expiry that is renewed while held, and no document."""
# ruff: noqa: PT012 - a lock is lost inside its block

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel
from rapyer.errors import LockError, WrongModelError
from tests.conftest import Stored


class Guarded(AtomicRedisModel):
    n: int = 0


def name_of(guarded: Guarded) -> str:
    return f"rapyer:lock:{guarded.key}"


async def until(condition: Any, *, polls: int = 20_000) -> None:
    """Return when ``await condition()`` is true; each poll is a round trip to the server."""
    for _ in range(polls):
        if await condition():
            return
    raise AssertionError("it never became true")


async def test_lock_excludes_other_holders(stored: Stored) -> None:
    guarded = await Guarded().save()
    inside = 0

    async def work() -> None:
        nonlocal inside
        mine = await Guarded.get(guarded.key)
        async with mine.lock():
            inside += 1
            assert inside == 1
            await mine.load()
            mine.n = int(mine.n) + 1
            await mine.save()
            inside -= 1

    await asyncio.gather(*(work() for _ in range(10)))
    assert (await stored(guarded))["n"] == 10


async def test_lock_is_released_at_the_end_and_after_an_exception(redis: Redis) -> None:
    guarded = Guarded()
    async with guarded.lock():
        assert await redis.exists(name_of(guarded)) == 1
    assert await redis.exists(name_of(guarded)) == 0
    with pytest.raises(ZeroDivisionError):
        async with guarded.alock():
            raise ZeroDivisionError
    assert await redis.exists(name_of(guarded)) == 0


async def test_lock_that_is_taken_raises_after_the_timeout() -> None:
    guarded = Guarded()
    async with guarded.lock():
        for timeout in (0, 0.05):
            with pytest.raises(LockError) as caught:
                async with guarded.lock(timeout=timeout):
                    pytest.fail("two holders")
            assert guarded.key in str(caught.value)
    async with guarded.lock(timeout=0):
        pass


async def test_every_holder_has_a_token_of_its_own_and_an_expiry(redis: Redis) -> None:
    guarded = Guarded()
    tokens = set()
    for _ in range(2):
        async with guarded.lock(expiry=5) as lock:
            text = await redis.get(name_of(guarded))
            assert text in (lock.token, lock.token.encode())
            assert 0 < await redis.pttl(name_of(guarded)) <= 5000
            tokens.add(lock.token)
    assert len(tokens) == 2


async def test_lock_of_a_crashed_holder_expires(redis: Redis) -> None:
    guarded = Guarded()
    await redis.set(name_of(guarded), "token of the dead", px=50)
    async with guarded.lock(timeout=5):
        assert await redis.get(name_of(guarded)) not in ("token of the dead", b"token of the dead")


async def test_lock_is_renewed_while_it_is_held(redis: Redis) -> None:
    guarded = Guarded()
    async with guarded.lock(expiry=0.3):
        await redis.pexpire(name_of(guarded), 250)

        async def renewed() -> bool:
            await asyncio.sleep(0)
            return bool(await redis.pttl(name_of(guarded)) > 260)

        await until(renewed)
        with pytest.raises(LockError):
            async with guarded.lock(timeout=0):
                pass


async def test_only_ones_own_lock_is_released(redis: Redis) -> None:
    guarded = Guarded()
    try:
        async with guarded.lock(expiry=60):
            await redis.set(name_of(guarded), "somebody else")
    except LockError:
        pass
    assert await redis.get(name_of(guarded)) in ("somebody else", b"somebody else")


async def test_a_lock_that_is_lost_stops_its_block(redis: Redis) -> None:
    guarded = Guarded()
    with pytest.raises(LockError):
        async with guarded.lock(expiry=0.1):
            await redis.set(name_of(guarded), "somebody else")
            await asyncio.Event().wait()
    assert await redis.get(name_of(guarded)) in ("somebody else", b"somebody else")
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]


async def test_cancelling_the_holder_releases_the_lock(redis: Redis) -> None:
    guarded = Guarded()
    inside = asyncio.Event()

    async def hold() -> None:
        async with guarded.lock():
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await redis.exists(name_of(guarded)) == 0


async def test_lock_from_key_is_the_same_lock() -> None:
    guarded = await Guarded().save()
    locks = (
        Guarded.lock_from_key(guarded.key, timeout=0),
        Guarded.lock_from_key(guarded.pk, timeout=0),
        Guarded.alock_from_key(guarded.key, timeout=0),
        rapyer.lock_from_key(guarded.key, timeout=0),
        rapyer.alock_from_key(guarded.key, timeout=0),
    )
    async with guarded.lock():
        for lock in locks:
            with pytest.raises(LockError):
                async with lock:
                    pass
    with pytest.raises(WrongModelError):
        rapyer.lock_from_key("Nobody:1")
    async with rapyer.lock_from_key(guarded.key, timeout=0):
        pass


async def test_locks_never_show_up_as_documents() -> None:
    guarded = await Guarded().save()
    async with guarded.lock(), Guarded.lock_from_key("rapyer:lock:Guarded:x"):
        assert await Guarded.find() == [guarded]
        assert [str(key) for key in await Guarded.find_keys()] == [guarded.key]


async def test_an_expiry_that_is_no_time_is_refused() -> None:
    for expiry in (0, -1):
        with pytest.raises(ValueError, match="positive"):
            async with Guarded().lock(expiry=expiry):
                pass
