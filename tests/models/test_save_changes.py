"""``save_changes`` writes whatever differs from what the server is known to have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    RootModel,
)

from rapyer import AtomicRedisModel
from rapyer.config import RedisConfig
from rapyer.connections import client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.errors import (
    OutcomeUnknownError,
)
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
