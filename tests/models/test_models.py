"""What models promise as documents: saving, time to live, copies, updates, classes and clients."""
# ruff: noqa: PT011, PT012 - builtin errors are the promise; a pipeline is raised by its block

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, RedisConfig
from rapyer.connections import Session, client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.errors import (
    AmbiguousModelError,
    ConfigurationError,
    DetachedError,
    KeyExistsError,
    KeyNotFound,
    PipelineError,
    WrongModelError,
)
from rapyer.fields import Key
from rapyer.types import RedisDatetimeTimestamp
from tests.conftest import Stored


class Inner(BaseModel):
    x: int = 0
    tags: list[str] = []


class Member(AtomicRedisModel):
    name: str = "n"
    age: int = 0
    tags: list[str] = []
    inner: Inner = Inner()
    table: dict[str, int] = {}


class Titled(AtomicRedisModel):
    name: Key[str]
    n: int = 0


class Brief(AtomicRedisModel):
    class Meta:
        ttl = 100

    n: int = 0
    items: list[int] = []


class Fresh(AtomicRedisModel):
    Meta = RedisConfig(ttl=100, refresh_ttl=True)
    n: int = 0
    items: list[int] = []


@pytest.fixture(autouse=True)
def own_clients(redis: Redis) -> None:
    Brief.Meta.redis = redis  # type: ignore[misc]
    Fresh.Meta.redis = redis


# -- save and delete ----------------------------------------------------------------------------------


async def test_save_returns_the_model_and_get_is_equal(stored: Stored) -> None:
    user = Member(name="Ada", tags=["x"])
    assert await user.save() is user
    assert await stored(user) == {
        "name": "Ada",
        "age": 0,
        "tags": ["x"],
        "inner": {"x": 0, "tags": []},
        "table": {},
    }
    again = await Member.get(user.key)
    assert again == user
    assert again is not user
    assert (again.pk, again.key) == (user.pk, user.key)


async def test_saving_is_one_command_and_so_is_getting(commands: Any) -> None:
    user = Member()
    before = await commands()
    await user.save()
    assert await commands() == before + 1
    await Member.get(user.key)
    assert await commands() == before + 2
    await user.load()
    assert await commands() == before + 3


async def test_delete_tells_whether_it_was_there(stored: Stored) -> None:
    user = await Member().save()
    assert await user.delete() is True
    assert await stored(user) is None
    assert await user.delete() is False
    await user.save()
    assert await Member.delete_by_key(user.key) is True
    assert await Member.delete_by_key(user.pk) is False
    with pytest.raises(KeyNotFound) as caught:
        await Member.get(user.key)
    assert user.key in str(caught.value)
    with pytest.raises(KeyNotFound):
        await user.load()


async def test_load_takes_over_what_others_wrote_and_keeps_handles(stored: Stored) -> None:
    user = await Member(tags=["a"], table={"k": 1}).save()
    tags, inner, table = user.tags, user.inner, user.table
    other = await Member.get(user.key)
    await other.aupdate(name="new", tags=["b", "c"], inner=Inner(x=5, tags=["t"]), table={"l": 2})
    assert await user.load() is user
    assert user == other
    assert user.tags is tags
    assert user.inner is inner
    assert user.table is table
    await tags.aappend("d")  # type: ignore[attr-defined]
    await inner.x.increase()  # type: ignore[attr-defined]
    document = await stored(user)
    assert document["tags"] == ["b", "c", "d"]
    assert document["inner"]["x"] == 6


async def test_save_nx_only_creates(stored: Stored) -> None:
    user = await Member(name="first").save(nx=True)
    user.name = "second"
    with pytest.raises(KeyExistsError):
        await user.save(nx=True)
    assert (await stored(user))["name"] == "first"
    with pytest.raises(PipelineError) as caught:
        async with user.pipeline():
            user.age += 1
            await user.save(nx=True)
    assert isinstance(caught.value.__cause__, KeyExistsError)
    assert (await stored(user))["age"] == 0


async def test_save_xx_only_replaces(stored: Stored) -> None:
    user = Member(name="first")
    with pytest.raises(KeyNotFound):
        await user.save(xx=True)
    assert await stored(user) is None
    await user.save()
    user.name = "second"
    await user.save(xx=True)
    assert (await stored(user))["name"] == "second"


async def test_of_fifty_that_create_at_once_one_wins() -> None:
    results = await asyncio.gather(
        *(Titled(name="x", n=n).save(nx=True) for n in range(50)), return_exceptions=True
    )
    winners = [result for result in results if isinstance(result, Titled)]
    assert len(winners) == 1
    assert (await Titled.get("x")).n == winners[0].n
    assert sum(isinstance(result, KeyExistsError) for result in results) == 49


# -- save_changes -------------------------------------------------------------------------------------


async def test_save_changes_writes_only_what_differs(stored: Stored) -> None:
    user = await Member(name="n", tags=["a"], table={"k": 1}).save()
    theirs = await Member.get(user.key)
    await theirs.age.increase(5)  # type: ignore[attr-defined]
    await theirs.tags.aappend("theirs")  # type: ignore[attr-defined]
    await theirs.inner.x.increase(9)  # type: ignore[attr-defined]
    user.name = "mine"
    user.table["l"] = 2
    await user.save_changes()
    document = await stored(user)
    assert document["name"] == "mine"
    assert document["table"] == {"k": 1, "l": 2}
    assert document["age"] == 5
    assert document["tags"] == ["a", "theirs"]
    assert document["inner"]["x"] == 9
    user.inner.tags.append("deep")
    user.age = 0
    await user.save_changes()
    document = await stored(user)
    assert document["inner"] == {"x": 9, "tags": ["deep"]}
    assert document["age"] == 5  # it was 0 when last read, and is


async def test_save_changes_of_a_loaded_document(stored: Stored) -> None:
    key = (await Member(tags=["a"]).save()).key
    user, theirs = await Member.get(key), await Member.get(key)
    await theirs.aupdate(name="theirs", age=7)
    user.tags.append("mine")
    user.inner.x = 4
    await user.save_changes()
    document = await stored(key)
    assert (document["name"], document["age"]) == ("theirs", 7)
    assert (document["tags"], document["inner"]["x"]) == (["a", "mine"], 4)


async def test_save_changes_does_not_undo_what_operations_brought(stored: Stored) -> None:
    user = await Member.get((await Member(tags=["a"]).save()).key)
    theirs = await Member.get(user.key)
    await theirs.tags.aappend("theirs")  # type: ignore[attr-defined]
    await user.tags.aappend("mine")  # type: ignore[attr-defined]
    await user.age.increase(2)  # type: ignore[attr-defined]
    await theirs.age.increase(3)  # type: ignore[attr-defined]
    await theirs.tags.aclear()  # type: ignore[attr-defined]
    user.name = "changed"
    await user.save_changes()
    document = await stored(user)
    assert (document["name"], document["age"], document["tags"]) == ("changed", 5, [])


async def test_save_changes_without_changes_sends_nothing(commands: Any) -> None:
    user = await Member.get((await Member().save()).key)
    before = await commands()
    await user.save_changes()
    user.name = str(user.name)
    user.tags.append("x")
    user.tags.pop()
    await user.asave_changes()
    assert await commands() == before


async def test_save_changes_of_a_new_model_saves_it_whole(stored: Stored) -> None:
    user = Member(name="new")
    await user.save_changes()
    assert (await stored(user))["name"] == "new"


async def test_save_changes_of_a_deleted_document_raises() -> None:
    user = await Member().save()
    await Member.delete_by_key(user.key)
    user.name = "x"
    with pytest.raises(KeyNotFound):
        await user.save_changes()
    with pytest.raises(KeyNotFound):
        await Member.get(user.key)


# -- update -------------------------------------------------------------------------------------------


async def test_aupdate_sets_several_fields_at_once(stored: Stored, redis: Redis) -> None:
    user = await Member().save()
    await user.aupdate(name="warm up")
    theirs = await Member.get(user.key)
    await theirs.tags.aappend("theirs")  # type: ignore[attr-defined]
    await redis.config_resetstat()
    await user.aupdate(name="new", age="5", inner={"x": 3})
    info: Any = await redis.info("commandstats")
    assert info["cmdstat_evalsha"]["calls"] == 1
    assert (user.name, user.age, user.inner) == ("new", 5, Inner(x=3))
    document = await stored(user)
    assert (document["name"], document["age"], document["inner"]["x"]) == ("new", 5, 3)
    assert document["tags"] == ["theirs"]


async def test_aupdate_with_one_bad_value_changes_nothing(stored: Stored) -> None:
    user = await Member().save()
    before = await stored(user)
    for changes in ({"name": "ok", "age": "x"}, {"name": "ok", "nope": 1}):
        with pytest.raises((ValidationError, TypeError)):
            await user.aupdate(**changes)
        with pytest.raises((ValidationError, TypeError)):
            user.update(**changes)
        assert user.model_dump() == before == await stored(user)


async def test_update_is_local_outside_and_queued_inside_a_pipeline(stored: Stored) -> None:
    user = await Member().save()
    user.update(name="local", age=3)
    assert (user.name, user.age) == ("local", 3)
    assert (await stored(user))["name"] == "n"
    async with user.pipeline():
        user.update(name="queued", tags=["x"])
        assert (await stored(user))["name"] == "n"
    assert (user.name, user.tags) == ("queued", ["x"])
    assert (await stored(user))["name"] == "queued"
    assert (await stored(user))["tags"] == ["x"]


async def test_aupdate_of_a_nested_model(stored: Stored) -> None:
    user = await Member(inner=Inner(x=1, tags=["t"])).save()
    await user.inner.aupdate(x=5)  # type: ignore[attr-defined]
    assert user.inner == Inner(x=5, tags=["t"])
    assert (await stored(user))["inner"] == {"x": 5, "tags": ["t"]}


# -- time to live -------------------------------------------------------------------------------------


async def ttl_of(redis: Redis, model: Any) -> int:
    return int(await redis.pttl(model.key))


async def test_save_sets_the_ttl_in_the_same_step(redis: Redis, commands: Any) -> None:
    brief = await Brief().save()
    assert 90_000 < await ttl_of(redis, brief) <= 100_000
    await redis.pexpire(brief.key, 5_000)
    await brief.save()
    assert 90_000 < await ttl_of(redis, brief) <= 100_000
    info: Any = await redis.info("commandstats")
    assert info.get("cmdstat_expire", {}).get("calls", 0) == 0


async def test_nothing_but_save_changes_a_ttl(redis: Redis) -> None:
    brief = await Brief(items=[1]).save()
    await redis.pexpire(brief.key, 5_000)
    for call in (
        lambda: brief.n.increase(),  # type: ignore[attr-defined]
        lambda: brief.items.aappend(2),  # type: ignore[attr-defined]
        lambda: brief.items.save(),  # type: ignore[attr-defined]
        lambda: brief.load(),
        lambda: brief.items.load(),  # type: ignore[attr-defined]
        lambda: brief.aupdate(n=3),
        lambda: Brief.get(brief.key),
    ):
        await call()
        assert 0 < await ttl_of(redis, brief) <= 5_000
    async with brief.pipeline():
        brief.n += 1
    brief.n = 9
    await brief.save_changes()
    assert 0 < await ttl_of(redis, brief) <= 5_000


async def test_refresh_where_the_model_asks_for_it(redis: Redis) -> None:
    fresh = await Fresh(items=[1]).save()

    async def pipelined() -> None:
        async with fresh.pipeline():
            fresh.n += 1

    for call in (
        lambda: fresh.n.increase(),  # type: ignore[attr-defined]
        lambda: fresh.items.aappend(2),  # type: ignore[attr-defined]
        lambda: fresh.load(),
        lambda: fresh.items.load(),  # type: ignore[attr-defined]
        lambda: fresh.aupdate(n=3),
        lambda: Fresh.get(fresh.key),
        pipelined,
    ):
        await redis.pexpire(fresh.key, 5_000)
        await call()
        assert 90_000 < await ttl_of(redis, fresh) <= 100_000


async def test_refused_operations_do_not_refresh(redis: Redis) -> None:
    fresh = await Fresh(items=[1]).save()
    await redis.pexpire(fresh.key, 5_000)
    with pytest.raises(IndexError):
        await fresh.items.apop(5)  # type: ignore[attr-defined]
    assert await ttl_of(redis, fresh) <= 5_000


async def test_set_ttl(redis: Redis) -> None:
    user = await Member().save()
    await user.set_ttl(50)
    assert 40_000 < await ttl_of(redis, user) <= 50_000
    await user.save()
    assert 40_000 < await ttl_of(redis, user) <= 50_000
    await user.aset_ttl(0.5)
    assert 0 < await ttl_of(redis, user) <= 500
    await user.set_ttl(None)
    assert await ttl_of(redis, user) == -1
    for bad in (0, -1):
        with pytest.raises(ValueError):
            await user.set_ttl(bad)
    assert await ttl_of(redis, user) == -1
    with pytest.raises(KeyNotFound):
        await Member().set_ttl(5)


async def test_ttl_can_be_changed_at_any_time(redis: Redis) -> None:
    class Later(AtomicRedisModel):
        Meta = RedisConfig()
        n: int = 0

    Later.Meta.redis = redis
    later = await Later().save()
    assert await ttl_of(redis, later) == -1
    Later.Meta.ttl = 30
    await later.save()
    assert 20_000 < await ttl_of(redis, later) <= 30_000


async def test_a_document_that_expired_is_not_found(redis: Redis, stored: Stored) -> None:
    brief = await Brief().save()
    await redis.pexpire(brief.key, 1)
    for _ in range(100_000):
        if await stored(brief) is None:
            break
    with pytest.raises(KeyNotFound):
        await brief.n.increase()  # type: ignore[attr-defined]
    with pytest.raises(KeyNotFound):
        await brief.load()


# -- duplicates ---------------------------------------------------------------------------------------


async def test_duplicate_is_an_independent_document(stored: Stored) -> None:
    user = await Member(tags=["a"], inner=Inner(tags=["t"])).save()
    assert user.tags[0] == "a"
    twin = await user.duplicate()
    assert twin == user or twin.model_dump() == user.model_dump()
    assert twin.key != user.key
    await twin.tags.aappend("b")  # type: ignore[attr-defined]
    await twin.inner.tags.aappend("u")  # type: ignore[attr-defined]
    assert user.tags == ["a"] == (await stored(user))["tags"]
    assert user.inner.tags == ["t"] == (await stored(user))["inner"]["tags"]
    assert (await stored(twin))["tags"] == ["a", "b"]
    changed = await user.aduplicate(name="copy")
    assert (changed.name, user.name) == ("copy", "n")
    assert (await stored(changed))["name"] == "copy"


async def test_duplicate_many(stored: Stored) -> None:
    user = await Member(tags=["a"]).save()
    twins = await user.duplicate_many(3)
    assert len({twin.key for twin in twins} | {user.key}) == 4
    for twin in twins:
        assert await stored(twin) == await stored(user)
    assert await user.duplicate_many(0) == []
    assert len(await user.aduplicate_many(2)) == 2


async def test_duplicate_of_a_model_with_key_field_needs_a_new_key(stored: Stored) -> None:
    named = await Titled(name="a", n=1).save()
    with pytest.raises(KeyExistsError):
        await named.duplicate()
    twin = await named.duplicate(name="b")
    assert await stored("Titled:b") == {"name": "b", "n": 1}
    assert twin.key == "Titled:b"
    assert named.key == "Titled:a"
    with pytest.raises(KeyExistsError):
        await named.duplicate(name="b", n=5)
    assert (await stored("Titled:b"))["n"] == 1


async def test_duplicate_validates_its_changes(redis: Redis) -> None:
    user = await Member().save()
    with pytest.raises(ValidationError):
        await user.duplicate(age="x")
    assert await redis.dbsize() == 1


# -- nested models ------------------------------------------------------------------------------------


async def test_inner_models_know_their_place(stored: Stored) -> None:
    user = await Member().save()
    inner: Any = user.inner
    assert inner.is_inner_model()
    assert not user.is_inner_model()
    assert (inner.key, inner.field_name, inner.field_path) == (user.key, "inner", "inner")
    assert inner.json_path == "$.inner"
    assert (user.field_name, user.field_path, user.json_path) == ("", "", "$")
    inner.x = 5
    assert (await stored(user))["inner"]["x"] == 0
    await inner.save()
    assert (await stored(user))["inner"]["x"] == 5
    inner.x = 6
    await inner.load()
    assert user.inner.x == 5


# -- classes ------------------------------------------------------------------------------------------


def test_find_redis_models_lists_the_models() -> None:
    models = rapyer.find_redis_models()
    assert {Member, Titled, Brief, Fresh} <= set(models)
    assert AtomicRedisModel not in models


def define(name: str = "Again", **fields: Any) -> Any:
    return type(
        name,
        (AtomicRedisModel,),
        {
            "__annotations__": {field: type(value) for field, value in fields.items()},
            "__module__": __name__,
            "__qualname__": name,
            **fields,
        },
    )


async def test_defining_a_class_again_replaces_it() -> None:
    first = define(a=1)
    second = define(a=1, b="x")
    assert [model for model in rapyer.find_redis_models() if model.__name__ == "Again"] == [second]
    model = await first(a=5).save()
    assert (await rapyer.get(model.key)) == second.model_construct(a=5, b="x")
    assert type(await rapyer.get(model.key)) is second


async def test_two_classes_with_one_prefix_are_told_apart_only_by_their_own_methods() -> None:
    def elsewhere() -> Any:
        class Twice(AtomicRedisModel):
            a: int = 1

        return Twice

    def here() -> Any:
        class Twice(AtomicRedisModel):
            b: str = "x"

        return Twice

    first, second = elsewhere(), here()
    model = await first(a=5).save()
    assert await first.get(model.key) == model
    assert (await second.get(model.key)).b == "x"
    with pytest.raises(AmbiguousModelError) as caught:
        await rapyer.get(model.key)
    for cls in (first, second):
        assert cls.__qualname__ in str(caught.value)


async def test_package_level_get_finds_the_model() -> None:
    user, named = await Member().save(), await Titled(name="x:y").save()
    assert await rapyer.get(user.key) == user
    assert await rapyer.aget(named.key) == named
    with pytest.raises(WrongModelError):
        await rapyer.get("Nobody:1")
    with pytest.raises(KeyNotFound):
        await rapyer.get("Member:nobody")


async def test_a_class_that_nobody_holds_is_forgotten() -> None:
    def temporary() -> str:
        class Temporary(AtomicRedisModel):
            a: int = 1

        return Temporary.__qualname__

    name = temporary()
    gc.collect()
    assert name not in [model.__qualname__ for model in rapyer.find_redis_models()]


# -- configuration ------------------------------------------------------------------------------------


def test_a_subclass_without_its_own_meta_shares_its_parents_object() -> None:
    class Child(Brief):
        m: int = 0

    class Own(Brief):
        Meta = RedisConfig(ttl=5)

    assert Child.Meta is Brief.Meta
    assert Own.Meta is not Brief.Meta
    assert (Own.Meta.ttl, Brief.Meta.ttl) == (5, 100)
    assert Member.Meta is AtomicRedisModel.Meta
    assert isinstance(Brief.Meta, RedisConfig)
    assert "Meta" not in Brief.model_fields


def test_unknown_settings_are_refused() -> None:
    with pytest.raises((ConfigurationError, TypeError)) as caught:

        class Wrong(AtomicRedisModel):
            class Meta:
                tll = 5

    assert "tll" in str(caught.value)


async def test_a_model_without_client_says_what_to_do() -> None:
    class Alone(AtomicRedisModel):
        Meta = RedisConfig()
        n: int = 0

    with pytest.raises(ConfigurationError) as caught:
        await Alone().save()
    assert "init_rapyer" in str(caught.value)
    assert "Alone" in str(caught.value)


async def test_init_rapyer_gives_clients_and_writes_nothing(
    rapyer_url: str, redis: Redis, stored: Stored
) -> None:
    class Own(AtomicRedisModel):
        Meta = RedisConfig()
        n: int = 0

    client = await rapyer.init_rapyer(rapyer_url)
    assert Own.Meta.redis is client is Member.Meta.redis
    assert await redis.dbsize() == 0
    own, user = await Own(n=1).save(), await Member().save()
    assert (await stored(own))["n"] == 1
    assert await stored(user) is not None
    await rapyer.teardown_rapyer()
    assert Member.Meta.redis is None
    with pytest.raises(ConfigurationError):
        await Member.get(user.key)


# -- clients ------------------------------------------------------------------------------------------


class Thing(AtomicRedisModel):
    Meta = RedisConfig()
    n: int = 1
    text: str = "é\x00"
    data: bytes = b"\xff"
    items: list[int] = [1, 2]
    table: dict[str, int] = {"a": 1}


async def exercise() -> None:
    """The whole round: everything whose reply a client could have changed."""
    thing = await Thing().save()
    assert await thing.n.increase(2) == 3  # type: ignore[attr-defined]
    await thing.items.aextend([3, 4])  # type: ignore[attr-defined]
    assert await thing.items.apop() == 4  # type: ignore[attr-defined]
    assert await thing.table.apopitem() == ("a", 1)  # type: ignore[attr-defined]
    await thing.table.aset_item("b", 2)  # type: ignore[attr-defined]
    async with thing.pipeline():
        thing.n += 1
        thing.text += "x"
        popped = await thing.items.apop(0)  # type: ignore[attr-defined]
    assert popped.result() == 1
    with pytest.raises(PipelineError):
        async with thing.pipeline(watch=True):
            thing.items.clear()
            thing.n += 2**63 - 1
    await thing.items.load()  # type: ignore[attr-defined]
    again = await Thing.get(thing.key)
    assert again == thing
    assert (again.n, again.text, again.data, again.items) == (4, "é\x00x", b"\xff", [2, 3])
    assert again.table == {"b": 2}
    await thing.duplicate()
    with pytest.raises(KeyNotFound):
        await Thing.get("nobody")
    async with thing.lock():
        pass
    assert await thing.delete() is True
    assert len([key async for key in _keys(thing)]) >= 0


async def _keys(thing: Any) -> AsyncIterator[Any]:
    for key in await type(thing).find_keys():
        yield key


@pytest.fixture
def socket(rapyer_server: EmbeddedServer) -> str:
    return rapyer_server.ensure_running()


@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("made_by", ["user", "rapyer"])
async def test_every_kind_of_client_works(
    decode: bool, protocol: int, made_by: str, socket: str, rapyer_url: str
) -> None:
    if made_by == "user":
        client = Redis(unix_socket_path=socket, protocol=protocol, decode_responses=decode)
        client.json()  # which changes the replies of the whole client
    else:
        client = client_from_url(rapyer_url, protocol=protocol, decode_responses=decode)  # type: ignore[assignment]
    Thing.Meta.redis = client
    try:
        await exercise()
    finally:
        await Session.of(client).close()
        await client.aclose()


def test_one_client_works_in_several_event_loops(rapyer_url: str) -> None:
    Thing.Meta.redis = client = client_from_url(rapyer_url)
    for _ in range(3):
        asyncio.run(exercise())

    async def close() -> None:
        await client.aclose()

    asyncio.run(close())


def test_one_client_works_in_event_loops_of_several_threads_at_once(rapyer_url: str) -> None:
    Thing.Meta.redis = client = client_from_url(rapyer_url)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            for _ in range(3):
                asyncio.run(exercise())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    asyncio.run(client.aclose())


async def test_each_model_uses_its_own_client(start_server: Any, stored: Stored) -> None:
    server = start_server()
    Thing.Meta.redis = client = client_from_url(f"unix://{server.socket}")
    thing, user = await Thing().save(), await Member().save()
    assert server.call("EXISTS", thing.key) == 1
    assert server.call("EXISTS", user.key) == 0
    assert await stored(thing) is None
    await rapyer.get(thing.key)
    assert await rapyer.find(thing.key, user.key) == [thing, user]
    Thing.Meta.redis = Member.Meta.redis
    await thing.save()
    assert await stored(thing) is not None
    await client.aclose()


async def test_a_thousand_tasks_through_one_client(stored: Stored) -> None:
    user = await Member().save()
    await asyncio.gather(
        *(user.age.increase() for _ in range(500)),  # type: ignore[attr-defined]
        *(Member.get(user.key) for _ in range(500)),
    )
    assert (await stored(user))["age"] == 1000 - 500


# -- timestamps ---------------------------------------------------------------------------------------


async def test_timestamps_are_stored_as_floats(stored: Stored) -> None:
    class Visit(AtomicRedisModel):
        at: RedisDatetimeTimestamp
        seen: list[RedisDatetimeTimestamp] = []
        maybe: RedisDatetimeTimestamp | None = None

    moment = datetime(2024, 2, 29, 1, 2, 3, 500000, tzinfo=UTC)
    visit = await Visit(at=moment, seen=[moment]).save()  # type: ignore[list-item,arg-type]
    document = await stored(visit)
    assert document["at"] == moment.timestamp()
    assert isinstance(document["at"], float)
    assert document["seen"] == [moment.timestamp()]
    again = await Visit.get(visit.key)
    assert again == visit
    assert again.at == moment
    assert again.seen == [moment]
    assert isinstance(again.at, datetime)
    async with again.pipeline():
        again.at += timedelta(microseconds=250000)
    assert (await stored(visit))["at"] == moment.timestamp() + 0.25
    assert again.at == moment + timedelta(microseconds=250000)
    await again.seen.aappend(moment)  # type: ignore[attr-defined]
    assert await again.seen.apop() == moment  # type: ignore[attr-defined]


# -- both spellings -----------------------------------------------------------------------------------

SPELLINGS: dict[str, Callable[[Any], Any]] = {
    name: lambda owner: owner
    for name in (
        *("save", "load", "delete", "get", "delete_by_key", "duplicate", "duplicate_many"),
        *("save_changes", "set_ttl", "pipeline", "lock", "lock_from_key", "find", "find_one"),
        *("find_keys", "insert", "delete_many"),
    )
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_models_have_both_spellings(name: str) -> None:
    assert callable(getattr(Member, name))
    assert callable(getattr(Member, "a" + name))


@pytest.mark.parametrize(
    "name",
    ["get", "find", "find_one", "insert", "delete_many", "pipeline", "lock_from_key"],
)
def test_the_package_has_both_spellings(name: str) -> None:
    assert callable(getattr(rapyer, name))
    assert callable(getattr(rapyer, "a" + name))


async def test_a_detached_nested_model_says_so(stored: Stored) -> None:
    user = await Member().save()
    old: Any = user.inner
    user.inner = Inner(x=9)
    with pytest.raises(DetachedError):
        await old.save()
    assert (await stored(user))["inner"]["x"] == 0
    assert json.loads(user.model_dump_json())["inner"]["x"] == 9
