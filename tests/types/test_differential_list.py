"""Random operations on a list: the Redis type, locally and stored, does what Python's list does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapyer import AtomicRedisModel
from rapyer.types import RedisList
from tests.conftest import Stored
from tests.types.differential import SETTINGS, Operation, Pair, Step


class Numbers(AtomicRedisModel):
    items: list[int] = []


class Floats(AtomicRedisModel):
    items: list[float] = []


class Texts(AtomicRedisModel):
    items: list[str] = []


class Anythings(AtomicRedisModel):
    items: list[Any] = []


class Rows(AtomicRedisModel):
    items: list[list[int]] = []


def negated(item: Any) -> Any:
    return -item


def floats() -> st.SearchStrategy[float]:
    return st.floats(allow_nan=False, allow_infinity=False)


def texts() -> st.SearchStrategy[str]:
    return st.text(max_size=5)


def anything() -> st.SearchStrategy[Any]:
    # what a double with many digits does below a key that no path names: see test_facts
    eighths = st.integers(-99, 99).map(lambda n: n / 8)
    scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | eighths | texts()
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3),
        max_leaves=5,
    )


KINDS: dict[str, tuple[type[Any], st.SearchStrategy[Any]]] = {
    "numbers": (Numbers, st.integers(-4, 4)),
    "large": (Numbers, st.integers(-(2**63), 2**63 - 1)),
    "floats": (Floats, floats()),
    "texts": (Texts, texts()),
    "anything": (Anythings, anything()),
    "rows": (Rows, st.lists(st.integers(-4, 4), max_size=3)),
}

indices = st.integers(-6, 6)
bounds = st.none() | indices
spans = st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 2, 3, -1, -2]))


def plainly(span: slice) -> str:
    return f"{span.start}:{span.stop}:{span.step}"


def multiply(items: list[Any], times: int) -> None:
    items *= times


def sort(items: list[Any], **options: Any) -> None:
    """A list that cannot be sorted stays as it is; Python's may be half sorted by then."""
    before = items[:]
    try:
        items.sort(**options)
    except TypeError:
        if type(items) is list:
            items[:] = before
        raise


def add_in_place(items: list[Any], more: list[Any]) -> None:
    items += more


def remove_range(items: list[Any], start: int, end: int) -> None:
    if isinstance(items, RedisList):
        items.remove_range(start, end)
    else:
        del items[start:end]


def own_half(items: list[Any]) -> None:
    items.extend(items[: len(items) // 2])


def steps(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return changes(item) | local_changes() | readings(item)


def changes(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    many = st.lists(item, max_size=4)
    return st.one_of(
        item.map(lambda v: (f"append {v!r}", lambda x: x.append(v))),
        many.map(lambda v: (f"extend {v!r}", lambda x: x.extend(v))),
        many.map(lambda v: (f"extend iter {v!r}", lambda x: x.extend(iter(v)))),
        many.map(lambda v: (f"+= {v!r}", lambda x: add_in_place(x, v))),
        st.tuples(indices, item).map(
            lambda a: (f"insert {a}", lambda x: x.insert(*a)),
        ),
        st.just(("pop", lambda x: x.pop())),
        indices.map(lambda i: (f"pop {i}", lambda x: x.pop(i))),
        item.map(lambda v: (f"remove {v!r}", lambda x: x.remove(v))),
        st.just(("clear", lambda x: x.clear())),
        st.booleans().map(lambda r: (f"sort {r}", lambda x: sort(x, reverse=r))),
        st.just(("sort by repr", lambda x: x.sort(key=str))),
        st.just(("sort negated", lambda x: sort(x, key=negated))),
        st.just(("reverse", lambda x: x.reverse())),
        st.tuples(indices, item).map(
            lambda a: (f"[{a[0]}] = {a[1]!r}", lambda x: x.__setitem__(*a)),
        ),
        st.tuples(spans, many).map(
            lambda a: (f"[{plainly(a[0])}] = {a[1]!r}", lambda x: x.__setitem__(*a)),
        ),
        indices.map(lambda i: (f"del [{i}]", lambda x: x.__delitem__(i))),
        spans.map(lambda s: (f"del [{plainly(s)}]", lambda x: x.__delitem__(s))),
        st.tuples(indices, indices).map(
            lambda a: (f"remove_range {a}", lambda x: remove_range(x, *a)),
        ),
        st.integers(-1, 2).map(lambda n: (f"*= {n}", lambda x: multiply(x, n))),
    )


def local_changes() -> st.SearchStrategy[Step]:
    """What these do depends on what the list holds."""
    return st.one_of(
        indices.map(lambda i: (f"remove its item {i}", lambda x: x.remove(x[i]))),
        st.just(("extend by own half", own_half)),
        st.just(("swap", lambda x: x.__setitem__(slice(0, 2), [x[1], x[0]]))),
    )


def readings(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.one_of(
        indices.map(lambda i: (f"[{i}]", lambda x: x[i])),
        spans.map(lambda s: (f"[{plainly(s)}]", lambda x: x[s])),
        item.map(lambda v: (f"count {v!r}", lambda x: (x.count(v), v in x))),
        item.map(lambda v: (f"index {v!r}", lambda x: x.index(v))),
        st.just(("copies", lambda x: (x.copy(), list(x), [*reversed(x)], x[:], len(x)))),
        st.just(
            ("sums", lambda x: ([*x, 1], x + list(x), x * 2, 2 * x, x == list(x), x < [3], bool(x)))
        ),
    )


@pytest.mark.parametrize("kind", KINDS)
@SETTINGS
@given(data=st.data())
async def test_list_operations_outside_a_pipeline(
    kind: str, data: st.DataObject, stored: Stored
) -> None:
    cls, item = KINDS[kind]
    plain = data.draw(st.lists(item, max_size=6))
    model = await cls(items=plain).save()
    steps_drawn = data.draw(st.lists(steps(item), max_size=10))
    await Pair(model, "items", plain, stored).run_outside(steps_drawn)


@pytest.mark.parametrize("kind", KINDS)
@SETTINGS
@given(data=st.data())
async def test_list_operations_in_a_pipeline(
    kind: str, data: st.DataObject, stored: Stored
) -> None:
    cls, item = KINDS[kind]
    plain = data.draw(st.lists(item, max_size=6))
    model = await cls(items=plain).save()
    steps_drawn = data.draw(st.lists(steps(item), max_size=10))
    await Pair(model, "items", plain, stored).run_inside(steps_drawn)


def operations(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Operation]:
    many = st.lists(item, max_size=4)
    return st.one_of(
        item.map(
            lambda v: (f"aappend {v!r}", lambda x: x.append(v), lambda x: x.aappend(v)),
        ),
        many.map(
            lambda v: (f"aextend {v!r}", lambda x: x.extend(v), lambda x: x.aextend(v)),
        ),
        st.tuples(indices, item).map(
            lambda a: (f"ainsert {a}", lambda x: x.insert(*a), lambda x: x.ainsert(*a)),
        ),
        indices.map(
            lambda i: (f"apop {i}", lambda x: x.pop(i) if x else None, lambda x: x.apop(i)),
        ),
        st.just(("apop", lambda x: x.pop() if x else None, lambda x: x.apop())),
        st.just(("aclear", lambda x: x.clear(), lambda x: x.aclear())),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stale", [False, True])
@SETTINGS
@given(data=st.data())
async def test_asynchronous_list_operations(
    kind: str, stale: bool, data: st.DataObject, stored: Stored
) -> None:
    cls, item = KINDS[kind]
    plain = data.draw(st.lists(item, max_size=6))
    model = await cls(items=plain).save()
    writers = [model, await cls.get(model.key)]
    drawn = data.draw(st.lists(operations(item), max_size=10))
    writer = (lambda: data.draw(st.sampled_from(writers))) if stale else None
    await Pair(model, "items", plain, stored).run_at_once(drawn, writer)


@pytest.mark.parametrize("kind", KINDS)
@SETTINGS
@given(data=st.data())
async def test_asynchronous_list_operations_in_a_pipeline(
    kind: str, data: st.DataObject, stored: Stored
) -> None:
    cls, item = KINDS[kind]
    plain = data.draw(st.lists(item, max_size=6))
    model = await cls(items=plain).save()
    drawn = data.draw(st.lists(operations(item), max_size=8))
    await Pair(model, "items", plain, stored).run_queued(drawn)
