"""Tasks that share an instance: what one does in a block is its own until the block is applied."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field

from rapyer import AtomicRedisModel, pipeline
from rapyer.errors import PipelineError
from tests.conftest import Stored


class Inner(BaseModel):
    x: int = 0
    y: int = 0


class Shared(AtomicRedisModel):
    n: int = Field(default=0, ge=0)
    other: int = 0
    name: str = ""
    items: list[int] = []
    rows: list[Inner] = []
    table: dict[str, int] = {}
    inner: Inner = Inner()
    maybe: list[int] | None = None


class _BodyError(Exception):
    pass


async def _block(model: Any, change: Callable[[Any], Any], until: asyncio.Event) -> None:
    """A block that changes something and fails when ``until`` is set."""
    async with model.pipeline():
        change(model)
        await until.wait()
        raise _BodyError


async def in_a_block(model: Any, amount: int, error: Exception | None) -> None:
    """A block of its own that adds, sets an entry, appends, and fails if it is to."""
    async with model.pipeline():
        model.n += amount
        model.table["inner"] = 1
        model.items.append(99)
        if error is not None:
            raise error


async def beside(
    model: Any, change: Callable[[Any], Any], other: Callable[[], Awaitable[Any]]
) -> None:
    """Let ``other`` happen while another task's block with ``change`` is open, which then fails."""
    until = asyncio.Event()
    task = asyncio.create_task(_block(model, change, until))
    await asyncio.sleep(0)
    try:
        await other()
    finally:
        until.set()
        with pytest.raises(_BodyError):
            await task


def change_all(model: Any) -> None:
    model.n += 100
    model.name = "block"
    model.items.append(2)
    model.table["block"] = 1
    model.inner.x = 100
    model.rows[0].x += 100


async def start() -> Any:
    return await Shared(
        n=1, items=[1], rows=[Inner(x=1), Inner(x=2)], table={"k": 1}, inner=Inner(x=1)
    ).save()


async def test_an_aborted_block_leaves_what_another_task_committed(stored: Stored) -> None:
    model = await start()

    async def other() -> None:
        await model.n.increase(5)
        await model.items.aappend(7)
        await model.table.aset_item("other", 2)
        await model.inner.y.increase(3)
        await model.rows[1].x.increase()

    await beside(model, change_all, other)
    expected = {
        **Shared(n=6, items=[1, 7], table={"k": 1, "other": 2}).model_dump(),
        "inner": {"x": 1, "y": 3},
        "rows": [{"x": 1, "y": 0}, {"x": 3, "y": 0}],
    }
    assert model.model_dump() == expected == await stored(model)
    await model.save_changes()
    assert await stored(model) == expected


async def test_two_aborted_blocks_leave_nothing(stored: Stored) -> None:
    model = await start()
    before = model.model_dump()
    first, second = asyncio.Event(), asyncio.Event()
    tasks = [
        asyncio.create_task(_block(model, change_all, first)),
        asyncio.create_task(_block(model, change_all, second)),
    ]
    await asyncio.sleep(0)
    assert model.n == 201
    first.set()
    with pytest.raises(_BodyError):
        await tasks[0]
    assert (model.n, list(model.items)) == (101, [1, 2])
    second.set()
    with pytest.raises(_BodyError):
        await tasks[1]
    assert model.model_dump() == before
    await model.save_changes()
    assert await stored(model) == before


@pytest.mark.parametrize("how", ["save", "save_changes", "field"])
async def test_no_task_publishes_another_ones_open_block(how: str, stored: Stored) -> None:
    model = await start()
    before = model.model_dump()

    async def other() -> None:
        model.other = 5  # its own edit, made while the block is open
        if how == "field":
            await model.aupdate(other=5)
        else:
            await getattr(model, how)()
        assert (model.n, model.other) == (101, 5)

    await beside(model, change_all, other)
    expected = {**before, "other": 5}
    assert model.model_dump() == expected == await stored(model)


async def test_an_edit_beside_an_open_block_stays_an_edit(stored: Stored) -> None:
    model = await start()
    before = await stored(model)

    async def other() -> None:
        model.n = 9
        model.items.append(5)
        model.table["edit"] = 5
        assert model.n == 9

    await beside(model, change_all, other)
    assert (model.n, list(model.items), model.table) == (9, [1, 5], {"k": 1, "edit": 5})
    assert await stored(model) == before
    await model.save_changes()
    after = {**before, "n": 9, "items": [1, 5], "table": {"k": 1, "edit": 5}}
    assert await stored(model) == after


@pytest.mark.parametrize("how", ["document", "field"])
async def test_what_is_loaded_beside_an_open_block_is_what_stays(how: str) -> None:
    model = await start()
    theirs: Any = await Shared.get(model.key)

    async def other() -> None:
        await theirs.aupdate(n=50, items=[9])
        if how == "document":
            await model.load()
        else:
            await model.n.load()
            await model.items.load()
        assert (model.n, list(model.items)) == (150, [9, 2])

    await beside(model, change_all, other)
    assert (model.n, list(model.items)) == (50, [9])


async def test_what_is_loaded_anew_is_not_what_an_aborted_block_changed(stored: Stored) -> None:
    model = await start()
    await model.aupdate(maybe=[1])
    theirs: Any = await Shared.get(model.key)

    async def other() -> None:
        for value in (None, [7]):
            await theirs.aupdate(maybe=value)
            await model.load()
        assert model.maybe == [7, 2]  # the block's change, made in the list that stands there now

    await beside(model, lambda model: model.maybe.append(2), other)
    assert model.maybe == [7]
    assert (await stored(model))["maybe"] == [7]
    await model.save_changes()
    assert (await stored(model))["maybe"] == [7]


@pytest.mark.parametrize("how", ["document", "field"])
async def test_a_load_beside_a_block_that_is_applied_keeps_no_older_value(
    how: str, stored: Stored
) -> None:
    model = await start()
    inside, loaded = asyncio.Event(), asyncio.Event()

    async def block() -> None:
        async with model.pipeline():
            model.n += 1
            inside.set()
            await loaded.wait()

    async def other() -> None:
        await inside.wait()
        await (model.load() if how == "document" else model.n.load())
        loaded.set()

    await asyncio.gather(block(), other())
    assert model.n == (await stored(model))["n"] == 2
    model.name = "edited"
    await model.save_changes()
    assert (await stored(model))["n"] == 2


async def test_a_refused_block_leaves_another_blocks_changes(stored: Stored) -> None:
    model = await start()
    inside, refused = asyncio.Event(), asyncio.Event()

    async def refused_block() -> None:
        await inside.wait()
        with pytest.raises(PipelineError):
            await in_a_block(model, -1000, None)
        refused.set()

    async def good_block() -> None:
        async with model.pipeline():
            model.n += 1
            model.items.append(3)
            inside.set()
            await refused.wait()
            assert (model.n, list(model.items)) == (2, [1, 3])

    await asyncio.gather(refused_block(), good_block())
    assert (model.n, list(model.items)) == (2, [1, 3])
    assert (await stored(model))["items"] == [1, 3]


async def test_an_inner_block_that_fails_takes_back_its_own_changes_only(stored: Stored) -> None:
    model = await start()
    async with model.pipeline():
        model.n += 1
        with pytest.raises(_BodyError):
            await in_a_block(model, 10, _BodyError())
        assert (model.n, model.table) == (2, {"k": 1})
    assert (await stored(model))["n"] == 2


async def test_a_block_goes_on_after_all_that_it_did_was_taken_back(stored: Stored) -> None:
    model = await start()
    before = await stored(model)

    async def block() -> None:
        async with model.pipeline():
            with pytest.raises(_BodyError):
                await in_a_block(model, 10, _BodyError())
            model.n += 1
            model.items.append(3)
            raise _BodyError

    with pytest.raises(_BodyError):
        await block()
    assert model.model_dump() == before == await stored(model)


async def test_lists_assigned_and_changed_in_a_block_survive_news_of_another_task(
    stored: Stored,
) -> None:
    model = await start()
    inside, told = asyncio.Event(), asyncio.Event()

    async def block() -> None:
        async with model.pipeline():
            model.items = [5]
            model.items.append(6)
            model.inner = Inner(x=7)
            model.inner.y = 8
            inside.set()
            await told.wait()
            assert (list(model.items), model.inner) == ([5, 6], Inner(x=7, y=8))

    async def other() -> None:
        await inside.wait()
        await model.n.increase()
        told.set()

    await asyncio.gather(block(), other())
    document = await stored(model)
    assert (document["items"], document["inner"], document["n"]) == ([5, 6], {"x": 7, "y": 8}, 2)
    assert model.model_dump() == document


async def test_two_instances_of_one_document_in_one_block_agree_afterwards(stored: Stored) -> None:
    first = await start()
    second: Any = await Shared.get(first.key)
    async with pipeline(first, second):
        first.n += 1
        second.n += 1
        first.items.append(2)
        second.table["second"] = 2
        first.name = "first"
        second.name = "second"
    assert first.model_dump() == second.model_dump() == await stored(first)
    assert (first.n, first.name) == (3, "second")
