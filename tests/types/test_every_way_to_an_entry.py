"""However an entry is taken out of a list or dict, it is live: it knows its place and can be changed there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from rapyer import AtomicRedisModel
from rapyer.types import RedisInt, RedisList
from tests.conftest import Stored


class Part(BaseModel):
    size: int = 1


class Shelf(AtomicRedisModel):
    numbers: list[int] = [1, 2]
    rows: list[list[int]] = [[1], [2]]
    parts: list[Part] = [Part(), Part()]
    by_name: dict[str, int] = {"a": 1, "b": 2}
    rows_by_name: dict[str, list[int]] = {"a": [1], "b": [2]}
    parts_by_name: dict[str, Part] = {"a": Part(), "b": Part()}


LISTS: list[Callable[[Any], Any]] = [
    lambda items: items[1],
    lambda items: items[-1],
    lambda items: items[0:][1],
    lambda items: list(items)[1],
    lambda items: next(reversed(items)),
    lambda items: items.copy()[1],
    lambda items: next(item for index, item in enumerate(items) if index == 1),
]
DICTS: list[Callable[[Any], Any]] = [
    lambda table: table["b"],
    lambda table: table.get("b"),
    lambda table: list(table.values())[1],
    lambda table: dict(table.items())["b"],
    lambda table: next(value for key, value in table.items() if key == "b"),
    lambda table: table.setdefault("b", None),
    lambda table: table.copy()["b"],
    lambda table: next(reversed(table.values())),
]


@pytest.mark.parametrize("take", LISTS)
async def test_an_item_of_a_list_is_live(stored: Stored, take: Callable[[Any], Any]) -> None:
    shelf: Any = await Shelf.get((await Shelf().save()).key)
    number, row, part = take(shelf.numbers), take(shelf.rows), take(shelf.parts)
    assert (type(number), type(row)) == (RedisInt, RedisList)
    assert (number.json_path, row.json_path) == ("$.numbers[1]", "$.rows[1]")
    await number.increase(5)
    await row.aappend(6)
    await part.size.increase(7)
    there = await stored(shelf)
    assert (there["numbers"], there["rows"]) == ([1, 7], [[1], [2, 6]])
    assert there["parts"] == [{"size": 1}, {"size": 8}]


@pytest.mark.parametrize("take", DICTS)
async def test_a_value_of_a_dict_is_live(stored: Stored, take: Callable[[Any], Any]) -> None:
    shelf: Any = await Shelf.get((await Shelf().save()).key)
    number, row = take(shelf.by_name), take(shelf.rows_by_name)
    part = take(shelf.parts_by_name)
    assert (type(number), type(row)) == (RedisInt, RedisList)
    assert (number.json_path, row.json_path) == ("$.by_name.b", "$.rows_by_name.b")
    await number.increase(5)
    await row.aappend(6)
    await part.size.increase(7)
    there = await stored(shelf)
    assert there["by_name"] == {"a": 1, "b": 7}
    assert there["rows_by_name"] == {"a": [1], "b": [2, 6]}
    assert there["parts_by_name"] == {"a": {"size": 1}, "b": {"size": 8}}
