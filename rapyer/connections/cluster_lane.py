"""Exchanges with a Redis Cluster: every command goes to the node that serves its key.

Redirections (MOVED, ASK, TRYAGAIN) mean that a command was not executed, so following them never
applies a write twice. The map of slots is redis-py's; which outcome is known is told as everywhere.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Sequence
from typing import Any

import redis.exceptions
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import SSLConnection
from redis.crc import key_slot

from rapyer import errors
from rapyer.connections.cluster_layout import Layout, layout
from rapyer.connections.exchange import (
    Command,
    Deadlines,
    converse,
    is_lost,
    is_plain,
    is_stale,
    lost,
    pack,
    place_of,
    unreachable,
)
from rapyer.connections.pool_lane import close_with_loop
from rapyer.connections.redis_internals import close_from_outside, connections_of_node

_REDIRECTIONS = 16
_ASKING = ("ASKING",)
_KEYS_AFTER_COUNT = frozenset({b"EVAL", b"EVALSHA", b"EVAL_RO", b"EVALSHA_RO", b"FCALL"})
_ALL_KEYS = frozenset({b"DEL", b"UNLINK", b"EXISTS", b"MGET", b"TOUCH", b"WATCH"})
_KEYLESS = frozenset(
    {b"PING", b"INFO", b"SCAN", b"SCRIPT", b"COMMAND", b"CLIENT", b"CONFIG", b"TIME", b"DBSIZE"}
)
_KEYLESS |= {b"MODULE", b"ECHO", b"ACL", b"FLUSHALL", b"FLUSHDB", b"HELLO", b"CLUSTER", b"LATENCY"}


def as_bytes(word: bytes | str | int) -> bytes:
    """A word of a command as it is sent."""
    return word if isinstance(word, bytes) else str(word).encode()


def keys_of(command: Command) -> list[bytes]:
    """The keys a command names, as far as rapyer sends it; empty for one that any node can run."""
    name = as_bytes(command[0]).upper()
    if name in _KEYS_AFTER_COUNT:
        return [as_bytes(word) for word in command[3 : 3 + int(command[2])]]
    if name in _KEYLESS or name.startswith(b"FT.") or len(command) < 2:
        return []
    if name == b"JSON.MGET":
        return [as_bytes(word) for word in command[1:-1]]
    if name == b"JSON.MSET":
        return [as_bytes(word) for word in command[1::3]]
    if name in _ALL_KEYS:
        return [as_bytes(word) for word in command[1:]]
    return [as_bytes(command[1])]


def one_slot(keys: Sequence[bytes | str]) -> int | None:
    """The slot that all the keys are in, None for no keys.

    :raises CrossSlotError: they are in several.
    """
    slots = {key_slot(as_bytes(key)): key for key in keys}
    if len(slots) > 1:
        first, second, *_ = (as_bytes(key).decode("utf-8", "replace") for key in slots.values())
        raise errors.CrossSlotError(
            f"{first} and {second} are in different slots of the cluster, so they cannot be used "
            "together; give them a common hash tag, as in Model:{tag}1 and Model:{tag}2"
        )
    return next(iter(slots), None)


class ClusterLane:
    """Exchanges over the connections of one cluster client in one event loop."""

    def __init__(self, client: RedisCluster, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self.place = "the cluster"
        self._loop = loop
        self._deadlines = Deadlines(loop)
        self._outdated = False  # a node failed, so the map of slots may have changed
        self._free: dict[str, asyncio.Semaphore] = {}

    async def exchange(
        self, commands: Sequence[Command], write: bool, node: Any = None
    ) -> list[Any]:
        """Send each command to its node; replies in the order of the commands.

        :raises CrossSlotError: one command names keys of several slots; nothing was sent.
        :raises ConnectionError: nothing was sent, or nothing that writes.
        :raises OutcomeUnknownError: ``write``, and a reply is missing.
        """
        slots = [one_slot(keys_of(command)) for command in commands]
        await self._initialize()
        parts: dict[str, tuple[Any, list[int]]] = {}
        for number, slot in enumerate(slots):
            target = node or self._node(slot)
            parts.setdefault(target.name, (target, []))[1].append(number)
        replies: list[Any] = [None] * len(commands)
        outcomes = await asyncio.gather(
            *(
                self._exchange_with(target, [commands[number] for number in numbers], write)
                for target, numbers in parts.values()
            ),
            return_exceptions=True,
        )
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            # What other nodes applied is no less applied: the least certain outcome is the answer.
            unknown = [e for e in failures if isinstance(e, errors.OutcomeUnknownError)]
            raise (unknown or failures)[0]
        for (_, numbers), outcome in zip(parts.values(), outcomes, strict=True):
            assert not isinstance(outcome, BaseException)
            for number, reply in zip(numbers, outcome, strict=True):
                if isinstance(reply, redis.exceptions.AskError | redis.exceptions.TryAgainError):
                    reply = await self._follow(commands[number], slots[number], reply, write)
                replies[number] = reply
        return replies

    async def primaries(self) -> list[Any]:
        """The nodes that together hold all keys."""
        await self._initialize()
        return list(self.client.get_primaries())

    async def layout(self) -> Layout | None:
        """Which node has which slots now; None where the user may not ask. Sends CLUSTER NODES."""
        texts = []
        for node in await self.primaries():
            (text,) = await self._exchange_with(node, [("CLUSTER", "NODES")], write=False)
            if not isinstance(text, bytes):
                return None
            texts.append(text)
        return layout(texts)

    async def _follow(
        self, command: Command, slot: int | None, reply: Exception, write: bool
    ) -> Any:
        """Execute a command that was redirected, wherever it leads."""
        for _ in range(_REDIRECTIONS):
            if isinstance(reply, redis.exceptions.AskError):
                # MOVED is a kind of ASK to redis-py: for good, so the map of slots is wrong.
                moved = isinstance(reply, redis.exceptions.MovedError)
                self._outdated = self._outdated or moved
                node = self.client.get_node(host=reply.host, port=reply.port)
                if node is None:
                    await self._initialize(again=True)
                    node = self.client.get_node(host=reply.host, port=reply.port)
                    if node is None:
                        break
                asking = [] if moved else [_ASKING]
                *_, reply = await self._exchange_with(node, [*asking, command], write)
            elif isinstance(reply, redis.exceptions.TryAgainError):
                # A slot is on the move between two nodes; there is no event for its arrival.
                await asyncio.sleep(0.02)
                (reply,) = await self._exchange_with(self._node(slot), [command], write)
            else:
                return reply
        raise errors.ConnectionError(
            f"the cluster redirects a command without end ({reply}); nothing was written"
        )

    async def _exchange_with(
        self, node: Any, commands: Sequence[Command], write: bool
    ) -> list[Any]:
        payload = pack(commands)
        place = place_of({"host": node.host, "port": node.port})
        free = self._free.setdefault(node.name, asyncio.Semaphore(node.max_connections))
        async with free:
            connection = node.acquire_connection()
            plain = is_plain(type(connection))
            try:
                try:
                    if plain and is_stale(connection):
                        await connection.disconnect(nowait=True)
                    await connection.connect()
                except Exception as error:
                    if is_lost(error):
                        # The node may have been replaced: look at the cluster anew next time.
                        self._outdated = True
                        raise unreachable(place, error) from error
                    raise
                try:
                    return await converse(
                        connection, payload, len(commands), self._deadlines if plain else None
                    )
                except BaseException as error:
                    await connection.disconnect(nowait=True)
                    if is_lost(error):
                        self._outdated = True
                        raise lost(place, error, write) from error
                    raise
            finally:
                node.release(connection)

    async def _initialize(self, *, again: bool = False) -> None:
        try:
            await self.client.initialize()
            if again or self._outdated:
                await self.client.nodes_manager.initialize()
                self._outdated = False
        except redis.exceptions.RedisClusterException as error:
            raise errors.ConnectionError(f"cannot connect to the cluster: {error}") from error
        except Exception as error:
            if is_lost(error):
                raise unreachable(self.place, error) from error
            raise

    def _node(self, slot: int | None) -> ClusterNode:
        try:
            if slot is None:
                return self.client.get_default_node()
            return self.client.nodes_manager.get_node_from_slot(slot)
        except redis.exceptions.SlotNotCoveredError as error:
            self._outdated = True
            raise errors.ConnectionError(
                f"no node of the cluster serves slot {slot}; nothing was written"
            ) from error

    async def leave_server(self) -> None:
        """Have the map of slots read again before the next command: another node is the primary."""
        self._outdated = True

    def close_with_loop(self) -> None:
        """Have the connections closed when the running event loop shuts down."""
        close_with_loop(self.client, functools.partial(RedisCluster.aclose, self.client))

    def close_soon(self) -> None:
        """Close all connections without waiting for it, from outside the event loop."""
        for node in self.client.nodes_manager.nodes_cache.values():
            for connection in connections_of_node(node):
                close_from_outside(connection)

    async def close(self) -> None:
        """Close all connections; the lane can be used again."""
        self._deadlines.close()
        await self.client.aclose()


def sibling_cluster(client: RedisCluster) -> RedisCluster:
    """A cluster client with the same settings and no connections yet."""
    manager = client.nodes_manager
    accepted = inspect.signature(RedisCluster.__init__).parameters
    given = {**manager.connection_kwargs, **client.connection_kwargs}
    settings = {
        name: value
        for name, value in given.items()
        if name in accepted and name not in ("host", "port", "retry")
    }
    if issubclass(given.get("connection_class", object), SSLConnection):
        settings["ssl"] = True
    nodes = {**manager.startup_nodes, **manager.nodes_cache}.values()
    return RedisCluster(
        startup_nodes=[ClusterNode(node.host, node.port) for node in nodes],
        require_full_coverage=manager.require_full_coverage,
        retry=client.retry,
        **settings,
    )
