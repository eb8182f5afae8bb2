"""Whoever wraps or overrides how a client executes commands sees ours, and they do the same."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.connections import client_from_url
from rapyer.errors import ConnectionError as RapyerConnectionError
from rapyer.errors import ConstraintError, OutcomeUnknownError
from tests.connections.test_clients_from_urls import exercise
from tests.servers import proxied


class Watched(AtomicRedisModel):
    n: int = 0
    items: list[int] = []


class Recording(Redis):
    """A user's client that looks at every command."""

    seen: list[str]

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        vars(self).setdefault("seen", []).append(args[0])
        return await super().execute_command(*args, **options)


async def everything(client: Any) -> None:
    Watched.Meta.redis = client
    try:
        model = await Watched(n=1).save()
        assert await model.n.increase() == 2
        async with model.pipeline():
            model.n += 1
            model.items.append(5)
        assert (await Watched.get(model.key)).items == [5]
        assert [found.n for found in await Watched.find(Watched.n == 3)] == [3]
        await Watched.insert(Watched(), Watched())
        assert await Watched.delete_many(Watched.n >= 0) >= 3
    finally:
        Watched.Meta.redis = None


async def test_an_overridden_method_is_called(rapyer_url: str) -> None:
    plain = client_from_url(rapyer_url)
    client = Recording(connection_pool=plain.connection_pool)
    await exercise(client)
    client.seen.clear()
    await everything(client)
    assert {"JSON.SET", "EVALSHA", "JSON.GET", "JSON.MGET"} <= {str(name) for name in client.seen}
    await plain.aclose()


@pytest.fixture
def wrapped(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What tracing does: the class's method, wrapped."""
    seen: list[Any] = []
    original = Redis.execute_command

    @functools.wraps(original)
    async def execute_command(self: Any, *args: Any, **options: Any) -> Any:
        seen.append(args[0])
        return await original(self, *args, **options)

    monkeypatch.setattr(Redis, "execute_command", execute_command)
    return seen


async def test_a_wrapped_method_sees_the_commands_of_our_own_clients(
    rapyer_url: str, wrapped: list[Any]
) -> None:
    client = client_from_url(rapyer_url)
    await exercise(client)
    wrapped.clear()
    await everything(client)
    assert "JSON.SET" in wrapped
    await client.aclose()


def test_in_several_event_loops(rapyer_url: str, wrapped: list[Any]) -> None:
    client = client_from_url(rapyer_url)
    for _ in range(2):
        asyncio.run(everything(client))
    assert wrapped.count("JSON.SET") == 2


async def test_a_lost_reply_is_unknown_and_a_refusal_is_its_own_error(
    rapyer_server: Any, wrapped: list[Any]
) -> None:
    async with proxied(rapyer_server.ensure_running()) as proxy:
        client = client_from_url(f"redis://127.0.0.1:{proxy.port}")
        Watched.Meta.redis = client
        model = await Watched(n=1).save()
        proxy.cut_after = b"EVALSHA"
        with pytest.raises(OutcomeUnknownError):
            await model.n.increase()
        proxy.cut_after = b"JSON.GET"
        with pytest.raises(RapyerConnectionError):
            await model.load()
        proxy.cut_after = None
        await model.load()
        with pytest.raises((OverflowError, ConstraintError)):
            await model.n.increase(2**63 - 1)
        await client.aclose()
        Watched.Meta.redis = None


async def test_opentelemetry_sees_every_command(rapyer_url: str) -> None:
    redis_spans = pytest.importorskip("opentelemetry.instrumentation.redis")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter, provider = memory.InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    redis_spans.RedisInstrumentor().instrument(tracer_provider=provider)
    try:
        client = client_from_url(rapyer_url)
        await everything(client)
        await client.aclose()
    finally:
        redis_spans.RedisInstrumentor().uninstrument()
    names = {span.name for span in exporter.get_finished_spans()}
    assert {"JSON.SET", "EVALSHA", "JSON.GET"} <= names


def test_loggers_are_silent_until_somebody_listens() -> None:
    import logging

    handlers = logging.getLogger("rapyer").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)
