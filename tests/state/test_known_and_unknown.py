"""What is known is what the server said: after operations, lost replies, cancellations and failures."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, RapyerError
from rapyer.batch.arrival import Arrival
from rapyer.batch.change import ComposedChange
from rapyer.errors import AppliedError, DocumentError
from rapyer.models.differing import changed_places
from rapyer.script.call import Primitive
from rapyer.state.document import Flights, document_state
from rapyer.state.known import Noted
from tests.conftest import Stored


class Row(BaseModel):
    n: int = 0


class Inner(BaseModel):
    city: str = ""
    zip: str = ""
    tags: list[str] = []


@dataclass
class Note:
    text: str = ""
    marks: list[int] = field(default_factory=list)


class Doc(AtomicRedisModel):
    model_config = ConfigDict(extra="allow")

    n: int = 0
    mode: str = "off"
    items: list[int] = []
    rows: list[Row] = []
    table: dict[str, int] = {}
    lists: dict[str, list[int]] = {}
    inner: Inner = Inner()
    names: set[str] = set()
    note: Note = Note()


def unsaved(model: Any) -> set[tuple[Any, ...]]:
    """The places that ``save_changes()`` would write."""
    state = document_state(model)
    assert state.known is not None
    return {path for path, _ in changed_places(model, state.known)}


# -- exactly the places that were edited ---------------------------------------------------------------

EDITS: dict[str, tuple[Callable[[Any], Any], tuple[str, ...], Callable[[Any], Awaitable[Any]]]] = {
    "item beside an item": (
        lambda d: setattr(d.rows[1], "n", 50),
        ("rows",),
        lambda d: d.rows[0].n.increase(),
    ),
    "appended beside an item": (
        lambda d: d.rows.append(Row(n=5)),
        ("rows",),
        lambda d: d.rows[0].n.increase(),
    ),
    "appended beside an append": (
        lambda d: d.items.append(5),
        ("items",),
        lambda d: d.items.aappend(6),
    ),
    "entry beside an entry": (
        lambda d: d.table.__setitem__("edit", 5),
        ("table", "edit"),
        lambda d: d.table.aset_item("other", 1),
    ),
    "deleted entry beside an entry": (
        lambda d: d.table.__delitem__("k"),
        ("table", "k"),
        lambda d: d.table.aset_item("other", 1),
    ),
    "field of a nested model beside another": (
        lambda d: setattr(d.inner, "city", "Rome"),
        ("inner", "city"),
        lambda d: d.inner.tags.aappend("x"),
    ),
    "list of a dict beside another": (
        lambda d: d.lists["a"].append(5),
        ("lists", "a"),
        lambda d: d.lists["b"].aappend(6),
    ),
    "field beside a load of another": (
        lambda d: setattr(d, "mode", "on"),
        ("mode",),
        lambda d: d.items.load(),
    ),
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("size", [2, 300])
async def test_an_edit_is_saved_whatever_operations_came_between(
    name: str, size: int, stored: Stored
) -> None:
    edit, place, operate = EDITS[name]
    model: Any = await Doc(
        items=list(range(size)),
        rows=[Row(n=n) for n in range(size)],
        table={"k": 1, **{str(n): n for n in range(size)}},
        lists={"a": [1], "b": list(range(size))},
    ).save()
    edit(model)
    assert unsaved(model) == {place}
    await operate(model)
    assert unsaved(model) == {place}
    local = model.model_dump(mode="json")
    await model.save_changes()
    assert unsaved(model) == set()
    assert model.model_dump(mode="json") == local
    loaded = await Doc.get(model.key)
    assert loaded.model_dump() == model.model_dump()


@pytest.mark.parametrize("size", [2, 300])
async def test_an_operation_brings_a_stale_copy_in_line(size: int) -> None:
    mine: Any = await Doc(items=list(range(size)), table={str(n): n for n in range(size)}).save()
    theirs: Any = await Doc.get(mine.key)
    await theirs.items.apop(0)
    await theirs.items.aappend(-1)  # as long as before, and another one
    await theirs.table.adel_item("0")
    await theirs.table.aset_item("theirs", 0)
    await mine.items.aappend(-2)
    await mine.table.aset_item("mine", 0)
    fresh = await Doc.get(mine.key)
    assert (list(mine.items), dict(mine.table)) == (list(fresh.items), dict(fresh.table))
    assert unsaved(mine) == set()


async def test_two_copies_change_two_parts_of_one_value(stored: Stored) -> None:
    mine: Any = await Doc(table={"a": 1, "b": 1}, inner=Inner(city="x", zip="y")).save()
    theirs: Any = await Doc.get(mine.key)
    mine.table["a"], theirs.table["b"] = 2, 2
    mine.inner.city, theirs.inner.zip = "mine", "theirs"
    await mine.save_changes()
    await theirs.save_changes()
    document = await stored(mine)
    assert document["table"] == {"a": 2, "b": 2}
    assert document["inner"] == {"city": "mine", "zip": "theirs", "tags": []}


async def test_a_replaced_nested_model_is_compared_with_what_it_replaced(stored: Stored) -> None:
    mine: Any = await Doc(inner=Inner(city="x", zip="y")).save()
    theirs: Any = await Doc.get(mine.key)
    mine.inner = Inner(city="mine", zip="y")
    assert unsaved(mine) == {("inner", "city")}
    await theirs.inner.aupdate(zip="theirs")
    await mine.save_changes()
    assert (await stored(mine))["inner"] == {"city": "mine", "zip": "theirs", "tags": []}


async def test_nothing_is_written_down_for_what_came_and_went() -> None:
    model: Any = await Doc().save()
    for number in range(300):
        async with model.pipeline():
            model.table[f"user{number}"] = 1
        await model.table[f"user{number}"].increase()
        await model.table.adel_item(f"user{number}")
        await model.n.increase()
    known = document_state(model).known
    assert known is not None
    assert len(known.places) <= len(Doc.model_fields)
    assert document_state(model).newer(0) == []


async def test_a_deleted_document_is_saved_whole(stored: Stored) -> None:
    model: Any = await Doc(n=3).save()
    await model.delete()
    await model.save_changes()
    assert (await stored(model))["n"] == 3


# -- changed past the methods ---------------------------------------------------------------------------

IN_PLACE: dict[str, Callable[[Any], Any]] = {
    "heapq on a list": lambda d: heapq.heappush(d.items, -1),
    "set": lambda d: d.names.add("new"),
    "dataclass": lambda d: setattr(d.note, "text", "new"),
    "list of a dataclass": lambda d: d.note.marks.append(1),
    "extra": lambda d: d.extra.append(1),
    "dict past its methods": lambda d: dict.__setitem__(d.table, "new", 1),
}


async def _with_handles() -> Any:
    made = Doc(items=[5, 7], names={"a"}, extra=[0], table={"k": 1})
    return await Doc.get((await made.save()).key)


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("where", ["outside", "inside", "before"])
async def test_what_is_changed_in_place_is_stored(name: str, where: str, stored: Stored) -> None:
    model = await _with_handles()
    change = IN_PLACE[name]
    if where == "outside":
        change(model)
        await model.save_changes()
    elif where == "inside":
        async with model.pipeline():
            change(model)
            model.n += 1
    else:
        handles = (model.items, model.names, model.note, model.extra, model.table)
        async with model.pipeline():
            change(model)
        assert len(handles) == 5
    fresh = await Doc.get(model.key)
    assert fresh.model_dump() == model.model_dump()
    before = await _with_handles()
    assert {**fresh.model_dump(), "n": 0} != before.model_dump()
    assert unsaved(model) == set()


@pytest.mark.parametrize("name", IN_PLACE)
async def test_what_is_changed_in_place_in_a_block_that_fails_is_put_back(
    name: str, stored: Stored
) -> None:
    model = await _with_handles()
    before, document = model.model_dump(), await stored(model)
    handles = [getattr(model, name) for name in ("items", "names", "note", "extra", "table")]
    assert len(handles) == 5
    with pytest.raises(ZeroDivisionError):
        await _changed_and_failed(model, IN_PLACE[name])
    assert model.model_dump() == before
    assert unsaved(model) == set()
    assert await stored(model) == document


async def _changed_and_failed(model: Any, change: Callable[[Any], Any]) -> None:
    async with model.pipeline():
        change(model)
        raise ZeroDivisionError


# -- writes whose fate is unknown -----------------------------------------------------------------------


async def _saved(model: Any) -> None:
    model.mode = "on"
    await model.save()


async def _changes_saved(model: Any) -> None:
    model.mode = "on"
    await model.save_changes()


async def _in_a_block(model: Any) -> None:
    async with model.pipeline():
        model.mode = "on"


WRITES: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "save": _saved,
    "save_changes": _changes_saved,
    "aupdate": lambda model: model.aupdate(mode="on"),
    "pipeline": _in_a_block,
}


@pytest.mark.parametrize("name", WRITES)
async def test_a_cancelled_write_leaves_its_place_unknown(name: str, stored: Stored) -> None:
    for steps in range(1, 16):
        model: Any = await Doc().save()
        task = asyncio.ensure_future(WRITES[name](model))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        model.mode = "off"  # the caller gives up and goes back
        await model.save_changes()
        assert (await stored(model))["mode"] == "off"
        assert unsaved(model) == set()


@pytest.mark.parametrize("kind", ["items", "table"])
async def test_a_cancelled_operation_on_a_container_is_written_again(
    kind: str, stored: Stored
) -> None:
    for steps in range(1, 12):
        model: Any = await Doc(items=[1], table={"a": 1}).save()
        operation = model.items.aappend(2) if kind == "items" else model.table.aset_item("b", 2)
        task = asyncio.ensure_future(operation)
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await model.save_changes()
        assert (await stored(model))[kind] == model.model_dump()[kind]


# -- applied, and failed afterwards ---------------------------------------------------------------------


async def _drifted(stored_text: str, path: str) -> Any:
    model = await Doc(items=[1], table={"a": 1}).save()
    await Doc.Meta.redis.execute_command("JSON.SET", model.key, path, stored_text)
    return model


async def test_a_load_of_what_drifted_does_not_take_back_an_applied_block(stored: Stored) -> None:
    model = await _drifted('["old"]', "$.items")
    async with model.pipeline():
        model.n += 1
        queued = await model.items.load()
    assert model.n == (await stored(model))["n"] == 1
    with pytest.raises(AppliedError, match="was applied") as caught:
        queued.result()
    assert isinstance(caught.value.__cause__, DocumentError)
    assert caught.value.answer == [b'["old"]']


async def test_a_popped_entry_that_does_not_fit_is_the_result(stored: Stored) -> None:
    model = await _drifted('{"a":"old"}', "$.table")
    assert await model.table.apopitem() == ("a", "old")
    assert (await stored(model))["table"] == {}


async def test_the_handle_of_an_item_outlasts_a_refresh_of_its_list() -> None:
    model: Any = await Doc(rows=[Row(n=1), Row(n=2)]).save()
    first = model.rows[0]
    theirs: Any = await Doc.get(model.key)
    await theirs.rows[0].n.increase(10)
    await theirs.rows.aappend(Row(n=3))
    await model.rows.load()
    assert model.rows[0] is first
    assert await first.n.increase() == 12


async def test_answers_that_overtake_each_other_leave_the_latest() -> None:
    model: Any = await Doc().save()
    await asyncio.gather(*(model.n.increase() for _ in range(200)))
    await asyncio.gather(*(model.items.aappend(n) for n in range(50)))
    fresh = await Doc.get(model.key)
    assert (model.n, list(model.items)) == (200, list(fresh.items))
    assert issubclass(AppliedError, RapyerError)


async def test_what_was_said_is_forgotten_when_nobody_can_need_it_any_more() -> None:
    """Operations that overlap without a pause: there is always one under way."""
    model: Any = await Doc().save()
    state, most = document_state(model), 0

    async def task(number: int) -> None:
        nonlocal most
        for _ in range(100):
            await model.n.increase()
            most = max(most, len(state.newer(0)))

    await asyncio.gather(*(task(number) for number in range(4)))
    assert 0 < most < 50
    assert state.newer(0) == []
    assert model.n == 400


class Open(BaseModel, extra="allow"):
    """No field is declared."""


class First(BaseModel):
    kind: Literal["first"] = "first"
    n: int = 0


class Second(BaseModel):
    kind: Literal["second"] = "second"
    n: int = 0
    m: int = 0


class Bag(AtomicRedisModel):
    free: Open = Open()
    either: First | Second = First()
    marks: set[int] = {1}
    n: int = 0


async def test_two_copies_change_two_extras_of_one_value(stored: Stored) -> None:
    mine: Any = await Bag(free=Open(a=1, b=1)).save()
    theirs: Any = await Bag.get(mine.key)
    mine.free.a, theirs.free.b = 2, 3
    await mine.save_changes()
    await theirs.save_changes()
    assert (await stored(mine))["free"] == {"a": 2, "b": 3}


async def test_a_value_of_another_class_is_one_edit(stored: Stored) -> None:
    mine: Any = await Bag(either=First(n=1)).save()
    theirs: Any = await Bag.get(mine.key)
    await theirs.either.n.increase(4)
    mine.either = Second(n=1, m=2)
    await mine.save_changes()
    assert (await stored(mine))["either"] == {"kind": "second", "n": 1, "m": 2}


async def test_what_was_handed_out_before_an_inner_block_is_watched_after_it(
    stored: Stored,
) -> None:
    model: Any = await Bag().save()
    async with model.pipeline():
        marks = model.marks
        async with model.pipeline():
            model.n += 1
        marks.add(2)
    assert sorted((await stored(model))["marks"]) == [1, 2]
    assert (await stored(model))["n"] == 1


async def test_what_does_not_fit_is_known_all_the_same(stored: Stored, redis: Redis) -> None:
    """Somebody wrote a text into a list of numbers: the list here is an edit of that, and is saved as one."""
    model: Any = await Doc().save()
    items = model.items
    await redis.execute_command("JSON.SET", model.key, "$.items", '["text"]')
    await items.aappend(1)
    assert (await stored(model))["items"] == ["text", 1]
    assert unsaved(model) == {("items",)}
    await model.save_changes()
    assert (await stored(model))["items"] == items
    assert unsaved(model) == set()


class Pair(BaseModel):
    low: int = 0
    high: int = 9

    @model_validator(mode="after")
    def _in_order(self) -> Pair:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Holder(AtomicRedisModel):
    pair: Pair = Pair()


async def test_an_operation_below_a_validator_is_one_round_trip(redis: Redis) -> None:
    holder: Any = await Holder().save()
    await holder.pair.low.increase()
    before = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    await holder.pair.low.increase()
    assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == before + 1
    assert holder.pair.low == 2


class _Moody:
    """A validator that fails from the call with the number ``fails_at`` on."""

    fails_at, calls = 0, 0

    def __call__(self, value: Any) -> Any:
        self.calls += 1
        if 0 < self.fails_at <= self.calls:
            raise ValueError("not now")
        return value


MOODY = _Moody()


class Moods(AtomicRedisModel):
    n: Annotated[int, AfterValidator(MOODY)] = 0
    text: Annotated[str, AfterValidator(MOODY)] = ""
    name: str = ""


@pytest.mark.parametrize("in_a_block", [False, True])
async def test_what_a_validator_refuses_is_not_applied_or_said_to_be_applied(
    stored: Stored, in_a_block: bool
) -> None:
    before: Any = {"n": 0, "text": "", "name": ""}
    seen = set()
    for fails_at in range(1, 12):
        MOODY.fails_at, MOODY.calls = 0, 0
        model: Any = await Moods().save()
        MOODY.fails_at, MOODY.calls = fails_at, 0
        error: Exception | None = None
        try:
            if in_a_block:
                async with model.pipeline():
                    model.n += 1
                    model.text += "x"
                    model.name = "named"
            else:
                await model.n.increase()
        except Exception as raised:
            error = raised
        MOODY.fails_at = 0
        after = {"n": 1, "text": "x", "name": "named"} if in_a_block else {**before, "n": 1}
        applied = error is None or isinstance(error, AppliedError)
        assert await stored(model) == (after if applied else before)
        seen.add(type(error))
        await model.load()
        assert model.model_dump() == (after if applied else before)
    assert type(None) in seen
    assert len(seen) > 1


class _Unsettled(ComposedChange):
    """A change whose answer cannot be taken in."""

    __slots__ = ()

    def settle(self, arrival: Arrival) -> None:
        raise ZeroDivisionError


async def test_an_answer_that_cannot_be_taken_in_fails_the_block_as_applied(stored: Stored) -> None:
    model: Any = await Doc().save()

    async def block() -> None:
        async with rapyer.pipeline() as batch:
            model.mode = "also"
            step = Primitive("incr", ("n",), (b"5", b"integer", b"", b"", b"", b""))
            change = _Unsettled("moved", model, lambda path: [step], lambda: None, keys=["n"])
            change.echoes = False
            batch.queue(change, (model, ()))

    with pytest.raises(AppliedError, match="was applied") as caught:
        await block()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.answer == [b"5"]
    assert (await stored(model))["n"] == 5
    assert model.mode == (await stored(model))["mode"] == "also"
    model.n = 7
    await model.save_changes()
    assert (await stored(model))["n"] == 7


@pytest.mark.parametrize("count", [10, 65, 66, 200])
@pytest.mark.parametrize("instead", [None, [1]])
async def test_many_changes_of_a_list_that_is_gone_when_the_block_ends(
    stored: Stored, count: int, instead: list[int] | None
) -> None:
    model: Any = await Doc(lists={"a": [], "b": []}).save()
    model.lists["b"].append(5)  # an edit, so that what the server has is kept apart
    async with model.pipeline():
        for number in range(count):
            model.lists["a"].append(number)
        if instead is None:
            del model.lists["a"]
        else:
            model.lists["a"] = instead
    there = {} if instead is None else {"a": instead}
    assert (await stored(model))["lists"] == {**there, "b": []}
    assert model.lists == {**there, "b": [5]}
    await model.save_changes()
    assert (await stored(model))["lists"] == {**there, "b": [5]}
    assert unsaved(model) == set()


@pytest.mark.parametrize("count", [20, 66, 140])
async def test_many_operations_below_an_edited_place_are_all_known(count: int) -> None:
    model: Any = await Doc(rows=[Row(n=0) for _ in range(count)]).save()
    model.rows[0].n = 50
    for number in range(1, count):
        await model.rows[number].n.increase(number)
    assert unsaved(model) == {("rows",)}
    model.rows[0].n = 0
    assert unsaved(model) == set()
    assert await Doc.get(model.key) == model


def test_what_the_server_cannot_have_carried_out_on_what_is_known_is_unknown() -> None:
    noted = Noted(b'{"a":"text","b":1}')
    step = (b"1", b"integer", b"", b"", b"", b"")
    noted.applied("incr", ("b",), step)
    assert not noted.unknown
    noted.applied("incr", ("a",), step)
    assert noted.unknown
    noted.set((), b'{"a":1}')
    assert not noted.unknown


def test_what_the_server_has_as_a_whole_ends_what_was_to_be_carried_out_before() -> None:
    noted = Noted(b'{"a":1}')
    noted.applied("incr", ("a",), (b"1", b"integer", b"", b"", b"", b""))
    noted.set((), b'{"a":7}')
    assert noted.text() == b'{"a":7}'
    assert noted.tree() == {"a": 7}


def test_what_is_to_be_carried_out_is_bounded() -> None:
    noted = Noted(b'{"a":0}')
    sizes = set()
    for number in range(500):
        noted.applied("incr", ("a",), (b"1", b"integer", b"", b"", b"", b""))
        noted.set((f"k{number}",), b"1")
        sizes.add(len(noted._later))
    assert max(sizes) < 100
    assert noted.tree() == {"a": 500, **{f"k{number}": 1 for number in range(500)}}


def test_what_was_said_is_kept_while_somebody_may_need_it() -> None:
    flights = Flights()
    first, second = flights.depart(), flights.depart()
    flights.said(5, ("n",), b"5")
    assert [news.text for news in flights.newer(4)] == [b"5"]
    flights.land(first)
    flights.land(second)
    flights.depart()
    flights.said(3, ("n",), b"3")  # another server, whose clock is behind
    assert [news.text for news in flights.newer(2)] == [b"3"]
