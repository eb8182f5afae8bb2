"""Several compare-and-sets of one value: as many steps as were given, one on the way, and the same done."""

from __future__ import annotations

import copy
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, model_validator

from rapyer import AtomicRedisModel
from rapyer.errors import ConstraintError, PipelineError, WrongTypeError
from rapyer.script import in_python
from rapyer.script.runs import change_tree, gathered
from rapyer.script.steps import Primitive, Refused, Step
from tests.script.test_differential import (
    KEY,
    PLAIN_NAMES,
    SETTINGS,
    SMALL,
    Server,
    documents,
    draw_step,
    server,
    values,
)

__all__ = ["server"]  # the fixture


def computed(step: Primitive) -> Primitive:
    """The same step as a compare-and-set of its place."""

    def rewrite(text: bytes) -> tuple[bytes, Any]:
        tree, answer = change_tree(json.loads(text), (), step)
        return in_python.dumps(tree), answer

    return Primitive("cas", step.path, (), rewrite)


@SETTINGS
@given(data=st.data(), document=documents(values(PLAIN_NAMES, SMALL), PLAIN_NAMES))
def test_steps_that_travel_as_one_do_what_they_would_do_alone(
    server: Server, data: st.DataObject, document: Any
) -> None:
    tree, steps, expected, refused = copy.deepcopy(document), list[Step](), [], False
    for _ in range(data.draw(st.integers(2, 8))):
        step = draw_step(data, tree, values(PLAIN_NAMES, SMALL))
        if step.code in ("echo", "popitem"):
            continue
        try:
            tree, answer = in_python.apply_to_tree(step.code, tree, step.path, step.args)
        except in_python.Refusal:
            refused = True
            answer = None
        is_there = step.code not in ("remove", "read") and not (
            step.code == "set" and step.args[1] in (b"", b"absent")
        )
        if is_there and data.draw(st.booleans()):
            step = computed(step)
        steps.append((KEY, step))
        expected.append(answer)
        if refused:
            break
    if not steps:
        return
    server.clear()
    server.submit((KEY, Primitive("save", (), (in_python.dumps(document), b"", b""))))
    if refused:
        with pytest.raises(Refused) as stopped:
            server.submit(*steps)
        assert stopped.value.position == len(steps) - 1
        assert server.text() == in_python.dumps(document)
    else:
        assert server.submit(*steps) == expected
        assert server.text() == in_python.dumps(tree)


def change(code: str, *path: str | int) -> Step:
    step = Primitive(code, path, (b"1", b"integer", b"", b"", b"", b""))
    return KEY, computed(step) if code == "cas" else step


def sent(*steps: Step) -> list[tuple[int, ...]]:
    found = gathered(steps)
    return [one.positions for one in found] if found else [(at,) for at in range(len(steps))]


def test_what_lies_between_in_the_same_value_goes_along_and_everything_else_stays() -> None:
    assert sent(change("cas", "a"), change("incr", "b"), change("cas", "a")) == [(0, 2), (1,)]
    assert sent(change("cas", "a"), change("incr", "a", "x"), change("cas", "a")) == [(0, 1, 2)]
    assert sent(change("cas", "a"), change("cas", "a", "x"), change("cas", "a")) == [(0, 1, 2)]
    assert sent(change("cas", "a"), change("cas", "b")) == [(0,), (1,)]


def test_a_step_around_the_value_ends_its_run() -> None:
    whole = (KEY, Primitive("save", (), (b"{}", b"", b"")))
    steps = change("cas", "a", "x"), whole, change("cas", "a", "x"), change("cas", "a", "x")
    assert sent(*steps) == [(0,), (1,), (2, 3)]
    assert sent(change("cas", "a", 0), change("incr", "a"), change("cas", "a", 0)) == [
        *((0,), (1,), (2,))
    ]


class Row(BaseModel):
    low: int = 0
    high: int = 10

    @model_validator(mode="after")
    def _in_order(self) -> Row:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Sheet(AtomicRedisModel):
    items: list[int] = []
    days: list[date] = []
    row: Row = Row()


async def received(sheet: Sheet) -> int:
    """How many bytes the server has received."""
    client: Any = sheet.client
    return int((await client.info("stats"))["total_net_input_bytes"])


async def test_a_loop_over_a_long_list_sends_the_list_once() -> None:
    sheet = await Sheet(items=list(range(5_000))).save()
    size, before = len(in_python.dumps(sheet.items)), await received(sheet)
    async with sheet.pipeline():
        for number in range(0, 5_000, 50):
            sheet.items.remove(number)
            sheet.items.append(-number)
    assert await received(sheet) - before < 3 * size
    assert (await Sheet.get(sheet.key)).items == sheet.items
    assert len(sheet.items) == 5_000
    assert 50 not in sheet.items


async def test_steps_on_python_values_and_on_their_json_take_turns() -> None:
    first, second, third = (date(2026, 1, day) for day in (1, 2, 3))
    sheet = await Sheet(days=[first, second, first]).save()
    async with sheet.pipeline():
        sheet.days.remove(first)
        sheet.days.append(third)
        sheet.days.sort(reverse=True)
        sheet.days[0] = second
        sheet.days.remove(second)
    assert sheet.days == [second, first]
    assert (await Sheet.get(sheet.key)).days == [second, first]


async def test_a_loop_over_a_guarded_value_sends_it_once() -> None:
    sheet = await Sheet(row=Row(high=1000)).save()
    before = await received(sheet)
    async with sheet.pipeline():
        for _ in range(500):
            sheet.row.low += 2  # above high until that follows
            sheet.row.high += 1
    assert await received(sheet) - before < 10_000
    assert (await Sheet.get(sheet.key)).row == Row(low=1000, high=1500)


async def test_the_operation_that_fails_within_a_run_is_named() -> None:
    sheet = await Sheet(items=[1, 2, 3]).save()
    await (await Sheet.get(sheet.key)).items.apop()  # the 3 is gone meanwhile

    async def remove_all() -> None:
        async with sheet.pipeline():
            for item in (1, 3, 2):
                sheet.items.remove(item)

    with pytest.raises(PipelineError, match="operation 2 of 3") as failed:
        await remove_all()
    assert failed.value.index == 1
    assert sheet.items == [1, 2, 3]
    assert (await Sheet.get(sheet.key)).items == [1, 2]


class Stock(AtomicRedisModel):
    left: int = Field(default=0, ge=0)
    row: Row = Row()

    @model_validator(mode="after")
    def _looks_at_all(self) -> Stock:
        return self


async def test_a_bound_below_a_guarded_value_is_refused_by_its_own_name() -> None:
    stock = await Stock(left=3).save()
    with pytest.raises(ConstraintError, match=r"/left would become -2, it must be >= 0"):
        await stock.left.increase(-5)
    assert stock.left == 3
    client: Any = stock.client
    await client.execute_command("JSON.SET", stock.key, "$.left", '"text"')
    with pytest.raises(WrongTypeError, match=r"/left holds a string"):
        await stock.left.increase()
