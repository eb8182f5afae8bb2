"""A key field that no longer fits its document leads to no other document."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import pytest
from pydantic import create_model
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.errors import (
    InvalidValueError,
)
from rapyer.fields import Key
from rapyer.types import RedisInt
from tests.conftest import Stored


class Named(AtomicRedisModel):
    name: Key[str]


async def test_a_key_field_cannot_change_between_save_and_the_end_of_a_pipeline(
    stored: Stored,
) -> None:
    named = Named(name="old")

    async def save_and_rename() -> None:
        async with named.pipeline():
            await named.save()
            named.name = "new"

    with pytest.raises(InvalidValueError, match="key field"):
        await save_and_rename()
    assert named.name == "old"
    assert await stored("Named:old") is None


class Numbered(AtomicRedisModel):
    number: Key[int]
    count: RedisInt = RedisInt(0)


@pytest.mark.parametrize(
    "operate",
    [
        lambda numbered: numbered.delete(),
        lambda numbered: numbered.count.increase(),
        lambda numbered: numbered.count.save(),
        lambda numbered: numbered.aupdate(count=3),
        lambda numbered: numbered.set_ttl(5),
    ],
)
async def test_a_changed_key_field_never_leads_to_another_document(
    redis: Redis, stored: Stored, operate: Callable[[Numbered], Awaitable[object]]
) -> None:
    await Numbered(number=2).save()
    numbered = await Numbered(number=1).save()
    numbered.number = 2
    with pytest.raises(InvalidValueError, match="key field"):
        await operate(numbered)
    assert await stored("Numbered:2") == {"number": 2, "count": 0}
    assert await redis.ttl("Numbered:2") == -1
    numbered.number = 1
    assert await numbered.count.increase() == 1


class Kind(str, enum.Enum):  # noqa: UP042 - str() of it is "Kind.A"
    A = "a"


class Level(enum.IntEnum):
    HIGH = 3


class Plain(enum.Enum):
    B = "b/c"


KEYED: list[tuple[Any, Any, str]] = [
    (Kind, Kind.A, "a"),
    (Level, Level.HIGH, "3"),
    (Plain, Plain.B, "b/c"),
    (uuid.UUID, uuid.UUID(int=5), str(uuid.UUID(int=5))),
    (date, date(2024, 2, 29), "2024-02-29"),
    (int, -7, "-7"),
    (str, "Kind.A", "Kind.A"),
]


@pytest.mark.parametrize(("annotation", "value", "pk"), KEYED)
async def test_a_pk_is_the_stored_form_of_its_key_field(
    stored: Stored, annotation: Any, value: Any, pk: str
) -> None:
    keyed = create_model("Keyed", __base__=AtomicRedisModel, name=(Key[annotation], ...))
    model = keyed(name=value)
    assert (model.pk, model.key) == (pk, f"Keyed:{pk}")
    await model.save()
    assert str((await stored(f"Keyed:{pk}"))["name"]) == pk
    assert (await keyed.get(f"Keyed:{pk}")) == model
    assert (await keyed.get(pk)).key == model.key
