"""Which document a key or a pk names, and that no model ever reaches into the keys of another."""

from __future__ import annotations

import enum
import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, Key
from rapyer.errors import (
    AmbiguousModelError,
    BulkError,
    InvalidValueError,
    KeyExistsError,
    KeyNotFound,
    WrongModelError,
    WrongTypeError,
)
from rapyer.keyspace import registry
from rapyer.keyspace.spelling import escaped_glob


class Colour(enum.Enum):
    RED = "r"


class Named(enum.StrEnum):
    ONE = "one"


class ByInt(AtomicRedisModel):
    id: Key[int]
    n: int = 0


class ByUuid(AtomicRedisModel):
    id: Key[uuid.UUID]


class ByDate(AtomicRedisModel):
    id: Key[date]


class ByEnum(AtomicRedisModel):
    id: Key[Colour]


class ByStrEnum(AtomicRedisModel):
    id: Key[Named]


class ByFloat(AtomicRedisModel):
    id: Key[float]


class ByDecimal(AtomicRedisModel):
    id: Key[Decimal]


class Unkeyed(AtomicRedisModel):
    n: int = 0


class Shelf(AtomicRedisModel):
    id: Key[str]
    n: int = 0


class Box(AtomicRedisModel):
    """Its prefix is longer than that of Shelf, and begins with it."""

    id: Key[str]
    n: int = 0

    @classmethod
    def class_key_initials(cls) -> str:
        return "Shelf:box"


PKS: list[tuple[type[Any], Any, str]] = [
    (ByInt, 5, "ByInt:5"),
    (ByUuid, uuid.UUID(int=7), f"ByUuid:{uuid.UUID(int=7)}"),
    (ByDate, date(2024, 5, 1), "ByDate:2024-05-01"),
    (ByEnum, Colour.RED, "ByEnum:r"),
    (ByStrEnum, Named.ONE, "ByStrEnum:one"),
    (ByFloat, 1.5, "ByFloat:1.5"),
    (ByDecimal, Decimal("1.10"), "ByDecimal:1.10"),
    (Shelf, "a:b/c", "Shelf:a:b/c"),
]


@pytest.mark.parametrize(("model", "pk", "key"), PKS)
async def test_pk_of_its_own_type_names_the_document(
    client: Redis, model: Any, pk: Any, key: str
) -> None:
    await model(id=pk).save()
    assert await client.exists(key)
    assert (await model.get(pk)).id == pk
    assert (await model.aget(key)).id == pk
    assert [found.id for found in await model.find(pk)] == [pk]
    assert await model.find_keys(pk) == [key]
    assert (await model.find_one(pk)).id == pk
    assert await model.exists(pk)
    assert await model.aexists(key)
    async with model.lock_from_key(pk) as lock:
        assert lock.key == key
    assert await model.delete_by_key(pk) is True
    await model(id=pk).save()
    assert await model.delete_many(pk) == 1
    assert not await model.exists(pk)
    with pytest.raises(KeyNotFound):
        await model.get(pk)


async def test_number_is_the_pk_that_the_key_field_makes_of_it() -> None:
    await ByFloat(id=1).save()
    assert (await ByFloat.get(1)).id == 1.0


async def test_document_without_key_field_is_named_by_its_uuid() -> None:
    document = await Unkeyed(n=3).save()
    assert (await Unkeyed.get(uuid.UUID(document.pk))).n == 3


@pytest.mark.parametrize("pk", [None, b"5", True, 1.5, [5], object()])
async def test_what_is_no_pk_is_refused(pk: Any) -> None:
    with pytest.raises(InvalidValueError, match="no pk of ByInt"):
        await ByInt.get(pk)
    with pytest.raises((TypeError, InvalidValueError)):
        await ByInt.delete_many(pk)
    with pytest.raises(TypeError):
        ByInt.find(pk)


async def test_pk_under_a_longer_prefix_of_another_model_is_refused(client: Redis) -> None:
    await Box(id="1", n=1).save()
    stray = Shelf(id="box:1", n=9)
    for reach in (
        stray.save,
        lambda: stray.save(nx=True),
        lambda: stray.n.increase(),  # type: ignore[attr-defined]
        stray.delete,
        lambda: Shelf.insert(stray),
        lambda: Shelf.get("box:1"),
        lambda: Shelf.delete_by_key("box:1"),
        lambda: Shelf.delete_many("box:1"),
        lambda: Shelf.delete_many(stray),
        lambda: Shelf.exists("box:1"),
    ):
        with pytest.raises(WrongModelError, match="Box"):
            await reach()
    with pytest.raises(WrongModelError, match="Box"):
        Shelf.find("box:1")
    assert (await Box.get("1")).n == 1
    assert await client.dbsize() == 1
    assert await Shelf.find() == []


async def test_prefix_of_a_class_that_is_gone_claims_nothing() -> None:
    def define() -> None:
        class Passing(AtomicRedisModel):
            @classmethod
            def class_key_initials(cls) -> str:
                return "Shelf:passing"

        with pytest.raises(WrongModelError):
            registry.of_key("nobody:1")
        with pytest.raises(WrongModelError):
            Shelf.find("passing:1")

    import gc

    define()
    gc.collect()
    await Shelf(id="passing:1").save()
    assert (await Shelf.get("passing:1")).id == "passing:1"


async def test_key_of_another_redis_type_is_told_by_every_call(client: Redis) -> None:
    await client.set("Shelf:text", "precious")
    with pytest.raises(WrongTypeError, match="not a JSON document"):
        await Shelf.get("text")
    with pytest.raises(WrongTypeError, match="not a JSON document"):
        await Shelf.delete_by_key("text")
    with pytest.raises(BulkError) as caught:
        await Shelf.insert(Shelf(id="text"))
    assert isinstance(caught.value.failures["Shelf:text"], KeyExistsError)
    assert await Shelf.exists("text") is False
    assert await Shelf.find() == []
    assert await client.get("Shelf:text") in (b"precious", "precious")


def test_two_classes_with_one_prefix_are_named_when_one_has_to_be_chosen() -> None:
    class Twin(AtomicRedisModel):
        @classmethod
        def class_key_initials(cls) -> str:
            return "Twins"

    class Other(AtomicRedisModel):
        @classmethod
        def class_key_initials(cls) -> str:
            return "Twins"

    with pytest.raises(AmbiguousModelError, match=r"Twin and .*Other"):
        registry.of_key("Twins:1")
    with pytest.raises(AmbiguousModelError):
        rapyer.find("Twins:1")
    assert {Twin, Other} == set(registry.owners("Twins:1", registry.models()))


@pytest.mark.parametrize("text", ["a*b", "[x]", "a?", "^", "back\\slash"])
async def test_name_with_special_characters_matches_only_itself(client: Redis, text: str) -> None:
    await client.set(text, 1)
    await client.set("axb", 1)
    found = [key async for key in client.scan_iter(match=escaped_glob(text))]
    assert [key.decode() if isinstance(key, bytes) else key for key in found] == [text]
