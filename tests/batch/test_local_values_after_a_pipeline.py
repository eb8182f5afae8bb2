"""What stands in the instance after a pipeline is what the server has."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import (
    BaseModel,
    Field,
)
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from tests.conftest import Stored
from tests.servers import until


class Mutable(AtomicRedisModel):
    count: int = 0
    text: str = ""
    maybe: int | None = 1
    any: Any = 1
    inner: Place = Field(default_factory=lambda: Place())
    places: list[Place] = Field(default_factory=lambda: [Place()])
    many: dict[str, int] = Field(default_factory=lambda: {str(n): n for n in range(400)})


class Place(BaseModel):
    count: int = 0
    name: str = ""


Mutable.model_rebuild()


def _increased_then_assigned(mutable: Mutable) -> None:
    mutable.count += 1
    mutable.count = 10
    mutable.text += "a"
    mutable.update(text="b")
    assert mutable.maybe is not None
    mutable.maybe += 1
    mutable.maybe = None
    mutable.any += 1
    mutable.any = [1]
    mutable.any.append(2)
    mutable.inner.count += 1
    mutable.inner.count = 20
    mutable.places[0].count += 1
    mutable.places[0].count = 30
    mutable.many["5"] += 1
    mutable.many["5"] = 40


async def test_what_is_assigned_after_an_increment_is_what_stands_here_too() -> None:
    mutable = await Mutable().save()
    async with mutable.pipeline():
        _increased_then_assigned(mutable)
    stored = await Mutable.get(mutable.key)
    assert (stored.count, stored.text, stored.maybe, stored.any) == (10, "b", None, [1, 2])
    assert (stored.inner.count, stored.places[0].count, stored.many["5"]) == (20, 30, 40)
    assert mutable == stored
    await mutable.save_changes()
    assert await Mutable.get(mutable.key) == stored


async def test_what_is_changed_after_a_load_in_a_pipeline_is_what_stands_here_too() -> None:
    mutable = await Mutable().save()
    await (await Mutable.get(mutable.key)).aupdate(text="theirs", count=5)
    async with mutable.pipeline():
        await mutable.load()
        _increased_then_assigned(mutable)
        await mutable.inner.load()  # type: ignore[attr-defined]
        mutable.inner.name = "here"
    stored = await Mutable.get(mutable.key)
    assert (stored.count, stored.text, stored.inner.name) == (10, "b", "here")
    assert mutable == stored


async def test_a_save_in_a_pipeline_outlasts_the_increments_before_it() -> None:
    mutable = await Mutable().save()
    mutable.count = mutable.inner.count = 50
    async with mutable.pipeline():
        mutable.count += 1
        mutable.inner.count += 1
        await mutable.save()
        mutable.inner.count += 1
    assert (mutable.count, mutable.inner.count) == (51, 52)
    assert await Mutable.get(mutable.key) == mutable


async def test_a_pipeline_in_an_abandoned_generator_collects_nothing_any_more() -> None:
    mutable = await Mutable().save()

    async def changing() -> AsyncIterator[int]:
        async with mutable.pipeline():
            mutable.count += 1
            yield 1

    async for _ in changing():
        break
    gc.collect()
    await until(lambda: mutable.count == 0)
    mutable.count = 9
    await mutable.save()
    assert (await Mutable.get(mutable.key)).count == 9


async def test_the_result_of_a_queued_load_is_the_value_that_was_read(redis: Redis) -> None:
    class Loaded(AtomicRedisModel):
        count: int = 0

    model = await Loaded(count=1).save()
    await redis.execute_command("JSON.SET", model.key, "$.count", "7")
    async with model.pipeline():
        queued: Any = await model.count.load()
    assert queued.result() == 7
    assert model.count == 7


async def test_a_load_in_a_pipeline_brings_what_others_did_beside_what_is_changed_after_it() -> (
    None
):
    mutable: Any = await Mutable().save()
    theirs = await Mutable.get(mutable.key)
    theirs.text, theirs.maybe, theirs.inner.name = "theirs", None, "theirs"
    theirs.places.append(Place(name="theirs"))
    await theirs.save()
    async with mutable.pipeline():
        await mutable.load()
        mutable.count += 1
        mutable.inner.count += 1
        mutable.many["7"] += 1
    stored = await Mutable.get(mutable.key)
    assert (stored.text, stored.maybe, stored.inner.name, len(stored.places)) == (
        *("theirs", None, "theirs"),
        2,
    )
    assert (stored.count, stored.inner.count, stored.many["7"]) == (1, 1, 8)
    assert mutable == stored


async def test_a_load_of_a_field_brings_what_others_did_to_it_before_it_is_changed() -> None:
    mutable: Any = await Mutable().save()
    theirs = await Mutable.get(mutable.key)
    theirs.inner.name, theirs.many["9"], theirs.count = "theirs", 90, 5
    await theirs.save()
    async with mutable.pipeline():
        await mutable.inner.load()
        await mutable.many.load()
        await mutable.count.load()
        mutable.inner.count += 1
        mutable.many["7"] += 1
        mutable.count += 1
    assert (mutable.inner.name, mutable.inner.count) == ("theirs", 1)
    assert (mutable.many["9"], mutable.many["7"], mutable.count) == (90, 8, 6)
    assert mutable == await Mutable.get(mutable.key)


class Edited(AtomicRedisModel):
    items: list[str] = []
    table: dict[str, int] = {}


@pytest.mark.parametrize("size", [0, 300])
async def test_edits_below_what_a_block_changes_stay_edits(size: int, stored: Stored) -> None:
    mine: Any = await Edited(items=["t"] * size, table={f"k{n}": n for n in range(size)}).save()
    first = await stored(mine)
    mine.items.append("edit")
    mine.table["edit"] = 1
    theirs: Any = await Edited.get(mine.key)
    await theirs.items.aappend("theirs")
    await theirs.table.aset_item("theirs", 5)
    async with mine.pipeline():
        mine.items.append("block")
        mine.table["block"] = 2
    assert await stored(mine) == {
        "items": [*first["items"], "theirs", "block"],
        "table": {**first["table"], "theirs": 5, "block": 2},
    }
    # a list is one place and stays as it was edited; the entries of a dict are places of their own
    assert mine.items == [*first["items"], "edit", "block"]
    await mine.save_changes()
    assert (await stored(mine))["items"] == [*first["items"], "edit", "block"]
    assert (await stored(mine))["table"] == {
        **first["table"],
        "theirs": 5,
        "block": 2,
        "edit": 1,
    }
