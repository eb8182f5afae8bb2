"""Whichever way a value is written, the document is the one that ``save()`` writes, and loads equal."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import create_model
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel
from rapyer.models.places import resolve
from rapyer.schema.of_models import field_spec

from .kinds import BASE, KEYS, TABLE

SETTINGS = settings(
    deadline=None,
    max_examples=int(os.environ.get("RAPYER_EXAMPLES", "2")),
    suppress_health_check=list(HealthCheck),
)
Way = Callable[[Any, Any], Awaitable[None]]
"""``(saved document, value)``: writes the value into ``field``, ``items[-1]``, ``table`` or ``inner.field``."""

KEYED = [KEYS.format(name) for name, kind in BASE.items() if kind.is_key]
ALL = [name for name in TABLE if name in BASE or name.startswith("self-reference") or name in KEYED]


@cache
def document(name: str) -> Any:
    """A document that holds values of the kind ``name`` in every kind of place."""
    annotation = TABLE[name].annotation
    inner = create_model("Inner", field=(annotation | None, None))
    return create_model(
        "Document",
        __base__=AtomicRedisModel,
        field=(annotation | None, None),
        items=(list[annotation], []),
        table=(dict[str, annotation], {}),
        inner=(inner, inner()),
    )


async def by_save(model: Any, value: Any) -> None:
    model.field = value
    await model.save()


async def by_saving_changes(model: Any, value: Any) -> None:
    model.field = value
    await model.save_changes()


async def by_updating(model: Any, value: Any) -> None:
    await model.aupdate(field=value)


async def by_updating_a_nested_model(model: Any, value: Any) -> None:
    await model.inner.aupdate(field=value)


async def by_assignment_in_a_pipeline(model: Any, value: Any) -> None:
    async with model.pipeline():
        model.field = value
        model.inner.field = value
        model.table["a"] = value
        model.items.append(value)


async def by_saving_the_field(model: Any, value: Any) -> None:
    model.field = value
    if hasattr(model.field, "save"):
        await model.field.save()
    else:
        await model.save()


async def by_saving_the_nested_model(model: Any, value: Any) -> None:
    model.inner.field = value
    await model.inner.save()


async def by_saving_the_item(model: Any, value: Any) -> None:
    await model.items.aappend(value)
    model.items[0] = value
    if hasattr(model.items[0], "save"):
        await model.items[0].save()


async def by_operations_of_the_list(model: Any, value: Any) -> None:
    await model.items.aextend([value, value])
    await model.items.ainsert(0, value)
    assert await model.items.apop() == model.items[0]


async def by_operations_of_the_dict(model: Any, value: Any) -> None:
    await model.table.aset_item("a", value)
    await model.table.aupdate({"b.c": value})
    assert await model.table.apop("a") == model.table["b.c"]


async def by_inserting(model: Any, value: Any) -> None:
    model.field = value
    await model.delete()
    await rapyer.insert(model)


async def as_the_shell_does(model: Any, value: Any) -> None:
    model.field = value
    spec = field_spec(type(model), "field")
    text = spec.to_json(model.__dict__["field"])
    await resolve(model, ["field"]).set(spec.validate_json(text))


async def by_loading_and_saving_a_field(model: Any, value: Any) -> None:
    await model.aupdate(field=value)
    if hasattr(model.field, "load"):
        loaded = await model.field.load()
        await loaded.save()


WAYS: list[Way] = [
    *(by_save, by_saving_changes, by_updating, by_updating_a_nested_model),
    *(by_assignment_in_a_pipeline, by_saving_the_field, by_saving_the_nested_model),
    *(by_saving_the_item, by_operations_of_the_list, by_operations_of_the_dict, by_inserting),
    *(as_the_shell_does, by_loading_and_saving_a_field),
]


@pytest.mark.parametrize("name", ALL)
@SETTINGS
@given(data=st.data())
async def test_every_way_of_writing_writes_the_stored_form(
    name: str, data: st.DataObject, redis: Redis
) -> None:
    cls = document(name)
    value = data.draw(TABLE[name].values)
    for way in WAYS:
        model = cls()
        await model.save()
        await way(model, value)
        text = await redis.execute_command("JSON.GET", model.key)
        again = await cls.get(model.key)
        assert again == model, way.__name__
        await model.save()
        assert await redis.execute_command("JSON.GET", model.key) == text, way.__name__
        await again.save()
        assert await redis.execute_command("JSON.GET", model.key) == text, way.__name__
