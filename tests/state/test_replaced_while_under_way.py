"""An operation answers what it did on the server, also when the local value was replaced while it was under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rapyer import AtomicRedisModel
from tests.conftest import Stored


class Basket(AtomicRedisModel):
    items: list[int] = [1, 2, 3]
    table: dict[str, int] = {"a": 1, "b": 2}
    count: int = 5
    text: str = ""


OPERATIONS: list[Any] = [
    ("items", [9], lambda basket: basket.items.apop(), 3, [1, 2]),
    ("items", [9], lambda basket: basket.items.apop(0), 1, [2, 3]),
    ("table", {"z": 9}, lambda basket: basket.table.apop("a"), 1, {"b": 2}),
    ("table", {"z": 9}, lambda basket: basket.table.apopitem(), ("b", 2), {"a": 1}),
    ("count", 100, lambda basket: basket.count.increase(2), 7, 7),
]


@pytest.mark.parametrize(("name", "edit", "operate", "answer", "after"), OPERATIONS)
async def test_the_answer_is_what_was_done_and_the_edit_stays(
    stored: Stored, name: str, edit: Any, operate: Callable[[Any], Any], answer: Any, after: Any
) -> None:
    basket = await Basket().save()
    under_way = asyncio.ensure_future(operate(basket))
    await asyncio.sleep(0)  # it is sent
    setattr(basket, name, edit)
    assert await under_way == answer
    assert getattr(basket, name) == edit
    assert (await stored(basket))[name] == after
    await basket.save_changes()
    assert (await stored(basket))[name] == edit
