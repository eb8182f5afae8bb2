"""A field that could not be read keeps what is stored until somebody gives it another value, and that one then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from rapyer import AtomicRedisModel, SafeLoad
from tests.conftest import Stored

KEY = "Worn:1"


class Worn(AtomicRedisModel):
    number: SafeLoad[int] = 0
    count: int = 0


@pytest.fixture
async def worn(redis: Redis) -> Worn:
    """A document whose number cannot be read."""
    await redis.execute_command("JSON.SET", KEY, "$", '{"number":"bad","count":1}')
    return await Worn.get(KEY)


async def test_saving_keeps_what_could_not_be_read(worn: Worn, stored: Stored) -> None:
    worn.count = 2
    await worn.save()
    assert await stored(KEY) == {"number": "bad", "count": 2}


REPAIRS: list[Callable[[Worn], Any]] = [
    lambda worn: setattr(worn, "number", 5),
    lambda worn: worn.update(number=5),
    lambda worn: setattr(worn, "number", 0),
]


@pytest.mark.parametrize("saved", ["save", "save_changes"])
@pytest.mark.parametrize("repair", REPAIRS)
async def test_a_repaired_field_is_saved(
    worn: Worn, stored: Stored, repair: Callable[[Worn], Any], saved: str
) -> None:
    repair(worn)
    await getattr(worn, saved)()
    assert await stored(KEY) == {"number": worn.number, "count": 1}
    assert type((await stored(KEY))["number"]) is int
    await worn.save()
    assert (await Worn.get(KEY)).number == worn.number


async def test_a_field_repaired_in_one_step_stays_repaired(worn: Worn, stored: Stored) -> None:
    await worn.aupdate(number=5)
    assert await stored(KEY) == {"number": 5, "count": 1}
    worn.count = 3
    await worn.save()
    assert await stored(KEY) == {"number": 5, "count": 3}


async def test_a_field_repaired_in_a_pipeline_stays_repaired(worn: Worn, stored: Stored) -> None:
    async with worn.pipeline():
        worn.number = 5
    await worn.save()
    assert await stored(KEY) == {"number": 5, "count": 1}
