"""What RedisJSON does differently from Python, row by row: here users get what a Python user expects."""
# ruff: noqa: PT011, PT012 - builtin errors are the promise; a pipeline is raised by its block

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel
from rapyer.errors import (
    IntegerOverflowError,
    ItemIndexError,
    KeyNotFound,
    PathNotFound,
    PipelineError,
    WrongTypeError,
)
from tests.conftest import Stored

MAX, MIN = 2**63 - 1, -(2**63)


class Box(AtomicRedisModel):
    n: int = 0
    x: float = 0.5
    text: str = "t"
    items: list[int] = []
    table: dict[str, Any] = {}
    counts: dict[str, int] = {}


class Inner(BaseModel):
    n: int = 0


class Deep(AtomicRedisModel):
    inner: Inner | None = None
    rows: list[list[Any]] = []


# -- integers and floats -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "amount"), [(MAX, 1), (MIN, -1), (MAX - 5, 6), (MIN, MIN), (MAX, MAX), (-2, MIN)]
)
async def test_increment_past_int64_raises_and_keeps_the_value(
    start: int, amount: int, stored_text: Stored
) -> None:
    box = await Box(n=start).save()
    with pytest.raises(OverflowError) as caught:
        await box.n.increase(amount)
    assert isinstance(caught.value, IntegerOverflowError)
    assert await stored_text(box, "$.n") == f"[{start}]"
    assert box.n == start


@pytest.mark.parametrize(
    ("start", "amount"), [(MAX - 1, 1), (MIN + 1, -1), (MAX, MIN), (MIN, MAX), (2**53, 1)]
)
async def test_increment_up_to_the_edges_is_exact(
    start: int, amount: int, stored_text: Stored
) -> None:
    box = await Box(n=start).save()
    assert await box.n.increase(amount) == start + amount
    assert box.n == start + amount
    assert await stored_text(box, "$.n") == f"[{start + amount}]"


@pytest.mark.parametrize("value", [MAX + 1, MIN - 1, 2**64, 10**30])
async def test_integer_beyond_64_bits_raises_before_anything_is_sent(
    value: int, stored: Stored, commands: Any
) -> None:
    box = await Box(items=[1], table={"k": 1}).save()
    before = await stored(box)
    sent = await commands()
    with pytest.raises(ValueError):
        await Box(n=value).save()
    with pytest.raises(ValueError):
        await box.aupdate(n=value)
    with pytest.raises(ValueError):
        await box.n.increase(value)
    with pytest.raises(ValueError):
        await box.items.aappend(value)
    with pytest.raises(ValueError):
        await box.items.ainsert(0, value)
    with pytest.raises(ValueError):
        await box.table.aset_item("big", value)
    with pytest.raises(ValueError):
        await box.table.aset_item("deep", {"list": [value]})
    with pytest.raises(ValueError):
        async with box.pipeline():
            box.n = value
    assert await commands() == sent
    assert await stored(box) == before
    assert box.model_dump() == before


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
async def test_nan_and_infinity_raise_before_anything_is_sent(
    value: float, stored: Stored, commands: Any
) -> None:
    box = await Box(table={"k": 1}).save()
    before = await stored(box)
    sent = await commands()
    with pytest.raises(ValueError):
        await Box(x=value).save()
    with pytest.raises(ValueError):
        await box.aupdate(x=value)
    with pytest.raises(ValueError):
        await box.x.increase(value)
    with pytest.raises(ValueError):
        await box.table.aset_item("deep", [{"x": value}])
    with pytest.raises(ValueError):
        async with box.pipeline():
            box.x += value
    assert await commands() == sent
    assert await stored(box) == before
    assert box.model_dump() == before


async def test_float_increment_past_the_range_raises_and_keeps_the_value(stored: Stored) -> None:
    box = await Box(x=1.7e308).save()
    with pytest.raises(OverflowError):
        await box.x.increase(1.7e308)
    assert box.x == 1.7e308 == (await stored(box))["x"]


@pytest.mark.parametrize("value", [1.0, -0.0, 1e300, 5e-324, 0.1, 1e22, 2.0**53, 123456789.0])
async def test_floats_stay_exactly_that_float(value: float, stored: Stored) -> None:
    box = await Box(x=value, table={"k": value, "l": [value]}).save()
    for found in (
        (await Box.get(box.key)).x,
        (await Box.get(box.key)).table["k"],
        await box.x.load(),
        await box.table.apop("k"),
        await box.table["l"].apop(),
        (await stored(box))["x"],
    ):
        assert isinstance(found, float)
        assert repr(float(found)) == repr(value)


async def test_float_increase_gives_a_float_even_where_it_is_whole(stored_text: Stored) -> None:
    box = await Box(x=0.5).save()
    result = await box.x.increase(0.5)
    assert repr(result) == "1.0"
    assert await stored_text(box, "$.x") == "[1.0]"
    assert repr(await box.x.increase(1)) == "2.0"


async def test_fraction_added_to_an_integer_raises(stored: Stored) -> None:
    box = await Box(n=3).save()
    with pytest.raises((ValueError, TypeError)):
        await box.n.increase(1.5)  # type: ignore[arg-type]
    with pytest.raises((ValueError, TypeError)):
        box.n += 1.5  # type: ignore[assignment]
    with pytest.raises((ValueError, TypeError, PipelineError)):
        async with box.pipeline():
            box.n += 1.5  # type: ignore[assignment]
    assert box.n == 3 == (await stored(box))["n"]


# -- missing paths and other types -------------------------------------------------------------------


async def test_operations_on_a_missing_path_raise(redis: Redis, stored: Stored) -> None:
    box = await Box(items=[1], table={"a": 1}).save()
    for name in ("n", "x", "items", "table", "text"):
        await redis.execute_command("JSON.DEL", box.key, f"$.{name}")
    before, local = await stored(box), box.model_dump()
    for call in (
        lambda: box.n.increase(),
        lambda: box.x.increase(),
        lambda: box.items.aappend(2),
        lambda: box.items.aextend([2]),
        lambda: box.items.ainsert(0, 2),
        lambda: box.items.apop(),
        lambda: box.items.aclear(),
        lambda: box.table.aset_item("k", 1),
        lambda: box.table.aupdate(k=1),
        lambda: box.table.adel_item("a"),
        lambda: box.table.apop("a"),
        lambda: box.table.apopitem(),
        lambda: box.table.aclear(),
        lambda: box.table["a"].increase(),
        lambda: box.table["a"].save(),
    ):
        with pytest.raises(PathNotFound):
            await call()
        assert await stored(box) == before
        assert box.model_dump() == local
    with pytest.raises(PipelineError) as caught:
        async with box.pipeline():
            box.text += "x"
    assert isinstance(caught.value.__cause__, PathNotFound)


async def test_operations_on_another_type_raise_and_say_so(redis: Redis, stored: Stored) -> None:
    box = await Box(items=[1], table={"a": 1}).save()
    for name, text in {
        "n": '"text"',
        "x": "[1]",
        "items": '{"a": 1}',
        "table": "[1]",
        "text": "5",
    }.items():
        await redis.execute_command("JSON.SET", box.key, f"$.{name}", text)
    before, local = await stored(box), box.model_dump()
    for call in (
        lambda: box.n.increase(),
        lambda: box.x.increase(),
        lambda: box.items.aappend(2),
        lambda: box.items.aextend([2]),
        lambda: box.items.ainsert(0, 2),
        lambda: box.items.apop(),
        lambda: box.items.aclear(),
        lambda: box.table.apop("a"),
        lambda: box.table.apopitem(),
        lambda: box.table.aclear(),
        lambda: box.table.aset_item("k", 1),
        lambda: box.table.aupdate(k=1),
    ):
        with pytest.raises((WrongTypeError, PathNotFound)):
            await call()
        assert await stored(box) == before
        assert box.model_dump() == local
    with pytest.raises(PipelineError) as caught:
        async with box.pipeline():
            box.text += "x"
    assert isinstance(caught.value.__cause__, WrongTypeError)


@pytest.mark.parametrize("text", ["true", "null", "1.5", '"5"', "[5]", '{"n":5}'])
async def test_increase_of_an_int_that_is_stored_as_something_else_raises(
    text: str, redis: Redis, stored_text: Stored
) -> None:
    box = await Box(n=3).save()
    await redis.execute_command("JSON.SET", box.key, "$.n", text)
    with pytest.raises(WrongTypeError):
        await box.n.increase()
    assert await stored_text(box, "$.n") == f"[{text}]"
    assert box.n == 3


async def test_writing_below_a_path_that_is_not_there_raises(stored: Stored) -> None:
    deep = await Deep(inner=Inner(n=1)).save()
    inner = deep.inner
    assert inner is not None
    other = await Deep.get(deep.key)
    other.inner = None
    await other.save()
    for call in (
        lambda: inner.n.save(),
        lambda: inner.n.increase(),
        lambda: inner.aupdate(n=5),
    ):
        with pytest.raises((PathNotFound, WrongTypeError)):
            await call()
    assert await stored(deep) == {"inner": None, "rows": []}


async def test_writing_a_field_of_a_missing_document_raises_key_not_found(stored: Stored) -> None:
    box = Box()
    for call in (
        lambda: box.n.save(),
        lambda: box.aupdate(n=1),
        lambda: box.table.aset_item("k", 1),
        lambda: box.items.save(),
    ):
        with pytest.raises(KeyNotFound) as caught:
            await call()
        assert box.key in str(caught.value)
    assert await stored(box) is None


async def test_operations_on_a_key_of_another_redis_type_say_so(redis: Redis) -> None:
    box = Box()
    await redis.set(box.key, "text")
    for call in (
        lambda: box.n.increase(),
        lambda: box.n.save(),
        lambda: box.n.load(),
        lambda: box.save(),
        lambda: box.load(),
        lambda: Box.get(box.key),
    ):
        with pytest.raises(WrongTypeError):
            await call()
    assert await redis.get(box.key) in ("text", b"text")


# -- lists -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [2, 5, -3, 2**40])
async def test_pop_out_of_range_raises_index_error(index: int, stored: Stored) -> None:
    box = await Box(items=[1, 2]).save()
    with pytest.raises(ItemIndexError):
        await box.items.apop(index)
    assert (await stored(box))["items"] == [1, 2] == box.items


async def test_pop_out_of_the_servers_range_raises_even_where_the_local_list_is_longer(
    stored: Stored,
) -> None:
    box = await Box(items=[1, 2, 3]).save()
    other = await Box.get(box.key)
    await other.items.apop()
    with pytest.raises(IndexError):
        await box.items.apop(2)
    assert (await stored(box))["items"] == [1, 2]


@pytest.mark.parametrize("index", [-100, -3, -1, 0, 1, 2, 3, 100, 2**40, -(2**40)])
async def test_insert_clamps_as_in_python(index: int, stored: Stored) -> None:
    box = await Box(items=[1, 2, 3]).save()
    expected = [1, 2, 3]
    expected.insert(index, 9)
    await box.items.ainsert(index, 9)
    assert box.items == expected == (await stored(box))["items"]


# -- dict keys ---------------------------------------------------------------------------------------

KEYS = [
    "plain",
    "with space",
    " leading space",
    " ",
    "  ",
    "trailing space ",
    "a.b",
    "*",
    "[0]",
    "$",
    "$.n",
    "@",
    "?(@.x)",
    "..",
    "",
    'double"quote',
    "single'quote",
    "both\"and'quote",
    "back\\slash",
    "\\",
    '\\"',
    "line\nfeed",
    "\\n",
    "tab\tnul\x00end",
    "ünïcödé",
    "日本",
    "🐍",
    "0",
    "-1",
    "a,b",
    "a:b",
    "__proto__",
    "\x7f",
    "]",
    '"]',
    "']",
]


@pytest.mark.parametrize("key", KEYS)
async def test_dict_key_touches_exactly_that_entry(key: str, stored: Stored) -> None:
    others = {k: {"n": 1} for k in KEYS if k != key}
    box = await Box(table=dict(others)).save()

    async def holds(expected: dict[str, Any]) -> None:
        assert (await stored(box))["table"] == expected
        assert box.table == expected
        assert (await Box.get(box.key)).table == expected

    await box.table.aset_item(key, 1)
    await holds({**others, key: 1})
    assert await box.table[key].increase(2) == 3
    await holds({**others, key: 3})
    await box.table.aupdate({key: {"l": [1], "none": None}})
    await holds({**others, key: {"l": [1], "none": None}})
    await box.table[key]["l"].aappend(2)
    await holds({**others, key: {"l": [1, 2], "none": None}})
    await box.table[key].aset_item("none", 5)
    await box.table[key]["l"].save()
    assert await box.table[key]["l"].load() == [1, 2]
    async with box.pipeline():
        box.table[key]["l"][0] += 10
        box.table[key]["new"] = {}
    await holds({**others, key: {"l": [11, 2], "none": 5, "new": {}}})
    assert await box.table.apop(key) == {"l": [11, 2], "none": 5, "new": {}}
    await holds(others)
    async with box.pipeline():
        box.table[key] = []
    await holds({**others, key: []})
    await box.table.adel_item(key)
    await holds(others)
    with pytest.raises(KeyError):
        await box.table.adel_item(key)
    assert await box.table.apop(key, "default") == "default"
    await holds(others)


@pytest.mark.parametrize("key", KEYS)
async def test_any_dict_key_can_be_popped_as_item_and_incremented_in_pipelines(
    key: str, stored: Stored
) -> None:
    box = await Box(counts={key: 5}).save()
    async with box.pipeline():
        box.counts[key] += 1
        box.counts[key] -= 3
    assert (await stored(box))["counts"] == {key: 3} == box.counts
    assert await box.counts.apopitem() == (key, 3)
    assert (await stored(box))["counts"] == {} == box.counts


# -- time to live, exact texts ------------------------------------------------------------------------


async def test_field_writes_leave_a_ttl_alone(redis: Redis) -> None:
    box = await Box(items=[1], table={"back\\slash": 1}).save()
    await redis.pexpire(box.key, 5_000_000)
    for call in (
        lambda: box.n.increase(),
        lambda: box.n.save(),
        lambda: box.items.aappend(1),
        lambda: box.table.aset_item("k", 1),
        lambda: box.table.aset_item("back\\slash", 2),
        lambda: box.table.aclear(),
        lambda: box.aupdate(n=3),
        lambda: box.save(),
        lambda: box.load(),
    ):
        await call()
        assert 4_000_000 < await redis.pttl(box.key) <= 5_000_000


@pytest.mark.parametrize("value", [0.1 + 0.2, 2 / 3, 1e300, 1.1579208923731604e77, 5e-324])
@pytest.mark.parametrize("key", ["both\"and'quote", "back\\slash", " ", "plain"])
async def test_floats_are_exact_or_refused_below_a_key_that_no_path_names(
    value: float, key: str, stored: Stored
) -> None:
    box = await Box(table={"kept": 1}).save()
    try:
        await box.table.aset_item(key, [value, {key: value}])
    except ValueError:
        assert key != "plain"
        assert (await stored(box))["table"] == {"kept": 1} == box.table
    else:
        again = await Box.get(box.key)
        assert again.table == {"kept": 1, key: [value, {key: value}]} == box.table
        assert await again.table.apop(key) == [value, {key: value}]


async def test_popped_values_are_exact(stored: Stored) -> None:
    values = [2**53 + 1, 1.0, [], {}, None, "", True, MAX, MIN, {"a": []}, "\\", '"', "\n\x00é"]
    deep = await Deep(rows=[list(values)]).save()
    row = deep.rows[0]
    for value in reversed(values):
        popped = await row.apop()
        assert popped == value
        assert type(popped) is type(value)
    assert await stored(deep) == {"inner": None, "rows": [[]]}

    box = await Box(table={str(i): value for i, value in enumerate(values)}).save()
    for position, value in reversed(list(enumerate(values))):
        if position % 2:
            popped = await box.table.apop(str(position))
        else:
            name, popped = await box.table.apopitem()
            assert name == str(position)
        assert popped == value
        assert type(popped) is type(value)


async def test_a_batch_after_script_flush_is_applied_exactly_once(
    redis: Redis, stored: Stored
) -> None:
    box = await Box().save()
    for _ in range(3):
        await redis.script_flush()
        async with rapyer.pipeline():
            box.n += 1
            box.items.append(int(box.n))
    assert (await stored(box))["n"] == 3
    assert (await stored(box))["items"] == [1, 2, 3]


async def test_a_refused_batch_leaves_nothing_applied(stored: Stored) -> None:
    box = await Box(n=MAX, items=[1]).save()
    before = await stored(box)
    with pytest.raises(PipelineError):
        async with box.pipeline():
            box.items.append(2)
            box.text = "changed"
            box.n += 1
    assert await stored(box) == before == box.model_dump()


async def test_nesting_too_deep_for_the_server_raises_and_changes_nothing(stored: Stored) -> None:
    box = await Box().save()
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    with pytest.raises((ValueError, rapyer.RapyerError)):
        await box.table.aset_item("k", deep)
    assert (await stored(box))["table"] == {} == box.table
    with pytest.raises((ValueError, rapyer.RapyerError)):
        await Box(table={"k": deep}).save()
