"""One answer of the server is one error, whatever was asked: condition x operation, on real servers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

import rapyer
from rapyer import AtomicRedisModel, Key, errors
from rapyer.connections import client_from_url
from rapyer.embedded.wire import ReplyError, Wire
from tests.conftest import StartServer
from tests.servers import until


class Refused(AtomicRedisModel):
    id: Key[str]
    n: int = 0
    text: str = ""
    items: list[int] = []
    table: dict[str, int] = {}


async def _in_a_block(model: Any) -> None:
    async with model.pipeline():
        model.items.append(1)
        model.n += 1


async def _new(model: Any) -> None:
    await Refused(id="new").save()


async def _edited(model: Any) -> None:
    model.text = "edited"
    await model.save_changes()


OPERATIONS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "save": lambda model: model.save(),
    "save nx": lambda model: Refused(id="nx").save(nx=True),
    "save of a new one": _new,
    "save_changes": _edited,
    "field save": lambda model: model.text.save(),
    "aupdate": lambda model: model.aupdate(text="x"),
    "increase": lambda model: model.n.increase(),
    "aappend": lambda model: model.items.aappend(1),
    "aset_item": lambda model: model.table.aset_item("k", 1),
    "pipeline": _in_a_block,
    "set_ttl": lambda model: model.set_ttl(100),
    "insert": lambda model: Refused.insert(Refused(id="inserted")),
    "package insert": lambda model: rapyer.insert(Refused(id="inserted")),
    "duplicate": lambda model: model.duplicate(id="copy"),
}
ALLOWED_OUT_OF_MEMORY = {"increase", "set_ttl"}
"""Redis lets these through, as they need no memory: a sum takes the place of a number."""


@contextmanager
def out_of_memory(server: Any) -> Iterator[str]:
    server.call("CONFIG", "SET", "maxmemory", "1")
    yield f"unix://{server.socket}"


@contextmanager
def no_permission(server: Any) -> Iterator[str]:
    server.call("ACL", "SETUSER", "reader", "on", ">x", "~*", "+@read", "+@connection")
    yield f"unix://reader:x@{server.socket}"


@contextmanager
def not_enough_replicas(server: Any) -> Iterator[str]:
    server.call("CONFIG", "SET", "min-replicas-to-write", "1")
    yield f"unix://{server.socket}"


@contextmanager
def read_only(server: Any) -> Iterator[str]:
    server.call("REPLICAOF", "127.0.0.1", "1")
    yield f"unix://{server.socket}"


CONDITIONS: dict[str, Any] = {
    "OutOfMemoryError": out_of_memory,
    "NoPermissionError": no_permission,
    "NotEnoughReplicasError": not_enough_replicas,
    "ReadOnlyError": read_only,
}


async def _raised_by(operation: Awaitable[Any]) -> BaseException | None:
    (outcome,) = await asyncio.gather(operation, return_exceptions=True)
    return outcome if isinstance(outcome, BaseException) else None


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_refusal_of_the_server_is_the_same_error_for_every_operation(
    condition: str, start_server: StartServer
) -> None:
    server = start_server()
    kind = getattr(errors, condition)

    async def main() -> None:
        first: Any = client_from_url(f"unix://{server.socket}")
        Refused.Meta = rapyer.RedisConfig(redis=first)
        model = await Refused(id="1", items=[1]).save()
        await first.aclose()
        with CONDITIONS[condition](server) as url:
            Refused.Meta.redis = client_from_url(url)
            before = model.model_dump()
            for name, operate in OPERATIONS.items():
                if condition == "OutOfMemoryError" and name in ALLOWED_OUT_OF_MEMORY:
                    continue
                error: Any = await _raised_by(operate(model))
                assert isinstance(error, errors.RapyerError), (name, error)
                reasons = [*getattr(error, "failures", {}).values()] or [error]
                assert {type(reason) for reason in reasons} == {kind}, (name, error)
                assert issubclass(kind, errors.ServerError)
                assert not isinstance(error, ValueError), name
                if name == "save_changes":
                    assert model.text == "edited"  # it is still an unsaved edit
                    model.text = before["text"]
                assert model.model_dump() == before, name
            await Refused.Meta.redis.aclose()

    asyncio.run(main())


def test_every_server_error_is_redis_pys_own_class_too() -> None:
    import redis.exceptions

    kinds = [getattr(errors, name) for name in errors.__all__]
    found = [k for k in kinds if issubclass(k, errors.ServerError) and k is not errors.ServerError]
    assert len(found) >= 8
    assert all(issubclass(kind, redis.exceptions.RedisError) for kind in found)


@pytest.mark.parametrize("database", [0, 1])
@pytest.mark.parametrize("protocol", [2, 3])
def test_a_busy_server_is_one_also_to_those_who_connect_just_then(
    start_server: StartServer, database: int, protocol: int
) -> None:
    """A database other than 0 is chosen while connecting, which a busy server refuses."""
    server = start_server("--busy-reply-threshold", "50")
    address, ended = str(server.socket), threading.Event()

    def keep_busy() -> None:
        with Wire(address, timeout=60) as wire, suppress(ReplyError):
            wire.call("EVAL", "while true do end", 0)
        ended.set()

    async def main() -> None:
        client: Any = client_from_url(f"unix://{address}?db={database}&protocol={protocol}")
        Refused.Meta = rapyer.RedisConfig(redis=client)
        with Wire(address) as wire:
            await until(lambda: _is_busy(wire))
            for operation in (Refused(id="1").save(), Refused.get("1"), Refused.find()):
                error = await _raised_by(operation)
                assert type(error) is errors.BusyError, error
            wire.call("SCRIPT", "KILL")
        await until(ended.is_set)
        assert await Refused(id="1").save()
        await client.aclose()

    thread = threading.Thread(target=keep_busy)
    thread.start()
    try:
        asyncio.run(main())
    finally:
        thread.join()


def _is_busy(wire: Wire) -> bool:
    try:
        wire.call("PING")
    except ReplyError as error:
        return "BUSY" in str(error)
    return False
