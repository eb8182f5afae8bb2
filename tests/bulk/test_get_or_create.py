"""get_or_create never overwrites, never creates twice, and says what it did."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError
from redis.asyncio import Redis

from rapyer import AtomicRedisModel, Key, RedisConfig
from rapyer.errors import RapyerError, WrongModelError, WrongTypeError


class Customer(AtomicRedisModel):
    id: Key[int]
    name: str = "new"
    visits: int = 0


class Draft(AtomicRedisModel):
    title: str = ""


async def test_document_is_created_once_and_read_afterwards() -> None:
    created, was_created = await Customer.get_or_create(id=1, name="Ada")
    assert (created.name, was_created) == ("Ada", True)
    again, was_created = await Customer.aget_or_create(id=1, name="Bob")
    assert (again.name, was_created) == ("Ada", False)
    assert (await Customer.get(1)).name == "Ada"


@pytest.mark.parametrize("name", [7, "7", "Customer:7"])
async def test_pk_or_key_names_the_document(name: object) -> None:
    account, was_created = await Customer.get_or_create(name, name="Ada")
    assert was_created
    assert account.id == 7
    assert (await Customer.get_or_create(name))[0].name == "Ada"


async def test_pk_of_a_model_without_key_field_is_kept() -> None:
    draft, was_created = await Draft.get_or_create("front-page", title="x")
    assert was_created
    assert draft.key == "Draft:front-page"
    again, was_created = await Draft.get_or_create("front-page", title="y")
    assert (again.title, was_created) == ("x", False)


async def test_new_instance_is_stored_or_the_stored_one_given() -> None:
    one = Customer(id=3, name="one")
    assert await Customer.get_or_create(one) == (one, True)
    found, was_created = await Customer.get_or_create(Customer(id=3, name="two"))
    assert (found.name, was_created) == ("one", False)


async def test_of_many_at_once_exactly_one_creates() -> None:
    answers = await asyncio.gather(*(Customer.get_or_create(id=9, name=str(n)) for n in range(30)))
    assert sum(created for _, created in answers) == 1
    assert {account.name for account, _ in answers} == {(await Customer.get(9)).name}


async def test_created_document_gets_its_ttl_in_the_same_step(client: Redis) -> None:
    class Brief(AtomicRedisModel):
        Meta = RedisConfig(redis=client, ttl=100)
        id: Key[str]

    await Brief.get_or_create(id="a")
    assert 0 < await client.ttl("Brief:a") <= 100


async def test_what_cannot_be_created_is_refused(client: Redis) -> None:
    with pytest.raises(ValidationError):
        await Customer.get_or_create(id="x")
    with pytest.raises(WrongModelError):
        await Customer.get_or_create(Draft())
    with pytest.raises(TypeError, match="not both"):
        await Customer.get_or_create(Customer(id=1), name="x")
    await client.set("Customer:4", "text")
    with pytest.raises(WrongTypeError):
        await Customer.get_or_create(id=4)
    async with Customer(id=5).pipeline():
        with pytest.raises(RapyerError, match="cannot be part of a pipeline"):
            await Customer.get_or_create(id=6)
    assert await client.dbsize() == 1


async def test_exists_asks_for_documents_only(client: Redis) -> None:
    await Customer(id=1).save()
    await client.set("Customer:2", "text")
    assert await Customer.exists(1)
    assert await Customer.exists("Customer:1")
    assert not await Customer.exists(2)
    assert not await Customer.exists(3)
    with pytest.raises(WrongModelError):
        await Customer.exists("Draft:1")


@pytest.mark.filterwarnings("ignore:Field name")
async def test_field_called_key_names_no_document_to_read() -> None:
    class Labelled(AtomicRedisModel):
        id: Key[str]
        key: str = "Customer:1"  # type: ignore[assignment]

    await Customer(id=1).save()
    await Labelled(id="a", key="mine").save()
    found, was_created = await Labelled.get_or_create("a")
    assert (found.id, str(found.key), was_created) == ("a", "mine", False)
