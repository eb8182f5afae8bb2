"""Inserting and deleting many documents on a real server, the reports of what failed, and clusters."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
import redis
from pydantic import PlainSerializer
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, Index, Key, RapyerKey, RedisConfig
from rapyer.config import use_client
from rapyer.connections import Session, client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.errors import (
    BulkError,
    ConfigurationError,
    ConnectionError,
    DocumentError,
    InvalidValueError,
    KeyExistsError,
    NoPermissionError,
    OutcomeUnknownError,
    PipelineError,
    RapyerError,
    WrongModelError,
)
from tests.conftest import StartServer
from tests.servers import Cluster, cluster_options, proxied


class Crate(AtomicRedisModel):
    id: Key[str]
    weight: int = 0
    ratio: float = 0.0


class Parcel(AtomicRedisModel):
    Meta = RedisConfig(ttl=100)
    id: Key[str]
    weight: int = 0


class Loose(AtomicRedisModel):
    weight: int = 0


class Truck(AtomicRedisModel):
    crate: Crate | None = None


class Bag(AtomicRedisModel):
    id: Key[str]
    content: Any = None


class ShortLivedBag(AtomicRedisModel):
    Meta = RedisConfig(ttl=100)
    id: Key[str]
    content: Any = None


class Barrel(AtomicRedisModel):
    Meta = RedisConfig(max_delete_per_transaction=7)
    id: Key[str]
    weight: Index[int] = 0


_MODELS: tuple[Any, ...] = (AtomicRedisModel, Parcel, ShortLivedBag, Barrel)


@pytest.fixture(autouse=True)
def client(rapyer_redis: Redis) -> Iterator[Redis]:
    for model in _MODELS:
        model.Meta.redis = rapyer_redis
    yield rapyer_redis
    for model in _MODELS:
        model.Meta.redis = None


async def stored(client: Redis, key: str) -> Any:
    text = await client.execute_command("JSON.GET", key)
    return None if text is None else json.loads(text)


async def store(client: Redis, documents: dict[str, Any]) -> None:
    commands = [("JSON.SET", key, "$", json.dumps(value)) for key, value in documents.items()]
    await Session.of(client).execute_many(commands, write=True)


async def calls(client: Redis) -> dict[str, int]:
    info: Any = await client.info("commandstats")
    await client.config_resetstat()
    return {name.removeprefix("cmdstat_").lower(): entry["calls"] for name, entry in info.items()}


# -- inserting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 200, 201, 5000])
async def test_insert_stores_every_document_and_returns_the_keys(client: Redis, count: int) -> None:
    crates = [Crate(id=str(n), weight=n) for n in range(count)]
    keys = await Crate.insert(*crates)
    assert keys == [f"Crate:{n}" for n in range(count)]
    assert all(isinstance(key, RapyerKey) for key in keys)
    assert await client.dbsize() == count
    for number in range(0, count, 997):
        assert await stored(client, f"Crate:{number}") == {
            "id": str(number),
            "weight": number,
            "ratio": 0.0,
        }


async def test_insert_never_overwrites_and_reports_exactly_what_was_not_written(
    client: Redis,
) -> None:
    await Crate(id="5", weight=100).save()
    await client.set("Crate:7", "text")
    crates = [Crate(id=str(n), weight=n) for n in range(450)]
    with pytest.raises(BulkError) as caught:
        await Crate.insert(*crates)
    assert set(caught.value.failures) == {"Crate:5", "Crate:7"}
    assert all(isinstance(e, KeyExistsError) for e in caught.value.failures.values())
    assert "448 documents were inserted, 2 were not (Crate:5, Crate:7)" in str(caught.value)
    assert (await stored(client, "Crate:5"))["weight"] == 100
    assert await client.get("Crate:7") == b"text"
    assert await client.dbsize() == 450


async def test_insert_sets_the_ttl_with_the_document(client: Redis) -> None:
    await Parcel(id="3", weight=9).save()
    await client.expire("Parcel:3", 50)
    with pytest.raises(BulkError) as caught:
        await Parcel.insert(*(Parcel(id=str(n), weight=n) for n in range(300)))
    assert list(caught.value.failures) == ["Parcel:3"]
    assert await client.dbsize() == 300
    assert 50 < await client.ttl("Parcel:299") <= 100
    assert 0 < await client.ttl("Parcel:3") <= 50
    assert (await stored(client, "Parcel:3"))["weight"] == 9


@pytest.mark.parametrize("model", [Crate, Parcel])
async def test_insert_sends_one_command_for_a_chunk(client: Redis, model: Any) -> None:
    await client.script_flush()
    await calls(client)
    await model.insert(*(model(id=str(n)) for n in range(1000)))
    sent = await calls(client)
    assert (sent["evalsha"], sent["eval"]) == (5, 1)


async def test_insert_returns_the_keys_in_the_order_of_the_models(client: Redis) -> None:
    crates = [
        Crate(id=str(n), ratio=0.23733660385428734 if n % 3 == 0 else 0.5) for n in range(450)
    ]
    assert await Crate.insert(*crates) == [f"Crate:{n}" for n in range(450)]
    assert {crate.ratio for crate in await Crate.find()} == {0.5, 0.23733660385428734}


@pytest.mark.parametrize("model", [Bag, ShortLivedBag])
async def test_each_document_of_a_chunk_fails_for_itself(client: Redis, model: Any) -> None:
    name = model.__name__
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    await client.execute_command("JSON.SET", f"{name}:2", "$", '{"id":"2","content":"old"}')
    await client.set(f"{name}:4", "text")
    await client.hset(f"{name}:6", "field", "1")
    await client.execute_command("JSON.SET", f"{name}:12", "$", '{"id":"12","content":"old"}')
    contents = {8: deep, 10: 2**70, 11: 0.23733660385428734, 12: 0.23733660385428734}
    bags = [model(id=str(n), content=contents.get(n, n)) for n in range(15)]
    bags[13] = model.model_construct(id="13", content=float("nan"))
    with pytest.raises(BulkError, match="8 documents were inserted, 7 were not") as caught:
        await model.insert(*bags)
    failures = {key.removeprefix(f"{name}:"): e for key, e in caught.value.failures.items()}
    assert {k for k, e in failures.items() if type(e) is KeyExistsError} == {"2", "4", "6", "12"}
    assert {k for k, e in failures.items() if type(e) is InvalidValueError} == {"8", "10", "13"}
    assert "recursion limit" in str(failures["8"])
    assert "NaN cannot be stored" in str(failures["13"])
    for number in (0, 1, 3, 5, 7, 9, 11, 14):
        assert (await stored(client, f"{name}:{number}"))["content"] == contents.get(number, number)
        assert (await client.ttl(f"{name}:{number}") > 0) == (model is ShortLivedBag)
    assert (await stored(client, f"{name}:2"))["content"] == "old"
    assert (await stored(client, f"{name}:12"))["content"] == "old"
    assert await client.ttl(f"{name}:2") == await client.ttl(f"{name}:12") == -1
    assert await client.get(f"{name}:4") == b"text"
    assert await client.hgetall(f"{name}:6") == {b"field": b"1"}
    assert await client.dbsize() == 12


@pytest.fixture
async def as_user(rapyer_server: EmbeddedServer, client: Redis) -> AsyncIterator[Any]:
    """``await as_user(*rules)``: all models talk to the server as a user with these rules."""
    own: list[Redis] = []

    async def become(*rules: str) -> None:
        await client.execute_command("ACL", "SETUSER", "ada", "reset", "on", ">pw", *rules)
        address = rapyer_server.address
        own.append(Redis(unix_socket_path=address, username="ada", password="pw"))
        for model in _MODELS:
            model.Meta.redis = own[-1]

    yield become
    await client.execute_command("ACL", "DELUSER", "ada")
    for user in own:
        await user.aclose()
        Session.of(user).close_soon()


@pytest.mark.parametrize("model", [Crate, Parcel])
async def test_forbidden_key_fails_alone(client: Redis, as_user: Any, model: Any) -> None:
    name = model.__name__
    await as_user("+@all", f"~{name}:1*")
    with pytest.raises(BulkError, match="11 documents were inserted, 9 were not") as caught:
        await model.insert(*(model(id=str(n)) for n in range(20)))
    assert set(caught.value.failures) == {f"{name}:{n}" for n in (0, *range(2, 10))}
    assert all(type(error) is NoPermissionError for error in caught.value.failures.values())
    assert "NOPERM" in str(caught.value) or "ermission" in str(caught.value)
    assert await client.dbsize() == 11
    assert (await client.ttl(f"{name}:15") > 0) == (model is Parcel)


async def test_user_who_may_run_no_script_inserts_all_the_same(client: Redis, as_user: Any) -> None:
    await as_user("~*", "+@all", "-@scripting")
    await Crate(id="3", weight=9).save()
    with pytest.raises(BulkError) as caught:
        await Crate.insert(*(Crate(id=str(n)) for n in range(300)))
    assert list(caught.value.failures) == ["Crate:3"]
    assert isinstance(caught.value.failures["Crate:3"], KeyExistsError)
    assert await client.dbsize() == 300


async def test_document_whose_expiry_is_refused_does_not_stay_without_one(
    client: Redis, as_user: Any
) -> None:
    await as_user("~*", "+@all", "-pexpire")
    with pytest.raises(BulkError, match="0 documents were inserted, 3 were not"):
        await Parcel.insert(*(Parcel(id=str(n)) for n in range(3)))
    assert await client.dbsize() == 0


async def test_insert_into_a_server_without_json_says_what_is_missing(
    start_server: StartServer,
) -> None:
    server = start_server(json=False)
    own = client_from_url(f"unix://{server.socket}")
    try:
        with use_client(own), pytest.raises(BulkError, match="has no JSON module; use Redis 8"):
            await Crate.insert(Crate(id="1"), Crate(id="2"))
    finally:
        await own.aclose()


async def test_the_server_works_on_a_chunk_while_the_next_is_written_out(
    rapyer_server: EmbeddedServer, client: Redis
) -> None:
    def look(value: int) -> int:
        """Asks the server without giving way to the event loop, until the first chunk is there."""
        deadline = time.monotonic() + 10
        while not there and value == 300 and time.monotonic() < deadline:
            there.extend(aside.keys("Watched:199"))
        return value

    class Watched(AtomicRedisModel):
        id: Key[str]
        weight: Annotated[int, PlainSerializer(look)] = 0

    there: list[bytes] = []
    await Watched.insert(Watched(id="first"))  # now the server knows the script
    with redis.Redis(unix_socket_path=rapyer_server.address) as aside:
        await Watched.insert(*(Watched(id=str(n), weight=n) for n in range(400)))
    assert there == [b"Watched:199"]


async def test_no_chunk_is_larger_than_its_limit_unless_one_document_is(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[list[int]] = []
    original = Session.evalsha

    async def measuring(self: Session, sha: str, source: str, keys: Any, args: Any) -> Any:
        sizes.append([len(text) for text in args[1:]])
        return await original(self, sha, source, keys, args)

    monkeypatch.setattr(Session, "evalsha", measuring)
    lengths = [10, 50_000, 50_000, 50_000, 300_000, 10, 120_000, 20_000, 10]
    bags = [Bag(id=str(n), content="x" * length) for n, length in enumerate(lengths)]
    assert await Bag.insert(*bags) == [f"Bag:{n}" for n in range(9)]
    assert sum(map(len, sizes)) == 9
    assert all(sum(chunk) <= 128 * 1024 or len(chunk) == 1 for chunk in sizes)
    assert len(sizes) <= 6
    assert await client.dbsize() == 9


async def test_two_models_with_one_key_are_refused_before_anything_is_sent(client: Redis) -> None:
    with pytest.raises(KeyExistsError, match="Crate:1 is to be inserted twice"):
        await Crate.insert(Crate(id="1"), Crate(id="2"), Crate(id="1"))
    assert await client.dbsize() == 0


async def test_value_that_json_cannot_hold_fails_alone(client: Redis) -> None:
    bad = Crate.model_construct(id="bad", weight=2**70, ratio=0.0)
    with pytest.raises(BulkError) as caught:
        await Crate.insert(Crate(id="1"), bad, Crate(id="2"))
    assert isinstance(caught.value.failures["Crate:bad"], InvalidValueError)
    assert sorted(await Crate.find_keys()) == ["Crate:1", "Crate:2"]


@pytest.mark.parametrize(
    "ratio", [4.177935922981086e-249, 0.1, 1.0, 5e-324, 1.7976931348623157e308]
)
async def test_inserted_numbers_are_exact(ratio: float) -> None:
    await Crate.insert(Crate(id="1", ratio=ratio), Crate(id="2", weight=2**63 - 1))
    assert (await Crate.get("1")).ratio == ratio
    assert (await Crate.get("2")).weight == 2**63 - 1


async def test_inserted_models_know_what_is_stored(client: Redis) -> None:
    crate = Crate(id="1", weight=1)
    await Crate.insert(crate)
    await client.execute_command("JSON.SET", "Crate:1", "$.weight", "50")
    crate.ratio = 2.5
    await crate.save_changes()
    assert await stored(client, "Crate:1") == {"id": "1", "weight": 50, "ratio": 2.5}


async def test_models_without_key_field_get_their_own_keys(client: Redis) -> None:
    models = [Loose(weight=n) for n in range(3)]
    assert await Loose.insert(*models) == [model.key for model in models]
    assert sorted(found.weight for found in await Loose.find()) == [0, 1, 2]


async def test_insert_takes_whole_documents_of_its_class_only(client: Redis) -> None:
    truck = await Truck(crate=Crate(id="1")).save()
    with pytest.raises(InvalidValueError, match="only whole documents"):
        await rapyer.insert(truck.crate)
    with pytest.raises(WrongModelError):
        await Crate.insert(Loose())  # type: ignore[arg-type]
    with pytest.raises(WrongModelError):
        await rapyer.insert("Crate:1")  # type: ignore[arg-type]
    changed = await Crate(id="2").save()
    changed.id = "3"
    with pytest.raises(InvalidValueError, match="key field"):
        await Crate.insert(changed)
    assert sorted(await client.keys()) == sorted([truck.key.encode(), b"Crate:2"])


async def test_package_level_insert_uses_the_client_and_ttl_of_each_model(
    rapyer_server: EmbeddedServer, client: Redis
) -> None:
    other = Redis(unix_socket_path=rapyer_server.address, db=3)
    Parcel.Meta.redis = other
    try:
        models = [Crate(id="1"), Parcel(id="1"), Loose(), Parcel(id="2")]
        assert len(await rapyer.insert(*models)) == 4
        assert await client.dbsize() == 2
        assert await other.dbsize() == 2
        assert await other.ttl("Parcel:2") > 0
        assert await client.ttl("Crate:1") == -1
        assert await rapyer.delete_many("Crate:1", models[1], "Parcel:2", models[2]) == 4
        assert await client.dbsize() == await other.dbsize() == 0
    finally:
        await other.aclose()
        Session.of(other).close_soon()


async def test_insert_inside_a_pipeline_is_part_of_it(client: Redis) -> None:
    crate = await Crate(id="1").save()
    async with crate.pipeline():
        await Crate.insert(Crate(id="2"), Crate(id="3"))
        assert await client.dbsize() == 1
        crate.weight = 9
    assert sorted(await Crate.find_keys()) == ["Crate:1", "Crate:2", "Crate:3"]
    with pytest.raises(PipelineError):
        async with crate.pipeline():
            await Crate.insert(Crate(id="4"), Crate(id="2"))
    assert await stored(client, "Crate:4") is None


async def test_two_inserts_of_the_same_documents_at_once_write_each_exactly_once(
    client: Redis,
) -> None:
    async def attempt(weight: int) -> dict[str, Exception]:
        try:
            await Crate.insert(*(Crate(id=str(n), weight=weight) for n in range(1000)))
        except BulkError as error:
            return error.failures
        return {}

    first, second = await asyncio.gather(attempt(1), attempt(2))
    assert len(first) + len(second) == 1000
    for crate in await Crate.find():
        assert crate.key in (second if crate.weight == 1 else first)


# -- lost connections --------------------------------------------------------------------------------


@pytest.fixture
async def cutting(rapyer_server: EmbeddedServer) -> AsyncIterator[Any]:
    """A proxy that all models talk through."""
    async with proxied(rapyer_server.address) as proxy:
        own = client_from_url(f"redis://127.0.0.1:{proxy.port}")
        for model in _MODELS:
            model.Meta.redis = own
        yield proxy
        await own.aclose()


async def test_insert_tells_what_is_unknown_and_what_was_not_sent(
    cutting: Any, client: Redis
) -> None:
    models = [Crate(id=str(n)) for n in range(1000)]
    cutting.cut_after = b"Crate:450"
    with pytest.raises(BulkError) as caught:
        await Crate.insert(*models)
    failures = caught.value.failures
    unknown = {key for key, error in failures.items() if isinstance(error, OutcomeUnknownError)}
    unsent = set(failures) - unknown
    assert unknown == {f"Crate:{n}" for n in range(400, 600)}
    assert unsent == {f"Crate:{n}" for n in range(600, 1000)}
    assert all(type(failures[key]) is ConnectionError for key in unsent)
    there = set(await client.keys())
    assert {f"Crate:{n}".encode() for n in range(400)} <= there
    assert not there & {key.encode() for key in unsent}


async def test_delete_by_keys_tells_what_is_unknown_and_what_was_not_sent(
    cutting: Any, client: Redis
) -> None:
    await store(client, {f"Barrel:{n}": {"id": str(n)} for n in range(30)})
    cutting.cut_after = b"Barrel:10"
    with pytest.raises(BulkError, match="7 documents were deleted, 23 failed") as caught:
        await Barrel.delete_many(*(f"Barrel:{n}" for n in range(30)))
    unknown = {k for k, e in caught.value.failures.items() if isinstance(e, OutcomeUnknownError)}
    assert unknown == {f"Barrel:{n}" for n in range(7, 14)}
    assert {key.encode() for key in set(caught.value.failures) - unknown} <= set(
        await client.keys()
    )


async def test_delete_by_expression_tells_what_is_unknown(cutting: Any, client: Redis) -> None:
    await store(client, {f"Barrel:{n}": {"id": str(n), "weight": n} for n in range(30)})
    cutting.cut_after = b"EVAL"
    with pytest.raises(BulkError) as caught:
        await Barrel.delete_many(Barrel.weight >= 0)
    assert len(caught.value.failures) == 7
    assert all(isinstance(e, OutcomeUnknownError) for e in caught.value.failures.values())


# -- deleting ----------------------------------------------------------------------------------------


async def test_delete_many_counts_what_was_there(client: Redis) -> None:
    await Crate.insert(*(Crate(id=str(n)) for n in range(2500)))
    crate = await Crate.get("3")
    assert await Crate.delete_many("Crate:0", "1", RapyerKey("Crate:2"), crate, "none", "1") == 4
    assert await client.dbsize() == 2496
    assert await Crate.delete_many(*(f"Crate:{n}" for n in range(3000))) == 2496
    assert await client.dbsize() == 0


async def test_nothing_is_deleted_without_conditions(client: Redis) -> None:
    await Crate(id="1").save()
    assert await Crate.delete_many() == 0
    assert await rapyer.delete_many() == 0
    assert await client.dbsize() == 1


async def test_delete_many_keeps_to_the_keys_of_its_class(client: Redis) -> None:
    await Crate(id="1").save()
    parcel = await Parcel(id="1").save()
    for wrong in ("Parcel:1", RapyerKey("Elsewhere:1"), parcel):
        with pytest.raises(WrongModelError):
            await Crate.delete_many("Crate:1", wrong)
    with pytest.raises(WrongModelError):
        await rapyer.delete_many("Crate:1", "Unheard:1")
    with pytest.raises(WrongModelError):
        await Crate.delete_many(Parcel.weight == 0)
    with pytest.raises(TypeError):
        await Crate.delete_many(True)
    assert await client.dbsize() == 2


async def test_delete_sends_no_more_keys_at_once_than_the_model_allows(client: Redis) -> None:
    await store(client, {f"Barrel:{n}": {"id": str(n)} for n in range(30)})
    await calls(client)
    assert await Barrel.delete_many(*(f"Barrel:{n}" for n in range(30))) == 30
    assert (await calls(client))["unlink"] == 5
    await store(client, {f"Barrel:{n}": {"id": str(n), "weight": n} for n in range(30)})
    await calls(client)
    assert await Barrel.delete_many(Barrel.weight >= 0) == 30
    sent = await calls(client)
    assert sent.get("evalsha", 0) + sent.get("eval", 0) >= 5


@pytest.mark.parametrize("indexed", [False, True])
async def test_delete_by_expression_deletes_exactly_what_matches(
    client: Redis, indexed: bool
) -> None:
    if indexed:
        await Barrel.create_index()
    await store(client, {f"Barrel:{n}": {"id": str(n), "weight": n} for n in range(1500)})
    await store(client, {"Crate:1": {"id": "1", "weight": 3}})
    assert await Barrel.delete_many(Barrel.weight < 1000, Barrel.weight != 3) == 999
    assert sorted(b.weight for b in await Barrel.find()) == [3, *range(1000, 1500)]
    assert await Barrel.delete_many("Barrel:3", "Barrel:1000", Barrel.weight == 3) == 1
    assert await rapyer.delete_many(Barrel.weight >= 0) == 500
    assert await client.keys() == [b"Crate:1"]


async def test_document_that_stops_matching_before_it_is_deleted_stays(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(client, {f"Crate:{n}": {"id": str(n), "weight": 1} for n in range(10)})
    original = Session.evalsha

    async def change_first(self: Session, *words: Any, **options: Any) -> Any:
        monkeypatch.setattr(Session, "evalsha", original)
        await client.execute_command("JSON.SET", "Crate:4", "$.weight", "2")
        await client.execute_command("JSON.SET", "Crate:5", "$.ratio", "0.5")
        await client.delete("Crate:6")
        return await original(self, *words, **options)

    monkeypatch.setattr(Session, "evalsha", change_first)
    assert await Crate.delete_many(Crate.weight == 1) == 8
    assert await client.keys() == [b"Crate:4"]


async def test_documents_that_fail_validation_are_reported_and_stay(client: Redis) -> None:
    await store(client, {"Crate:1": {"id": "1"}, "Crate:bad": {"weight": 0}})
    with pytest.raises(BulkError, match="1 documents were deleted, 1 failed") as caught:
        await Crate.delete_many(Crate.weight == 0)
    assert isinstance(caught.value.failures["Crate:bad"], DocumentError)
    assert await client.keys() == [b"Crate:bad"]
    assert await Crate.delete_many("Crate:bad") == 1


async def test_delete_many_inside_a_pipeline_is_refused(client: Redis) -> None:
    crate = await Crate(id="1").save()
    with pytest.raises(RapyerError, match="cannot be part of a pipeline"):
        async with crate.pipeline():
            await Crate.delete_many("Crate:1")
    with pytest.raises(RapyerError, match="cannot be part of a pipeline"):
        async with crate.pipeline():
            await rapyer.delete_many("Crate:1")
    assert await client.dbsize() == 1


async def test_both_names_of_every_call_work(client: Redis) -> None:
    assert await Crate.ainsert(Crate(id="1"), Crate(id="2")) == ["Crate:1", "Crate:2"]
    assert len(await Crate.afind()) == 2
    assert (await Crate.afind_one("1")) == Crate(id="1")
    assert len(await Crate.afind_keys()) == 2
    assert await Crate.adelete_many("1") == 1
    assert await rapyer.ainsert(Crate(id="3")) == ["Crate:3"]
    assert await rapyer.adelete_many("Crate:3") == 1
    assert await Barrel.acreate_index() is True


# -- clusters ----------------------------------------------------------------------------------------


@pytest.fixture
async def cluster(start_server: StartServer) -> AsyncIterator[Any]:
    made = [cluster_options() for _ in range(3)]
    nodes = [start_server(*options) for _, options in made]
    whole = Cluster(nodes, [port for port, _ in made])
    whole.join()
    own = client_from_url(whole.url)
    for model in _MODELS:
        model.Meta.redis = own
    yield own
    await own.aclose()


async def test_a_cluster_is_searched_and_changed_as_one_server(cluster: Any) -> None:
    keys = await Crate.insert(*(Crate(id=str(n), weight=n) for n in range(700)))
    await Parcel.insert(*(Parcel(id=str(n), weight=n) for n in range(300)))
    assert len(await Session.of(cluster).primaries()) == 3
    assert sorted(c.weight for c in await Crate.find()) == list(range(700))
    assert await Crate.find().count() == 700
    assert [c.weight for c in await Crate.find(*keys[::7])] == list(range(0, 700, 7))
    assert await Crate.find(Crate.weight >= 500).count() == 200
    assert await Crate.delete_many(Crate.weight >= 500) == 200
    assert await Crate.delete_many(*keys) == 500
    with pytest.raises(BulkError) as caught:
        await Parcel.insert(*(Parcel(id=str(n)) for n in range(290, 310)))
    assert set(caught.value.failures) == {f"Parcel:{n}" for n in range(290, 300)}
    assert await Parcel.find().count() == 310


async def test_a_cluster_is_scanned_rather_than_asked_for_an_index_that_misses_documents(
    cluster: Any,
) -> None:
    await Barrel.insert(*(Barrel(id=str(n), weight=n) for n in range(300)))
    with pytest.raises(ConfigurationError, match="over a cluster"):
        await Barrel.create_index()
    assert "over a cluster" in await Barrel.find(Barrel.weight >= 100).explain()
    assert await Barrel.find(Barrel.weight >= 100).count() == 200
