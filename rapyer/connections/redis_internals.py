"""Every use of what redis-py does not document: a new version that moves something fails here, by name.

``tests/connections/test_redis_internals.py`` asks each of these what it is for. Those that stand in the way of every
operation are one attribute deep and nothing more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

# -- pools -----------------------------------------------------------------------------------------


def idle_of(pool: Any) -> list[Any]:
    """The connections of a pool that wait for use, itself: the last one is taken first."""
    return pool._available_connections  # type: ignore[no-any-return]


def in_use_of(pool: Any) -> set[Any]:
    """The connections of a pool that somebody has, itself."""
    return pool._in_use_connections  # type: ignore[no-any-return]


def connections_of(pool: Any) -> tuple[Any, ...]:
    """All connections of a pool."""
    return *idle_of(pool), *in_use_of(pool)


def is_waited_for(pool: Any) -> bool:
    """Whether somebody waits for a connection of a blocking pool."""
    condition = getattr(pool, "_condition", None)
    return condition is not None and bool(condition.locked() or condition._waiters)


def connections_of_node(node: Any) -> Iterable[Any]:
    """All connections to a node of a cluster."""
    return node._connections  # type: ignore[no-any-return]


def forced_address_of(sentinel: Any) -> Any:
    """The address at which a Sentinel client looks for the master, whatever the Sentinels say."""
    return getattr(sentinel, "_force_master_ip", None)


# -- connections -----------------------------------------------------------------------------------


def writer_of(connection: Any) -> asyncio.StreamWriter | None:
    """What a connection writes to; None while it is not connected."""
    return connection._writer  # type: ignore[no-any-return]


def is_at_end(connection: Any) -> bool:
    """Whether a connected connection has read that the server closed it."""
    return bool(connection._reader.at_eof())


def reading_of(connection: Any) -> Callable[..., Awaitable[Any]]:
    """What reads the next reply of a connected connection; ``disable_decoding=True`` leaves bytes."""
    return connection._parser.read_response  # type: ignore[no-any-return]


def loop_of(connection: Any) -> asyncio.AbstractEventLoop | None:
    """The event loop that a connection belongs to; None while it is not connected."""
    reader = getattr(connection, "_reader", None)
    return None if reader is None else getattr(reader, "_loop", None)


def close_from_outside(connection: Any) -> None:
    """Close a connection when its event loop runs next; nothing to do when that is closed."""
    loop = loop_of(connection)
    if loop is not None and not loop.is_closed():
        connection._close()
