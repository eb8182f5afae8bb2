"""Objects that nobody validated are refused before they are stored as what no model could read again.

Pydantic takes instances of dataclasses and models as they are, and hands out sets, dataclasses and what stands in
tuples: all of these can be given values that their annotations forbid.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from pydantic import BaseModel, Field, ValidationError

import rapyer
from rapyer import AtomicRedisModel
from rapyer.errors import BulkError
from tests.conftest import Stored

Kind = Literal["a", "b"]


@dataclass
class Data:
    n: Annotated[int, Field(ge=0)] = 0


class Part(BaseModel):
    n: Annotated[int, Field(ge=0)] = 0
    data: Data = Data()


class Row(NamedTuple):
    kinds: list[Kind] = ["a"]


class Loose(AtomicRedisModel):
    data: Data = Data()
    many: list[Data] = [Data()]
    named: dict[str, Data] = {"a": Data()}
    part: Part = Part()
    parts: list[Part] = [Part()]
    kinds: set[Kind] = {"a"}
    pair: tuple[list[Kind], int] = (["a"], 1)
    queue: deque[Kind] = deque(["a"])
    maybe: Data | Part | None = None
    row: Row = Row()
    scores: list[int] = [1]
    table: dict[str, int] = {"a": 1}
    lists: dict[str, list[int]] = {"a": [1]}
    n: int = 0


def bad_data() -> Data:
    return Data(-1)


def bad_part() -> Part:
    part = Part()
    part.n = -1
    return part


IN_PLACE: dict[str, Callable[[Any], Any]] = {
    "a dataclass": lambda model: setattr(model.data, "n", -1),
    "a dataclass in a list": lambda model: setattr(model.many[0], "n", -1),
    "a dataclass in a dict": lambda model: setattr(model.named["a"], "n", -1),
    "a dataclass in a model": lambda model: setattr(model.part.data, "n", -1),
    "a dataclass in models": lambda model: setattr(model.parts[0].data, "n", -1),
    "a set": lambda model: model.kinds.add("c"),
    "a list in a tuple": lambda model: model.pair[0].append("c"),
    "a deque": lambda model: model.queue.append("c"),
    "a list in a named tuple": lambda model: model.row.kinds.append("c"),
    "a list past its methods": lambda model: list.append(model.scores, "c"),
    "a list by a heap": lambda model: heapq.heappush(model.scores, 0.5),
    "a dict past its methods": lambda model: dict.__setitem__(model.table, "b", "c"),
    "a list in a dict past its methods": lambda model: list.append(model.lists["a"], "c"),
}
GIVEN: dict[str, Callable[[Any], Any]] = {
    "a dataclass": lambda model: setattr(model, "data", bad_data()),
    "dataclasses": lambda model: setattr(model, "many", [bad_data()]),
    "an item": lambda model: model.many.append(bad_data()),
    "items": lambda model: model.many.extend([Data(), bad_data()]),
    "an entry": lambda model: model.named.__setitem__("b", bad_data()),
    "entries": lambda model: model.named.update(b=bad_data()),
    "a model": lambda model: setattr(model, "part", bad_part()),
    "a constructed model": lambda model: setattr(model, "part", Part.model_construct(n="x")),
    "a model that holds one": lambda model: setattr(model, "part", Part(data=bad_data())),
    "models": lambda model: model.parts.insert(0, bad_part()),
    "one of a union": lambda model: setattr(model, "maybe", bad_part()),
    "a replaced item": lambda model: model.parts.__setitem__(0, bad_part()),
}
WAYS = ["save", "save_changes", "block", "save in a block", "field"]


async def _store(model: Any, change: Callable[[Any], Any], way: str) -> None:
    if way in ("block", "save in a block"):
        async with rapyer.pipeline(model):
            model.n += 1
            change(model)
            if way == "save in a block":
                await model.save()
        return
    change(model)
    if way == "field":
        for name in ("many", "named", "part", "parts", "scores", "table", "lists"):
            await getattr(model, name).save()
        await model.save_changes()
    else:
        await getattr(model, way)()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "kind", [*((IN_PLACE, name) for name in IN_PLACE), *((GIVEN, n) for n in GIVEN)]
)
async def test_what_the_model_forbids_is_refused(
    stored: Stored, kind: tuple[Any, str], way: str
) -> None:
    model = await Loose().save()
    before = await stored(model)
    table, name = kind
    with pytest.raises(ValidationError):
        await _store(model, table[name], way)
    assert await stored(model) == before
    assert await Loose.get(model.key) == Loose.model_validate({**before, "pk": model.pk})


OPERATIONS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "aupdate": lambda model: model.aupdate(data=bad_data()),
    "aupdate of a model": lambda model: model.aupdate(part=bad_part()),
    "aappend": lambda model: model.many.aappend(bad_data()),
    "aextend": lambda model: model.parts.aextend([bad_part()]),
    "ainsert": lambda model: model.parts.ainsert(0, bad_part()),
    "aset_item": lambda model: model.named.aset_item("b", bad_data()),
    "dict aupdate": lambda model: model.named.aupdate(b=bad_data()),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_operations_refuse_it(stored: Stored, name: str) -> None:
    model = await Loose().save()
    before = await stored(model)
    with pytest.raises(ValidationError):
        await OPERATIONS[name](model)
    assert await stored(model) == before
    assert model == await Loose.get(model.key)


async def test_a_new_document_that_holds_it_is_not_stored() -> None:
    for fields in ({"data": bad_data()}, {"parts": [bad_part()]}, {"part": bad_part()}):
        model = Loose(**fields)
        with pytest.raises(ValidationError, match=next(iter(fields))):
            await model.save()
        with pytest.raises(BulkError):
            await Loose.ainsert(Loose(), model)
        with pytest.raises(ValidationError):
            await Loose.get_or_create(model)
        assert not await Loose.exists(model.key)


async def test_what_is_valid_is_stored_as_it_was_changed(stored: Stored) -> None:
    model = await Loose().save()
    model.data.n = 5
    model.kinds.add("b")
    model.pair[0].append("b")
    model.queue.append("b")
    model.parts[0].data.n = 7
    await model.save_changes()
    assert await Loose.get(model.key) == model
    content = await stored(model)
    assert content["data"] == {"n": 5}
    assert content["parts"][0]["data"] == {"n": 7}


class Defaults(AtomicRedisModel):
    never: Annotated[int, Field(ge=1)] = 0
    made: Annotated[list[int], Field(min_length=1)] = Field(default_factory=list)


async def test_a_default_that_its_field_forbids_is_not_stored() -> None:
    for fields, name in (({"made": [1]}, "never"), ({"never": 1}, "made")):
        model = Defaults.model_validate(fields)
        with pytest.raises(ValidationError, match=name):
            await model.save()
        assert not await Defaults.exists(model.key)
    model = await Defaults(never=1, made=[1]).save()
    assert await Defaults.get(model.key) == model
