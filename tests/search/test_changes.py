"""``changes()``: each change by anybody is told once, at once where the server tells, by looking where it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from rapyer import AtomicRedisModel
from rapyer.config import use_client
from rapyer.connections import client_from_url
from rapyer.errors import ConfigurationError, InvalidValueError
from rapyer.keyspace import changes as text_changes
from tests.conftest import StartServer


class Watched(AtomicRedisModel):
    name: str
    age: int = 0
    tags: list[str] = []


class WatchedMore(AtomicRedisModel):
    name: str

    @classmethod
    def class_key_initials(cls) -> str:
        return "Watched:More"


@pytest.fixture(params=["told", "polled"])
async def way(request: pytest.FixtureRequest, start_server: StartServer) -> AsyncIterator[bool]:
    server = start_server()
    if request.param == "told":
        server.call("CONFIG", "SET", "notify-keyspace-events", "KA")
    client = client_from_url(f"unix://{server.socket}")
    with use_client(client):
        yield request.param == "told"
    await client.aclose()


class Tail:
    """The changes that came so far, and those that are waited for."""

    def __init__(self, *conditions: Any, **options: Any) -> None:
        self.ready = asyncio.Event()
        options = {"interval": 0.02, **options}
        self.source = Watched.changes(*conditions, ready=self.ready, **options)
        self.came: asyncio.Queue[Any] = asyncio.Queue()

    async def __aenter__(self) -> Tail:
        self.task = asyncio.create_task(self._run())
        await asyncio.wait_for(self.ready.wait(), 20)
        return self

    async def _run(self) -> None:
        async with aclosing(self.source) as changes:
            async for change in changes:
                self.came.put_nowait(change)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.came.get(), 20)

    async def __aexit__(self, *details: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


async def test_creating_changing_and_deleting_is_told_with_before_and_after(way: bool) -> None:
    old = Watched(name="old", age=1)
    await old.save()
    async with Tail(notifications=way or None) as tail:
        new = Watched(name="new", age=5)
        await new.save()
        change = await tail.next()
        assert (change.key, change.kind, change.document) == (new.key, "created", new)
        assert (change.before, change.after["age"]) == (None, 5)
        await old.age.increase()
        change = await tail.next()
        assert (change.key, change.kind, change.fields) == (old.key, "changed", ("age",))
        assert (change.before["age"], change.after["age"], change.document.age) == (1, 2, 2)
        await old.delete()
        change = await tail.next()
        assert (change.key, change.kind, change.document) == (old.key, "deleted", None)
        assert (change.before["age"], change.after, change.matches) == (2, None, False)
        assert tail.came.empty()


async def test_what_expires_is_told(way: bool) -> None:
    user = Watched(name="x")
    await user.save()
    async with Tail() as tail:
        await user.set_ttl(0.05)
        assert ((await tail.next()).kind) == "deleted"


async def test_conditions_tell_what_fulfils_them_and_once_what_no_longer_does(way: bool) -> None:
    user, other = Watched(name="x", age=1), Watched(name="y", age=50)
    await Watched.insert(user, other)
    async with Tail(Watched.age > 10) as tail:
        await user.age.increase(1)
        await user.age.increase(20)
        change = await tail.next()
        assert (change.key, change.document.age, change.matches) == (user.key, 22, True)
        await user.age.increase(-20)
        change = await tail.next()
        assert (change.key, change.document.age, change.matches) == (user.key, 2, False)
        await user.age.increase(1)
        await other.delete()
        assert ((await tail.next()).key) == other.key


async def test_documents_of_other_models_and_other_types_are_not_told(way: bool) -> None:
    client = Watched(name="x")
    async with Tail() as tail:
        await WatchedMore(name="m").save()
        from rapyer.config import client_of
        from rapyer.connections import Session

        session = Session.of(client_of(Watched.Meta, "Watched"))
        await session.execute("SET", "Watched:text", "x", write=True)
        await client.save()
        assert ((await tail.next()).key) == client.key
        await session.execute("JSON.SET", "Watched:bad", "$", '{"name": 5}', write=True)
        change = await tail.next()
        assert (change.key, change.document) == ("Watched:bad", None)
        assert "name" in str(change.error)


async def test_every_last_state_is_told_under_a_storm_of_writes(way: bool) -> None:
    users = [Watched(name=str(number)) for number in range(20)]
    await Watched.insert(*users)
    async with Tail() as tail:
        for _ in range(10):
            await asyncio.gather(*(user.age.increase() for user in users))
        last: dict[str, int] = {}
        while set(last.values()) != {10} or len(last) < 20:
            change = await tail.next()
            assert change.before["age"] == last.get(change.key, 0), "relative to what was told"
            last[change.key] = change.after["age"]


async def test_memory_for_texts_is_bounded_and_said(
    way: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_changes, "_KEPT_BYTES", 0)
    user = Watched(name="x")
    await user.save()
    async with Tail() as tail:
        await user.age.increase()
        change = await tail.next()
        assert (change.kind, change.before, change.before_is_known) == ("changed", None, False)


async def test_a_lost_subscription_is_made_anew_and_nothing_is_missed(
    start_server: StartServer,
) -> None:
    server = start_server()
    server.call("CONFIG", "SET", "notify-keyspace-events", "Kdgxe")
    client = client_from_url(f"unix://{server.socket}")
    with use_client(client):
        user = Watched(name="x")
        await user.save()
        async with Tail(notifications=True, interval=30) as tail:
            await user.age.increase()
            assert ((await tail.next()).after["age"]) == 1
            server.call("CLIENT", "KILL", "TYPE", "pubsub")
            await user.age.increase()
            assert ((await tail.next()).after["age"]) == 2
            await user.age.increase()
            assert ((await tail.next()).after["age"]) == 3
    await client.aclose()


async def test_notifications_that_are_asked_for_and_not_sent_are_an_error_and_no_setting_changes(
    start_server: StartServer,
) -> None:
    server = start_server()
    client = client_from_url(f"unix://{server.socket}")
    with use_client(client):
        with pytest.raises(ConfigurationError, match="notify-keyspace-events"):
            await anext(Watched.changes(notifications=True))
        with pytest.raises(InvalidValueError):
            await anext(Watched.changes(interval=0))
    assert server.call("CONFIG", "GET", "notify-keyspace-events")[1] == b""
    await client.aclose()
