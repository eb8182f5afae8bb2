"""``async with user.pipeline() as user`` and ``async with user.lock("action") as user``: what the blocks are given."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

import rapyer
from rapyer import AtomicRedisModel, RedisConfig
from rapyer.connections import check_server, client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.errors import ConfigurationError, ConflictError, KeyNotFound, LockError
from tests.conftest import Stored


class Limits(BaseModel):
    most: int = 0


class Purse(AtomicRedisModel):
    name: str = ""
    balance: int = 0
    tags: list[str] = []
    limits: Limits = Limits()


class Vault(AtomicRedisModel):
    Meta = RedisConfig(lock_prefix="Vault:lock:")
    gold: int = 0
    names: list[str] = []
    owners: dict[str, int] = {}


async def test_a_models_pipeline_gives_the_model(stored: Stored) -> None:
    purse = await Purse(balance=10).save()
    async with purse.pipeline() as given:
        assert given is purse
        given.name = "new"
        given.balance += 1
        given.tags.append("x")
    assert await stored(purse) == {
        "name": "new",
        "balance": 11,
        "tags": ["x"],
        "limits": {"most": 0},
    }
    async with purse.pipeline():
        purse.limits.most += 1
    assert (await stored(purse))["limits"] == {"most": 1}


async def test_a_batch_refuses_what_is_meant_for_the_document(stored: Stored) -> None:
    purse = await Purse().save()
    async with rapyer.pipeline(purse) as batch:
        with pytest.raises(AttributeError, match=r"a batch has no 'name'.*documents themselves"):
            batch.name = "lost"  # type: ignore[attr-defined]
        with pytest.raises(AttributeError, match="a batch has no 'balance'"):
            batch.balance += 1  # type: ignore[attr-defined]
    assert (await stored(purse))["name"] == ""


async def test_ignoring_errors_is_refused_with_what_to_write() -> None:
    purse = await Purse().save()
    with pytest.raises(ConfigurationError, match=r"except rapyer\.errors\.PipelineError"):
        purse.pipeline(ignore_redis_error=True)
    with pytest.raises(ConfigurationError, match=r"except rapyer\.errors\.PipelineError"):
        rapyer.pipeline(ignore_redis_error=True)
    async with purse.pipeline(ignore_redis_error=False):
        purse.balance += 1


async def test_a_lock_for_an_action_gives_the_model_as_it_is_stored_now(stored: Stored) -> None:
    purse = await Purse(balance=10).save()
    await (await Purse.get(purse.key)).aupdate(balance=50, name="theirs")
    async with purse.lock("pay") as given:
        assert given is purse
        assert given.balance == 50
        given.balance -= 5
        await given.save()
    assert (await stored(purse))["balance"] == 45
    assert (await stored(purse))["name"] == "theirs"


async def test_unsaved_edits_stay_when_the_model_is_read_for_a_lock(stored: Stored) -> None:
    purse = await Purse().save()
    await (await Purse.get(purse.key)).balance.increase(7)
    purse.tags.append("mine")
    async with purse.lock("pay", save_at_end=True) as given:
        assert given.balance == 7
        assert given.tags == ["mine"]
    assert (await stored(purse))["tags"] == ["mine"]
    await (await Purse.get(purse.key)).aupdate(name="theirs")
    purse.name = "mine"
    with pytest.raises(ConflictError):
        async with purse.lock("pay", save_at_end=True):
            pytest.fail("entered")
    assert purse.name == "mine"


async def test_save_at_end_saves_what_the_block_changed_and_only_then(stored: Stored) -> None:
    purse = await Purse(balance=1).save()

    async def changes(fail: bool) -> None:
        async with purse.lock(save_at_end=True) as given:
            given.balance = 2
            await (await Purse.get(purse.key)).aupdate(name="theirs")
            if fail:
                raise NotImplementedError

    with pytest.raises(NotImplementedError):
        await changes(fail=True)
    assert (await stored(purse))["balance"] == 1
    purse.balance = 1
    await changes(fail=False)
    assert (await stored(purse))["balance"] == 2
    assert (await stored(purse))["name"] == "theirs"


async def test_locks_count_every_task_once(stored: Stored) -> None:
    purse = await Purse().save()

    async def pay() -> None:
        mine = await Purse.get(purse.key)
        async with mine.lock("pay", save_at_end=True) as given:
            given.balance += 1

    await asyncio.gather(*(pay() for _ in range(5)))
    assert (await stored(purse))["balance"] == 5


async def test_locks_of_different_actions_do_not_exclude_each_other(redis: Redis) -> None:
    purse = await Purse().save()
    async with purse.lock("a/b:c"), purse.lock("d"), purse.lock():
        names = {
            name.decode() if isinstance(name, bytes) else name
            async for name in redis.scan_iter("rapyer:lock:*")
        }
        assert names == {
            f"rapyer:lock:@a%2Fb%3Ac:{purse.key}",
            f"rapyer:lock:@d:{purse.key}",
            f"rapyer:lock:{purse.key}",
        }
        with pytest.raises(LockError):
            async with Purse.lock_from_key(purse.pk, "d", timeout=0):
                pytest.fail("two holders")


async def test_lock_from_key_gives_the_document(stored: Stored) -> None:
    purse = await Purse(balance=3).save()
    async with Purse.lock_from_key(purse.pk, "pay", save_at_end=True) as given:
        assert given == purse
        given.balance = 4
    assert (await stored(purse))["balance"] == 4
    async with rapyer.lock_from_key(purse.key, save_at_end=True) as given:
        given.balance = 5
    assert (await stored(purse))["balance"] == 5


async def test_a_lock_that_reads_needs_a_document_and_leaves_no_lock_without(redis: Redis) -> None:
    purse = await Purse().save()
    await redis.delete(purse.key)
    for lock in (purse.lock("pay"), Purse.lock_from_key("nobody", "pay"), Purse().lock("pay")):
        with pytest.raises(KeyNotFound):
            async with lock:
                pytest.fail("entered")
    assert await redis.keys("*") == []


async def test_a_lock_refuses_what_is_meant_for_the_document() -> None:
    purse = await Purse().save()
    async with purse.lock() as lock:
        with pytest.raises(AttributeError, match=r"a lock has no 'name'.*lock\(\"action\"\)"):
            lock.name = "lost"  # type: ignore[attr-defined]


@pytest.fixture
async def vault(redis: Redis) -> AsyncIterator[Vault]:
    Vault.Meta.redis = redis
    yield await Vault().save()
    Vault.Meta.redis = None


async def test_lock_keys_begin_with_what_the_model_says(vault: Vault, redis: Redis) -> None:
    async with vault.lock(), vault.lock("open"):
        assert await redis.exists(f"Vault:lock:{vault.key}", f"Vault:lock:@open:{vault.key}") == 2
        assert await Vault.find() == [vault]
        assert await Vault.find_keys() == [vault.key]


PAGE = Path(__file__).parents[2] / ".docs" / "howto" / "production.md"


def documented_rights() -> list[str]:
    """The commands that the page on production says a user needs, without those for indexes."""
    text = PAGE.read_text(encoding="utf-8")
    (rights,) = re.findall(r"- \*\*Rights\.\*\*(.*?)With indexes", text, re.DOTALL)
    return re.findall(r"\+[a-z.|]+", rights)


async def test_the_documented_rights_are_all_that_is_needed(
    vault: Vault, redis: Redis, rapyer_server: EmbeddedServer, stored: Stored
) -> None:
    """A user with access to the keys of one model and to these commands does everything, and nothing else."""
    keys = ("~Vault:*", "~rapyer:undo:*")
    rules = ("reset", "on", ">secret", *keys, *documented_rights())
    await redis.execute_command("ACL", "SETUSER", "vault", *rules)
    client: Any = client_from_url(f"unix://vault:secret@{rapyer_server.address}")
    Vault.Meta.redis = client
    try:
        await check_server(client)
        mine = await Vault.get(vault.pk)
        async with mine.lock("open", save_at_end=True) as given:
            given.gold = 3
        assert await mine.gold.increase(2) == 5
        async with mine.pipeline():
            mine.gold += 1
            mine.names.append("x")
            mine.owners["a"] = 1
        assert await mine.names.apop() == "x"
        await mine.names.ainsert(0, "y")
        assert await mine.owners.apop("a") == 1
        await mine.aupdate(gold=9)
        mine.gold = 10
        await mine.save_changes()
        await mine.set_ttl(100)
        await mine.set_ttl(None)
        assert await Vault.find(Vault.gold == 10) == [mine]
        assert await Vault.exists(mine.pk)
        copy = await mine.duplicate()
        await Vault.insert(Vault())
        assert await copy.delete()
        assert await Vault.find().update(gold=1) == 2
        assert (await stored(vault))["gold"] == 1
        assert await Vault.delete_many(Vault.gold == 1) == 2
        with pytest.raises(NoPermissionError):
            await client.set("rapyer:lock:x", 1)
    finally:
        Vault.Meta.redis = redis
        await client.aclose()
        await redis.execute_command("ACL", "DELUSER", "vault")


class Shelf(AtomicRedisModel):
    books: list[str] = []
    prices: dict[str, int] = {}
    rows: list[list[str]] = []
    inner: Limits = Limits()
    signs: set[str] = set()


EDITS: dict[str, Callable[[Shelf, int], object]] = {
    "books": lambda shelf, n: shelf.books.append(str(n)),
    "prices": lambda shelf, n: shelf.prices.update({str(n): n}),
    "rows": lambda shelf, n: shelf.rows.append([str(n)]),
    "inner": lambda shelf, n: setattr(shelf.inner, "most", shelf.inner.most + n),
    "signs": lambda shelf, n: shelf.signs.add(str(n)),
}


@pytest.mark.parametrize("way", ["lock", "watch"])
@pytest.mark.parametrize("field", EDITS)
async def test_what_is_edited_after_catching_up_is_saved(
    field: str, way: str, stored: Stored
) -> None:
    """Also in a list or dict that others have changed since this instance was read."""
    shelf, edit = await Shelf().save(), EDITS[field]
    mine = await Shelf.get(shelf.key)
    for number in (1, 3):
        theirs = await Shelf.get(shelf.key)
        edit(theirs, number)
        await theirs.save()
        if way == "lock":
            async with mine.lock("fill", save_at_end=True):
                edit(mine, number + 1)
        else:
            async with mine.pipeline(watch=True):
                pass
            edit(mine, number + 1)
            await mine.save_changes()
        assert mine == await Shelf.get(shelf.key)
    for number in (1, 2, 3, 4):
        edit(shelf, number)
    assert mine == shelf
