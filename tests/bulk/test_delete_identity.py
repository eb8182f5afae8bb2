"""A deletion deletes the document that was meant, or nothing."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, Key
from rapyer.connections import client_from_url
from rapyer.errors import (
    BulkError,
    InvalidValueError,
    PipelineError,
    WrongModelError,
    WrongTypeError,
)


class Sheet(AtomicRedisModel):
    id: Key[str]
    n: int = 0


class Node(AtomicRedisModel):
    id: Key[str]
    first: Optional[Node] = None  # noqa: UP045 - names itself
    children: list[Node] = []


class Unnamed(AtomicRedisModel):
    n: int = 0


async def keys(client: Redis) -> set[str]:
    found = await client.keys("*")
    return {key.decode() if isinstance(key, bytes) else key for key in found}


async def copy(client: Redis, source: str, target: str) -> None:
    await client.execute_command("COPY", source, target)


@pytest.mark.parametrize("delete", [Sheet.delete_many, rapyer.delete_many])
async def test_copied_document_is_deleted_and_its_original_stays(
    client: Redis, delete: Any
) -> None:
    await Sheet(id="a").save()
    await copy(client, "Sheet:a", "Sheet:copy")
    assert await delete(await Sheet.get("copy")) == 1
    assert await keys(client) == {"Sheet:a"}


async def test_renamed_document_is_deleted_by_the_instance_that_was_read(client: Redis) -> None:
    await Sheet(id="a").save()
    await client.rename("Sheet:a", "Sheet:b")
    await Sheet(id="a", n=2).save()
    (renamed,) = await Sheet.find("b")
    assert await Sheet.delete_many(renamed) == 1
    assert await keys(client) == {"Sheet:a"}


async def test_changed_key_field_deletes_no_other_document(client: Redis) -> None:
    await Sheet.insert(Sheet(id="a"), Sheet(id="b"))
    page = await Sheet.get("a")
    object.__setattr__(page, "__dict__", {**page.__dict__, "id": "b"})
    assert await Sheet.delete_many(page) == 1
    assert await keys(client) == {"Sheet:b"}


async def test_new_instance_stands_for_the_document_that_it_would_be(client: Redis) -> None:
    await Sheet(id="a").save()
    assert await Sheet.delete_many(Sheet(id="a"), Sheet(id="b")) == 1
    assert await Unnamed.delete_many(Unnamed()) == 0
    assert await keys(client) == set()


@pytest.mark.filterwarnings("ignore:Field name")
async def test_field_called_key_names_no_document(client: Redis) -> None:
    class Entry(AtomicRedisModel):
        id: Key[str]
        key: str = "Sheet:a"  # type: ignore[assignment]

    await Sheet(id="a").save()
    entry = await Entry(id="1").save()
    assert await Entry.delete_many(entry) == 1
    assert await keys(client) == {"Sheet:a"}
    await entry.save()
    assert await rapyer.delete_many(entry) == 1
    assert await keys(client) == {"Sheet:a"}


@pytest.mark.parametrize("pick", [lambda node: node.first, lambda node: node.children[0]])
@pytest.mark.parametrize("delete", [Node.delete_many, rapyer.delete_many])
async def test_nested_model_is_no_document_to_delete(client: Redis, pick: Any, delete: Any) -> None:
    await Node(id="root", first=Node(id="a"), children=[Node(id="b")]).save()
    await Node.insert(Node(id="a"), Node(id="b"))
    root = await Node.get("root")
    with pytest.raises(InvalidValueError, match="part of another document"):
        await delete(pick(root))
    assert await keys(client) == {"Node:root", "Node:a", "Node:b"}


async def test_instance_of_another_model_is_refused_before_anything_is_deleted(
    client: Redis,
) -> None:
    await Sheet(id="a").save()
    with pytest.raises(WrongModelError, match="Unnamed is not a Sheet"):
        await Sheet.delete_many("a", await Unnamed().save())
    assert "Sheet:a" in await keys(client)


@pytest.mark.parametrize("delete", [Sheet.delete_many, rapyer.delete_many])
async def test_key_of_another_redis_type_stays_and_is_reported(client: Redis, delete: Any) -> None:
    await client.set("Sheet:text", "x")
    await client.rpush("Sheet:list", "x")
    await Sheet(id="a").save()
    with pytest.raises(BulkError, match="1 documents were deleted, 2 failed") as caught:
        await delete("Sheet:text", "Sheet:a", "Sheet:list", "Sheet:none")
    assert set(caught.value.failures) == {"Sheet:text", "Sheet:list"}
    assert all(isinstance(error, WrongTypeError) for error in caught.value.failures.values())
    assert await keys(client) == {"Sheet:text", "Sheet:list"}


async def test_user_who_may_not_run_scripts_deletes_the_same(
    client: Redis, rapyer_url: str
) -> None:
    await client.execute_command(
        "ACL", "SETUSER", "noscript", "on", ">pw", "~*", "+@all", "-eval", "-evalsha"
    )
    await Sheet.insert(Sheet(id="a"), Sheet(id="b"))
    await client.set("Sheet:text", "x")
    own = client_from_url(rapyer_url, username="noscript", password="pw")
    AtomicRedisModel.Meta.redis = own
    try:
        with pytest.raises(BulkError, match="2 documents were deleted, 1 failed"):
            await Sheet.delete_many("a", "b", "text", "none")
    finally:
        AtomicRedisModel.Meta.redis = client
        await own.aclose()
        await client.execute_command("ACL", "DELUSER", "noscript")
    assert await keys(client) == {"Sheet:text"}


async def test_more_keys_than_a_script_can_unpack_are_deleted_in_one_call(client: Redis) -> None:
    class Many(AtomicRedisModel):
        Meta = rapyer.RedisConfig(redis=client, max_delete_per_transaction=20_000)
        id: Key[int]

    await Many.insert(*(Many(id=n) for n in range(9_000)))
    assert await Many.delete_many(*range(9_000)) == 9_000
    assert await keys(client) == set()


# -- inside a pipeline ---------------------------------------------------------------------------------


async def test_deletion_by_key_waits_for_the_end_of_the_block(client: Redis) -> None:
    page = await Sheet(id="a").save()
    await Sheet(id="b").save()
    async with page.pipeline():
        page.n += 1
        queued: Any = await Sheet.delete_by_key("b")
        assert await keys(client) == {"Sheet:a", "Sheet:b"}
    assert queued.result() is True
    assert await keys(client) == {"Sheet:a"}
    assert (await Sheet.get("a")).n == 1


async def test_aborted_block_deletes_nothing_by_key(client: Redis) -> None:
    page = await Sheet(id="a").save()

    async def abort() -> None:
        async with page.pipeline():
            await Sheet.delete_by_key(page.key)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await abort()
    assert await keys(client) == {"Sheet:a"}


async def test_refused_block_deletes_nothing_by_key(client: Redis) -> None:
    page = await Sheet(id="a").save()

    async def delete_both() -> None:
        async with rapyer.pipeline():
            await Sheet.delete_by_key("a")
            await Sheet.delete_by_key("none")

    with pytest.raises(PipelineError):
        await delete_both()
    assert await keys(client) == {"Sheet:a"}
    assert (await page.load()).n == 0
