"""Every mutator of the builtin types is either queued with its exact effect or refused."""
# ruff: noqa: PT012 - builtin errors are the promise; a pipeline is raised by its block

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.errors import PipelineError
from rapyer.types import RedisBytes, RedisDict, RedisFloat, RedisInt, RedisList, RedisStr
from tests.conftest import Stored

MOMENT = datetime(2024, 2, 28, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=5, minutes=30)))


class Scalars(AtomicRedisModel):
    integer: int = 0
    number: float = 0.0
    text: str = ""
    data: bytes = b""
    moment: datetime = MOMENT
    integers: list[int] = [0]
    numbers: list[float] = [0.0]
    texts: list[str] = [""]
    datas: list[bytes] = [b""]
    moments: list[datetime] = [MOMENT]
    by_name: dict[str, Any] = {}


# -- no mutator was forgotten ------------------------------------------------------------------------

LIST_MUTATORS = {
    *("append", "extend", "insert", "clear", "pop", "remove", "sort", "reverse"),
    *("__setitem__", "__delitem__", "__iadd__", "__imul__"),
}
DICT_MUTATORS = {
    *("update", "clear", "pop", "popitem", "setdefault"),
    *("__setitem__", "__delitem__", "__ior__"),
}
LIST_READERS = {
    *("copy", "count", "index", "__add__", "__contains__", "__eq__", "__ge__", "__getitem__"),
    *("__gt__", "__iter__", "__le__", "__len__", "__lt__", "__mul__", "__ne__", "__repr__"),
    *("__reversed__", "__rmul__", "__hash__", "__class_getitem__", "__sizeof__"),
    *("__init__", "__new__", "__getattribute__", "__doc__"),
}
DICT_READERS = {
    *("copy", "fromkeys", "get", "items", "keys", "values", "__contains__", "__eq__", "__ge__"),
    *("__getitem__", "__gt__", "__iter__", "__le__", "__len__", "__lt__", "__ne__", "__or__"),
    *("__repr__", "__reversed__", "__ror__", "__hash__", "__class_getitem__", "__sizeof__"),
    *("__init__", "__new__", "__getattribute__", "__doc__"),
}


@pytest.mark.parametrize(
    ("live_type", "builtin", "mutators", "readers"),
    [
        (RedisList, list, LIST_MUTATORS, LIST_READERS),
        (RedisDict, dict, DICT_MUTATORS, DICT_READERS),
    ],
)
def test_every_mutator_of_a_container_is_its_own(
    live_type: Any, builtin: Any, mutators: set[str], readers: set[str]
) -> None:
    assert set(vars(builtin)) == mutators | readers, "a Python with a new method: decide what it is"
    inherited = {name for name in mutators if getattr(live_type, name) is getattr(builtin, name)}
    assert inherited == set()


IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "+=": operator.iadd,
    "-=": operator.isub,
    "*=": operator.imul,
    "/=": operator.itruediv,
    "//=": operator.ifloordiv,
    "%=": operator.imod,
    "**=": operator.ipow,
    "<<=": operator.ilshift,
    ">>=": operator.irshift,
    "&=": operator.iand,
    "|=": operator.ior,
    "^=": operator.ixor,
}
DUNDERS = {
    "+=": "add",
    "-=": "sub",
    "*=": "mul",
    "/=": "truediv",
    "//=": "floordiv",
    "%=": "mod",
    "**=": "pow",
    "<<=": "lshift",
    ">>=": "rshift",
    "&=": "and",
    "|=": "or",
    "^=": "xor",
}


@pytest.mark.parametrize(
    ("live_type", "builtin"),
    [(RedisInt, int), (RedisFloat, float), (RedisStr, str), (RedisBytes, bytes)],
)
def test_every_in_place_operator_of_a_scalar_is_its_own(live_type: Any, builtin: Any) -> None:
    missing = [
        symbol
        for symbol, name in DUNDERS.items()
        if f"__{name}__" in vars(builtin) and not hasattr(live_type, f"__i{name}__")
    ]
    assert missing == []


# -- the exact effect, on what the server has by then ------------------------------------------------

# field, start, what somebody else made of it meanwhile, operator, operand
CASES: list[tuple[str, Any, Any, str, Any]] = [
    ("integer", 1, 40, "+=", 2),
    ("integer", 1, 40, "+=", True),
    ("integer", 1, 40, "+=", 2.0),
    ("integer", 1, 40, "-=", 2),
    ("integer", 1, 2**53 + 1, "+=", 2**53 + 1),
    ("integer", 1, 2**53 + 1, "*=", 3),
    ("integer", 7, 40, "*=", -2),
    ("integer", 8, 40, "/=", 4),
    ("integer", 7, -7, "//=", 2),
    ("integer", 7, -7, "%=", 3),
    ("integer", 2, 3, "**=", 5),
    ("integer", 2, 3, "<<=", 5),
    ("integer", 2, -33, ">>=", 2),
    ("integer", 6, 13, "&=", 7),
    ("integer", 6, 13, "|=", 16),
    ("integer", 6, 13, "^=", 5),
    ("number", 0.5, 0.1, "+=", 0.2),
    ("number", 0.5, 0.1, "+=", 1),
    ("number", 0.5, 0.1, "-=", 0.3),
    ("number", 0.5, 0.1, "*=", 3),
    ("number", 0.5, 0.1, "/=", 3),
    ("number", 7.5, -7.5, "//=", 2),
    ("number", 7.5, -7.5, "%=", 2),
    ("number", 7.5, 2.5, "**=", 2),
    ("text", "a", "b", "+=", "c"),
    ("text", "a", 'b"\\\n\x00é🐍', "+=", '"\\\n\x00é🐍'),
    ("text", "a", "b", "*=", 3),
    ("text", "a", "b", "*=", 0),
    ("text", "%s", "<%s>", "%=", "x"),
    ("data", b"a", b"b\xff", "+=", b"\x00c"),
    ("data", b"a", b"b", "*=", 3),
    ("data", b"%s", b"<%s>", "%=", b"x"),
    ("moment", MOMENT, MOMENT + timedelta(days=400), "+=", timedelta(seconds=1, microseconds=3)),
    ("moment", MOMENT, datetime(1999, 1, 1, tzinfo=UTC), "-=", timedelta(microseconds=1)),
    ("moment", MOMENT, datetime(1999, 1, 1), "+=", timedelta(days=1)),  # noqa: DTZ001
]
PLACES = ("field", "item", "entry")


def put(model: Scalars, place: str, field: str, value: Any) -> None:
    if place == "field":
        setattr(model, field, value)
    elif place == "item":
        getattr(model, field + "s")[0] = value
    else:
        model.by_name["k"] = value


def at(model: Scalars, place: str, field: str) -> Any:
    if place == "field":
        return getattr(model, field)
    return getattr(model, field + "s")[0] if place == "item" else model.by_name["k"]


def cases_of(place: str) -> list[tuple[str, Any, Any, str, Any]]:
    # what a dict of Any holds comes back as JSON: text for bytes and datetimes
    if place == "entry":
        return [case for case in CASES if case[0] not in ("data", "moment")]
    return CASES


@pytest.mark.parametrize(
    ("place", "field", "start", "theirs", "symbol", "operand"),
    [(place, *case) for place in PLACES for case in cases_of(place)],
)
async def test_in_place_operator_is_applied_to_what_the_server_has(
    place: str, field: str, start: Any, theirs: Any, symbol: str, operand: Any
) -> None:
    mine = Scalars()
    put(mine, place, field, start)
    await mine.save()
    other = await Scalars.get(mine.key)
    put(other, place, field, theirs)
    await other.save()
    async with mine.pipeline():
        put(mine, place, field, IN_PLACE[symbol](at(mine, place, field), operand))
        local = at(mine, place, field)
        assert local == (expected := IN_PLACE[symbol](start, operand))
        assert isinstance(local, type(expected)) or field == "integer"
    expected = IN_PLACE[symbol](theirs, operand)
    again = at(await Scalars.get(mine.key), place, field)
    for value in (again, at(mine, place, field)):
        assert value == expected
        if field == "moment":
            assert value.isoformat() == expected.isoformat()
        if field == "number":
            assert repr(value) == repr(expected)


@pytest.mark.parametrize(
    ("field", "start", "theirs", "symbol", "operand"),
    [
        ("integer", 4, 5, "/=", 2),
        ("integer", 1, 2**62, "*=", 2),
        ("integer", 1, 2**62, "+=", 2**62),
        ("integer", 1, 2, "<<=", 62),
        ("number", 1.0, 1e308, "*=", 10),
        ("number", 1.0, 1e308, "+=", 1e308),
        ("number", 1.0, -8.0, "**=", 0.5),
        ("moment", MOMENT, datetime.max.replace(tzinfo=UTC), "+=", timedelta(days=1)),
        ("text", "%s", "no place", "%=", "x"),
    ],
)
async def test_in_place_operator_that_fails_on_what_the_server_has_applies_nothing(
    field: str, start: Any, theirs: Any, symbol: str, operand: Any, stored: Stored
) -> None:
    mine = await Scalars(**{field: start}).save()
    other = await Scalars.get(mine.key)
    setattr(other, field, theirs)
    await other.save()
    before = await stored(mine)
    with pytest.raises(PipelineError):
        async with mine.pipeline():
            mine.integers.append(5)
            setattr(mine, field, IN_PLACE[symbol](getattr(mine, field), operand))
    assert await stored(mine) == before
    assert getattr(mine, field) == start
    assert mine.integers == [0]


@pytest.mark.parametrize(
    ("field", "start", "symbol", "operand"),
    [
        ("integer", 5, "/=", 2),
        ("integer", 5, "+=", 1.5),
        ("integer", 5, "-=", 0.5),
        ("integer", 5, "*=", 0.5),
        ("integer", 5, "**=", -1),
        ("integer", 5, "//=", 0),
        ("integer", 5, "%=", 0),
        ("integer", 5, "+=", "x"),
        ("integer", 5, "+=", 1j),
        ("integer", 2**62, "*=", 2),
        ("integer", 2**63 - 1, "+=", 1),
        ("number", 5.0, "/=", 0),
        ("number", 1e308, "*=", 10),
        ("number", 5.0, "+=", float("nan")),
        ("number", 5.0, "-=", float("inf")),
        ("number", 5.0, "+=", 1j),
        ("text", "a", "+=", 1),
        ("text", "a", "+=", "\ud800"),
        ("text", "a", "*=", "b"),
        ("text", "a", "%=", "b"),
        ("data", b"a", "+=", "b"),
        ("moment", MOMENT, "+=", 5),
        ("moment", MOMENT, "+=", timedelta.max),
        ("moment", MOMENT, "-=", MOMENT),
    ],
)
@pytest.mark.parametrize("place", ["field", "item"])
async def test_in_place_operator_that_cannot_be_stored_raises(
    place: str, field: str, start: Any, symbol: str, operand: Any, stored: Stored
) -> None:
    model = Scalars()
    put(model, place, field, start)
    await model.save()
    before, local = await stored(model), model.model_dump()
    errors = (ValueError, TypeError, ArithmeticError, PipelineError)
    with pytest.raises(errors):
        async with model.pipeline():
            put(model, place, field, IN_PLACE[symbol](at(model, place, field), operand))
    assert await stored(model) == before
    assert model.model_dump() == local
    if (symbol, operand) != ("+=", "\ud800"):
        with pytest.raises(errors):
            put(model, place, field, IN_PLACE[symbol](at(model, place, field), operand))
            await model.save()
    assert await stored(model) == before


async def test_deleting_a_field_in_a_pipeline_is_refused() -> None:
    model = await Scalars().save()
    async with model.pipeline():
        with pytest.raises(Exception, match="integer"):
            del model.integer
    assert model.integer == 0


# -- aliases of one value ----------------------------------------------------------------------------


async def test_operand_may_be_the_value_itself(stored: Stored) -> None:
    model = await Scalars(integer=3, text="ab", integers=[1, 2], by_name={"k": 1}).save()
    async with model.pipeline():
        model.integer += model.integer
        model.text += model.text
        model.integers += model.integers
        model.integers.extend(model.integers)
        model.integers[0] += model.integers[1]
        model.by_name |= model.by_name
        model.by_name["k"] += model.integer
        model.integers[:] = model.integers
    expected = {
        "integer": 6,
        "text": "abab",
        "integers": [3, 2, 1, 2, 1, 2, 1, 2],
        "by_name": {"k": 7},
    }
    document = await stored(model)
    assert {name: document[name] for name in expected} == expected
    assert {name: getattr(model, name) for name in expected} == expected


async def test_a_variable_can_stand_for_the_field_in_between(stored: Stored) -> None:
    model = await Scalars(integer=3).save()
    async with model.pipeline():
        value = model.integer
        value += 1
        value *= 2
        assert (value, model.integer) == (8, 3)
        model.integer = value
        model.number = value
    assert model.integer == 8 == (await stored(model))["integer"]
    assert model.number == 8.0 == (await stored(model))["number"]


async def test_deep_places_are_queued_exactly(redis: Redis, stored: Stored) -> None:
    class Tree(AtomicRedisModel):
        rows: list[list[dict[str, list[int]]]] = [[{"a": [1, 2]}, {"b": []}], []]

    tree = await Tree().save()
    async with tree.pipeline():
        tree.rows[0][0]["a"][1] += 40
        tree.rows[0][1]["b"].append(7)
        tree.rows[1].append({"c": [9]})
        tree.rows[1][0]["c"].insert(0, 8)
        tree.rows.insert(0, [])
        tree.rows[1][0]["a"].pop(0)
        tree.rows[2][0]["c"][0] += 1
        first = tree.rows[1]
        tree.rows.reverse()
        first[0]["a"].append(3)
    expected = [[{"c": [9, 9]}], [{"a": [42, 3]}, {"b": [7]}], []]
    assert (await stored(tree))["rows"] == expected
    assert tree.rows == expected
