"""A copy of a document has equal values of the same types and shares none of them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from rapyer import AtomicRedisModel


@dataclasses.dataclass
class Point:
    x: int = 0
    trail: list[int] = dataclasses.field(default_factory=list)


class Inner(BaseModel):
    point: Point = Point(1, [1])
    labels: set[str] = {"i"}


class Full(AtomicRedisModel):
    point: Point = Point(2, [2])
    points: list[Point] = [Point(3, [3])]
    by_name: dict[str, Point] = {"a": Point(4, [4])}
    inner: Inner = Inner()
    pair: tuple[Point, int] = (Point(5, [5]), 1)
    price: Decimal = Decimal("1.50")
    day: date = date(2024, 2, 29)
    span: timedelta = timedelta(hours=1)
    id: UUID = UUID(int=7)
    moment: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    frozen: frozenset[int] = frozenset({1})


def points_of(full: Any) -> list[Point]:
    return [
        *(full.point, full.points[0], full.by_name["a"], full.inner.point, full.pair[0]),
    ]


@pytest.mark.parametrize("loaded", [False, True])
async def test_a_duplicate_has_all_values_and_shares_none(loaded: bool) -> None:
    full = await Full().save()
    if loaded:
        full = await Full.get(full.key)
    copy = await full.duplicate()
    again = await Full.get(copy.key)
    for name in Full.model_fields:
        assert getattr(copy, name) == getattr(full, name) == getattr(again, name)
    for point in points_of(copy):
        point.trail.append(99)
    assert [point.trail for point in points_of(full)] == [[2], [3], [4], [1], [5]]


def test_a_clone_shares_nothing_with_its_list_or_dict() -> None:
    full: Any = Full()
    for clone, live in (
        (full.points.clone()[0], full.points[0]),
        (full.by_name.clone()["a"], full.by_name["a"]),
    ):
        assert clone == live
        assert clone is not live
        clone.trail.append(99)
        assert 99 not in live.trail


def test_fractions_inside_anything_are_cloned() -> None:
    class Loose(AtomicRedisModel):
        items: list[Any] = [Fraction(1, 3), {"a": (Fraction(1, 2),)}]

    loose: Any = Loose()
    assert loose.items.clone() == [Fraction(1, 3), {"a": (Fraction(1, 2),)}]
