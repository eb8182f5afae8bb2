"""``save_changes`` writes whatever differs from what the server is known to have."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    RootModel,
)
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.config import RedisConfig
from rapyer.connections import client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.errors import (
    OutcomeUnknownError,
)
from tests.conftest import Stored
from tests.servers import proxied


class Inner(BaseModel):
    labels: set[str] = set()


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


class Counted(BaseModel):
    count: int = 0
    name: str = ""


class Synced(AtomicRedisModel):
    name: str = ""
    counted: Counted = Counted()
    table: dict[str, int] = {"k": 1}
    items: list[int] = [1, 2]
    number: float = 1.5
    when: datetime = datetime(2024, 1, 1, tzinfo=UTC)


async def _operations_in_turn(synced: Any) -> None:
    await synced.table["k"].increase()
    await synced.table.aset_item("x", 1)
    await synced.table["k"].increase()
    await synced.counted.count.increase()
    await synced.counted.save()
    await synced.counted.count.increase()
    await synced.number.increase(0.1)
    await synced.items.aappend(3)
    await synced.items[0].increase()
    await synced.items.apop()
    await synced.aupdate(name="n")


async def _a_pipeline(synced: Any) -> None:
    async with synced.pipeline():
        synced.table["k"] += 1
        synced.table["y"] = 2
        synced.counted.count += 1
        synced.items.append(4)
        synced.items[0] += 1
        synced.name += "x"
        synced.when += timedelta(days=1)


async def _field_saves(synced: Any) -> None:
    synced.name = "saved"
    synced.table["k"] = 9
    synced.counted.name = "c"
    await synced.name.save()
    await synced.table.save()
    await synced.counted.save()


async def _loads(synced: Any) -> None:
    await (await Synced.get(synced.key)).aupdate(name="theirs", items=[9])
    synced.name = "mine"
    synced.items.append(5)
    await synced.name.load()
    await synced.items.load()


async def _an_edit_taken_back(synced: Any) -> None:
    synced.name, before = "other", synced.name
    synced.table["k"] += 1
    synced.name = str(before)
    synced.table["k"] -= 1


@pytest.mark.parametrize("earlier", [None, "edit"])
@pytest.mark.parametrize(
    "act", [_operations_in_turn, _a_pipeline, _field_saves, _loads, _an_edit_taken_back]
)
async def test_save_changes_sends_nothing_for_what_the_server_has(
    redis: Redis, act: Callable[[Any], Awaitable[None]], earlier: str | None
) -> None:
    synced = await Synced.get((await Synced().save()).key)
    if earlier is not None:
        synced.number = 2.5  # from now on it is known what was edited
        await synced.save_changes()
    await act(synced)
    assert synced == await Synced.get(synced.key)
    async with _writes(redis) as seen:
        await synced.save_changes()
    assert seen == []


async def test_save_changes_sends_the_edited_field_alone(redis: Redis, stored: Stored) -> None:
    synced = await Synced.get((await Synced().save()).key)
    await _operations_in_turn(synced)
    other = await Synced.get(synced.key)
    synced.name = "mine"
    other.number, other.table = 7.5, {"theirs": 1}
    await other.save()
    await synced.save_changes()
    there = await stored(synced)
    assert (there["name"], there["number"], there["table"]) == ("mine", 7.5, {"theirs": 1})


@asynccontextmanager
async def _writes(redis: Redis) -> AsyncIterator[list[str]]:
    """The commands that may write and reach the server during the block."""
    info: Any = await redis.info("commandstats")
    seen: list[str] = []
    yield seen
    later: Any = await redis.info("commandstats")
    seen += [
        name
        for name, entry in later.items()
        if entry["calls"] != info.get(name, {"calls": 0})["calls"]
        and name not in ("cmdstat_info", "cmdstat_json.get")
    ]


class Large(AtomicRedisModel):
    items: list[int] = []
    name: str = ""


@pytest.mark.parametrize("size", [2, 256, 257, 1000])
async def test_an_edit_of_a_list_is_saved_however_long_it_is(stored: Stored, size: int) -> None:
    large: Any = await Large.get((await Large(items=[0] * (size - 1)).save()).key)
    large.name = "edited"
    await large.save_changes()
    await large.items.aappend(0)
    large.items[0] = 7
    await large.save_changes()
    assert (await stored(large))["items"] == [7] + [0] * (size - 1)
