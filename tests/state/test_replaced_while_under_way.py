"""An operation answers what it did on the server, also when the local value was replaced while it was under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel
from redis.asyncio import Redis

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


class Checked(AtomicRedisModel):
    items: Annotated[list[int], AfterValidator(lambda items: items)] = [1]
    n: int = 0


@pytest.mark.parametrize("beside_a_block", [False, True])
async def test_what_was_done_to_the_list_that_a_block_put_there_meanwhile_is_there(
    redis: Redis, stored: Stored, beside_a_block: bool
) -> None:
    checked = await Checked().save()
    await redis.execute_command("JSON.SET", checked.key, "$.items", "[1,1]")
    await asyncio.gather(*(redis.ping() for _ in range(4)))  # nothing waits for a connection
    until = asyncio.Event()

    async def block() -> None:
        async with checked.pipeline():
            checked.n += 1
            await until.wait()

    beside = asyncio.ensure_future(block() if beside_a_block else asyncio.sleep(0))
    await asyncio.sleep(0)
    # it is computed for what this instance believes is there, and so has to be sent twice
    under_way = asyncio.ensure_future(checked.items.aappend(2))
    await asyncio.sleep(0)
    async with checked.pipeline():
        checked.items = [9]
    await under_way
    assert (await stored(checked))["items"] == [9, 2]
    assert checked.items == [9, 2]
    until.set()
    await beside
    assert checked.items == [9, 2]
    await checked.save_changes()
    assert (await stored(checked))["items"] == [9, 2]


class Line(BaseModel):
    n: int = 1


class Order(AtomicRedisModel):
    line: Line = Line()
    lines: list[Line] = [Line()]
    named: dict[str, Line] = {"a": Line()}
    numbers: list[int] = [1]
    table: dict[str, int] = {"a": 1}


INCREASES: dict[str, Callable[[Any], Any]] = {
    "line": lambda order: order.line.n,
    "lines": lambda order: order.lines[0].n,
    "named": lambda order: order.named["a"].n,
    "numbers": lambda order: order.numbers[0],
    "table": lambda order: order.table["a"],
}
PUT_BACK: dict[str, Callable[[Any], Any]] = {
    "lines": lambda order: order.lines.__setitem__(0, Line()),
    "named": lambda order: order.named.update(a=Line()),
    "numbers": lambda order: order.numbers.__setitem__(0, 1),
}
CASES = [(name, True) for name in INCREASES] + [(name, False) for name in PUT_BACK]


@pytest.mark.parametrize(("name", "whole"), CASES)
async def test_what_is_put_back_while_it_is_increased_is_an_edit(
    stored: Stored, name: str, whole: bool
) -> None:
    order = await Order().save()
    before = order.model_dump()[name]
    under_way = asyncio.ensure_future(INCREASES[name](order).increase())
    await asyncio.sleep(0)
    if whole:
        setattr(order, name, before)
    else:
        PUT_BACK[name](order)
    assert await under_way == 2
    assert (await stored(order))[name] != before
    assert order.model_dump()[name] == before
    await order.save_changes()
    assert (await stored(order))[name] == before
