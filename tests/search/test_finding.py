"""Finding documents by key, by scan and by expression, on a real server. Indexes have their own tests."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from pydantic import BaseModel, create_model
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, Key, RapyerKey, RedisConfig
from rapyer.config import use_client
from rapyer.connections import Session, client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.errors import (
    AmbiguousModelError,
    BulkError,
    ConfigurationError,
    DocumentError,
    ExpressionError,
    InvalidValueError,
    KeyNotFound,
    UnknownFieldError,
    WrongModelError,
)
from rapyer.keyspace import scan, texts
from rapyer.search.find import Find


class Home(BaseModel):
    city: str
    zip: int = 0


class Hiker(AtomicRedisModel):
    id: Key[str]
    age: int = 0
    name: str = ""
    home: Home | None = None
    tags: list[str] = []
    seen: datetime | None = None
    extra: Any = None


class Climber(AtomicRedisModel):
    id: Key[str]
    age: int = 0


@pytest.fixture(autouse=True)
def client(rapyer_redis: Redis) -> Iterator[Redis]:
    AtomicRedisModel.Meta.redis = rapyer_redis
    yield rapyer_redis
    AtomicRedisModel.Meta.redis = None


async def store(client: Redis, documents: dict[str, dict[str, Any]]) -> None:
    session = Session.of(client)
    items = list(documents.items())
    for start in range(0, len(items), 1000):
        commands = [("JSON.SET", k, "$", json.dumps(d)) for k, d in items[start : start + 1000]]
        assert all(r == b"OK" for r in await session.execute_many(commands, write=True))


async def collect(search: Find[Any], into: list[Any]) -> None:
    """The results up to the error."""
    async for result in search:
        into.append(result)  # noqa: PERF401


async def store_hikers(client: Redis, count: int, **fields: Any) -> None:
    documents = {f"Hiker:{n}": {"id": str(n), "age": n, **fields} for n in range(count)}
    await store(client, documents)


@pytest.fixture
def commands(client: Redis) -> Callable[[], Awaitable[dict[str, int]]]:
    """``await commands()``: how often each command was executed since the last call."""

    async def count() -> dict[str, int]:
        info: Any = await client.info("commandstats")
        await client.config_resetstat()
        return {
            name.removeprefix("cmdstat_").lower(): entry["calls"]
            for name, entry in info.items()
            if name not in ("cmdstat_info", "cmdstat_config|resetstat")
        }

    return count


# -- everything --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 11, 1001, 10_500])
async def test_find_without_conditions_gives_every_document_once(client: Redis, count: int) -> None:
    await store_hikers(client, count)
    found = await Hiker.find()
    assert sorted(h.age for h in found) == list(range(count))
    assert await Hiker.find().count() == count
    assert len(await Hiker.find_keys()) == count
    assert len([h async for h in Hiker.find()]) == count


async def test_find_never_sends_keys_or_writes(
    client: Redis, commands: Callable[[], Awaitable[dict[str, int]]]
) -> None:
    await store_hikers(client, 2500)
    await commands()
    await Hiker.find(Hiker.age > 3, sort="age", limit=5)
    await Hiker.find().count()
    sent = await commands()
    assert set(sent) <= {"scan", "json.mget", "hello", "client|setinfo", "ping", "select"}
    # bulk reads: 200 documents with each command, keys in steps of 1000
    assert sent["json.mget"] <= 2500 // 200 + 2
    assert sent["scan"] <= 12


async def test_find_sees_only_documents_of_its_own_class(client: Redis) -> None:
    await store(client, {"Hiker:1": {"id": "1"}, "Hikers:1": {"id": "1"}, "AHiker:1": {"id": "1"}})
    await store(client, {"Climber:1": {"id": "1"}})
    await client.set("Hiker:text", "not a document")
    await client.hset("Hiker:hash", "a", "b")
    assert [h.key for h in await Hiker.find()] == ["Hiker:1"]
    assert await Hiker.find().count() == 1


async def test_prefix_that_looks_like_a_pattern_matches_itself_only(client: Redis) -> None:
    class Starred(AtomicRedisModel):
        id: Key[str]

        @classmethod
        def class_key_initials(cls) -> str:
            return "St*r[ab]?\\^"

    await Starred(id="1").save()
    await store(client, {"Star:2": {"id": "2"}, "Stara:3": {"id": "3"}, "St*ra?\\:4": {"id": "4"}})
    assert [s.id for s in await Starred.find()] == ["1"]


async def test_longer_prefix_of_another_class_is_not_ours(client: Redis) -> None:
    class Guide(AtomicRedisModel):
        id: Key[str]

    class AlpineGuide(AtomicRedisModel):
        id: Key[str]

        @classmethod
        def class_key_initials(cls) -> str:
            return "Guide:Alpine"

    await Guide(id="1").save()
    await Guide(id="a:b").save()
    await AlpineGuide(id="2").save()
    assert sorted(g.id for g in await Guide.find()) == ["1", "a:b"]
    assert [g.id for g in await AlpineGuide.find()] == ["2"]
    assert sorted(await Guide.find_keys()) == ["Guide:1", "Guide:a:b"]


async def test_lock_keys_are_never_found(client: Redis) -> None:
    hiker = await Hiker(id="1").save()
    async with hiker.lock():
        assert [h.key for h in await Hiker.find()] == [hiker.key]


@pytest.mark.parametrize("pk", ["a:b", "a/b", "é€😀", "a b\n", '"quoted"', "{x}", "*", "\\"])
async def test_any_pk_is_found_and_keeps_its_key(pk: str) -> None:
    await Hiker(id=pk).save()
    (found,) = await Hiker.find()
    assert (found.id, found.key) == (pk, f"Hiker:{pk}")
    assert await Hiker.find(found.key) == [found]
    assert await Hiker.find_keys() == [f"Hiker:{pk}"]


async def test_scan_that_repeats_keys_gives_each_document_once(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_hikers(client, 3000)
    original = Session.execute
    given: list[bytes] = []

    async def repeating(self: Session, *words: Any, **options: Any) -> Any:
        """The server's replies with some keys again, as SCAN gives them while its table shrinks."""
        reply = await original(self, *words, **options)
        if words[0] == b"SCAN":
            given.extend(reply[1])
            reply[1] += given[::7]
        return reply

    monkeypatch.setattr(Session, "execute", repeating)
    found = [hiker.id async for hiker in Hiker.find()]
    assert len(found) == len(set(found)) == 3000
    assert await Hiker.find().count() == 3000


async def test_key_that_is_no_utf8_does_not_hide_the_others(client: Redis) -> None:
    await store_hikers(client, 3)
    await client.execute_command("JSON.SET", b"Hiker:\xff\xfe", "$", "{}")
    await client.set("Hiker:text", "no document")
    keys = await Hiker.find_keys()
    assert sorted(keys) == ["Hiker:0", "Hiker:1", "Hiker:2", "Hiker:\udcff\udcfe"]


@pytest.mark.parametrize(
    ("pages", "fresh"),
    [
        ([[b"a", b"b"], [b"c"]], [[b"a", b"b"], [b"c"]]),
        ([[b"a", b"b", b"a"], []], [[b"a", b"b"], []]),
        ([[b"a", b"b"], [b"c", b"a", b"c"], [b"b", b"d", b"c"]], [[b"a", b"b"], [b"c"], [b"d"]]),
    ],
)
def test_key_of_several_pages_or_twice_in_one_is_seen_once(
    pages: list[list[bytes]], fresh: list[list[bytes]]
) -> None:
    seen: set[bytes] = set()
    assert [scan.unseen(page, seen) for page in pages] == fresh
    assert seen == {word for page in pages for word in page}


async def test_the_next_page_of_keys_is_under_way_while_one_is_looked_at(
    client: Redis, rapyer_server: EmbeddedServer
) -> None:
    def scans() -> int:
        return int(aside.info("commandstats").get("cmdstat_scan", {"calls": 0})["calls"])  # type: ignore[union-attr]

    def scanned_again(before: int) -> bool:
        """Asks without giving way to the event loop, which therefore sends nothing meanwhile."""
        deadline = time.monotonic() + 10
        while scans() == before and time.monotonic() < deadline:
            pass
        return scans() > before

    await store_hikers(client, 20_000)
    await client.config_resetstat()
    with redis.Redis(unix_socket_path=rapyer_server.address) as aside:
        async with aclosing(scan.scanned_keys(Hiker)) as pages:
            first = await anext(pages)
            assert scans() == 1  # nobody has asked for more yet
            second = await anext(pages)
            assert scanned_again(2)
    assert not set(first) & set(second)


async def test_documents_deleted_while_searching_are_left_out(client: Redis) -> None:
    await store_hikers(client, 3000)
    found = []
    async with aclosing(Hiker.find().results()) as results:
        async for hiker in results:
            if not found:
                await client.delete(*(f"Hiker:{n}" for n in range(3000) if f"{n}" != hiker.id))
            found.append(hiker.id)
    assert 1 <= len(found) <= 1000


async def test_iterating_holds_a_few_hundred_documents_at_a_time(client: Redis) -> None:
    await store_hikers(client, 5000)
    most = 0
    async for hiker in Hiker.find():
        if hiker.age % 100 == 0:
            gc.collect()  # a value that was taken out of its document refers to it
            most = max(most, sum(isinstance(thing, Hiker) for thing in gc.get_objects()))
    assert 0 < most <= 2 * texts.CHUNK


async def test_iterating_over_given_keys_holds_a_few_hundred_documents_at_a_time(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_hikers(client, 5000)
    read: list[int] = []
    original = Session.execute_many

    async def counting(self: Session, sent: Any, **options: Any) -> Any:
        read.append(sum(len(command) - 2 for command in sent))
        return await original(self, sent, **options)

    monkeypatch.setattr(Session, "execute_many", counting)
    number = 0
    async for hiker in Hiker.find(*(f"Hiker:{n}" for n in range(5000))):
        assert hiker.age == number
        number += 1
        assert sum(read) <= number + 2 * texts.CHUNK
    assert number == 5000
    assert max(read) <= texts.CHUNK


async def test_stopping_early_leaves_the_connection_usable(client: Redis) -> None:
    await store_hikers(client, 3000)

    async def opened() -> int:
        return int((await client.info("stats"))["total_connections_received"])

    before = await opened()
    for _ in range(20):
        async with aclosing(Hiker.find().results()) as results:
            async for _hiker in results:
                break
    assert await opened() <= before + 2
    for _ in range(20):
        async for _hiker in Hiker.find():
            break
    assert await Hiker.find().count() == 3000


async def test_cancelled_search_is_cancelled(client: Redis) -> None:
    await store_hikers(client, 3000)
    task = asyncio.create_task(Hiker.find().count())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await Hiker.find().count() == 3000


# -- keys --------------------------------------------------------------------------------------------


async def test_find_with_keys_is_one_bulk_read_in_their_order(
    client: Redis, commands: Callable[[], Awaitable[dict[str, int]]]
) -> None:
    await store_hikers(client, 50)
    await commands()
    found = await Hiker.find("Hiker:7", "3", "Hiker:7", RapyerKey("Hiker:49"))
    assert [h.age for h in found] == [7, 3, 7, 49]
    sent = await commands()
    assert sent.get("json.mget") == 1
    assert "scan" not in sent


async def test_missing_keys_raise_and_are_all_named(client: Redis) -> None:
    await store_hikers(client, 3)
    with pytest.raises(KeyNotFound, match="Hiker:8, Hiker:9 do not exist"):
        await Hiker.find("1", "8", "2", "9")
    seen: list[Hiker] = []
    with pytest.raises(KeyNotFound, match="Hiker:9 does not exist"):
        await collect(Hiker.find("1", "9", "2"), seen)
    assert [h.id for h in seen] == ["1", "2"]
    assert [h.id for h in await Hiker.find("1", "9", missing_ok=True)] == ["1"]


async def test_key_of_another_class_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(WrongModelError):
        Hiker.find("Climber:1")
    with pytest.raises(WrongModelError):
        Hiker.find(RapyerKey("Elsewhere:1"))


async def test_keys_and_expressions_together_give_those_of_the_keys_that_match(
    client: Redis,
) -> None:
    await store_hikers(client, 10)
    assert [h.age for h in await Hiker.find("9", "1", "5", Hiker.age > 3)] == [9, 5]


# -- expressions, order, pages -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [11, 1001, 10_500])
async def test_all_matches_come_back_however_many(client: Redis, count: int) -> None:
    await store_hikers(client, count)
    found = await Hiker.find(Hiker.age >= 1, Hiker.age != 5)
    assert sorted(h.age for h in found) == [n for n in range(1, count) if n != 5]
    assert await Hiker.find(Hiker.age >= 1).count() == count - 1
    assert len(await Hiker.find_keys(Hiker.age >= 1)) == count - 1


async def test_find_one_is_the_first_or_none(client: Redis) -> None:
    assert await Hiker.find_one() is None
    await store_hikers(client, 10)
    assert (await Hiker.find_one(Hiker.age == 4)).age == 4  # type: ignore[union-attr]
    assert (await Hiker.find_one(sort="-age")).age == 9  # type: ignore[union-attr]
    assert (await Hiker.find_one("3")).age == 3  # type: ignore[union-attr]
    assert await Hiker.find_one("33") is None
    assert await Hiker.find_one(Hiker.age > 100) is None


async def test_find_one_reads_no_more_than_it_needs(client: Redis, monkeypatch: Any) -> None:
    await store_hikers(client, 2000)
    read: list[int] = []
    original = Session.execute_many

    async def counting(self: Session, sent: Any, **options: Any) -> Any:
        read.append(sum(len(command) - 2 for command in sent))
        return await original(self, sent, **options)

    monkeypatch.setattr(Session, "execute_many", counting)
    assert await Hiker.find_one() is not None
    assert sum(read) <= 2


async def test_sort_is_by_each_field_with_missing_values_last(client: Redis) -> None:
    homes = {
        "a": {"city": "Rome", "zip": 2},
        "b": None,
        "c": {"city": "Oslo"},
        "d": {"city": "Rome"},
    }
    await store(client, {f"Hiker:{k}": {"id": k, "home": v} for k, v in homes.items()})
    assert [h.id for h in await Hiker.find(sort="home.city")] == ["c", "a", "d", "b"]
    assert [h.id for h in await Hiker.find(sort="-home.city")] == ["a", "d", "c", "b"]
    assert [h.id for h in await Hiker.find(sort=["-home.city", "home.zip"])] == ["d", "a", "c", "b"]
    assert [h.id for h in await Hiker.find(sort=Hiker.id)] == ["a", "b", "c", "d"]
    assert [h.id for h in await Hiker.find().sort(-Hiker.id)] == ["d", "c", "b", "a"]  # type: ignore[operator]
    assert [h.id async for h in Hiker.find(sort="-id")] == ["d", "c", "b", "a"]


async def test_sort_of_values_that_do_not_compare_is_by_kind(client: Redis) -> None:
    values = ["b", 3, None, "a", 1.5, [2], [1], True]
    await store(client, {f"Hiker:{n}": {"id": f"{n}", "extra": v} for n, v in enumerate(values)})
    found = [h.extra for h in await Hiker.find(sort="extra")]
    assert found == [True, 1.5, 3, [1], [2], "a", "b", None]
    times = [datetime(2024, 1, 2), datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1)]  # noqa: DTZ001
    await client.flushall()
    await Hiker.insert(*(Hiker(id=str(n), seen=time) for n, time in enumerate(times)))
    assert [h.id for h in await Hiker.find(sort="seen")] == ["2", "0", "1"]


async def test_sort_by_what_has_no_order_or_is_no_field_is_an_error(client: Redis) -> None:
    await store(client, {"Hiker:1": {"id": "1", "home": {"city": "x"}}})
    with pytest.raises(ExpressionError, match="cannot sort by home"):
        await Hiker.find(sort="home")
    with pytest.raises(UnknownFieldError, match="no field 'agee'; it has"):
        Hiker.find(sort="agee")
    with pytest.raises(ExpressionError):
        Hiker.find(sort=3)


async def test_limit_and_offset_cut_pages_that_meet(client: Redis) -> None:
    await store_hikers(client, 1030)
    search = Hiker.find(Hiker.age >= 30).sort("-age")
    pages = [await search.offset(start).limit(300) for start in range(0, 1200, 300)]
    assert [h.age for page in pages for h in page] == list(range(1029, 29, -1))
    assert [len(page) for page in pages] == [300, 300, 300, 100]
    assert await search.limit(0) == []
    assert await search.limit(7).count() == 7
    assert await search.offset(990).count() == 10
    assert len(await Hiker.find(limit=250, offset=900)) == 130
    assert [k async for k in search.keys().limit(2)] == ["Hiker:1029", "Hiker:1028"]
    assert [h.age for h in await Hiker.find("5", "4", "3", limit=1, offset=1)] == [4]
    with pytest.raises(InvalidValueError):
        Hiker.find(limit=-1)
    with pytest.raises(InvalidValueError):
        Hiker.find(offset=-1)


async def test_projection_gives_native_values_of_the_fields(client: Redis) -> None:
    await Hiker(id="1", home=Home(city="Rome"), tags=["a"]).save()
    (found,) = await Hiker.find(fields=["id", "home.city", "tags", "home.zip"])
    assert found == {"id": "1", "home.city": "Rome", "tags": ["a"], "home.zip": 0}
    assert type(found["tags"]) is list
    assert await Hiker.find().project(Hiker.id, Hiker.home.city) == [  # type: ignore[union-attr]
        {"id": "1", "home.city": "Rome"}
    ]
    with pytest.raises(UnknownFieldError):
        Hiker.find(fields=["nope"])


async def test_search_is_lazy_and_every_refinement_is_a_new_one(client: Redis) -> None:
    everyone = Hiker.find()
    old = everyone.where(Hiker.age > 5)
    await store_hikers(client, 10)
    assert await everyone.count() == 10
    assert await old.count() == 4
    assert await old.count() == 4
    assert len(await asyncio.gather(everyone, old)) == 2


async def test_what_is_no_condition_is_refused() -> None:
    with pytest.raises(TypeError, match="keys and expressions"):
        Hiker.find(True)
    with pytest.raises(TypeError, match="keys and expressions"):
        Hiker.find(3.5)  # type: ignore[arg-type]
    with pytest.raises(WrongModelError, match="Climber"):
        Hiker.find(Climber.age > 3)


async def test_expression_of_a_base_class_holds_for_a_subclass(client: Redis) -> None:
    class Runner(Hiker):
        speed: int = 0

    await Runner(id="1", age=5, speed=3).save()
    assert [r.id for r in await Runner.find(Hiker.age == 5, Runner.speed == 3)] == ["1"]
    with pytest.raises(WrongModelError):
        Hiker.find(Runner.speed == 3)


# -- broken documents --------------------------------------------------------------------------------


async def test_documents_that_fail_validation_are_reported_and_never_dropped(client: Redis) -> None:
    await store_hikers(client, 450)
    await store(client, {"Hiker:bad": {"id": "bad", "age": "old"}, "Hiker:worse": {"age": 1}})
    with pytest.raises(BulkError) as caught:
        await Hiker.find()
    assert set(caught.value.failures) == {"Hiker:bad", "Hiker:worse"}
    error = caught.value.failures["Hiker:bad"]
    assert isinstance(error, DocumentError)
    assert "age" in error.fields
    assert len(caught.value.documents) == 450  # type: ignore[attr-defined]

    seen: list[Hiker] = []
    with pytest.raises(BulkError, match="2 documents failed"):
        await collect(Hiker.find(), seen)
    assert len(seen) == 450
    for search in (Hiker.find(Hiker.age > 3), Hiker.find(sort="age"), Hiker.find("bad", "1")):
        with pytest.raises(BulkError):
            await search
    with pytest.raises(BulkError):
        await Hiker.find(Hiker.age > 3).count()


async def test_broken_and_missing_documents_are_reported_together(client: Redis) -> None:
    await store(client, {"Hiker:bad": {"age": 1}, "Hiker:1": {"id": "1"}})
    with pytest.raises(BulkError) as caught:
        await Hiker.find("1", "bad", "none")
    assert isinstance(caught.value.failures["Hiker:bad"], DocumentError)
    assert isinstance(caught.value.failures["Hiker:none"], KeyNotFound)


async def test_find_one_gives_an_answer_despite_broken_documents_elsewhere(client: Redis) -> None:
    await store(client, {"Hiker:bad": {"age": 1}, "Hiker:1": {"id": "1", "age": 5}})
    assert (await Hiker.find_one(Hiker.age == 5)).id == "1"  # type: ignore[union-attr]
    with pytest.raises(BulkError):
        await Hiker.find_one(Hiker.age == 6)


# -- TTL, clients, package level ---------------------------------------------------------------------


class Visitor(AtomicRedisModel):
    Meta = RedisConfig(ttl=100, refresh_ttl=True)
    id: Key[str]
    age: int = 0


async def test_found_documents_get_their_ttl_refreshed_where_the_model_asks(client: Redis) -> None:
    Visitor.Meta.redis = client
    for n in range(3):
        await Visitor(id=str(n), age=n).save()
        await client.expire(f"Visitor:{n}", 10)

    async def ttls() -> list[int]:
        return [await client.ttl(f"Visitor:{n}") for n in range(3)]

    await Visitor.find().count()
    await Visitor.find_keys(Visitor.age > 0)
    with use_client(client, refresh_ttl=False):
        await Visitor.find()
    assert max(await ttls()) <= 10
    await Visitor.find(Visitor.age == 1)
    assert [ttl > 10 for ttl in await ttls()] == [False, True, False]
    await Visitor.find("2")
    assert [ttl > 10 for ttl in await ttls()] == [False, True, True]


async def test_reading_leaves_ttls_alone_where_the_model_does_not_ask(client: Redis) -> None:
    await Hiker(id="1").save()
    await client.expire("Hiker:1", 50)
    await Hiker.find()
    assert 0 < await client.ttl("Hiker:1") <= 50


async def test_package_level_calls_choose_the_model_of_each_key(client: Redis) -> None:
    await store_hikers(client, 3)
    await store(client, {"Climber:1": {"id": "1", "age": 8}})
    found = await rapyer.find("Hiker:2", "Climber:1", "Hiker:0")
    assert [(type(d), d.id) for d in found] == [(Hiker, "2"), (Climber, "1"), (Hiker, "0")]
    assert type(await rapyer.get("Climber:1")) is Climber
    assert [d.id for d in await rapyer.find(Climber.age == 8)] == ["1"]
    assert (await rapyer.find_one(Climber.age == 8)).id == "1"
    assert await rapyer.find_one("Climber:2") is None
    assert await rapyer.find() == []
    assert (await rapyer.aget("Hiker:1")).age == 1
    assert [d.id for d in await rapyer.afind("Hiker:2", "Climber:1").sort("-age")] == ["1", "2"]
    with pytest.raises(KeyNotFound, match="Climber:9"):
        await rapyer.find("Hiker:1", "Climber:9")
    with pytest.raises(WrongModelError):
        rapyer.find("Unheard:1")
    with pytest.raises(WrongModelError, match="one model"):
        rapyer.find(Climber.age == 8, Hiker.age == 8)


async def test_package_level_call_refuses_to_guess_between_two_classes(client: Redis) -> None:
    first: Any = create_model(
        "Twofold", __base__=AtomicRedisModel, __module__="one", id=(Key[str], ...)
    )
    second: Any = create_model(
        "Twofold", __base__=AtomicRedisModel, __module__="two", id=(Key[str], ...)
    )
    await first(id="1").save()
    with pytest.raises(AmbiguousModelError, match=r"one\..*two\."):
        rapyer.find("Twofold:1")
    assert len(await second.find("1")) == 1


async def test_each_model_is_read_through_its_own_client(
    client: Redis, tmp_path: Any, rapyer_server: EmbeddedServer
) -> None:
    class Settler(AtomicRedisModel):
        Meta = RedisConfig()
        id: Key[str]

    other = client_from_url(f"{rapyer_server.url}")
    other.connection_pool.connection_kwargs["db"] = 3
    Settler.Meta.redis = other
    try:
        await Settler(id="1").save()
        await Hiker(id="1").save()
        found = await rapyer.find("Hiker:1", "Settler:1", "Hiker:1")
        assert [type(d) for d in found] == [Hiker, Settler, Hiker]
        assert await Settler.find().count() == 1
        with use_client(client):
            assert await Settler.find().count() == 0
    finally:
        Session.of(other).close_soon()


async def test_model_without_client_says_so() -> None:
    AtomicRedisModel.Meta.redis = None
    with pytest.raises(ConfigurationError, match="init_rapyer"):
        await Hiker.find()


async def test_search_inside_a_pipeline_reads_at_once(client: Redis) -> None:
    hiker = await Hiker(id="1", age=1).save()
    async with hiker.pipeline():
        hiker.age = 2
        assert [h.age for h in await Hiker.find()] == [1]
    assert [h.age for h in await Hiker.find()] == [2]


@pytest.mark.parametrize("options", [{"protocol": 2}, {"decode_responses": True}, {}])
async def test_clients_of_every_kind_find_the_same(
    rapyer_server: EmbeddedServer, client: Redis, options: dict[str, Any]
) -> None:
    path = str(rapyer_server.address)
    own = Redis(unix_socket_path=path, **options)
    try:
        await store_hikers(client, 30)
        AtomicRedisModel.Meta.redis = own
        assert await Hiker.find(Hiker.age > 9).count() == 20
        assert [h.age for h in await Hiker.find("3", "4")] == [3, 4]
    finally:
        await own.aclose()
        Session.of(own).close_soon()


async def test_errors_of_the_server_come_through(client: Redis) -> None:
    await store_hikers(client, 3)
    await client.acl_setuser(
        "blind", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-json.mget"]
    )
    own = Redis(
        unix_socket_path=client.connection_pool.connection_kwargs["server"].address,
        username="blind",
        password="x",
    )
    AtomicRedisModel.Meta.redis = own
    try:
        with pytest.raises(Exception, match=r"(?i)permission|NOPERM"):
            await Hiker.find()
    finally:
        await own.aclose()
        Session.of(own).close_soon()
        await client.acl_deluser("blind")
