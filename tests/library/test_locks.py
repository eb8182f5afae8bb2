"""Locks: a token and an expiry, renewed while held, released only by their holder."""

import asyncio
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel
from rapyer.errors import LockError, WrongModelError


class Guarded(AtomicRedisModel):
    count: int = 0


def name_of(model: Guarded) -> str:
    return f"rapyer:lock:{model.key}"


async def until(condition: Any) -> None:
    """Wait for a condition of the server, with a bound."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - the condition is the server's
            await asyncio.sleep(0)


async def test_only_one_holds_a_lock_at_a_time(redis: Redis) -> None:
    model = await Guarded().save()
    inside = 0

    async def work() -> None:
        nonlocal inside
        async with model.lock():
            inside += 1
            assert inside == 1
            await redis.ping()
            inside -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert await redis.exists(name_of(model)) == 0


async def test_a_lock_that_is_held_is_not_obtained_in_time(redis: Redis) -> None:
    model = await Guarded().save()
    async with model.lock():
        with pytest.raises(LockError, match="locked by somebody else"):
            async with rapyer.lock_from_key(model.key, timeout=0):
                pytest.fail("two holders")


async def test_a_lock_has_a_token_and_an_expiry(redis: Redis) -> None:
    model = await Guarded().save()
    async with model.lock(expiry=30) as lock:
        held = await redis.get(name_of(model))
        assert held in (lock.token, lock.token.encode())
        assert 0 < await redis.pttl(name_of(model)) <= 30_000


async def test_a_lock_is_renewed_while_it_is_held(redis: Redis) -> None:
    model = await Guarded().save()
    async with model.lock(expiry=0.6):
        await redis.pexpire(name_of(model), 400)

        async def renewed() -> bool:
            return bool(await redis.pttl(name_of(model)) > 450)

        await until(renewed)


async def test_releasing_ends_nobody_elses_lock(redis: Redis) -> None:
    model = await Guarded().save()
    async with model.lock(expiry=60):
        await redis.set(name_of(model), "somebody else")
    assert await redis.get(name_of(model)) in (b"somebody else", "somebody else")


async def test_a_lost_lock_stops_the_block(redis: Redis) -> None:
    model = await Guarded().save()
    with pytest.raises(LockError, match="lost while it was held"):  # noqa: PT012
        async with model.lock(expiry=0.3):
            await redis.set(name_of(model), "somebody else")
            await asyncio.Event().wait()


async def test_cancelling_the_holder_releases_the_lock_and_stays_a_cancellation(
    redis: Redis,
) -> None:
    model = await Guarded().save()
    entered = asyncio.Event()

    async def hold() -> None:
        async with model.lock(expiry=60):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await redis.exists(name_of(model)) == 0


async def test_the_lock_of_a_killed_holder_expires(redis: Redis, rapyer_url: str) -> None:
    model = await Guarded().save()
    program = (
        "import asyncio, sys\n"
        "from rapyer.connections import Session, client_from_url\n"
        "from rapyer.locks import lock_key\n"
        "async def main():\n"
        "    session = Session.of(client := client_from_url(sys.argv[1]))\n"
        "    async with lock_key(session, sys.argv[2], expiry=0.5):\n"
        "        print('held', flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, rapyer_url, model.key], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    async with model.lock(timeout=20):
        pass


async def test_lock_keys_never_show_up_as_documents(redis: Redis) -> None:
    model = await Guarded().save()
    async with model.lock():
        assert [found.key for found in await Guarded.find()] == [model.key]
        with pytest.raises(WrongModelError):
            await rapyer.get(name_of(model))
