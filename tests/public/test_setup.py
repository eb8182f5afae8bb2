"""init_rapyer and teardown_rapyer: whose client a model uses, and who closes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import RedisDsn, TypeAdapter
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, Key, RedisConfig
from rapyer.connections import client_from_url
from rapyer.errors import ConfigurationError, ConnectionError
from rapyer.keyspace import registry
from tests.conftest import StartServer
from tests.registered import models_of
from tests.servers import free_port


@pytest.fixture(autouse=True)
async def clean() -> AsyncIterator[None]:
    with models_of(__name__):
        AtomicRedisModel.Meta.install(None)
        yield
        await rapyer.teardown_rapyer()


async def is_open(client: Any) -> bool:
    return bool(await client.ping())


async def test_client_that_a_model_was_given_is_never_replaced(
    rapyer_url: str, start_server: StartServer
) -> None:
    other = client_from_url(f"unix://{start_server().socket}")

    class Audit(AtomicRedisModel):
        Meta = RedisConfig(redis=other)
        id: Key[str]

    class Plain(AtomicRedisModel):
        id: Key[str]

    client = await rapyer.init_rapyer(rapyer_url)
    assert Audit.Meta.redis is other
    assert Plain.Meta.redis is client
    await Audit(id="1").save()
    await Plain(id="1").save()
    assert await other.exists("Audit:1")
    assert not await client.exists("Audit:1")
    await rapyer.teardown_rapyer()
    assert Audit.Meta.redis is other
    assert await is_open(other)
    assert (await Audit.get("1")).id == "1"
    await other.aclose()


async def test_call_without_a_url_checks_the_clients_that_models_were_given(
    rapyer_url: str, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Own(AtomicRedisModel):
        Meta = RedisConfig(redis=client_from_url(rapyer_url))

    monkeypatch.setattr(registry, "models", lambda: [Own])  # the time to live is for all there are
    monkeypatch.setattr(AtomicRedisModel.Meta, "ttl", None)
    own = Own.Meta.redis
    assert await rapyer.init_rapyer(ttl=30) is own
    assert Own.Meta.ttl == 30
    await own.aclose()
    Own.Meta.redis = client_from_url("redis://127.0.0.1:1")
    with pytest.raises(ConnectionError):
        await rapyer.init_rapyer()


async def test_client_that_a_model_is_given_later_stays(rapyer_url: str) -> None:
    class Late(AtomicRedisModel):
        Meta = RedisConfig()

    await rapyer.init_rapyer(rapyer_url)
    own = client_from_url(rapyer_url)
    Late.Meta.redis = own
    await rapyer.init_rapyer(rapyer_url)
    assert Late.Meta.redis is own
    await own.aclose()


async def test_second_call_replaces_what_the_first_one_gave(rapyer_url: str) -> None:
    class Configured(AtomicRedisModel):
        Meta = RedisConfig(ttl=60)

    first = await rapyer.init_rapyer(rapyer_url)
    second = await rapyer.init_rapyer(rapyer_url)
    assert second is not first
    assert Configured.Meta.redis is AtomicRedisModel.Meta.redis is second
    assert await Configured().save()


async def test_client_that_was_handed_in_is_never_closed(rapyer_url: str) -> None:
    closed: list[object] = []

    class Noticing(Redis):
        async def aclose(self, close_connection_pool: bool | None = None) -> None:
            closed.append(self)
            await super().aclose(close_connection_pool)

    made = client_from_url(rapyer_url)
    handed_in = Noticing(connection_pool=made.connection_pool)
    assert await rapyer.init_rapyer(handed_in) is handed_in
    await rapyer.init_rapyer(handed_in)
    await rapyer.init_rapyer(rapyer_url)
    await rapyer.init_rapyer(handed_in)
    await rapyer.teardown_rapyer()
    assert not closed
    assert await is_open(handed_in)
    assert AtomicRedisModel.Meta.redis is None
    await made.aclose()


async def test_client_made_from_a_url_is_closed_once_it_is_replaced_or_torn_down(
    rapyer_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await rapyer.init_rapyer(rapyer_url)
    closed: list[object] = []
    original: Any = type(first).aclose

    async def noticing(self: Any, *args: Any) -> None:
        closed.append(self)
        await original(self, *args)

    monkeypatch.setattr(type(first), "aclose", noticing)
    second = await rapyer.init_rapyer(rapyer_url)
    assert closed == [first]
    await rapyer.teardown_rapyer()
    assert closed == [first, second]
    await rapyer.teardown_rapyer()
    assert closed == [first, second]


async def test_failed_call_leaves_the_models_what_they_had(rapyer_url: str) -> None:
    client = await rapyer.init_rapyer(rapyer_url)
    with pytest.raises(ConnectionError):
        await rapyer.init_rapyer("redis://127.0.0.1:1")
    assert AtomicRedisModel.Meta.redis is client
    assert await is_open(client)


async def test_url_of_pydantic_is_accepted(start_server: StartServer) -> None:
    port = free_port()
    start_server("--port", str(port))
    dsn = TypeAdapter(RedisDsn).validate_python(f"redis://127.0.0.1:{port}")
    client = await rapyer.init_rapyer(dsn)
    assert await is_open(client)


async def test_what_is_neither_url_nor_client_is_refused() -> None:
    for wrong in ("nonsense", 5, object()):
        with pytest.raises(ConfigurationError):
            await rapyer.init_rapyer(wrong)
    with pytest.raises(ConfigurationError, match="no model has one yet"):
        await rapyer.init_rapyer()
