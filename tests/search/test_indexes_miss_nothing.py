"""An index that does not have, or does not give, every document that matches is not the one that answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from redis.asyncio import Redis

from rapyer import AtomicRedisModel, Index
from rapyer.config import use_client
from rapyer.connections import client_from_url
from rapyer.embedded import EmbeddedServer
from tests.servers import proxied


class Vein(BaseModel):
    metal: Index[str] = "iron"
    depth: Index[int] | None = None


class Ore(AtomicRedisModel):
    name: Index[str] = "a"
    weight: Index[int] = 0
    made: Annotated[Index[int], Field(default_factory=lambda: 7)]
    next: Annotated[Index[int], Field(default_factory=lambda data: data["weight"] + 1)]
    tags: Annotated[Index[list[str]], Field(default_factory=list)]
    vein: Vein = Vein(metal="gold")
    other: Vein = Field(default_factory=Vein)
    maybe: Vein | None = None


@pytest.fixture(autouse=True)
def client(rapyer_redis: Redis) -> Iterator[Redis]:
    AtomicRedisModel.Meta.redis = rapyer_redis
    yield rapyer_redis
    AtomicRedisModel.Meta.redis = None


OLDER = {
    "nothing": "{}",
    "vein": '{"vein":{}}',
    "other": '{"other":{},"vein":{"depth":3}}',
    "maybe": '{"maybe":{}}',
    "null": '{"maybe":null,"vein":{"metal":"gold","depth":null}}',
}
CONDITIONS: list[Any] = [
    Ore.name == "a",
    Ore.name != "b",
    Ore.weight == 0,
    Ore.weight < 1,
    ~(Ore.weight > 0),
    Ore.made == 7,
    Ore.made > 6,
    Ore.next == 1,
    ~Ore.tags.contains("x"),
    Ore.vein.metal == "gold",
    Ore.vein.metal == "iron",
    Ore.other.metal == "iron",
    Ore.maybe.metal == "iron",
    Ore.maybe.metal == None,  # noqa: E711
    Ore.vein.depth == None,  # noqa: E711
    Ore.vein.depth != 3,
    (Ore.vein.metal == "iron") & (Ore.other.metal == "iron"),
    (Ore.vein.metal == "iron") | (Ore.made == 7),
]


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
async def test_documents_without_the_field_match_by_its_default(
    client: Redis, condition: Any
) -> None:
    await Ore.create_index()
    for pk, text in OLDER.items():
        await client.execute_command("JSON.SET", f"Ore:{pk}", "$", text)
    everything = await Ore.find()
    assert len(everything) == len(OLDER)
    expected = sorted(ore.pk for ore in everything if condition.matches(ore))
    assert sorted(ore.pk for ore in await Ore.find(condition)) == expected


MANY = 8_000


async def test_a_search_that_the_server_cut_short_is_done_by_scanning(
    client: Redis, rapyer_server: EmbeddedServer
) -> None:
    await Ore.create_index()
    ores = [Ore(name=str(number % 2), weight=number) for number in range(MANY)]
    await Ore.insert(*ores)
    async with proxied(rapyer_server.status().address) as proxy:
        # What a server does that is too slow for its patience, asked for: a warning, and a part of the answer.
        proxy.rewrite = (b"\r\nTIMEOUT\r\n$1\r\n0\r\n", b"\r\nTIMEOUT\r\n$1\r\n1\r\n")
        impatient = client_from_url(f"redis://127.0.0.1:{proxy.port}")
        with use_client(impatient):
            assert (await Ore.find(Ore.weight >= 0).explain()).startswith("index:")
            assert await Ore.find(Ore.weight >= 0).count() == MANY
        assert any(b"FT.AGGREGATE" in request for request in proxy.requests)
        # its cursor would go on, in an index that others change meanwhile
        assert any(b"\r\nSCAN\r\n" in request for request in proxy.requests)
        await impatient.aclose()
