"""What text may say besides comparisons: ``len``, ``any`` with a condition, points in time; carets; bounded cost."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from redis.asyncio import Redis

from rapyer import AtomicRedisModel, Index
from rapyer.config import use_client
from rapyer.errors import ExpressionError
from rapyer.expressions.parsing import parse_expression


class Home(BaseModel):
    city: str
    nights: int = 0
    guests: list[str] = []


class Guest(AtomicRedisModel):
    name: str = ""
    age: int = 0
    tags: list[str] = []
    scores: dict[str, int] = {}
    homes: list[Home] = []
    best: Home | None = None
    data: bytes = b""
    seen: datetime | None = None
    naive: datetime | None = None
    span: timedelta = timedelta(0)


class Items(AtomicRedisModel):
    item: str = ""


class Box(AtomicRedisModel):
    things: list[Items] = []


NOW = datetime.now(UTC)
GUEST = Guest(
    name="Ada",
    age=3,
    tags=["a", "b"],
    scores={"x": 1, "y": 9},
    homes=[Home(city="Rome", nights=3, guests=["bob"]), Home(city="Oslo", nights=1)],
    data=b"12345",
    seen=NOW - timedelta(days=3),
    naive=(NOW - timedelta(days=3)).replace(tzinfo=None),
    span=timedelta(days=10),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("len(tags) == 2", True),
        ("len(tags) > 2", False),
        ("2 <= len(tags) < 3", True),
        ("3 > len(name)", False),
        ("len(name) in [3, 4]", True),
        ("len(name) not in [3, 4]", False),
        ("len(scores) != 2", False),
        ("len(data) == 5", True),
        ("len(best.guests) == 0", False),
        ("len(best.guests) != 0", True),
        ("not len(best.guests) == 0", True),
        ("len(homes[0].guests) == 1 and age == 3", True),
        ("any(homes, city == 'Rome' and nights > 2)", True),
        ("any(homes, city == 'Oslo' and nights > 2)", False),
        ("any(homes, len(guests) > 0)", True),
        ("any(homes, 'bob' in guests)", True),
        ("any(homes, any(guests, item == 'bob'))", True),
        ("any(tags, item == 'b')", True),
        ("any(tags, item.startswith('c'))", False),
        ("any(scores, item > 5)", True),
        ("not any(scores, item > 10)", True),
        ("any(h.city == 'Rome' for h in homes)", True),
        ("seen > now() - days(7)", True),
        ("seen > now() - days(1)", False),
        ("naive > now() - days(7)", True),
        ("naive < now() - hours(1) - minutes(5)", True),
        ("now() - days(4) < seen < now()", True),
        ("seen < today() + weeks(1)", True),
        ("span > days(7)", True),
        ("span > days(7) + hours(100)", False),
    ],
)
def test_functions_say_of_a_document_what_python_would(text: str, expected: bool) -> None:
    expression = parse_expression(Guest, text)
    assert expression.matches(GUEST) is expected
    assert (~expression).matches(GUEST) is not expected
    assert str(expression)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("len(tags) == 2", True),
        ("any(homes, city == 'Rome' and nights > 2)", True),
        ("any(tags, item == 'b')", True),
        ("len(nothing) > 0", False),
        ("len(age) != 1", True),
    ],
)
def test_without_a_model_the_same_is_asked_of_plain_json(text: str, expected: bool) -> None:
    data = {"tags": ["a", "b"], "age": 3, "homes": [{"city": "Rome", "nights": 3}]}
    assert parse_expression(None, text).matches(data) is expected


def test_a_field_of_the_item_called_item_comes_first() -> None:
    box = Box(things=[Items(item="x")])
    assert parse_expression(Box, "any(things, item == 'x')").matches(box)


def test_in_python_lengths_are_asked_of_the_reference() -> None:
    field: Any = Guest.tags
    assert (field.len() > 1).matches(GUEST)
    assert field.len().in_([2, 5]).matches(GUEST)
    assert str((field.len() >= 1) & (Guest.name == "Ada")) == "len(tags) >= 1 and name == 'Ada'"
    with pytest.raises(ExpressionError, match="has no length"):
        Guest.age.len()  # type: ignore[attr-defined]
    for bad in ("x", 1.5, True, None):
        with pytest.raises(ExpressionError, match="whole number"):
            _ = field.len() > bad
    with pytest.raises(TypeError):
        bool(field.len())


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("age > 1 and len(age) > 2", 13, "has no length"),
        ("len(tags) > 'x'", 1, "whole number"),
        ("len(tags) == len(name)", 1, "whole number"),
        ("len(tags)", 1, "no functions here"),
        ("any(age, item > 1)", 1, "no items"),
        ("any(homes, town == 'x')", 12, "no field 'town'"),
        ("any(homes, age > 1)", 12, "no field 'age'"),
        ("any(homes)", 1, "any is written as"),
        ("seen > now(1)", 8, "now()"),
        ("seen > days('x')", 8, "days(7)"),
        ("seen > now() - days(99999999999)", 8, "days(7)"),
        ("seen > open('x')", 8, "neither a field nor a value"),
        ("name == 'é' and agee > 3", 17, "no field 'agee'"),
        ("name == '\u2028' and agee > 3", 17, "no field 'agee'"),
    ],
)
def test_an_error_has_the_text_and_a_caret_under_what_is_meant(
    text: str, column: int, says: str
) -> None:
    with pytest.raises(ExpressionError, match=r"^column") as caught:
        parse_expression(Guest, text)
    error = caught.value
    assert says in str(error)
    assert (error.source, error.column) == (text, column)
    line, caret = error.marked.split("\n")
    assert caret == " " * (column - 1) + "^"
    assert line[: column - 1].isprintable()
    assert "\n" not in str(error)


def test_the_text_around_the_caret_is_cut() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(Guest, " and ".join(["age > 1"] * 200) + " and agee > 3")
    line, caret = caught.value.marked.split("\n")
    assert len(line) <= 81
    assert line[len(caret) - 1 :].startswith("agee")
    with pytest.raises(ExpressionError) as caught:
        _ = Guest.age > "x"
    assert caught.value.marked == "", "it was no text"


def seconds_for(terms: int) -> float:
    text = " or ".join(f"name == '{number}'" for number in range(terms))
    start = time.process_time()
    parse_expression(None, text)
    return time.process_time() - start


def test_parsing_takes_time_in_proportion_to_the_text() -> None:
    seconds_for(500)
    few = min(seconds_for(500) for _ in range(3))
    many = min(seconds_for(4000) for _ in range(2))
    assert many < 8 * few * 4, "eight times the text; quadratic would be 64 times the time"


@pytest.mark.parametrize(
    "text",
    [
        "not " * 3000 + "age > 1",
        "(" * 5000 + "age > 1" + ")" * 5000,
        "age > " + "-" * 3000 + "1",
        "age in " + "[" * 500 + "]" * 500,
        "any(homes, " * 200 + "age > 1" + ")" * 200,
        "not (" * 150 + "age > 1" + ")" * 150,
        "(age > 1 or " * 150 + "age > 1" + ")" * 150,
    ],
)
def test_absurd_nesting_is_refused_with_a_clear_error(text: str) -> None:
    with pytest.raises(
        ExpressionError, match=r"nested too deeply|no items|no field|too many nested"
    ):
        parse_expression(Guest, text)


class Shelved(AtomicRedisModel):
    city: Index[str] = ""
    tags: list[str] = []


async def test_searches_through_an_index_and_by_scanning_take_them_alike(
    rapyer_redis: Redis,
) -> None:
    with use_client(rapyer_redis):
        for number in range(12):
            await Shelved(city="xy"[number % 2], tags=["a"] * (number % 4)).save()
        texts = (
            "city == 'x' and len(tags) > 1",
            "city == 'x' or len(tags) > 1",
            "not (city == 'x' and len(tags) > 1)",
            "any(tags, item == 'a') and city != 'x'",
        )
        conditions = [parse_expression(Shelved, text) for text in texts]
        scanned = [await Shelved.find(one).count() for one in conditions]
        assert scanned == [3, 9, 9, 6]
        await Shelved.create_index()
        assert [await Shelved.find(one).count() for one in conditions] == scanned
