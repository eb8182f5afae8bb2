"""Limits of lists hold on the server wherever the list is, also below keys that no JSON path can name."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import pytest
from pydantic import Field
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.errors import ConstraintError, PipelineError
from tests.conftest import Stored

Few = Annotated[list[int], Field(min_length=1, max_length=2)]
KEYS = ["plain", "a\\b", " a", "'\"", "", "a.b", "[0]", "*"]


class Limited(AtomicRedisModel):
    lists: dict[str, Few] = {}
    deeper: dict[str, dict[str, Few]] = {}


class Kept(AtomicRedisModel):
    items: Annotated[list[int], Field(min_length=1)] = [1]
    table: Annotated[dict[str, int], Field(min_length=1)] = {"a": 1}


async def overwritten(redis: Redis, name: str, here: list[int], there: list[int]) -> Any:
    """A model that knows ``here`` of the lists under ``name`` while the server has ``there``."""
    made = Limited(lists={name: here}, deeper={name: {name: here}})
    model = await Limited.get((await made.save()).key)
    assert model.lists[name] == model.deeper[name][name] == here
    content = {"lists": {name: there}, "deeper": {name: {name: there}}}
    await redis.execute_command("JSON.SET", model.key, "$", json.dumps(content))
    return model


GROWING: list[Callable[[Any], Awaitable[object]]] = [
    lambda items: items.aappend(3),
    lambda items: items.ainsert(0, 3),
    lambda items: items.aextend([3]),
]


@pytest.mark.parametrize("grow", GROWING)
@pytest.mark.parametrize("name", KEYS)
async def test_no_list_grows_past_its_limit_whatever_key_it_is_below(
    redis: Redis, stored: Stored, name: str, grow: Callable[[Any], Awaitable[object]]
) -> None:
    model = await overwritten(redis, name, [1], [1, 2])
    for find in (lambda: model.lists[name], lambda: model.deeper[name][name]):
        with pytest.raises(ConstraintError):
            await grow(find())
    full = [1, 2]
    assert await stored(model) == {"lists": {name: full}, "deeper": {name: {name: full}}}


@pytest.mark.parametrize("name", KEYS)
async def test_no_list_shrinks_below_its_limit_whatever_key_it_is_below(
    redis: Redis, stored: Stored, name: str
) -> None:
    model = await overwritten(redis, name, [1, 2], [1])
    for find in (lambda: model.lists[name], lambda: model.deeper[name][name]):
        with pytest.raises(ConstraintError):
            await find().apop()
    assert await stored(model) == {"lists": {name: [1]}, "deeper": {name: {name: [1]}}}


@pytest.mark.parametrize("name", KEYS)
async def test_within_its_limits_a_list_changes_whatever_key_it_is_below(
    redis: Redis, stored: Stored, name: str
) -> None:
    model = await overwritten(redis, name, [1], [1])
    for find in (lambda: model.lists[name], lambda: model.deeper[name][name]):
        await find().aappend(2)
        assert find() == [1, 2]
        assert await find().apop(0) == 1
        assert find() == [2]
    assert await stored(model) == {"lists": {name: [2]}, "deeper": {name: {name: [2]}}}


EMPTYING: list[Callable[[Any], Any]] = [
    lambda kept: kept.items.aclear(),
    lambda kept: kept.table.aclear(),
    lambda kept: kept.items.apop(),
    lambda kept: kept.items.clear(),
    lambda kept: kept.table.clear(),
]


@pytest.mark.parametrize("empty", EMPTYING)
async def test_what_must_not_be_empty_is_not_emptied(
    stored: Stored, empty: Callable[[Any], Any]
) -> None:
    kept = await Kept().save()

    async def emptied() -> None:
        async with kept.pipeline():
            done = empty(kept)
            if done is not None:
                await done

    with pytest.raises((ConstraintError, PipelineError)):
        await emptied()
    assert await stored(kept) == {"items": [1], "table": {"a": 1}}
    assert (kept.items, kept.table) == ([1], {"a": 1})
