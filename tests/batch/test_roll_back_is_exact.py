"""What a refused pipeline takes back is exactly what it did: here, on the server, and nothing of anybody else."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, Field
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, RedisConfig
from rapyer.errors import PipelineError
from tests.conftest import Stored


class Part(BaseModel):
    size: int = 0
    label: str = ""


class Stock(AtomicRedisModel):
    left: int = Field(default=0, ge=0)
    reserved: int = 0
    name: str = ""
    tags: list[str] = []
    prices: dict[str, int] = {"a": 1, "b": 2}
    part: Part = Part()
    parts: list[Part] = [Part(), Part()]


class Expiring(AtomicRedisModel):
    Meta = RedisConfig(ttl=1000)
    count: int = 0


class Doubles(AtomicRedisModel):
    values: list[float] = []
    by_name: dict[str, float] = {}
    one: float = 0.0
    never: int = Field(default=0, ge=0)


@pytest.fixture
def expiring(redis: Redis) -> Iterator[Expiring]:
    Expiring.Meta.redis = redis
    yield Expiring(count=3)
    Expiring.Meta.redis = None


async def refused(stock: Stock, inside: asyncio.Event, go: asyncio.Event) -> None:
    """Change much of ``stock`` in a pipeline that is refused after ``go``."""
    with pytest.raises(PipelineError, match="left"):  # noqa: PT012
        async with stock.pipeline():
            stock.tags = ["ours"]
            stock.part.size = 1
            stock.parts[0].size = 1
            inside.set()
            await go.wait()
            stock.left -= 5


async def test_a_refused_pipeline_leaves_what_another_task_edited_meanwhile() -> None:
    stock = await Stock().save()
    inside, go = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        await inside.wait()
        stock.reserved = 7
        stock.name = "theirs"
        stock.part.label = "theirs"
        stock.parts[0].label = "theirs"
        go.set()

    await asyncio.gather(refused(stock, inside, go), other())
    assert (stock.reserved, stock.name) == (7, "theirs")
    assert (stock.part.label, stock.parts[0].label) == ("theirs", "theirs")
    assert (stock.tags, stock.part.size, stock.parts[0].size, stock.left) == ([], 0, 0, 0)


async def test_a_refused_pipeline_leaves_what_another_task_was_told_meanwhile(
    stored: Stored,
) -> None:
    stock = await Stock(reserved=1).save()
    inside, go = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        await inside.wait()
        assert await stock.reserved.increase(6) == 7  # type: ignore[attr-defined]
        go.set()

    await asyncio.gather(refused(stock, inside, go), other())
    assert stock.reserved == (await stored(stock))["reserved"] == 7
    await stock.save_changes()
    assert (await stored(stock))["reserved"] == 7


async def test_a_refused_pipeline_keeps_the_edits_made_before_it() -> None:
    stock = await Stock().save()
    stock.name = "mine"
    stock.prices["b"] = 20
    with pytest.raises(PipelineError):  # noqa: PT012
        async with stock.pipeline():
            stock.name = "inside"
            stock.prices["a"] = 10
            stock.left -= 1
    assert (stock.name, stock.prices) == ("mine", {"a": 1, "b": 20})


@pytest.mark.parametrize("milliseconds", [None, 1_000_000])
async def test_a_rolled_back_delete_leaves_the_time_to_live_as_it_was(
    redis: Redis, expiring: Expiring, stored: Stored, milliseconds: int | None
) -> None:
    await expiring.save()
    stock = await Stock().save()
    if milliseconds is None:
        await redis.persist(expiring.key)
    expires = await redis.pexpiretime(expiring.key)
    with pytest.raises(PipelineError):  # noqa: PT012
        async with rapyer.pipeline(expiring, stock):
            await expiring.delete()
            stock.left -= 5
    assert await stored(expiring) == {"count": 3}
    assert await redis.pexpiretime(expiring.key) == expires
    assert (expires == -1) is (milliseconds is None)


@pytest.mark.parametrize("change", ["save", "set_ttl"])
async def test_a_rolled_back_save_or_ttl_leaves_the_time_to_live_as_it_was(
    redis: Redis, expiring: Expiring, stored: Stored, change: str
) -> None:
    await expiring.save()
    stock = await Stock().save()
    await redis.pexpire(expiring.key, 500_000)
    expires = await redis.pexpiretime(expiring.key)
    with pytest.raises(PipelineError):  # noqa: PT012
        async with rapyer.pipeline(expiring, stock):
            expiring.count = 4
            await (expiring.save() if change == "save" else expiring.set_ttl(5))
            stock.left -= 5
    assert await stored(expiring) == {"count": 3}
    assert await redis.pexpiretime(expiring.key) == expires
    assert expiring.count == 3


async def test_a_rolled_back_save_of_a_new_document_leaves_none(
    redis: Redis, expiring: Expiring
) -> None:
    stock = await Stock().save()
    with pytest.raises(PipelineError):  # noqa: PT012
        async with rapyer.pipeline(expiring, stock):
            await expiring.save()
            stock.left -= 5
    assert await redis.exists(expiring.key) == 0


# Random doubles: the server's parser reads one in ten of them one step off.
_random = random.Random(5)
DOUBLES = [0.24840464517448202, 0.23733660385428734, 5e-324, 1.7976931348623157e308, 6.0221409e23]
DOUBLES += [_random.random() * 10.0 ** _random.randrange(-20, 20) for _ in range(60)]


@pytest.mark.parametrize("index", [0, -1, 3])
async def test_doubles_come_back_exactly_when_their_removal_is_rolled_back(
    stored_text: Stored, index: int
) -> None:
    model = await Doubles(
        values=DOUBLES, by_name={str(n): value for n, value in enumerate(DOUBLES)}, one=DOUBLES[-1]
    ).save()
    before = json.loads(await stored_text(model))
    assert before["values"] == DOUBLES
    for _ in range(3):
        with pytest.raises(PipelineError):  # noqa: PT012
            async with model.pipeline():
                for _ in range(20):
                    model.values.pop(index)
                for name in map(str, range(20)):
                    del model.by_name[name]
                model.by_name.popitem()
                model.one += 1.0
                model.never -= 1
        assert json.loads(await stored_text(model)) == before
    assert model == await Doubles.get(model.key)


OTHER_BLOCKS: list[Callable[[Any], Any]] = [
    lambda stock: stock.set_ttl(100),
    lambda stock: stock.reserved.load(),
    lambda stock: stock.load(),
    lambda stock: stock.reserved.increase(),
    lambda stock: stock.prices.aset_item("z", 1),
]


@pytest.mark.parametrize("act", OTHER_BLOCKS)
async def test_what_an_open_block_did_is_taken_back_after_another_was_applied(
    stored: Stored, act: Callable[[Any], Any]
) -> None:
    stock = await Stock().save()
    inside, go = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        await inside.wait()
        async with stock.pipeline():
            await act(stock)
        go.set()

    await asyncio.gather(refused(stock, inside, go), other())
    assert (stock.tags, stock.part.size, stock.parts[0].size, stock.left) == ([], 0, 0, 0)
    assert json.loads(stock.model_dump_json()) == await stored(stock)
