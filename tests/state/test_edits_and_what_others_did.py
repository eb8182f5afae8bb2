"""Unsaved edits and what others wrote beside them: both are there after `save_changes()`, at any depth.

Whatever tells an instance what the server has (an answer of its own, another instance in the same block, an
answer that comes late), what others added or changed beside an edit is neither taken for deleted nor undone.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel
from rapyer.batch.arrival import tell
from rapyer.state.document import document_state
from tests.conftest import Stored


class Leaf(BaseModel):
    x: int = 0
    y: int = 0


class Branch(BaseModel):
    leaf: Leaf = Leaf()
    leaves: dict[str, Leaf] = {}
    deep: dict[str, dict[str, int]] = {}


class Tree(AtomicRedisModel):
    n: int = 0
    branch: Branch = Branch()
    leaves: dict[str, Leaf] = {}
    deep: dict[str, dict[str, dict[str, int]]] = {}


START: dict[str, Any] = {
    "n": 0,
    "branch": {
        "leaf": {"x": 1, "y": 1},
        "leaves": {"a": {"x": 1, "y": 1}, "b": {"x": 1, "y": 1}},
        "deep": {"a": {"k": 1, "l": 1}},
    },
    "leaves": {"a": {"x": 1, "y": 1}, "b": {"x": 1, "y": 1}},
    "deep": {"a": {"k": {"q": 1, "r": 1}, "l": {"q": 1}}, "b": {"k": {"q": 1}}},
}


def _places(tree: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(tree, dict):
        return [path]
    return [place for name in tree for place in _places(tree[name], (*path, name))]


LEAVES = [place for place in _places(START) if place != ("n",)]
NEW = [
    *(("deep", "a", "k", "new"), ("deep", "new"), ("deep", "a", "new"), ("leaves", "new")),
    *(("branch", "leaves", "new"), ("branch", "deep", "a", "new"), ("branch", "deep", "new")),
]
WRITES = LEAVES + NEW


def _value_at(path: tuple[str, ...], number: int) -> Any:
    """What fits at ``path``: an int, or what holds some."""
    match path:
        case ("leaves", _) | ("branch", "leaves", _):
            return {"x": number, "y": number}
        case ("deep", _):
            return {"k": {"q": number}}
        case ("deep", _, _) | ("branch", "deep", _):
            return {"q": number}
        case _:
            return number


def _held(model: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        model = model[name] if isinstance(model, dict) else getattr(model, name)
    return model


def _edit(model: Any, path: tuple[str, ...], number: int) -> None:
    holder, value = _held(model, path[:-1]), _value_at(path, number)
    if isinstance(holder, dict):
        holder[path[-1]] = Leaf(**value) if path[-2] == "leaves" else value
    else:
        setattr(holder, path[-1], value)


def _put(tree: Any, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        tree = tree[name]
    tree[path[-1]] = value


# What may tell an instance: operations on dicts and models at every depth, whose answers hold what is below.
OPERATIONS: dict[str, tuple[tuple[str, ...], Callable[[Any], Awaitable[Any]]]] = {
    "leaves": (("leaves", "op"), lambda m: m.leaves.aset_item("op", Leaf())),
    "deep": (("deep", "op"), lambda m: m.deep.aset_item("op", {})),
    "deep a": (("deep", "a", "op"), lambda m: m.deep["a"].aset_item("op", {})),
    "deep a k": (("deep", "a", "k", "op"), lambda m: m.deep["a"]["k"].aset_item("op", 0)),
    "branch leaves": (
        ("branch", "leaves", "op"),
        lambda m: m.branch.leaves.aset_item("op", Leaf()),
    ),
    "branch deep": (("branch", "deep", "op"), lambda m: m.branch.deep.aset_item("op", {})),
    "branch deep a": (
        ("branch", "deep", "a", "op"),
        lambda m: m.branch.deep["a"].aset_item("op", 0),
    ),
}
OP_VALUES: dict[str, Any] = {"leaves": {"x": 0, "y": 0}, "branch leaves": {"x": 0, "y": 0}}


async def _operate(name: str, how: str, model: Any, other: Any) -> None:
    operation = OPERATIONS[name][1]
    if how == "itself":
        await operation(model)
        return
    async with rapyer.pipeline():
        model.n += 1
        await operation(model if how == "in a block" else other)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    edits=st.dictionaries(st.sampled_from(WRITES), st.integers(100, 109), min_size=1, max_size=3),
    theirs=st.dictionaries(st.sampled_from(WRITES), st.integers(200, 209), min_size=1, max_size=4),
    name=st.sampled_from(sorted(OPERATIONS)),
    how=st.sampled_from(["itself", "in a block", "by another instance"]),
)
async def test_both_are_there_after_save_changes(
    redis: Redis, stored: Stored, edits: Any, theirs: Any, name: str, how: str
) -> None:
    model = await Tree.model_validate(START).save()
    other = await Tree.get(model.key)
    for path, number in edits.items():
        _edit(model, path, number)
    for path, number in theirs.items():
        _edit(other, path, number)
    await other.save_changes()
    await _operate(name, how, model, other)
    expected = {**copy.deepcopy(START), "n": 0 if how == "itself" else 1}
    for path, number in theirs.items():
        _put(expected, path, _value_at(path, number))
    place = OPERATIONS[name][0]
    _put(expected, place, _EMPTY.get(place, {}))
    assert await stored(model.key) == expected
    for path, number in edits.items():
        _put(expected, path, _value_at(path, number))
    for _ in range(2):
        await model.save_changes()
        assert await stored(model.key) == expected


_EMPTY: dict[tuple[str, ...], Any] = {
    ("leaves", "op"): {"x": 0, "y": 0},
    ("branch", "leaves", "op"): {"x": 0, "y": 0},
    ("deep", "a", "k", "op"): 0,
    ("branch", "deep", "a", "op"): 0,
}


class Narrow(AtomicRedisModel):
    small: dict[str, Leaf] = {}
    n: int = 0


async def test_what_the_model_cannot_hold_is_not_taken_for_deleted(
    redis: Redis, stored: Stored
) -> None:
    model = await Narrow(small={"a": Leaf()}).save()
    model.small["a"].x = 5
    await redis.execute_command("JSON.SET", model.key, "$.small.odd", '{"x": "not a number"}')
    await model.small.aset_item("b", Leaf(y=7))
    await model.save_changes()
    assert (await stored(model.key))["small"] == {
        "a": {"x": 5, "y": 0},
        "b": {"x": 0, "y": 7},
        "odd": {"x": "not a number"},
    }


async def test_a_whole_document_that_is_told_late_keeps_what_was_edited_meanwhile(
    redis: Redis, stored: Stored
) -> None:
    model = await Tree.model_validate(START).save()
    model.branch.leaf.x = 50
    model.deep["a"]["k"]["q"] = 60
    whole = copy.deepcopy(START)
    _put(whole, ("branch", "leaf", "y"), 70)
    _put(whole, ("deep", "a", "k", "r"), 80)
    whole["n"] = 9
    await redis.execute_command("JSON.SET", model.key, "$", json.dumps(whole))
    tell(model, document_state(model), (), json.dumps(whole).encode())
    _put(whole, ("branch", "leaf", "x"), 50)
    _put(whole, ("deep", "a", "k", "q"), 60)
    assert model.model_dump() == whole
    await model.save_changes()
    assert await stored(model.key) == whole


@pytest.mark.parametrize("how", ["the nested model", "the whole document"])
async def test_an_instance_that_saves_leaves_the_edits_of_another_in_the_block(
    redis: Redis, stored: Stored, how: str
) -> None:
    model = await Tree.model_validate(START).save()
    other = await Tree.get(model.key)
    model.branch.leaf.x = 50
    other.branch.leaf.y = 60
    async with rapyer.pipeline():
        model.n += 1
        await (other.branch if how == "the nested model" else other).save()
    assert (model.branch.leaf.x, model.branch.leaf.y) == (50, 60)
    await model.save_changes()
    assert (await stored(model.key))["branch"]["leaf"] == {"x": 50, "y": 60}


class Square(BaseModel):
    kind: Literal["square"] = "square"
    side: int = 1
    note: str = ""


class Circle(BaseModel, extra="forbid"):
    kind: Literal["circle"] = "circle"
    radius: int = 1
    note: str = ""


class Drawing(AtomicRedisModel):
    shape: Square | Circle = Square()
    tagged: Annotated[Square | Circle, Field(discriminator="kind")] = Square()
    maybe: Square | Circle | None = Square()
    checked: Annotated[Square | Circle, AfterValidator(lambda shape: shape)] = Square()
    shapes: dict[str, Square | Circle] = {"a": Square()}


SHAPES: dict[str, Callable[[Any], Any]] = {
    "shape": lambda drawing: drawing.shape,
    "tagged": lambda drawing: drawing.tagged,
    "maybe": lambda drawing: drawing.maybe,
    "an entry": lambda drawing: drawing.shapes["a"],
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("in_a_block", [False, True])
async def test_two_fields_of_a_model_in_a_union_are_two_places(
    redis: Redis, name: str, in_a_block: bool
) -> None:
    drawing = await Drawing().save()
    other = await Drawing.get(drawing.key)
    SHAPES[name](drawing).side = 5
    SHAPES[name](other).note = "theirs"
    await other.save_changes()
    if in_a_block:
        async with rapyer.pipeline():
            await drawing.save_changes()
    else:
        await drawing.save_changes()
    loaded = SHAPES[name](await Drawing.get(drawing.key))
    assert (loaded.side, loaded.note) == (5, "theirs")


@pytest.mark.parametrize("field", ["shape", "tagged", "maybe", "checked"])
async def test_a_value_that_became_one_of_another_class_is_one_place(
    redis: Redis, stored: Stored, field: str
) -> None:
    drawing = await Drawing.model_validate({field: Square(side=3, note="same")}).save()
    other = await Drawing.get(drawing.key)
    setattr(drawing, field, Circle(radius=5, note="same"))
    getattr(other, field).note = "theirs"
    await other.save_changes()
    await drawing.save_changes()
    expected = {"kind": "circle", "radius": 5, "note": "same"}
    assert (await stored(drawing))[field] == expected


async def test_an_edit_of_what_others_made_one_of_another_class_corrupts_nothing(
    redis: Redis, stored: Stored
) -> None:
    drawing = await Drawing().save()
    other = await Drawing.get(drawing.key)
    drawing.shape.side = 5
    other.shape = Circle()
    await other.save_changes()
    before = await stored(drawing)
    with pytest.raises(ValueError, match="side"):
        await drawing.save_changes()
    assert await stored(drawing) == before
    assert drawing.shape.side == 5
