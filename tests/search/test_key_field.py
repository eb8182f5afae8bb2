"""A condition that says what the pk is reads by key instead of looking at every document."""

from __future__ import annotations

import enum
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from redis.asyncio import Redis

from rapyer import AtomicRedisModel, Key
from rapyer.expressions.parsing import parse_expression


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Item(AtomicRedisModel):
    id: Key[str]
    n: int = 0


class ByNumber(AtomicRedisModel):
    id: Key[int]


class Painted(AtomicRedisModel):
    id: Key[Colour]


class Serial(AtomicRedisModel):
    id: Key[uuid.UUID]


class Priced(AtomicRedisModel):
    id: Key[Decimal]


class Timed(AtomicRedisModel):
    id: Key[datetime]


async def commands(client: Redis) -> dict[str, int]:
    info: Any = await client.info("commandstats")
    return {name.removeprefix("cmdstat_").lower(): entry["calls"] for name, entry in info.items()}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Item.id == "7", ["7"]),
        (Item.id.in_(["7", "8", "none"]), ["7", "8"]),  # type: ignore[attr-defined]
        ((Item.id == "7") & (Item.n == 7), ["7"]),
        ((Item.n == 8) & (Item.id == "7"), []),
        ((Item.n == 8) & ((Item.id == "8") & (Item.n > 1)), ["8"]),
        (parse_expression(Item, "id == '9' and n > 1"), ["9"]),
        (Item.id.in_([]), []),  # type: ignore[attr-defined]
        (Item.id == None, []),  # noqa: E711
    ],
)
async def test_equal_pk_is_read_by_key(client: Redis, condition: Any, expected: list[str]) -> None:
    await Item.insert(*(Item(id=str(n), n=n) for n in range(300)))
    named = "id == None" not in str(condition)
    await client.config_resetstat()
    assert [item.id for item in await Item.find(condition)] == expected
    assert await Item.find(condition).count() == len(expected)
    assert ("scan" in await commands(client)) is not named
    if named:
        assert (await Item.find(condition).explain()).startswith("keys: ")


@pytest.mark.parametrize(
    "condition",
    [Item.id != "7", ~(Item.id == "7"), (Item.id == "7") | (Item.n == 8), Item.id > "7"],
)
async def test_everything_else_still_looks_at_every_document(condition: Any) -> None:
    await Item.insert(*(Item(id=str(n), n=n) for n in range(10)))
    expected = [item.id for item in await Item.find() if condition.matches(item)]
    assert sorted([i.id for i in await Item.find(condition)]) == sorted(expected)


@pytest.mark.parametrize(
    ("model", "pk"),
    [(ByNumber, 5), (Painted, Colour.RED), (Serial, uuid.UUID(int=3)), (Priced, Decimal("1.0"))],
)
async def test_pk_of_another_type_is_found_too(model: Any, pk: Any) -> None:
    await model(id=pk).save()
    assert [found.id for found in await model.find(model.id == pk)] == [pk]


async def test_pks_that_have_several_spellings_are_not_taken_for_keys() -> None:
    await Priced(id=Decimal("1.00")).save()
    assert await Priced.find(Priced.id == Decimal(1)).count() == 1
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    await Timed(id=noon).save()
    elsewhere = noon.astimezone(timezone(timedelta(hours=5)))
    assert await Timed.find(Timed.id == elsewhere).count() == 1
