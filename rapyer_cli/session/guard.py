"""The gate where commands leave the process: what may write passes only while a plan is carried out.

:func:`install` puts a :class:`Guard` below a client, at the connection's ``send_packed_command``: whatever
builds a command, redis-py's pipelines and the library's own packing included, it leaves through there.

In read-only mode each command's flags are asked of the server itself, and what is not marked
``readonly`` (or belongs to the connection, such as ``AUTH``) is refused: it fails closed. Otherwise the
gate is open while a plan is carried out and closed while somebody is only looking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rapyer_cli.failures import CliError, Refused

# They concern the connection or the server's state of mind, never data; a pipeline frame only carries
# other commands, which are checked themselves.
_NEUTRAL = frozenset(
    [
        "AUTH",
        "HELLO",
        "PING",
        "ECHO",
        "SELECT",
        "QUIT",
        "RESET",
        "READONLY",
        "READWRITE",
        "MULTI",
        "EXEC",
        "DISCARD",
        "WATCH",
        "UNWATCH",
        "COMMAND",
        "COMMAND|INFO",
        "COMMAND|DOCS",
        "COMMAND|GETKEYS",
        "COMMAND|LIST",
        "CLIENT|SETINFO",
        "CLIENT|SETNAME",
        "CLIENT|ID",
        "CLIENT|INFO",
        "CLIENT|LIST",
        "CLIENT|GETNAME",
        "CLIENT|NO-EVICT",
        "CLIENT|NO-TOUCH",
        "CLIENT|MAINT_NOTIFICATIONS",
        "INFO",
        "TIME",
        "LASTSAVE",
        "ROLE",
        "MODULE|LIST",
        "CONFIG|GET",
        "ACL|WHOAMI",
        "SLOWLOG|GET",
        "SLOWLOG|LEN",
        "LATENCY|LATEST",
        "CLUSTER|SLOTS",
        "CLUSTER|SHARDS",
        "CLUSTER|NODES",
        "CLUSTER|INFO",
        "CLUSTER|KEYSLOT",
        "CLUSTER|MYID",
        "CLUSTER|GETKEYSINSLOT",
        "SENTINEL|GET-MASTER-ADDR-BY-NAME",
        "SENTINEL|MASTERS",
        "SENTINEL|MASTER",
        "SENTINEL|REPLICAS",
        "SENTINEL|SENTINELS",
        "SUBSCRIBE",
        "PSUBSCRIBE",
        "SSUBSCRIBE",
        "UNSUBSCRIBE",
        "PUNSUBSCRIBE",
        "SUNSUBSCRIBE",
    ]
)
# What looking sends, known beforehand so that an ordinary look costs no question to the server.
_READING = frozenset(
    [
        "JSON.GET",
        "JSON.MGET",
        "JSON.TYPE",
        "JSON.OBJKEYS",
        "JSON.OBJLEN",
        "JSON.ARRLEN",
        "JSON.STRLEN",
        "SCAN",
        "TYPE",
        "TTL",
        "PTTL",
        "EXISTS",
        "DBSIZE",
        "GET",
        "MEMORY|USAGE",
        "FT.SEARCH",
        "FT.AGGREGATE",
        "FT.INFO",
        "FT._LIST",
    ]
)
_CONTAINERS = frozenset(
    [
        "ACL",
        "CLIENT",
        "CLUSTER",
        "COMMAND",
        "CONFIG",
        "DEBUG",
        "FUNCTION",
        "LATENCY",
        "MEMORY",
        "MODULE",
        "OBJECT",
        "PUBSUB",
        "SCRIPT",
        "SENTINEL",
        "SLOWLOG",
        "XGROUP",
        "XINFO",
    ]
)


def is_neutral(name: str) -> bool:
    """Whether a command concerns the connection or the server's state of mind, never data."""
    return name in _NEUTRAL


AskFlags = Callable[[str], Awaitable[frozenset[str] | None]]


class Guard:
    """Decides which commands may leave.

    ``ask`` returns the server's flags of a command (None when the server does not know it). It must use
    another, unguarded connection. ``reason`` says why the session is read-only, or is empty.
    """

    def __init__(self, ask: AskFlags, reason: str = "") -> None:
        self.reason = reason
        self._ask = ask
        self._flags: dict[str, frozenset[str] | None] = {}
        self._open = 0
        self.sent = 0
        """How many commands were let through."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let commands through that write. Raises :class:`Refused` when the session is read-only."""
        if self.reason:
            raise Refused(f"read-only: {self.reason}")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def check(self, names: Iterable[str]) -> None:
        """Raise :class:`Refused` when one of these commands may not leave now."""
        names = tuple(names)
        self.sent += len(names)
        if self._open and not self.reason:
            return
        for name in names:
            if name in _NEUTRAL or (not self.reason and name in _READING):
                continue
            if not await self._reads(name):
                shown = name.replace("|", " ")
                if self.reason:
                    raise Refused(
                        f"read-only: {self.reason}; {shown} is not marked as reading by the server, "
                        "so it was not sent"
                    )
                raise Refused(f"{shown} could write and this verb only looks; it was not sent")

    async def _reads(self, name: str) -> bool:
        if name not in self._flags:
            try:
                self._flags[name] = await self._ask(name)
            except CliError:
                raise
            except Exception as error:  # whatever the reason: unknown means no
                raise Refused(
                    f"the server does not say whether {name.replace('|', ' ')} writes ({error}), so it was not sent"
                ) from error
        flags = self._flags[name]
        return flags is not None and "readonly" in flags and "write" not in flags


def install(client: Any, guard: Guard) -> None:
    """Put ``guard`` below ``client``: a client of redis-py, standalone, Sentinel or Cluster.

    Connections that are open already are not affected, so install it before the first command.
    """
    pool = getattr(client, "connection_pool", None)
    if pool is not None:
        pool.connection_class = guarded(pool.connection_class, guard)
        return
    manager = client.nodes_manager
    for kwargs in (client.connection_kwargs, manager.connection_kwargs):
        plain = kwargs.get("connection_class")
        kwargs["connection_class"] = guarded(plain or _default_connection(), guard)
    for node in [*manager.startup_nodes.values(), *manager.nodes_cache.values()]:
        node.connection_class = guarded(node.connection_class, guard)


def guarded(connection_class: type[Any], guard: Guard) -> type[Any]:
    """A connection class that asks ``guard`` before anything is sent."""
    if getattr(connection_class, "guard", None) is guard:
        return connection_class

    async def send_packed_command(self: Any, command: Any, check_health: bool = True) -> None:
        parts: Sequence[bytes]
        if isinstance(command, str):
            parts = [command.encode()]
        elif isinstance(command, bytes):
            parts = [command]
        else:
            parts = list(command)
        await guard.check(command_names(b"".join(parts)))
        # The wait_for inside loses a cancellation that comes while the last byte leaves (Python 3.11).
        task = asyncio.current_task()
        cancelled = task.cancelling() if task is not None else 0
        await connection_class.send_packed_command(self, parts, check_health)
        if task is not None and task.cancelling() > cancelled:
            await self.disconnect(nowait=True)
            raise asyncio.CancelledError

    return type(
        f"Guarded{connection_class.__name__}",
        (connection_class,),
        {"guard": guard, "send_packed_command": send_packed_command},
    )


def command_names(packed: bytes) -> list[str]:
    """The names of the commands in a packed request: ``JSON.GET``, ``CLIENT|LIST`` …

    Raises :class:`Refused` for anything that is not a plain sequence of packed commands.
    """
    names: list[str] = []
    position = 0
    while position < len(packed):
        count, position = _header(packed, position, b"*")
        words: list[bytes] = []
        for argument in range(count):
            length, position = _header(packed, position, b"$")
            if argument < 2:
                words.append(packed[position : position + length])
            position += length + 2
        if not words:
            raise Refused("an empty command was not sent")
        name = words[0].decode("ascii", "replace").upper()
        if name in _CONTAINERS and len(words) > 1:
            name += "|" + words[1].decode("ascii", "replace").upper()
        names.append(name)
    return names


def _header(packed: bytes, position: int, mark: bytes) -> tuple[int, int]:
    end = packed.find(b"\r\n", position)
    digits = packed[position + 1 : end]
    if packed[position : position + 1] != mark or end < 0 or not digits.isdigit():
        raise Refused("a request that is no Redis command was not sent")
    return int(digits), end + 2


def _default_connection() -> type[Any]:
    from redis.asyncio.connection import Connection

    return Connection
