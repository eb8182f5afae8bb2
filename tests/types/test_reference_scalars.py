"""The reference's RedisStr, RedisInt, RedisBytes and RedisDatetime, and what all types have in common."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel
from rapyer.errors import KeyNotFound
from rapyer.types import (
    RedisBytes,
    RedisDatetime,
    RedisDict,
    RedisFloat,
    RedisInt,
    RedisList,
    RedisStr,
)
from tests.conftest import Stored


class User(AtomicRedisModel):
    name: str
    email: str = "john@example.com"


class Counter(AtomicRedisModel):
    count: int
    views: int = 0


class BlogPost(AtomicRedisModel):
    title: str
    views: int = 0
    likes: int = 0
    created_at: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    published_at: datetime = None  # type: ignore[assignment]


class Image(AtomicRedisModel):
    name: str
    data: bytes
    metadata: bytes = b""


class Event(AtomicRedisModel):
    name: str
    created_at: datetime
    updated_at: datetime = None  # type: ignore[assignment]


class Theme(AtomicRedisModel):
    theme: str = "light"


class Everything(AtomicRedisModel):
    text: str = "text"
    number: int = 1
    ratio: float = 0.5
    data: bytes = b"data"
    timestamp: datetime = datetime(2024, 2, 29, 12, tzinfo=UTC)
    tags: list[str] = ["a"]
    settings: dict[str, str] = {"theme": "dark"}
    scores: list[int] = [1]
    metadata: dict[str, Any] = {"k": 1}


class Outer(AtomicRedisModel):
    settings: Theme = Theme()


LIVE = {
    "text": (RedisStr, str),
    "number": (RedisInt, int),
    "ratio": (RedisFloat, float),
    "data": (RedisBytes, bytes),
    "timestamp": (RedisDatetime, datetime),
    "tags": (RedisList, list),
    "settings": (RedisDict, dict),
    "scores": (RedisList, list),
    "metadata": (RedisDict, dict),
}
CHANGED = {
    "text": "other",
    "number": 7,
    "ratio": 2.5,
    "data": b"\x00\xff",
    "timestamp": datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "tags": ["x", "y"],
    "settings": {"lang": "en"},
    "scores": [],
    "metadata": {},
}


# -- common properties -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LIVE)
def test_annotation_becomes_the_redis_type_and_stays_its_builtin(name: str) -> None:
    live_type, builtin = LIVE[name]
    value = getattr(Everything(), name)
    assert isinstance(value, live_type)
    assert isinstance(value, builtin)
    assert value == Everything.model_fields[name].default


@pytest.mark.parametrize("name", LIVE)
def test_every_type_has_the_common_properties(name: str, redis: Redis) -> None:
    model = Everything()
    value = getattr(model, name)
    assert value.redis is redis
    assert value.client is redis
    assert value.key == model.key == f"Everything:{model.pk}"
    assert value.field_path == name
    assert value.json_path == f"$.{name}"


@pytest.mark.parametrize("name", LIVE)
async def test_client_is_the_batch_inside_a_pipeline(name: str, redis: Redis) -> None:
    model = await Everything().save()
    async with rapyer.pipeline(model) as batch:
        assert getattr(model, name).client is batch
        assert getattr(model, name).redis is redis
    assert getattr(model, name).client is redis


def test_paths_of_a_nested_field_are_full() -> None:
    outer = Outer()
    assert outer.settings.theme.field_path == "settings.theme"
    assert outer.settings.theme.json_path == "$.settings.theme"
    assert outer.settings.theme.key == outer.key


@pytest.mark.parametrize("name", LIVE)
async def test_save_of_a_field_writes_that_field_only(name: str, stored: Stored) -> None:
    model = await Everything().save()
    before = await stored(model)
    for other, value in CHANGED.items():
        setattr(model, other, value)
    returned = await getattr(model, name).save()
    assert returned == CHANGED[name]
    after = await stored(model)
    assert after.pop(name) != before.pop(name)
    assert after == before
    assert getattr(await Everything.get(model.key), name) == CHANGED[name]


@pytest.mark.parametrize("name", LIVE)
async def test_load_of_a_field_reads_the_latest_value(name: str, stored: Stored) -> None:
    model = await Everything().save()
    other = await Everything.get(model.key)
    setattr(other, name, CHANGED[name])
    await other.save()
    assert getattr(model, name) != CHANGED[name]
    loaded = await getattr(model, name).load()
    assert loaded == CHANGED[name]
    assert isinstance(loaded, LIVE[name][0])
    assert getattr(model, name) == CHANGED[name]
    untouched = {n: getattr(model, n) for n in LIVE if n != name}
    assert untouched == {n: getattr(Everything(), n) for n in LIVE if n != name}


@pytest.mark.parametrize("name", LIVE)
async def test_load_where_no_document_is_raises_key_not_found(name: str) -> None:
    model = Everything()
    before = model.model_dump()
    with pytest.raises(KeyNotFound):
        await getattr(model, name).load()
    with pytest.raises(KeyNotFound):
        await getattr(model, name).save()
    assert model.model_dump() == before


@pytest.mark.parametrize("name", LIVE)
async def test_load_where_the_path_is_gone_raises_key_not_found(name: str, redis: Redis) -> None:
    model = await Everything().save()
    await redis.execute_command("JSON.DEL", model.key, f"$.{name}")
    before = model.model_dump()
    with pytest.raises(KeyNotFound):
        await getattr(model, name).load()
    assert model.model_dump() == before


@pytest.mark.parametrize("name", LIVE)
async def test_both_spellings_of_save_and_load(name: str) -> None:
    model = await Everything().asave()
    setattr(model, name, CHANGED[name])
    await getattr(model, name).asave()
    setattr(model, name, LIVE[name][1](getattr(Everything(), name)) if name != "timestamp" else 0)
    assert await getattr(model, name).aload() == CHANGED[name]


@pytest.mark.parametrize("name", LIVE)
def test_clone_is_a_native_copy(name: str) -> None:
    value = getattr(Everything(), name)
    clone = value.clone()
    assert type(clone) is LIVE[name][1]
    assert clone == value


# -- RedisStr ----------------------------------------------------------------------------------------


async def test_str_example(stored: Stored) -> None:
    user = User(name="John", email="john@example.com")
    await user.save()
    assert await stored(user) == {"name": "John", "email": "john@example.com"}
    assert user.name.upper() == "JOHN"
    assert user.name.startswith("J")
    user.name = "Jane"
    user.email = "not saved"
    await user.name.save()
    assert await stored(user) == {"name": "Jane", "email": "john@example.com"}
    user.name = "local only"
    await user.name.load()
    assert user.name == "Jane"


def test_str_clone_example() -> None:
    native = User(name="John Doe").name.clone()
    assert native == "John Doe"
    assert type(native) is str


# -- RedisInt ----------------------------------------------------------------------------------------


async def test_int_increase_example(stored: Stored) -> None:
    counter = Counter(count=5)
    await counter.save()
    assert await counter.count.increase() == 6
    assert counter.count == 6
    assert await counter.count.increase(10) == 16
    assert counter.count == 16
    assert await stored(counter) == {"count": 16, "views": 0}
    assert await counter.count.aincrease(-1) == 15


async def test_int_increase_adds_to_what_the_server_has() -> None:
    counter = await Counter(count=5).save()
    other = await Counter.get(counter.key)
    await other.count.increase(100)
    assert await counter.count.increase() == 106
    assert counter.count == 106


async def test_int_example(stored: Stored) -> None:
    post = BlogPost(title="My Blog Post")
    await post.save()
    await post.views.increase()
    await post.likes.increase(5)
    assert post.views + post.likes == 6
    assert (post.views > 1000) is False
    document = await stored(post)
    assert (document["views"], document["likes"]) == (1, 5)


def test_int_clone_is_native() -> None:
    assert type(Counter(count=5).count.clone()) is int


# -- RedisBytes --------------------------------------------------------------------------------------


async def test_bytes_example(stored: Stored, tmp_path: Path) -> None:
    file = tmp_path / "image.png"
    file.write_bytes(bytes(range(256)) * 3)
    image = Image(name="profile.png", data=file.read_bytes())
    await image.save()
    document = await stored(image)
    assert base64.b64decode(document["data"], validate=True) == bytes(range(256)) * 3
    assert document["metadata"] == ""
    await image.load()
    assert len(image.data) == 768
    assert image.data == bytes(range(256)) * 3
    assert type(image.data.clone()) is bytes


# -- RedisDatetime -----------------------------------------------------------------------------------


async def test_datetime_example(stored: Stored) -> None:
    now = datetime.now(UTC)
    post = BlogPost(title="My Post", created_at=now)
    await post.save()
    assert (await stored(post))["created_at"] == now.isoformat()
    assert (await stored(post))["published_at"] is None
    assert (datetime.now(UTC) - post.created_at).days < 7
    post.published_at = now
    await post.save()
    assert (await BlogPost.get(post.key)).published_at == now


def test_datetime_constructor_keeps_zone_microseconds_and_fold() -> None:
    moment = datetime(2024, 10, 27, 2, 30, 0, 123456, timezone(timedelta(hours=5.5)), fold=1)
    made = RedisDatetime(moment)
    assert made == moment
    assert (made.tzinfo, made.microsecond, made.fold) == (moment.tzinfo, 123456, 1)
    assert type(made.clone()) is datetime
    assert made.clone().isoformat() == moment.isoformat()


async def test_datetime_default_of_none_is_optional(stored: Stored) -> None:
    event = await Event(name="e", created_at=datetime(2024, 1, 1)).save()  # noqa: DTZ001
    assert event.updated_at is None
    assert await stored(event) == {
        "name": "e",
        "created_at": "2024-01-01T00:00:00",
        "updated_at": None,
    }
    assert await Event.get(event.key) == event


# -- errors ------------------------------------------------------------------------------------------


async def test_connection_error_when_the_server_is_unavailable(tmp_path: Path) -> None:
    from rapyer.connections import client_from_url

    AtomicRedisModel.Meta.redis = client = client_from_url(f"unix://{tmp_path}/nobody")
    counter = Counter(count=1)
    with pytest.raises(ConnectionError):
        await counter.save()
    with pytest.raises(ConnectionError):
        await counter.count.increase()
    assert counter.count == 1
    await client.aclose()


async def test_value_error_for_invalid_values(stored: Stored) -> None:
    counter = await Counter(count=1).save()
    with pytest.raises(ValueError, match="valid integer"):
        counter.count = "many"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="valid integer"):
        await counter.aupdate(count="many")
    assert counter.count == 1
    assert await stored(counter) == {"count": 1, "views": 0}
