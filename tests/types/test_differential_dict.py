"""Random operations on a dict: the Redis type, locally and stored, does what Python's dict does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapyer import AtomicRedisModel
from tests.conftest import Stored
from tests.types.differential import SETTINGS, Operation, Pair, Step


class Numbers(AtomicRedisModel):
    table: dict[str, int] = {}


class Anythings(AtomicRedisModel):
    table: dict[str, Any] = {}


class Floats(AtomicRedisModel):
    table: dict[str, float] = {}


class Rows(AtomicRedisModel):
    table: dict[str, list[int]] = {}


class ByNumber(AtomicRedisModel):
    table: dict[int, str] = {}


names = st.sampled_from(["a", "b", "c", "a.b", "", "both\"and'", "back\\slash", "\n", "é"])


def anything() -> st.SearchStrategy[Any]:
    scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=4)
    return st.recursive(
        scalars | st.integers(-99, 99).map(lambda n: n / 8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=5,
    )


KINDS: dict[str, tuple[type[Any], st.SearchStrategy[Any], st.SearchStrategy[Any]]] = {
    "numbers": (Numbers, names, st.integers(-4, 4)),
    "large": (Numbers, names, st.integers(-(2**63), 2**63 - 1)),
    "anything": (Anythings, names, anything()),
    "floats": (
        Floats,
        st.sampled_from(["a", "b", "a.b", "", "é"]),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    "rows": (Rows, names, st.lists(st.integers(-4, 4), max_size=3)),
    "by_number": (ByNumber, st.integers(-3, 3), st.text(max_size=3)),
}


def or_in_place(table: dict[Any, Any], more: Any) -> None:
    table |= more


def rename(table: dict[Any, Any], old: Any, new: Any) -> None:
    table[new] = table.pop(old)


def steps(key: st.SearchStrategy[Any], value: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return changes(key, value) | local_changes(key) | readings(key, value)


def changes(key: st.SearchStrategy[Any], value: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    entry = st.tuples(key, value)
    many = st.dictionaries(key, value, max_size=4)
    return st.one_of(
        entry.map(lambda a: (f"[{a[0]!r}] = {a[1]!r}", lambda x: x.__setitem__(*a))),
        key.map(lambda k: (f"del [{k!r}]", lambda x: x.__delitem__(k))),
        key.map(lambda k: (f"pop {k!r}", lambda x: x.pop(k))),
        key.map(lambda k: (f"pop {k!r} or None", lambda x: x.pop(k, None))),
        key.map(lambda k: (f"pop {k!r} or object", lambda x: x.pop(k, "default"))),
        entry.map(lambda a: (f"setdefault {a}", lambda x: x.setdefault(*a))),
        many.map(lambda m: (f"update {m}", lambda x: x.update(m))),
        many.map(lambda m: (f"update pairs {m}", lambda x: x.update(iter(m.items())))),
        many.map(lambda m: (f"|= {m}", lambda x: or_in_place(x, m))),
        st.lists(entry, max_size=3).map(
            lambda m: (f"|= pairs {m}", lambda x: or_in_place(x, list(m))),
        ),
        st.just(("|= nonsense", lambda x: or_in_place(x, 5))),
        st.just(("update nonsense", lambda x: x.update([1]))),
        st.just(("clear", lambda x: x.clear())),
    )


def local_changes(key: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    """What these do depends on what the dict holds."""
    return st.one_of(
        st.just(("popitem", lambda x: x.popitem())),
        st.tuples(key, key).map(lambda a: (f"rename {a}", lambda x: rename(x, *a))),
    )


def readings(key: st.SearchStrategy[Any], value: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    many = st.dictionaries(key, value, max_size=4)
    return st.one_of(
        key.map(lambda k: (f"[{k!r}]", lambda x: x[k])),
        key.map(lambda k: (f"get {k!r}", lambda x: (x.get(k), x.get(k, 5), k in x))),
        st.just(("views", lambda x: (list(x), [*x.keys()], [*x.values()], [*x.items()]))),
        st.just(("copies", lambda x: (x.copy(), dict(x), {**x}, len(x), bool(x)))),
        many.map(lambda m: (f"| {m}", lambda x: (x | m, m | x, x == m))),
    )


@pytest.mark.parametrize("kind", KINDS)
@SETTINGS
@given(data=st.data())
async def test_dict_operations_outside_a_pipeline(
    kind: str, data: st.DataObject, stored: Stored
) -> None:
    cls, key, value = KINDS[kind]
    plain = data.draw(st.dictionaries(key, value, max_size=4))
    model = await cls(table=plain).save()
    steps_drawn = data.draw(st.lists(steps(key, value), max_size=10))
    await Pair(model, "table", plain, stored).run_outside(steps_drawn)


@pytest.mark.parametrize("kind", KINDS)
@SETTINGS
@given(data=st.data())
async def test_dict_operations_in_a_pipeline(
    kind: str, data: st.DataObject, stored: Stored
) -> None:
    cls, key, value = KINDS[kind]
    plain = data.draw(st.dictionaries(key, value, max_size=4))
    model = await cls(table=plain).save()
    steps_drawn = data.draw(st.lists(steps(key, value), max_size=10))
    await Pair(model, "table", plain, stored).run_inside(steps_drawn)


def operations(
    key: st.SearchStrategy[Any], value: st.SearchStrategy[Any]
) -> st.SearchStrategy[Operation]:
    entry = st.tuples(key, value)
    many = st.dictionaries(key, value, max_size=4)
    return st.one_of(
        entry.map(
            lambda a: (f"aset_item {a}", lambda x: x.__setitem__(*a), lambda x: x.aset_item(*a)),
        ),
        key.map(
            lambda k: (f"adel_item {k!r}", lambda x: x.__delitem__(k), lambda x: x.adel_item(k)),
        ),
        many.map(lambda m: (f"aupdate {m}", lambda x: x.update(m), lambda x: x.aupdate(m))),
        key.map(lambda k: (f"apop {k!r}", lambda x: x.pop(k, None), lambda x: x.apop(k))),
        key.map(lambda k: (f"apop {k!r}, 7", lambda x: x.pop(k, 7), lambda x: x.apop(k, 7))),
        st.just(("aclear", lambda x: x.clear(), lambda x: x.aclear())),
        st.just(("apopitem", lambda x: x.popitem(), lambda x: x.apopitem())),
    )


@pytest.mark.parametrize("kind", KINDS)
@SETTINGS
@given(data=st.data())
async def test_asynchronous_dict_operations(kind: str, data: st.DataObject, stored: Stored) -> None:
    cls, key, value = KINDS[kind]
    plain = data.draw(st.dictionaries(key, value, max_size=4))
    model = await cls(table=plain).save()
    drawn = data.draw(st.lists(operations(key, value), max_size=10))
    await Pair(model, "table", plain, stored).run_at_once(drawn)


@pytest.mark.parametrize("kind", KINDS)
@SETTINGS
@given(data=st.data())
async def test_asynchronous_dict_operations_of_two_writers(
    kind: str, data: st.DataObject, stored: Stored
) -> None:
    cls, key, value = KINDS[kind]
    plain = data.draw(st.dictionaries(key, value, max_size=4))
    first = await cls(table=plain).save()
    writers = [first, await cls.get(first.key)]
    drawn = data.draw(st.lists(operations(key, value), max_size=10))
    pair = Pair(first, "table", plain, stored)
    await pair.run_at_once(drawn, lambda: data.draw(st.sampled_from(writers)))


@pytest.mark.parametrize("kind", KINDS)
@SETTINGS
@given(data=st.data())
async def test_asynchronous_dict_operations_in_a_pipeline(
    kind: str, data: st.DataObject, stored: Stored
) -> None:
    cls, key, value = KINDS[kind]
    plain = data.draw(st.dictionaries(key, value, max_size=4))
    model = await cls(table=plain).save()
    drawn = data.draw(st.lists(operations(key, value), max_size=8))
    await Pair(model, "table", plain, stored).run_queued(drawn)
