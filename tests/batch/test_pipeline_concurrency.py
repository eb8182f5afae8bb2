"""Many writers at once, in tasks and in processes: nothing is lost, nothing is seen half."""
# ruff: noqa: PT012 - builtin errors are the promise; a pipeline is raised by its block

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from rapyer.errors import ConnectionError as RapyerConnectionError
from rapyer.errors import ConstraintError, OutcomeUnknownError, PipelineError
from tests.conftest import Stored

from .counting import Tally, buy

PROCESSES = 4
ROOT = Path(__file__).parents[2]


async def start(url: str, role: str, key: str, times: int) -> asyncio.subprocess.Process:
    words = ("-m", "tests.batch.counting", url, role, key, str(times))
    return await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )


async def result_of(process: asyncio.subprocess.Process) -> Any:
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output.splitlines()[-1])


async def run_processes(url: str, role: str, key: str, times: int) -> list[Any]:
    processes = [await start(url, role, key, times) for _ in range(PROCESSES)]
    return [await result_of(process) for process in processes]


@asynccontextmanager
async def watched(url: str, tally: Tally) -> AsyncIterator[None]:
    """Another process reads the document as fast as it can during the block, and saw no half batch."""
    watcher = await start(url, "watch", tally.key, 0)
    assert watcher.stdout is not None
    try:
        assert await watcher.stdout.readline() == b"watching\n"
        yield
    finally:
        await tally.aupdate(done=True)
        seen = await result_of(watcher)
    assert seen["torn"] == []
    assert seen["polls"] > 50


async def test_processes_adding_through_pipelines_lose_nothing(
    rapyer_url: str, stored: Stored
) -> None:
    tally = await Tally().save()
    times = 100
    await run_processes(rapyer_url, "add_in_pipelines", tally.key, times)
    total = PROCESSES * times
    document = await stored(tally)
    assert document["n"] == 2 * total
    assert document["x"] == 0.5 * total
    assert document["text"] == "ab" * total
    assert document["numbers"] == [total, 2 * total]
    assert document["table"] == {"k": 3 * total, "back\\slash": total}
    assert sorted(map(int, document["items"])) == sorted([*range(times)] * PROCESSES)


async def test_increase_from_500_tasks_loses_nothing(stored: Stored) -> None:
    tally = await Tally().save()
    results = await asyncio.gather(*(tally.n.increase() for _ in range(500)))
    assert sorted(results) == list(range(1, 501))
    assert tally.n == 500 == (await stored(tally))["n"]


async def test_increase_from_processes_loses_nothing(rapyer_url: str, stored: Stored) -> None:
    tally = await Tally().save()
    results = await run_processes(rapyer_url, "increase", tally.key, 300)
    assert sorted(chain.from_iterable(results)) == list(range(1, 4 * 300 + 1))
    assert (await stored(tally))["n"] == 4 * 300


async def test_appends_and_pops_from_many_tasks_agree_with_the_server(stored: Stored) -> None:
    tally = await Tally().save()
    await asyncio.gather(*(tally.items.aappend(str(number)) for number in range(100)))
    assert sorted(map(int, tally.items)) == list(range(100))
    assert tally.items == (await stored(tally))["items"]
    popped = await asyncio.gather(*(tally.items.apop(0) for _ in range(60)))
    assert len({*popped}) == 60
    assert tally.items == (await stored(tally))["items"]
    assert {*popped, *tally.items} == {str(number) for number in range(100)}


async def test_forty_buyers_of_ten_items_in_tasks(stored: Stored) -> None:
    tally = await Tally().save()
    assert await buy(tally.key, 40) == 10
    document = await stored(tally)
    assert (document["stock"], document["items"]) == (0, ["bought"] * 10)


async def test_forty_buyers_of_ten_items_in_processes(rapyer_url: str, stored: Stored) -> None:
    tally = await Tally().save()
    assert sum(await run_processes(rapyer_url, "buy", tally.key, 10)) == 10
    document = await stored(tally)
    assert (document["stock"], document["items"]) == (0, ["bought"] * 10)


async def test_forty_buyers_without_a_pipeline(stored: Stored) -> None:
    tally = await Tally().save()
    results = await asyncio.gather(
        *(tally.stock.increase(-1) for _ in range(40)), return_exceptions=True
    )
    assert sorted(r for r in results if isinstance(r, int)) == list(range(10))
    assert sum(isinstance(r, ConstraintError) for r in results) == 30
    assert (await stored(tally))["stock"] == 0 == tally.stock


async def test_a_watcher_never_sees_half_a_batch(
    rapyer_url: str, redis: Redis, stored: Stored
) -> None:
    tally = await Tally().save()
    async with watched(rapyer_url, tally):
        for number in range(1000):
            if number % 25 == 0:
                await redis.script_flush()
            async with tally.pipeline():
                tally.left += 1
                tally.items.append("x")
                tally.numbers.sort(reverse=True)
                tally.table["k"] += 1
                tally.right = tally.right + 1
    assert (await stored(tally))["left"] == 1000


async def test_refused_batches_are_never_seen_half_either(
    rapyer_url: str, redis: Redis, stored: Stored
) -> None:
    tally = await Tally().save()
    async with watched(rapyer_url, tally):
        for number in range(300):
            if number % 10 == 0:
                await redis.script_flush()
            with pytest.raises(PipelineError):
                async with tally.pipeline():
                    tally.left += 1
                    tally.items.append("x")
                    tally.table["k"] += 1
                    tally.right += 1
                    tally.stock -= 11
    assert (await stored(tally))["left"] == 0 == tally.left


async def test_batches_around_server_crashes_are_there_once_or_not_at_all(
    start_server: Any,
) -> None:
    from rapyer import AtomicRedisModel
    from rapyer.connections import client_from_url

    server = start_server("--appendonly", "yes", "--appendfsync", "always")
    client = client_from_url(f"unix://{server.socket}")
    AtomicRedisModel.Meta.redis = client
    tally = await Tally().save()
    done, unknown, failed = 0, 0, 0
    for round_ in range(4):
        crash: asyncio.Task[None] | None = None
        for number in range(60):
            if number == 30:
                crash = asyncio.create_task(asyncio.to_thread(_crash, server))
            try:
                async with tally.pipeline():
                    tally.left += 1
                    tally.table["k"] += 1
                    tally.items.append(f"{round_}.{number}")
                    tally.right += 1
            except OutcomeUnknownError:
                unknown += 1
            except RapyerConnectionError:
                failed += 1
                await asyncio.sleep(0)
            else:
                done += 1
        assert crash is not None
        await crash
        await loaded(tally)
        document = json.loads(server.call("JSON.GET", tally.key))
        assert document["left"] == document["right"] == document["table"]["k"]
        assert document["left"] == len(document["items"]) == len(set(document["items"]))
        assert done <= document["left"] <= done + unknown
    assert done + unknown + failed == 240
    await client.aclose()


async def loaded(tally: Tally) -> None:
    """Read the document as soon as the server has read its own file."""
    while True:
        try:
            await tally.load()
        except RapyerConnectionError:
            await asyncio.sleep(0)
        else:
            return


def _crash(server: Any) -> None:
    server.stop()
    server.start()
