"""A search is taken wherever a coroutine is; ``max_results`` is another name of ``limit``."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from rapyer import AtomicRedisModel, Index


class Sought(AtomicRedisModel):
    age: Index[int] = 0


async def test_a_search_runs_as_a_task() -> None:
    sought = await Sought(age=3).save()
    async with asyncio.TaskGroup() as group:
        all_of_them = group.create_task(Sought.find(Sought.age == 3))
        keys = group.create_task(Sought.find_keys())
    assert all_of_them.result() == [sought]
    assert keys.result() == [sought.key]
    assert await asyncio.create_task(Sought.find(sought.key)) == [sought]
    assert await asyncio.wait_for(Sought.find(), 5) == [sought]
    assert await asyncio.gather(Sought.find(), Sought.find_keys()) == [[sought], [sought.key]]


async def test_a_search_that_ran_as_a_task_can_be_awaited_and_refined() -> None:
    sought = await Sought(age=3).save()
    search = Sought.find()
    assert await asyncio.create_task(search) == [sought]
    assert await search == [sought]
    assert await asyncio.create_task(search.limit(0)) == []
    assert [one async for one in search] == [sought]


async def test_a_search_in_a_task_that_is_cancelled_ends() -> None:
    await Sought.insert(*(Sought(age=number) for number in range(500)))
    task = asyncio.create_task(Sought.find())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await Sought.find().count() == 500


def test_asyncio_run_takes_a_search(rapyer_url: str) -> None:
    program = f"""
import asyncio, rapyer
class Sought(rapyer.AtomicRedisModel):
    age: int = 0
asyncio.run(rapyer.init_rapyer({rapyer_url!r}))
assert asyncio.run(Sought.find(max_results=0)) == []
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


async def test_max_results_is_the_limit() -> None:
    await Sought.insert(*(Sought(age=number) for number in range(5)))
    assert len(await Sought.find(max_results=2)) == 2
    assert len(await Sought.find(Sought.age > 0, max_results=3)) == 3
    assert len(await Sought.find_keys(max_results=4)) == 4
    assert len(await Sought.afind_keys(max_results=4)) == 4
    assert len(await Sought.find(max_results=None)) == 5
    with pytest.raises(TypeError, match="two names of one thing"):
        Sought.find(limit=1, max_results=1)


async def test_an_index_is_deleted_and_no_document() -> None:
    sought = await Sought(age=3).save()
    assert await Sought.delete_index() is False
    assert await Sought.create_index()
    assert await Sought.delete_index() is True
    assert await Sought.adelete_index() is False
    assert await Sought.find(Sought.age == 3) == [sought]
    assert await Sought.create_index()
