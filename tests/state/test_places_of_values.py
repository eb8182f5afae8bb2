"""Which place a value stands for: computed when it is used, never an old one, never another document's."""

from __future__ import annotations

import base64
import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, PrivateAttr

from rapyer import AtomicRedisModel, RapyerError, RapyerKey
from rapyer.errors import DetachedError, KeyNotFound, WrongModelError
from rapyer.fields import Key
from tests.conftest import Stored
from tests.types.differential import SETTINGS, exactly


class Item(BaseModel):
    n: int = 0
    tags: list[str] = []


class Box(AtomicRedisModel):
    n: int = 0
    text: str = "t"
    item: Item = Item()
    items: list[Item] = []
    numbers: list[int] = []
    table: dict[str, Item] = {}
    rows: list[list[int]] = []
    moment: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    data: bytes = b"d"
    ratio: float = 0.5


class Named(AtomicRedisModel):
    name: Key[str]
    n: int = 0


def three() -> Box:
    return Box(
        items=[Item(n=10), Item(n=20), Item(n=30)],
        numbers=[1, 2, 3],
        rows=[[1], [2], [3]],
        table={"a": Item(n=1), "b": Item(n=2)},
    )


def local(box: Box) -> dict[str, Any]:
    """The local content in the form in which it is stored."""
    return {
        **box.model_dump(),
        "moment": box.moment.isoformat(),
        "data": base64.b64encode(box.data).decode(),
    }


# -- keys ---------------------------------------------------------------------------------------------


async def test_key_is_class_name_and_uuid() -> None:
    import uuid

    box = Box()
    assert box.key == f"Box:{box.pk}"
    assert str(uuid.UUID(box.pk)) == box.pk
    many = {type(box)().pk for _ in range(500)}
    assert len(many) == 500
    for pk in many:
        assert str(uuid.UUID(pk)) == pk
        assert (uuid.UUID(pk).version, uuid.UUID(pk).variant) == (4, uuid.RFC_4122)
    assert box.pk == box.pk
    assert Box().pk != box.pk
    assert isinstance(box.key, RapyerKey)


@pytest.mark.parametrize(
    "pk",
    [
        *(
            "a:b",
            "a/b",
            "",
            " ",
            "*",
            "a*?[x]",
            "%2F",
            "\\",
            '"',
            "\n",
            "é🐍",
            "Named:x",
            "{slot}",
            "~1",
        )
    ],
)
async def test_any_pk_round_trips(pk: str, stored: Stored) -> None:
    named = await Named(name=pk).save()
    assert named.key == f"Named:{pk}"
    assert named.pk == pk
    again = await Named.get(named.key)
    assert again == named
    assert (again.pk, again.key) == (pk, named.key)
    await again.n.increase()
    await again.load()
    assert (await stored(named.key))["n"] == 1
    assert await Named.delete_by_key(named.key)
    with pytest.raises(KeyNotFound):
        await Named.get(named.key)


@SETTINGS
@given(pk=st.text())
async def test_every_text_is_a_pk(pk: str) -> None:
    named = await Named(name=pk, n=3).save()
    again = await Named.get(named.key)
    assert (again.name, again.pk, again.n) == (pk, pk, 3)


async def test_get_takes_a_key_or_a_pk() -> None:
    named = await Named(name="x").save()
    assert await Named.get("Named:x") == named == await Named.get("x")
    box = await Box().save()
    assert (await Box.get(box.pk)).key == box.key


async def test_get_and_delete_refuse_keys_of_another_class(stored: Stored) -> None:
    box = await Box().save()
    for call in (Named.get, Named.delete_by_key):
        with pytest.raises(WrongModelError):
            await call(box.key)
        with pytest.raises(WrongModelError):
            await call(RapyerKey("Unknown:1"))
    assert await stored(box) is not None


async def test_key_of_other_types_than_text() -> None:
    import uuid
    from enum import Enum

    class Kind(Enum):
        A = "a"

    for annotation, value, expected in (
        (int, 42, "42"),
        (uuid.UUID, uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (Kind, Kind.A, "a"),
        (datetime, datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00+00:00"),
    ):
        model: Any = type(
            "Typed",
            (AtomicRedisModel,),
            {"__annotations__": {"name": Key[annotation]}, "__module__": __name__},  # type: ignore[valid-type]
        )
        made = await model(name=value).save()
        assert made.key == f"Typed:{expected}"
        again = await model.get(made.key)
        assert again.name == value
        assert again.key == made.key


async def test_class_key_initials_override_the_prefix(stored: Stored) -> None:
    class Renamed(AtomicRedisModel):
        n: int = 1

        @classmethod
        def class_key_initials(cls) -> str:
            return "app:renamed"

    model = await Renamed().save()
    assert model.key == f"app:renamed:{model.pk}"
    assert await Renamed.get(model.key) == model
    assert await Renamed.get(model.pk) == model


# -- indices are computed when they are used ----------------------------------------------------------


async def test_index_is_todays_after_others_moved(stored: Stored) -> None:
    box = await three().save()
    await box.items.apop(0)
    assert await box.items[0].n.increase() == 21  # type: ignore[attr-defined]
    await box.items.ainsert(0, Item(n=5))
    assert await box.items[0].n.increase() == 6  # type: ignore[attr-defined]
    assert [item["n"] for item in (await stored(box))["items"]] == [6, 21, 30]


MOVES: dict[str, tuple[Callable[[Box], Any], int | None]] = {
    "pop_before": (lambda b: b.items.pop(0), 0),
    "insert_before": (lambda b: b.items.insert(0, Item(n=5)), 2),
    "insert_after": (lambda b: b.items.insert(2, Item(n=5)), 1),
    "reverse": (lambda b: b.items.reverse(), 1),
    "sort": (lambda b: b.items.sort(key=lambda item: -item.n), 1),
    "delete_slice": (lambda b: b.items.__delitem__(slice(0, 1)), 0),
    "insert_slice": (lambda b: b.items.__setitem__(slice(0, 0), [Item(n=1), Item(n=2)]), 3),
    "remove": (lambda b: b.items.remove(Item(n=10)), 0),
    "pop_itself": (lambda b: b.items.pop(1), None),
    "replace_itself": (lambda b: b.items.__setitem__(1, Item(n=99)), None),
    "clear": (lambda b: b.items.clear(), None),
    "replace_list": (lambda b: setattr(b, "items", [Item(n=1), Item(n=2)]), None),
}


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("part", ["model", "scalar", "list"])
async def test_a_held_item_follows_its_place_or_writes_nowhere(
    name: str, part: str, stored: Stored
) -> None:
    move, today = MOVES[name]
    box = await three().save()
    held: Any = box.items[1]
    value = {"model": lambda: held, "scalar": lambda: held.n, "list": lambda: held.tags}[part]()
    move(box)
    await box.save()
    before = await stored(box)
    if today is None:
        for call in (value.save, value.load):
            with pytest.raises(DetachedError):
                await call()
        with pytest.raises(DetachedError):
            await (held.n.increase() if part != "list" else value.aappend("x"))
        assert await stored(box) == before
        return
    assert value.field_path.startswith(f"items[{today}]")
    assert value.json_path.startswith(f"$.items[{today}]")
    if part == "list":
        await value.aappend("x")
        before["items"][today]["tags"] = ["x"]
    else:
        await (held.n if part == "model" else value).increase(100)
        before["items"][today]["n"] += 100
    assert await stored(box) == before


@pytest.mark.parametrize(
    ("move", "today"),
    [
        (lambda b: b.numbers.pop(0), 0),
        (lambda b: b.numbers.insert(0, 9), 2),
        (lambda b: b.numbers.__delitem__(slice(0, 1)), 0),
        (lambda b: b.numbers.reverse(), 1),
        (lambda b: b.numbers.pop(1), None),
        (lambda b: b.numbers.clear(), None),
    ],
)
async def test_a_held_number_of_a_list_follows_its_place(
    move: Any, today: int | None, stored: Stored
) -> None:
    box = await three().save()
    held: Any = box.numbers[1]
    move(box)
    await box.save()
    before = await stored(box)
    if today is None:
        with pytest.raises(DetachedError):
            await held.increase()
        assert await stored(box) == before
        return
    assert await held.increase(100) == 102
    before["numbers"][today] = 102
    assert await stored(box) == before
    assert box.numbers[today] == 102


async def test_asynchronous_pops_and_inserts_move_held_items_too(stored: Stored) -> None:
    box = await three().save()
    last: Any = box.items[2]
    await box.items.apop(0)
    assert last.field_path == "items[1]"
    await box.items.ainsert(0, Item(n=1))
    await box.items.ainsert(0, Item(n=0))
    assert last.field_path == "items[3]"
    assert await last.n.increase() == 31
    assert (await stored(box))["items"][3]["n"] == 31
    await box.items.aclear()
    with pytest.raises(DetachedError):
        await last.n.increase()


async def test_held_items_in_pipelines_use_the_place_of_their_moment(stored: Stored) -> None:
    box = await three().save()
    last: Any = box.items[2]
    number: Any = box.numbers[2]
    async with box.pipeline():
        box.items.pop(0)
        last.n += 1
        box.items.insert(0, Item(n=5))
        box.items.insert(0, Item(n=6))
        last.n += 1
        last.tags.append("x")
        box.numbers.pop(0)
        box.numbers[1] += 10
    document = await stored(box)
    assert [item["n"] for item in document["items"]] == [6, 5, 20, 32]
    assert document["items"][3]["tags"] == ["x"]
    assert document["numbers"] == [2, 13]
    assert await number.increase() == 14
    assert await stored(box) == local(box)


# -- replaced, moved, shared --------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["item", "numbers", "table", "items"])
async def test_a_replaced_field_no_longer_writes_to_its_old_place(
    field: str, stored: Stored
) -> None:
    box = await three().save()
    old: Any = getattr(box, field)
    setattr(box, field, getattr(Box(), field))
    await box.save()
    before = await stored(box)
    for call in (old.save, old.load):
        with pytest.raises(DetachedError):
            await call()
    if field in ("numbers", "items"):
        with pytest.raises(DetachedError):
            await old.aclear()
    if field == "item":
        with pytest.raises(DetachedError):
            await old.n.increase()
    assert await stored(box) == before


async def test_a_moved_child_writes_to_its_new_place_only(stored: Stored) -> None:
    first, second = await three().save(), await Box().save()
    moved: Any = first.items.pop(0)
    second.item = moved
    second.items.append(moved)
    first.table["moved"] = moved
    await first.save()
    await second.save()
    await second.item.n.increase(1)  # type: ignore[attr-defined]
    await second.items[0].n.increase(2)  # type: ignore[attr-defined]
    await first.table["moved"].n.increase(3)  # type: ignore[attr-defined]
    assert (await stored(second))["item"]["n"] == 11
    assert (await stored(second))["items"][0]["n"] == 12
    assert (await stored(first))["table"]["moved"]["n"] == 13


@pytest.mark.parametrize("inside", [False, True])
async def test_a_shared_child_is_one_value_in_each_place(inside: bool, stored: Stored) -> None:
    source, target = await three().save(), await Box().save()
    if inside:
        async with target.pipeline():
            target.item = source.items[0]
            target.items.append(source.items[1])
            target.items.append(source.items[1])
            target.table["x"] = source.table["a"]
            target.numbers = source.numbers
            target.rows.append(source.numbers)
            target.n = source.numbers[2]  # type: ignore[assignment]
    else:
        target.item = source.items[0]
        target.items.append(source.items[1])
        target.items.append(source.items[1])
        target.table["x"] = source.table["a"]
        target.numbers = source.numbers
        target.rows.append(source.numbers)
        target.n = source.numbers[2]  # type: ignore[assignment]
        await target.save()
    before = await stored(source)
    await target.item.n.increase(100)  # type: ignore[attr-defined]
    await target.items[0].n.increase(200)  # type: ignore[attr-defined]
    await target.items[1].tags.aappend("second")  # type: ignore[attr-defined]
    await target.table["x"].n.increase(300)  # type: ignore[attr-defined]
    await target.numbers.aappend(4)  # type: ignore[attr-defined]
    await target.rows[0].aappend(5)  # type: ignore[attr-defined]
    await target.n.increase(400)  # type: ignore[attr-defined]
    assert await stored(source) == before
    assert local(source) == before
    document = await stored(target)
    assert document["item"]["n"] == 110
    assert [i["n"] for i in document["items"]] == [220, 20]
    assert [i["tags"] for i in document["items"]] == [[], ["second"]]
    assert document["table"]["x"]["n"] == 301
    assert document["numbers"] == [1, 2, 3, 4]
    assert document["rows"] == [[1, 2, 3, 5]]
    assert document["n"] == 403
    assert local(target) == document
    await source.items[1].n.increase()  # type: ignore[attr-defined]
    assert await stored(target) == document


async def test_swapping_children_keeps_each_at_its_place(stored: Stored) -> None:
    box = await three().save()
    box.items[0], box.items[2] = box.items[2], box.items[0]
    box.table["a"], box.table["b"] = box.table["b"], box.table["a"]
    await box.save()
    await box.items[0].n.increase()  # type: ignore[attr-defined]
    await box.table["a"].n.increase()  # type: ignore[attr-defined]
    document = await stored(box)
    assert [item["n"] for item in document["items"]] == [31, 20, 10]
    assert {k: v["n"] for k, v in document["table"].items()} == {"a": 3, "b": 1}
    async with box.pipeline():
        box.items[0], box.items[2] = box.items[2], box.items[0]
        box.items[0].n += 100
        box.items[2].n += 200
    assert [item["n"] for item in (await stored(box))["items"]] == [110, 20, 231]
    assert [item.n for item in box.items] == [110, 20, 231]


# -- copies -------------------------------------------------------------------------------------------

MODEL_COPIES: dict[str, Callable[[Any], Any]] = {
    "model_copy": lambda m: m.model_copy(),
    "model_copy_deep": lambda m: m.model_copy(deep=True),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda m: pickle.loads(pickle.dumps(m)),
    "revalidated": lambda m: type(m).model_validate(m.model_dump()),
}


@pytest.mark.parametrize("name", MODEL_COPIES)
@pytest.mark.parametrize("read_before", [False, True])
async def test_a_copy_of_a_model_is_equal_and_changes_nothing_of_the_original(
    name: str, read_before: bool, stored: Stored
) -> None:
    box = await three().save()
    if read_before:
        assert box.items[0].n == box.table["a"].n * 10
        assert box.rows[0][0] == 1
    copied = MODEL_COPIES[name](box)
    assert copied == box
    assert type(copied) is Box
    if name != "revalidated":
        assert copied.key == box.key
    copied.n = 7
    copied.text += "!"
    if name not in ("copy", "model_copy"):
        copied.items.append(Item(n=40))
        copied.items[0].n = 11
        copied.rows[0].append(9)
        copied.table["a"].tags.append("x")
    assert box.n == 0
    assert box.text == "t"
    assert [item.n for item in box.items] == [10, 20, 30]
    assert box.rows == [[1], [2], [3]]
    assert box.table["a"].tags == []
    assert await stored(box) == local(box)


@pytest.mark.parametrize("name", MODEL_COPIES)
async def test_children_of_a_copy_belong_to_the_copy(name: str, stored: Stored) -> None:
    box = await three().save()
    numbers, first = box.numbers, box.items[0]
    copied = MODEL_COPIES[name](box)
    await box.delete()
    copied = await copied.duplicate(n=5)
    assert copied.key != box.key
    await copied.numbers.aappend(4)
    await copied.items[0].n.increase()
    await copied.items[0].tags.aappend("x")
    document = await stored(copied)
    assert document["numbers"] == [1, 2, 3, 4]
    assert document["items"][0] == {"n": 11, "tags": ["x"]}
    assert await stored(box) is None
    assert numbers == [1, 2, 3]
    assert first.n == 10
    assert numbers.key == box.key  # type: ignore[attr-defined]


VALUE_COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda v: pickle.loads(pickle.dumps(v)),
}


@pytest.mark.parametrize("name", VALUE_COPIES)
@pytest.mark.parametrize(
    "field", ["n", "text", "ratio", "data", "moment", "numbers", "table", "item", "rows"]
)
async def test_a_copied_value_is_equal_and_writes_nowhere(
    name: str, field: str, stored: Stored
) -> None:
    box = await three().save()
    before = await stored(box)
    value: Any = getattr(box, field)
    copied = VALUE_COPIES[name](value)
    assert copied == value
    assert isinstance(copied, (type(value).__mro__[-2], Item))
    for method in ("save", "load", "aclear", "increase"):
        if hasattr(copied, method):
            with pytest.raises(DetachedError):
                await getattr(copied, method)()
    if field == "item":
        copied.n = 99
        copied.tags.append("x")
    if field == "numbers":
        copied.append(99)
    assert local(box) == before == await stored(box)


def test_a_shallow_copy_of_a_list_shares_its_items_as_python_does() -> None:
    box = three()
    shared: Any = copy.copy(box.rows)
    shared.append([4])
    assert box.rows == [[1], [2], [3]]
    for taken in (box.rows.copy(), box.rows[:], list(box.rows)):
        taken[0].append(9)
    assert box.rows[0] == [1, 9, 9, 9]


async def test_clone_is_deep_and_native_all_the_way() -> None:
    box = three()
    assert [item.n for item in box.items] == [10, 20, 30]

    def natives_only(value: Any) -> None:
        assert type(value).__module__ in ("builtins", "datetime", __name__), type(value)
        if isinstance(value, BaseModel):
            assert type(value) is Item
            natives_only(value.__dict__)
        elif isinstance(value, dict):
            for entry in value.values():
                natives_only(entry)
        elif isinstance(value, list):
            for entry in value:
                natives_only(entry)

    for field in Box.model_fields:
        clone = getattr(box, field).clone()
        natives_only(clone)
        assert clone == getattr(box, field)
    cloned = box.items.clone()  # type: ignore[attr-defined]
    cloned[0].n = 99
    cloned[0].tags.append("x")
    assert box.items[0] == Item(n=10)
    zone = datetime(2024, 7, 1, 5, tzinfo=UTC).astimezone()
    moved = Box(moment=zone)
    assert moved.moment.clone().isoformat() == zone.isoformat()  # type: ignore[attr-defined]


def test_clone_of_what_was_never_read_is_deep_too() -> None:
    box = three()
    for cloned in (box.items.clone(), box.clone().items):  # type: ignore[attr-defined]
        cloned[0].n = 99
        cloned[0].tags.append("x")
    box.table.clone()["a"].tags.append("x")  # type: ignore[attr-defined]
    assert box == three()


async def test_copies_have_private_attributes_of_their_own() -> None:
    class Private(AtomicRedisModel):
        n: int = 0
        _seen: list[int] = PrivateAttr(default_factory=list)

    original = await Private().save()
    for copied in (await original.duplicate(), original.clone(), copy.deepcopy(original)):
        copied._seen.append(1)
        copied._seen = [2]
    assert original._seen == []


ALIKE: list[tuple[Any, Any]] = [
    (True, 1),
    (1, 1.0),
    (0.0, -0.0),
    ([1], [True]),
    ({"k": 0}, {"k": False}),
    ([[1, 2.0]], [[1.0, 2]]),
]


@pytest.mark.parametrize(("mine", "theirs"), [*ALIKE, *((b, a) for a, b in ALIKE)])
async def test_local_values_are_exactly_the_servers_where_python_finds_them_equal(
    mine: Any, theirs: Any
) -> None:
    class Loose(AtomicRedisModel):
        items: list[Any] = []
        table: dict[str, Any] = {}

    model = await Loose(items=[mine], table={"k": mine}).save()
    other = await Loose.get(model.key)
    other.items, other.table = [theirs], {"k": theirs}
    await other.save()
    await model.items.aappend("x")  # type: ignore[attr-defined]
    await model.table.aset_item("x", 1)  # type: ignore[attr-defined]
    assert exactly(model.items) == exactly([theirs, "x"])
    assert exactly(model.table) == exactly({"k": theirs, "x": 1})


async def test_local_datetimes_have_the_servers_zone() -> None:
    class Moments(AtomicRedisModel):
        items: list[datetime]

    moment = datetime(2024, 1, 1, tzinfo=UTC)
    model = await Moments(items=[moment]).save()
    other = await Moments.get(model.key)
    other.items = [moment.astimezone(timezone(timedelta(hours=5)))]
    await other.save()
    await model.items.aappend(moment)  # type: ignore[attr-defined]
    assert model.items[0].isoformat() == "2024-01-01T05:00:00+05:00"


# -- no model ------------------------------------------------------------------------------------------


async def test_a_value_without_a_document_says_so() -> None:
    from rapyer.types import RedisInt, RedisList, RedisStr

    for value in (RedisList([1]), RedisInt(5), RedisStr("x")):
        with pytest.raises(DetachedError):
            value.key  # noqa: B018
        with pytest.raises(DetachedError):
            await value.save()
    free: Any = RedisList([1])
    free.append(2)
    free += [3]
    assert free == [1, 2, 3]
    with pytest.raises(DetachedError):
        await free.aappend(4)
    assert free == [1, 2, 3]


async def test_changing_a_key_field_never_leaves_an_orphan_unnoticed(stored: Stored) -> None:
    for how in ("assign", "update", "pipeline", "load_then_assign", "changes"):
        named = await Named(name="old", n=1).save()
        if how == "load_then_assign":
            named = await Named.get(named.key)
        try:
            if how == "update":
                await named.aupdate(name="new")
            elif how == "pipeline":
                async with named.pipeline():
                    named.name = "new"
            else:
                named.name = "new"
                await (named.save_changes() if how == "changes" else named.save())
        except (ValueError, RapyerError):
            assert (await stored("Named:old")) == {"name": "old", "n": 1}, how
            assert await stored("Named:new") is None, how
        else:
            assert await stored("Named:old") is None, how
            assert (await stored("Named:new"))["name"] == "new", how
        await Named.delete_by_key("old")
        await Named.delete_by_key("new")


async def test_a_plain_model_put_into_several_places_is_one_value_in_each() -> None:
    first, second = await Box().save(), await Box().save()
    shared = Item(n=10)
    second.item = shared
    second.items.append(shared)
    first.table["shared"] = shared
    await first.save()
    await second.save()
    await second.item.n.increase(1)  # type: ignore[attr-defined]
    await second.items[0].n.increase(2)  # type: ignore[attr-defined]
    await first.table["shared"].n.increase(3)  # type: ignore[attr-defined]
    second.items[0].tags.append("local")
    assert (second.item.n, second.items[0].n, first.table["shared"].n) == (11, 12, 13)
    assert (second.item.tags, first.table["shared"].tags) == ([], [])
