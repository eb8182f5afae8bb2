"""Indexes on a real server: created only when asked, never trusted too far, and answering as a scan does."""

from __future__ import annotations

import enum
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, StringConstraints, field_validator, model_validator
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, Index, Key, SafeLoad
from rapyer.connections import Session, client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.errors import (
    ConfigurationError,
    ExpressionError,
    IndexDefinitionError,
    MissingModuleError,
)
from rapyer.expressions.expression import Expression
from rapyer.keyspace import registry
from rapyer.search.index import has_index
from rapyer.search.index_fields import index_schema
from rapyer.types import RedisDatetimeTimestamp
from tests.conftest import StartServer


class Hue(enum.Enum):
    RED = "red"
    BLUE = "blue, and the rest"


class Rank(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Site(BaseModel):
    city: Index[str] = "nowhere"
    depth: Index[int] | None = None


class Stone(AtomicRedisModel):
    id: Key[str]
    name: Index[str] = "a"
    note: Index[str] | None = None
    weight: Index[int] = 0
    size: Index[float] | None = None
    tags: Index[list[str]] = []
    counts: Index[list[int]] = []
    hue: Index[Hue] = Hue.RED
    rank: Index[Rank] = Rank.LOW
    kind: Index[Literal["raw", "cut"]] = "raw"
    rare: Index[bool] = False
    serial: Index[uuid.UUID] | None = None
    found: Index[RedisDatetimeTimestamp] | None = None
    site: Site | None = None
    home: Site = Site(city="home")
    plain: str = ""
    safe: SafeLoad[Index[int]] = 3


class ScannedStone(AtomicRedisModel):
    """The same documents without an index."""

    id: Key[str]
    name: str = "a"
    note: str | None = None
    weight: int = 0
    size: float | None = None
    tags: list[str] = []
    counts: list[int] = []
    hue: Hue = Hue.RED
    rank: Rank = Rank.LOW
    kind: Literal["raw", "cut"] = "raw"
    rare: bool = False
    serial: uuid.UUID | None = None
    found: RedisDatetimeTimestamp | None = None
    site: Site | None = None
    home: Site = Site(city="home")
    plain: str = ""
    safe: SafeLoad[int] = 3

    @classmethod
    def class_key_initials(cls) -> str:
        return "Stone"


class Pebble(AtomicRedisModel):
    """Without an index."""

    weight: int = 0


@pytest.fixture(autouse=True)
def client(rapyer_redis: Redis) -> Iterator[Redis]:
    AtomicRedisModel.Meta.redis = rapyer_redis
    yield rapyer_redis
    AtomicRedisModel.Meta.redis = None


async def call(client: Redis, *words: Any) -> Any:
    return await Session.of(client).execute(*words, write=True)


async def store(client: Redis, documents: dict[str, Any]) -> None:
    items = list(documents.items())
    for start in range(0, len(items), 1000):
        commands = [("JSON.SET", k, "$", json.dumps(d)) for k, d in items[start : start + 1000]]
        replies = await Session.of(client).execute_many(commands, write=True)
        assert all(reply == b"OK" for reply in replies)


async def indexes(client: Redis) -> list[str]:
    return sorted(name.decode() for name in await call(client, "FT._LIST"))


async def build(model: type[AtomicRedisModel] = Stone) -> None:
    """Create the index of ``model`` anew and wait until it is complete."""
    await model.create_index(rebuild=True)

    async def built() -> bool:
        return "is being built" not in await model.find(_anything(model)).explain()

    for _ in range(10_000):
        if await built():
            return
    raise AssertionError("the index was never built")


def _anything(model: Any) -> Expression:
    expression: Expression = model.weight == 1
    return expression


async def same_either_way(expression: Expression) -> list[str]:
    """The pks that match, by index; checked against the scan and against plain Python."""
    assert (await Stone.find(expression).explain()).startswith("index:"), expression
    by_index = sorted([s.id async for s in Stone.find(expression)])
    everything = await ScannedStone.find()
    assert by_index == sorted(s.id for s in everything if expression.matches(s)), expression
    return by_index


# -- creating ----------------------------------------------------------------------------------------


async def test_index_is_created_only_when_asked(client: Redis) -> None:
    await rapyer.init_rapyer(client)
    await Stone(id="1", weight=1).save()
    await Stone.find(Stone.weight == 1)
    assert await indexes(client) == []
    assert await Stone.create_index() is True
    assert await indexes(client) == ["rapyer:idx:Stone"]


async def test_init_rapyer_creates_the_indexes_of_models_that_have_one(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "models", lambda: [Stone, Pebble])
    await rapyer.init_rapyer(client, create_indexes=True)
    assert await indexes(client) == ["rapyer:idx:Stone"]
    await rapyer.init_rapyer(client, create_indexes=True)


async def test_existing_index_is_left_alone(client: Redis) -> None:
    await Stone.create_index()
    before = await call(client, "FT.INFO", "rapyer:idx:Stone")
    assert await Stone.create_index() is False
    assert (await call(client, "FT.INFO", "rapyer:idx:Stone"))[b"attributes"] == before[
        b"attributes"
    ]


async def test_changed_definition_is_reported_and_not_rebuilt(client: Redis) -> None:
    await call(
        client,
        *("FT.CREATE", "rapyer:idx:Stone", "ON", "JSON", "PREFIX", "1", "Stone:"),
        *("SCHEMA", "$.name", "AS", "name", "TAG", "$.old", "AS", "old", "NUMERIC"),
    )
    before = await call(client, "FT.INFO", "rapyer:idx:Stone")
    with pytest.raises(IndexDefinitionError) as caught:
        await Stone.create_index()
    message = str(caught.value)
    assert "rapyer:idx:Stone" in message
    assert "it lacks $.weight as NUMERIC" in message
    assert "it also has $.old as NUMERIC" in message
    assert "create_index(rebuild=True)" in message
    after = await call(client, "FT.INFO", "rapyer:idx:Stone")
    assert after[b"attributes"] == before[b"attributes"]
    # and it is not used meanwhile
    await store(client, {"Stone:1": {"id": "1", "weight": 5}})
    assert "another definition" in await Stone.find(Stone.weight == 5).explain()
    assert [s.id for s in await Stone.find(Stone.weight == 5)] == ["1"]


async def test_other_prefix_or_kind_is_another_definition(client: Redis) -> None:
    await Stone.create_index()
    await call(client, "FT.DROPINDEX", "rapyer:idx:Stone")
    await call(
        client,
        *("FT.CREATE", "rapyer:idx:Stone", "ON", "HASH", "PREFIX", "1", "Pebble:"),
        *("SCHEMA", "name", "TAG"),
    )
    with pytest.raises(
        IndexDefinitionError, match="covers HASH under Pebble: instead of JSON under Stone:"
    ):
        await Stone.create_index()


async def test_rebuild_replaces_the_index_and_keeps_the_documents(client: Redis) -> None:
    await call(
        client,
        *("FT.CREATE", "rapyer:idx:Stone", "ON", "JSON", "PREFIX", "1", "Stone:"),
        *("SCHEMA", "$.name", "AS", "name", "TAG"),
    )
    await store(client, {"Stone:1": {"id": "1", "weight": 5}})
    await build()
    assert await same_either_way(Stone.weight == 5) == ["1"]


async def test_model_without_usable_fields_says_why() -> None:
    class Bare(AtomicRedisModel):
        a: int = 0

    class Priced(AtomicRedisModel):
        price: Index[complex] = 1j

    assert not has_index(Bare)
    assert has_index(Priced)
    with pytest.raises(ConfigurationError, match="Bare has no Index fields"):
        await Bare.create_index()
    with pytest.raises(
        ConfigurationError, match=r"price: an index cannot answer exactly for complex"
    ):
        await Priced.create_index()


async def test_names_in_the_index_are_distinct_and_models_inside_themselves_are_left_out() -> None:
    class Inner(BaseModel):
        b: Index[int] = 0

    class Odd(AtomicRedisModel):
        field1: Index[int] = 0
        größe: Index[int] = 0
        a__b: Index[int] = 0
        a: Inner = Inner()
        parent: Odd | None = None
        left: Odd | None = None

    Odd.model_rebuild(_types_namespace={"Odd": Odd, "Inner": Inner})
    fields = index_schema(Odd).fields
    assert list(fields) == [("field1",), ("größe",), ("a__b",), ("a", "b")]
    assert len({field.alias for field in fields.values()}) == 4
    await Odd.create_index()
    await Odd(größe=3, a__b=1, a=Inner(b=2)).save()
    assert await Odd.find((Odd.größe == 3) & (Odd.a__b == 1) & (Odd.a.b == 2)).count() == 1


async def test_server_without_search_module_is_one_clear_error(start_server: StartServer) -> None:
    server = start_server()
    own = client_from_url(f"unix://{server.socket}")
    AtomicRedisModel.Meta.redis = own
    try:
        with pytest.raises(MissingModuleError, match="search"):
            await Stone.create_index()
        await Stone(id="1", weight=5).save()
        assert [s.id for s in await Stone.find(Stone.weight == 5)] == ["1"]
        assert "no search module" in await Stone.find(Stone.weight == 5).explain()
    finally:
        await own.aclose()
        Session.of(own).close_soon()


async def test_other_database_is_never_answered_by_the_index_of_database_0(
    rapyer_server: EmbeddedServer, client: Redis
) -> None:
    await build()
    await Stone(id="zero", weight=5).save()
    own = Redis(unix_socket_path=rapyer_server.address, db=3)
    AtomicRedisModel.Meta.redis = own
    try:
        with pytest.raises(ConfigurationError, match="database 0"):
            await Stone.create_index()
        await Stone(id="three", weight=5).save()
        assert [s.id for s in await Stone.find(Stone.weight == 5)] == ["three"]
        assert "only database 0" in await Stone.find(Stone.weight == 5).explain()
    finally:
        await own.aclose()
        Session.of(own).close_soon()


# -- exact ---------------------------------------------------------------------------------------------

_PLAIN = (
    " §a§A§ a§a §a b§a,b§a|b§a;b§a-b§a.b§a:b§a/b§a\\§"
    "\\§the§and§or§not§is§null§None§true§*§a*§?§%a%§~a§"
    "@name:{a}§{a}§}§a} | @name:{b§$p0§$a§'§\"§''§()§[1 2]§-a§=>§ismissing(@note)§"
    "1§1.0§-1§+inf§isoformat"
)
_HOSTILE = [
    *_PLAIN.split("§"),
    *(
        "",
        "a\nb",
        "a\tb",
        "\t",
        "\n",
        "é",
        "É",
        "é",
        "日本語",
        "😀",
        "\u200b",
        "\xa0",
        "ß",
        "\u0131",
        "a\x00b",
        "\x00",
        "a\x00",
    ),
    *("x" * n for n in (127, 128, 999, 1000, 1001, 5000)),
    *("x" * 5000 + "y", "a" + " " * 50 + "b"),
]


async def test_hostile_texts_match_exactly_themselves(client: Redis) -> None:
    await build()
    texts = {f"{n}": text for n, text in enumerate(_HOSTILE)}
    await store(
        client,
        {
            f"Stone:{n}": {"id": n, "name": text, "note": text, "tags": [text, "other"]}
            for n, text in texts.items()
        },
    )
    for number, text in texts.items():
        for expression in (Stone.name == text, Stone.note == text, Stone.tags.contains(text)):
            assert [s.id for s in await Stone.find(expression)] == [number], (expression, text)
        assert await Stone.find(Stone.name != text).count() == len(texts) - 1
    several = await Stone.find(Stone.name.in_(["a", "", "the", "}", "a\0b"]))
    assert sorted(s.name for s in several) == ["", "a", "a\0b", "the", "}"]


async def test_none_and_empty_match_exactly(client: Redis) -> None:
    await build()
    await store(
        client,
        {
            "Stone:none": {"id": "none", "note": None, "size": None, "site": None},
            "Stone:empty": {"id": "empty", "note": "", "size": 0, "site": {"city": ""}},
            "Stone:old": {"id": "old"},
            "Stone:word": {"id": "word", "note": "None", "size": 1.5, "site": {"city": "None"}},
        },
    )

    async def pks(expression: Expression) -> list[str]:
        everything = await ScannedStone.find()
        found = sorted(s.id for s in await Stone.find(expression))
        assert found == sorted(s.id for s in everything if expression.matches(s))
        return found

    assert await pks(Stone.note == None) == ["none", "old"]  # noqa: E711
    assert await pks(Stone.note.in_([None, "None"])) == ["none", "old", "word"]
    assert await pks(Stone.note == "") == ["empty"]
    assert await pks(Stone.note == "None") == ["word"]
    assert await pks(Stone.size == None) == ["none", "old"]  # noqa: E711
    assert await pks(Stone.size == 0) == ["empty"]
    assert await pks(Stone.site.city == "") == ["empty"]
    assert await pks(Stone.site.city == None) == ["none", "old"]  # noqa: E711
    assert await pks(Stone.note != "None") == ["empty", "none", "old"]
    assert await pks(~(Stone.size > 0)) == ["empty", "none", "old"]


async def test_document_of_an_older_model_matches_by_its_defaults(client: Redis) -> None:
    await build()
    await store(client, {"Stone:old": {"id": "old"}})
    for expression in (
        Stone.name == "a",
        Stone.weight <= 0,
        Stone.hue == Hue.RED,
        Stone.rank == Rank.LOW,
        Stone.kind == "raw",
        Stone.rare == False,  # noqa: E712
        Stone.home.city == "home",
    ):
        assert await same_either_way(expression) == ["old"]


async def test_numbers_beyond_doubles_match_exactly(client: Redis) -> None:
    await build()
    numbers = [2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**63 - 1, 2**63 - 2, -(2**63), -(2**63) + 1]
    await store(client, {f"Stone:{n}": {"id": str(n), "weight": n} for n in numbers})
    for number in numbers:
        assert await same_either_way(Stone.weight == number) == [str(number)]
        more = await same_either_way(Stone.weight > number)
        assert sorted(map(int, more)) == sorted(n for n in numbers if n > number)
    assert await same_either_way(Stone.weight > 10**400) == []
    assert len(await same_either_way(Stone.weight < 10**400)) == len(numbers)
    assert len(await same_either_way(Stone.weight > float("-inf"))) == len(numbers)
    assert await Stone.find(Stone.weight == float("nan")) == []


async def test_uuid_matches_however_it_was_written(client: Redis) -> None:
    await build()
    serial = uuid.uuid4()
    spellings = [str(serial), str(serial).upper(), serial.hex, f"{{{serial}}}", serial.urn]
    await store(
        client, {f"Stone:{n}": {"id": str(n), "serial": s} for n, s in enumerate(spellings)}
    )
    assert len(await same_either_way(Stone.serial == serial)) == len(spellings)
    assert await same_either_way(Stone.serial == uuid.uuid4()) == []


async def test_flag_matches_however_it_was_written(client: Redis) -> None:
    await build()
    spellings = [True, False, "true", "yes", "no", "on", "off", "TRUE", "f", "t", "n", "y"]
    await store(client, {f"Stone:{n}": {"id": str(n), "rare": s} for n, s in enumerate(spellings)})
    assert len(await same_either_way(Stone.rare == True)) == 7  # noqa: E712
    assert len(await same_either_way(Stone.rare == False)) == 5  # noqa: E712
    assert len(await same_either_way(Stone.rare != False)) == 7  # noqa: E712


async def test_timestamps_match_exactly(client: Redis) -> None:
    await build()
    start = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
    times = [start + timedelta(microseconds=n) for n in range(-3, 4)]
    await Stone.insert(*(Stone(id=str(n), found=time) for n, time in enumerate(times)))
    assert await same_either_way(Stone.found == start) == ["3"]
    assert await same_either_way(Stone.found > start) == ["4", "5", "6"]
    assert await same_either_way(Stone.found <= start) == ["0", "1", "2", "3"]
    await store(client, {"Stone:fine": {"id": "fine", "found": start.timestamp() + 0.0000004}})
    assert await same_either_way(Stone.found == start) == ["3", "fine"]
    assert "fine" in await same_either_way(Stone.found <= start)
    naive = Stone.found > datetime(2024, 1, 1)  # noqa: DTZ001
    for condition in (naive, ~naive):
        with pytest.raises(ExpressionError, match="has none"):
            await Stone.find(condition)


async def test_value_that_only_loads_as_none_is_found_as_none(client: Redis) -> None:
    await build()
    await store(client, {"Stone:1": {"id": "1", "safe": 2**70}, "Stone:2": {"id": "2", "safe": 3}})
    assert [s.id for s in await Stone.find(~(Stone.safe > 1))] == ["1"]
    await store(client, {"Stone:3": {"id": "3", "safe": "many"}})
    assert sorted(s.id for s in await Stone.find(Stone.safe == None)) == ["1", "3"]  # noqa: E711
    assert [s.id for s in await Stone.find(Stone.safe == 3)] == ["2"]


# -- never trusted too far -----------------------------------------------------------------------------


async def test_index_that_could_not_hold_a_document_is_not_trusted(client: Redis) -> None:
    await build()
    await store(
        client, {"Stone:1": {"id": "1", "weight": 30}, "Stone:2": {"id": "2", "weight": "30"}}
    )
    search = Stone.find(Stone.weight == 30)
    assert "could not hold 1 documents" in await search.explain()
    assert sorted(s.id for s in await search) == ["1", "2"]
    await store(client, {"Stone:2": {"id": "2", "weight": 30}})
    await build()
    assert await same_either_way(Stone.weight == 30) == ["1", "2"]


async def test_index_that_is_being_built_is_not_trusted(client: Redis) -> None:
    await store(client, {f"Stone:{n}": {"id": str(n), "weight": 1} for n in range(20_000)})
    await Stone.create_index()
    explained = await Stone.find(Stone.weight == 1).explain()
    assert await Stone.find(Stone.weight == 1).count() == 20_000
    assert "is being built" in explained


class Scribe(AtomicRedisModel):
    id: Key[str]
    weight: Index[int] = 0
    lowered: Index[Annotated[str, StringConstraints(to_lower=True)]] = ""
    trimmed: Annotated[Index[str], BeforeValidator(str.strip)] = ""
    checked: Index[str] = ""

    @field_validator("checked")
    @classmethod
    def _reversed(cls, value: str) -> str:
        return value[::-1]


async def test_fields_that_change_when_they_are_loaded_are_not_answered_by_the_index(
    client: Redis,
) -> None:
    await Scribe.create_index()
    stored = {"id": "1", "weight": 1, "lowered": "ABC", "trimmed": " x ", "checked": "abc"}
    await store(client, {"Scribe:1": stored})
    for expression in (Scribe.lowered == "abc", Scribe.trimmed == "x", Scribe.checked == "cba"):
        assert (await Scribe.find(expression).explain()).startswith("scan:")
        assert [s.id for s in await Scribe.find(expression)] == ["1"]
    both = (Scribe.weight == 1) & (Scribe.checked == "cba")
    assert (await Scribe.find(both).explain()).startswith("index:")
    assert [s.id for s in await Scribe.find(both)] == ["1"]


async def test_model_that_rewrites_documents_before_loading_has_no_usable_index(
    client: Redis,
) -> None:
    class Moved(AtomicRedisModel):
        id: Key[str]
        weight: Index[int] = 0

        @model_validator(mode="before")
        @classmethod
        def _rename(cls, data: Any) -> Any:
            if isinstance(data, dict) and "mass" in data:
                data = {**data, "weight": data.pop("mass")}
            return data

    await store(client, {"Moved:1": {"id": "1", "mass": 7}})
    with pytest.raises(ConfigurationError, match="model validator of Moved"):
        await Moved.create_index()
    assert [m.id for m in await Moved.find(Moved.weight == 7)] == ["1"]


async def test_search_for_which_the_index_is_lost_goes_on_as_a_scan(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await build()
    await store(client, {f"Stone:{n}": {"id": str(n), "weight": 1} for n in range(3000)})
    found = []
    async for stone in Stone.find(Stone.weight == 1):
        if not found:
            await call(client, "FT.DROPINDEX", "rapyer:idx:Stone")
        found.append(stone.id)
    assert len(found) == len(set(found)) == 3000


async def test_server_that_caps_results_does_not_cap_ours(client: Redis) -> None:
    await build()
    await store(client, {f"Stone:{n}": {"id": str(n), "weight": 1} for n in range(300)})
    await call(client, "FT.CONFIG", "SET", "MAXAGGREGATERESULTS", "100")
    try:
        assert await Stone.find(Stone.weight == 1).count() == 300
    finally:
        await call(client, "FT.CONFIG", "SET", "MAXAGGREGATERESULTS", "-1")


# -- however many ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [11, 1001, 10_500])
async def test_all_matches_come_back_however_many(client: Redis, count: int) -> None:
    await build()
    await store(
        client,
        {f"Stone:{n}": {"id": str(n), "weight": n, "tags": ["x"]} for n in range(count + 1)},
    )
    for expression in (Stone.weight > 0, Stone.tags.contains("x") & (Stone.weight > 0)):
        search = Stone.find(expression)
        assert (await search.explain()).startswith("index:")
        assert sorted(s.weight for s in await search) == list(range(1, count + 1))
        assert await search.count() == count
    page = await Stone.find(Stone.weight > 0, sort="-weight", limit=5, offset=3)
    assert [s.weight for s in page] == [count - 3 - n for n in range(5)]


async def test_writes_during_a_search_cut_nothing_off(client: Redis) -> None:
    await build()
    await store(
        client, {f"Stone:{n}": {"id": str(n), "weight": n % 100 + 1} for n in range(10_000)}
    )
    found = set()
    async for stone in Stone.find(Stone.weight > 0):
        found.add(stone.id)
        if len(found) % 500 == 1:
            changed = {
                f"Stone:{n}": {"id": str(n), "weight": n * 7 + len(found)}
                for n in range(1, 10_000, 37)
            }
            await store(client, changed)
    assert len(found) == 10_000


async def test_stopping_early_frees_the_cursor(client: Redis) -> None:
    await build()
    await store(client, {f"Stone:{n}": {"id": str(n), "weight": 1} for n in range(3000)})
    for _ in range(200):
        assert await Stone.find_one(Stone.weight == 1) is not None
    info = await call(client, "FT.INFO", "rapyer:idx:Stone")
    assert info[b"cursor_stats"][b"index_total"] == 0


async def test_search_by_index_reads_only_candidates(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await build()
    await store(client, {f"Stone:{n}": {"id": str(n), "weight": n} for n in range(2000)})
    await client.config_resetstat()
    assert [s.id for s in await Stone.find(Stone.weight == 7)] == ["7"]
    info: Any = await client.info("commandstats")
    calls = {name.removeprefix("cmdstat_").lower(): entry["calls"] for name, entry in info.items()}
    assert "scan" not in calls
    assert calls["json.mget"] == 1


@pytest.mark.parametrize("options", [{"protocol": 2}, {"protocol": 3}, {"decode_responses": True}])
async def test_clients_of_every_kind_use_the_index(
    rapyer_server: EmbeddedServer, client: Redis, options: dict[str, Any]
) -> None:
    await build()
    await store(client, {f"Stone:{n}": {"id": str(n), "weight": n} for n in range(2500)})
    own = Redis(unix_socket_path=rapyer_server.address, **options)
    AtomicRedisModel.Meta.redis = own
    try:
        assert await Stone.create_index() is False
        search = Stone.find(Stone.weight >= 300)
        assert (await search.explain()).startswith("index:")
        assert await search.count() == 2200
    finally:
        await own.aclose()
        Session.of(own).close_soon()


# -- against a scan and against Python -----------------------------------------------------------------

_WORDS = st.one_of(st.sampled_from(_HOSTILE[:50]), st.text(max_size=3))
_NUMBERS = st.one_of(
    st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1), st.sampled_from([2**53, 2**53 + 1])
)
_FLOATS = st.one_of(
    st.integers(-3, 3).map(float), st.floats(allow_nan=False, allow_infinity=False), st.just(-0.0)
)
_TIMES = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001
    datetime(2500, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
_SERIALS = st.sampled_from([uuid.UUID(int=n) for n in range(3)])
_SITES = st.fixed_dictionaries({}, optional={"city": _WORDS, "depth": st.none() | _NUMBERS})
_DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "name": _WORDS,
        "note": st.none() | _WORDS,
        "weight": _NUMBERS,
        "size": st.none() | _FLOATS,
        "tags": st.lists(_WORDS, max_size=3),
        "counts": st.lists(_NUMBERS, max_size=3),
        "hue": st.sampled_from([hue.value for hue in Hue]),
        "rank": st.sampled_from([1, 2]),
        "kind": st.sampled_from(["raw", "cut"]),
        "rare": st.booleans(),
        "serial": st.none() | _SERIALS.map(str),
        "found": st.none() | _TIMES.map(datetime.timestamp),
        "site": st.none() | _SITES,
        "home": _SITES,
        "plain": _WORDS,
    },
)


def _compared(field: Any, values: st.SearchStrategy[Any], ordered: bool) -> st.SearchStrategy[Any]:
    signs = ["__eq__", "__ne__", *(["__lt__", "__le__", "__gt__", "__ge__"] if ordered else [])]
    return st.one_of(
        st.builds(lambda sign, value: getattr(field, sign)(value), st.sampled_from(signs), values),
        st.lists(values, max_size=3).map(field.in_),
    )


_LEAVES = st.one_of(
    _compared(Stone.name, _WORDS, True),
    _compared(Stone.note, _WORDS, False),
    st.sampled_from([Stone.note == None, Stone.note != None, Stone.size == None]),  # noqa: E711
    _WORDS.map(lambda word: Stone.name.startswith(word)),
    _WORDS.map(lambda word: Stone.name.contains(word)),
    _compared(Stone.weight, _NUMBERS | _FLOATS, True),
    _compared(Stone.size, _NUMBERS | _FLOATS, True),
    _WORDS.map(lambda word: Stone.tags.contains(word)),
    _NUMBERS.map(lambda number: Stone.counts.contains(number)),
    _compared(Stone.hue, st.sampled_from(list(Hue)), False),
    _compared(Stone.rank, st.sampled_from(list(Rank)), True),
    _compared(Stone.kind, st.sampled_from(["raw", "cut"]), True),
    _compared(Stone.rare, st.booleans(), False),
    _compared(Stone.serial, _SERIALS, True),
    _compared(Stone.found, _TIMES, True),
    _compared(Stone.site.city, _WORDS, True),
    _compared(Stone.site.depth, _NUMBERS, True),
    _compared(Stone.home.city, _WORDS | st.just("home"), False),
    _compared(Stone.plain, _WORDS, True),
)
_EXPRESSIONS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        inner.map(lambda a: ~a),
    ),
    max_leaves=5,
)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    documents=st.lists(_DOCUMENTS, min_size=1, max_size=12),
    expressions=st.lists(_EXPRESSIONS, min_size=5, max_size=10),
)
async def test_index_scan_and_python_agree(
    client: Redis, documents: list[dict[str, Any]], expressions: list[Expression]
) -> None:
    await client.flushall()
    await build()
    await store(client, {f"Stone:{n}": {"id": str(n), **d} for n, d in enumerate(documents)})
    everything = await ScannedStone.find()
    by_index = 0
    for expression in expressions:
        search = Stone.find(expression)
        by_index += (await search.explain()).startswith("index:")
        expected = sorted(stone.id for stone in everything if expression.matches(stone))
        assert sorted([stone.id async for stone in search]) == expected
        assert await search.count() == len(expected)
