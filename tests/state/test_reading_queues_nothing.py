"""What is only read in a pipeline is not written by it, whatever its type."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

import rapyer
from rapyer import AtomicRedisModel
from tests.conftest import Stored


@dataclasses.dataclass
class Point:
    x: int = 0
    trail: list[int] = dataclasses.field(default_factory=list)


class Inner(BaseModel):
    labels: set[str] = {"i"}


class Held(AtomicRedisModel):
    model_config = ConfigDict(extra="allow")

    labels: set[str] = {"a"}
    point: Point = Point(trail=[1])
    pair: tuple[list[int], int] = ([1], 1)
    listed: list[set[int]] = [{1}]
    named: dict[str, set[int]] = {"a": {1}}
    inner: Inner = Inner()
    count: int = 0


THEIRS: dict[str, Any] = {
    "labels": {"theirs"},
    "point": Point(x=9),
    "pair": ([9], 9),
    "listed": [{9}],
    "named": {"theirs": {9}},
    "inner": Inner(labels={"theirs"}),
    "more": ["theirs"],
}
READS: list[Callable[[Held], object]] = [
    lambda held: held.labels,
    lambda held: held.point.trail,
    lambda held: held.pair[0],
    lambda held: [*held.listed],
    lambda held: [*held.named.values()],
    lambda held: held.inner.labels,
    lambda held: held.more,
]


@pytest.mark.parametrize("read", READS)
async def test_a_pipeline_leaves_to_others_what_it_only_read(
    stored: Stored, read: Callable[[Held], object]
) -> None:
    held = await Held.get((await Held.model_validate({"more": ["a"]}).save()).key)
    other = await Held.get(held.key)
    for name, value in THEIRS.items():
        setattr(other, name, value)
    async with rapyer.pipeline(held) as batch:
        read(held)
        held.count += 1
        assert len(batch.commands()) == 1
        await asyncio.create_task(saved(other))
    assert await stored(held) == {**json.loads(other.model_dump_json()), "count": 1}


async def saved(held: Held) -> None:
    """Save ``held`` in a task of its own, which is no part of the pipeline."""
    await held.save()


async def test_what_was_replaced_after_it_was_read_stays_replaced(stored: Stored) -> None:
    held = await Held().save()
    async with held.pipeline():
        labels, inside = held.labels, held.listed[0]
        held.labels = {"new"}
        held.listed = [{2}]
        labels.add("late")
        inside.add(3)
    assert held.labels == {"new"}
    assert held.listed == [{2}]
    there = await stored(held)
    assert (there["labels"], there["listed"]) == (["new"], [[2]])
