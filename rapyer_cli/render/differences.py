"""What differs between two JSON values, as a list of places. Pure; no terminal, no database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

Change: TypeAlias = Literal["added", "removed", "changed"]


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"


MISSING: Any = _Missing()
"""Stands for a document or value that is not there."""


class Difference(NamedTuple):
    """One place where two values differ. A list index counts in the side that has the item."""

    path: tuple[str | int, ...]
    change: Change
    before: Any = None
    after: Any = None


def differences(before: Any, after: Any) -> list[Difference]:
    """Every smallest place that differs, in document order. Linear in the size of both values."""
    return list(_walk((), before, after))


def same(left: Any, right: Any) -> bool:
    """Whether two JSON values are the same; ``1``, ``1.0`` and ``true`` are three values."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(
            same(one, other) for one, other in zip(left, right, strict=True)
        )
    return bool(left == right)


def _walk(path: tuple[str | int, ...], before: Any, after: Any) -> Iterator[Difference]:
    if before is MISSING and after is MISSING:
        return
    if before is MISSING:
        yield Difference(path, "added", after=after)
    elif after is MISSING:
        yield Difference(path, "removed", before=before)
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in before:
            yield from _walk((*path, name), before[name], after.get(name, MISSING))
        for name in after:
            if name not in before:
                yield Difference((*path, name), "added", after=after[name])
    elif isinstance(before, list) and isinstance(after, list):
        yield from _walk_lists(path, before, after)
    elif not same(before, after):
        yield Difference(path, "changed", before=before, after=after)


def _walk_lists(
    path: tuple[str | int, ...], before: list[Any], after: list[Any]
) -> Iterator[Difference]:
    start = 0
    while start < min(len(before), len(after)) and same(before[start], after[start]):
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and same(before[-1 - end], after[-1 - end]):
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if len(old) == len(new):
        for offset, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _walk((*path, start + offset), one, other)
        return
    for offset, item in enumerate(old):
        yield Difference((*path, start + offset), "removed", before=item)
    for offset, item in enumerate(new):
        yield Difference((*path, start + offset), "added", after=item)
