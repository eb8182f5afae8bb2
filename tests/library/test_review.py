"""Promises of the library that a review found broken, each with the case that broke it."""
# ruff: noqa: PT012 - a lock is lost inside its block

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
    create_model,
    model_validator,
)
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.config import RedisConfig
from rapyer.connections import client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.errors import (
    ConfigurationError,
    InvalidValueError,
    LockError,
    ModelDefinitionError,
    OutcomeUnknownError,
)
from rapyer.fields import Key
from rapyer.types import RedisFloat, RedisInt
from tests.servers import proxied, until

Stored = Callable[..., Awaitable[Any]]


class Inner(BaseModel):
    labels: set[str] = set()


# -- fields ------------------------------------------------------------------------------------------


class Price(AtomicRedisModel):
    amount: float = 0
    limit: float | None = 1
    rates: list[float] = [1, 2]
    by_name: dict[str, float] = {"a": 1}


async def test_a_float_field_with_an_integer_default_is_a_float_field(stored: Stored) -> None:
    price = await Price().save()
    assert isinstance(price.amount, RedisFloat)
    assert await price.amount.increase(1.5) == 1.5
    async with price.pipeline():
        price.amount += 0.25
        price.limit += 0.5  # type: ignore[operator]
        price.rates[0] += 0.5
        price.by_name["a"] /= 4
    assert await stored(price) == {
        "amount": 1.75,
        "limit": 1.5,
        "rates": [1.5, 2.0],
        "by_name": {"a": 0.25},
    }
    assert price == await Price.get(price.key)


@pytest.mark.parametrize("key", [tuple[int, int], frozenset[int], Inner])
def test_a_dict_whose_keys_cannot_be_read_back_is_refused(key: Any) -> None:
    with pytest.raises(ModelDefinitionError, match=r"table: a dict key that is a"):
        create_model("Table", __base__=AtomicRedisModel, table=(dict[key, int], {}))


# -- setting several fields --------------------------------------------------------------------------


class Span(AtomicRedisModel):
    model_config = ConfigDict(validate_assignment=True)

    name: str = Field(default="span", frozen=True)
    low: int = 0
    high: int = 10

    @model_validator(mode="after")
    def _check(self) -> Span:
        if self.low > self.high:
            raise ValueError("low must not exceed high")
        return self


async def test_aupdate_runs_the_validators_that_assignment_runs(stored: Stored) -> None:
    span = await Span().save()
    with pytest.raises(ValidationError, match="low must not exceed high"):
        await span.aupdate(low=50)
    with pytest.raises(ValidationError, match="low must not exceed high"):
        span.update(low=50)
    await span.aupdate(low=50, high=60)
    assert (span.low, span.high) == (50, 60)
    assert await stored(span) == {"name": "span", "low": 50, "high": 60}


async def test_aupdate_refuses_a_frozen_field(stored: Stored) -> None:
    span = await Span().save()
    with pytest.raises(ValidationError, match="frozen"):
        await span.aupdate(name="other")
    with pytest.raises(ValidationError, match="frozen"):
        span.update(name="other")
    assert span.name == (await stored(span))["name"] == "span"


# -- keys --------------------------------------------------------------------------------------------


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


# -- time to live ------------------------------------------------------------------------------------


class Session(AtomicRedisModel):
    Meta = RedisConfig(ttl=600, refresh_ttl=True)
    hits: RedisInt = RedisInt(0)


async def test_a_ttl_set_by_hand_is_not_refreshed_in_the_same_step(redis: Redis) -> None:
    Session.Meta.redis = redis
    session = await Session().save()
    await session.set_ttl(5)
    assert await redis.ttl(session.key) <= 5
    await session.hits.increase()
    assert await redis.ttl(session.key) > 5
    async with session.pipeline():
        session.hits += 1
        await session.set_ttl(5)
        session.hits += 1
    assert await redis.ttl(session.key) <= 5


@pytest.mark.parametrize("ttl", [0, -1, 10**17])
async def test_a_ttl_that_would_delete_at_once_is_refused_before_anything_is_sent(
    redis: Redis, ttl: int
) -> None:
    class Odd(AtomicRedisModel):
        Meta = RedisConfig(ttl=ttl, refresh_ttl=True, redis=redis)

    odd = Odd()
    with pytest.raises(ConfigurationError, match="ttl"):
        await odd.save()
    with pytest.raises(ConfigurationError, match="ttl"):
        await Odd.insert(odd)
    assert await redis.exists(odd.key) == 0


# -- pipelines ---------------------------------------------------------------------------------------


class Mutable(AtomicRedisModel):
    count: int = 0
    text: str = ""
    maybe: int | None = 1
    any: Any = 1
    inner: Place = Field(default_factory=lambda: Place())
    places: list[Place] = Field(default_factory=lambda: [Place()])
    many: dict[str, int] = Field(default_factory=lambda: {str(n): n for n in range(400)})


class Place(BaseModel):
    count: int = 0
    name: str = ""


Mutable.model_rebuild()


def _increased_then_assigned(mutable: Mutable) -> None:
    mutable.count += 1
    mutable.count = 10
    mutable.text += "a"
    mutable.update(text="b")
    assert mutable.maybe is not None
    mutable.maybe += 1
    mutable.maybe = None
    mutable.any += 1
    mutable.any = [1]
    mutable.any.append(2)
    mutable.inner.count += 1
    mutable.inner.count = 20
    mutable.places[0].count += 1
    mutable.places[0].count = 30
    mutable.many["5"] += 1
    mutable.many["5"] = 40


async def test_what_is_assigned_after_an_increment_is_what_stands_here_too() -> None:
    mutable = await Mutable().save()
    async with mutable.pipeline():
        _increased_then_assigned(mutable)
    stored = await Mutable.get(mutable.key)
    assert (stored.count, stored.text, stored.maybe, stored.any) == (10, "b", None, [1, 2])
    assert (stored.inner.count, stored.places[0].count, stored.many["5"]) == (20, 30, 40)
    assert mutable == stored
    await mutable.save_changes()
    assert await Mutable.get(mutable.key) == stored


async def test_what_is_changed_after_a_load_in_a_pipeline_is_what_stands_here_too() -> None:
    mutable = await Mutable().save()
    await (await Mutable.get(mutable.key)).aupdate(text="theirs", count=5)
    async with mutable.pipeline():
        await mutable.load()
        _increased_then_assigned(mutable)
        await mutable.inner.load()  # type: ignore[attr-defined]
        mutable.inner.name = "here"
    stored = await Mutable.get(mutable.key)
    assert (stored.count, stored.text, stored.inner.name) == (10, "b", "here")
    assert mutable == stored


async def test_a_save_in_a_pipeline_outlasts_the_increments_before_it() -> None:
    mutable = await Mutable().save()
    mutable.count = mutable.inner.count = 50
    async with mutable.pipeline():
        mutable.count += 1
        mutable.inner.count += 1
        await mutable.save()
        mutable.inner.count += 1
    assert (mutable.count, mutable.inner.count) == (51, 52)
    assert await Mutable.get(mutable.key) == mutable


async def test_a_pipeline_in_an_abandoned_generator_collects_nothing_any_more() -> None:
    mutable = await Mutable().save()

    async def changing() -> AsyncIterator[int]:
        async with mutable.pipeline():
            mutable.count += 1
            yield 1

    async for _ in changing():
        break
    gc.collect()
    await until(lambda: mutable.count == 0)
    mutable.count = 9
    await mutable.save()
    assert (await Mutable.get(mutable.key)).count == 9


# -- save_changes ------------------------------------------------------------------------------------


@dataclass
class Point:
    x: int = 0
    trail: list[int] = field(default_factory=list)


class Numbers(RootModel[list[int]]):
    pass


class Mixed(AtomicRedisModel):
    model_config = ConfigDict(extra="allow")

    labels: set[str] = {"a"}
    point: Point = Point()
    listed: list[set[int]] = [{1}]
    named: dict[str, set[int]] = {"a": {1}}
    numbers: Numbers = Numbers([1])
    inner: Inner = Inner()
    pair: tuple[list[int], int] = ([1], 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda mixed: mixed.labels.add("b"),
        lambda mixed: setattr(mixed.point, "x", 5),
        lambda mixed: mixed.point.trail.append(1),
        lambda mixed: mixed.listed[0].add(2),
        lambda mixed: [labels.add(2) for labels in mixed.listed],
        lambda mixed: [labels.add(2) for labels in mixed.named.values()],
        lambda mixed: mixed.numbers.root.append(2),
        lambda mixed: mixed.inner.labels.add("x"),
        lambda mixed: mixed.pair[0].append(2),
        lambda mixed: mixed.more.append(2),
        lambda mixed: delattr(mixed, "more"),
    ],
)
async def test_save_changes_writes_what_was_changed_in_place(
    change: Callable[[Mixed], object],
) -> None:
    key = (await Mixed.model_validate({"more": [1]}).save()).key
    mixed = await Mixed.get(key)
    change(mixed)
    await mixed.save_changes()
    assert await Mixed.get(key) == mixed


@pytest.mark.parametrize(("ttl", "command"), [(None, b"JSON.SET"), (600, b"EVAL")])
async def test_save_changes_writes_all_after_a_save_whose_outcome_is_unknown(
    rapyer_server: EmbeddedServer, ttl: int | None, command: bytes
) -> None:
    class Saved(AtomicRedisModel):
        count: int = 0

    saved = await Saved(count=1).save()
    async with proxied(rapyer_server.status().address) as proxy:
        client = client_from_url(f"redis://127.0.0.1:{proxy.port}")
        Saved.Meta = RedisConfig(redis=client, ttl=ttl)
        proxy.cut_after = command
        saved.count = 2
        with pytest.raises(OutcomeUnknownError):
            await saved.save()
        proxy.cut_after = None
        saved.count = 1
        await saved.save_changes()
        assert (await Saved.get(saved.key)).count == 1
        await client.aclose()


# -- locks -------------------------------------------------------------------------------------------


async def test_a_lock_whose_taking_was_cancelled_or_lost_is_left_to_nobody(
    rapyer_server: EmbeddedServer, redis: Redis
) -> None:
    span = await Span().save()
    name = f"rapyer:lock:{span.key}"
    for turns in range(12):
        waiting = asyncio.create_task(span.lock(expiry=60).__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0)
        if waiting.done():
            break
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
        assert await redis.exists(name) == 0
    await redis.delete(name)
    async with proxied(rapyer_server.status().address) as proxy:
        Span.Meta = RedisConfig(redis=client_from_url(f"redis://127.0.0.1:{proxy.port}"))
        proxy.cut_after = b"\r\nNX\r\n"
        with pytest.raises(OutcomeUnknownError):
            async with span.lock(expiry=60):
                pass
        await Span.Meta.redis.aclose()
        del Span.Meta
    assert await redis.exists(name) == 0


async def test_a_lock_that_cannot_be_renewed_is_lost_when_it_expires(
    rapyer_server: EmbeddedServer,
) -> None:
    span = await Span().save()
    async with proxied(rapyer_server.status().address) as proxy:
        Span.Meta = RedisConfig(redis=client_from_url(f"redis://127.0.0.1:{proxy.port}"))
        with pytest.raises(LockError, match="lost while it was held"):
            async with asyncio.timeout(10), span.lock(expiry=0.3):
                proxy.mute = True
                await asyncio.Event().wait()
        del Span.Meta


async def test_the_result_of_a_queued_load_is_the_value_that_was_read(redis: Redis) -> None:
    class Loaded(AtomicRedisModel):
        count: int = 0

    model = await Loaded(count=1).save()
    await redis.execute_command("JSON.SET", model.key, "$.count", "7")
    async with model.pipeline():
        queued: Any = await model.count.load()
    assert queued.result() == 7
    assert model.count == 7
