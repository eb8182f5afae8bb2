"""A value of a subclass keeps its class and its fields, also where the subclass refers to itself or to a model twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from rapyer import AtomicRedisModel
from tests.conftest import Stored


class Leaf(BaseModel):
    size: int = 0


class Plant(BaseModel):
    name: str = ""


class Bush(Plant):
    left: Leaf = Leaf()
    right: Leaf = Leaf()
    by_name: dict[str, Leaf] = {}


class Tree(Plant):
    leaf: Leaf = Leaf()
    branches: list[Tree] = []
    trunk: Tree | None = None


class Garden(AtomicRedisModel):
    plant: Plant = Plant()
    plants: list[Plant] = []
    by_name: dict[str, Plant] = {}
    maybe: Plant | None = None


PLANTS: list[Callable[[], Plant]] = [
    lambda: Bush(name="b", left=Leaf(size=1), by_name={"x": Leaf(size=2)}),
    lambda: Tree(name="t", leaf=Leaf(size=3)),
    lambda: Tree(branches=[Tree(name="inner", leaf=Leaf(size=4))], trunk=Tree(name="below")),
]


@pytest.mark.parametrize("make", PLANTS)
async def test_values_of_subclasses_round_trip(
    stored_text: Stored, make: Callable[[], Plant]
) -> None:
    garden = await Garden(
        plant=make(), plants=[make(), Plant(name="p")], by_name={"a": make()}, maybe=make()
    ).save()
    again = await Garden.get(garden.key)
    assert again == garden
    places: list[Any] = [again.plant, again.plants[0], again.by_name["a"], again.maybe]
    assert all(isinstance(place, type(make())) for place in places)
    assert type(again.plants[1]).__name__ == type(Garden(plants=[Plant()]).plants[0]).__name__
    before = await stored_text(garden)
    await again.save()
    assert await stored_text(garden) == before


async def test_fields_of_a_subclass_are_changed_in_place(stored: Stored) -> None:
    garden = await Garden(plant=Tree(branches=[Tree(leaf=Leaf(size=1))])).save()
    plant: Any = (await Garden.get(garden.key)).plant
    assert await plant.branches[0].leaf.size.increase(2) == 3
    await plant.leaf.size.increase()
    there = (await stored(garden))["plant"]
    assert (there["branches"][0]["leaf"]["size"], there["leaf"]["size"]) == (3, 1)
