"""The way of commands that somebody wants to see: through the client's own ``execute_command``.

OpenTelemetry's and Sentry's integrations wrap that method, and users override it. The quick way passes it by;
where it is not redis-py's own, commands take it.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Any

import redis.exceptions
from redis.asyncio import Redis

from rapyer.connections.exchange import Command, is_lost, lost, place_of
from rapyer.connections.pool_lane import (
    close_pool,
    close_pool_soon,
    close_with_loop,
    sibling_pool,
)

_METHODS = ("execute_command", "parse_response")
_RAW = {"NEVER_DECODE": True}
"""The option by which redis-py leaves replies as they are."""


def is_watched(client: Any) -> bool:
    """Whether somebody wrapped or overrode how ``client`` executes commands."""
    return any(not _is_own(client, name) for name in _METHODS)


def _is_own(client: Any, name: str) -> bool:
    method = getattr(type(client), name)
    return (
        name not in vars(client)
        and not hasattr(method, "__wrapped__")
        and str(getattr(method, "__module__", "")).startswith("redis.")
    )


class SeenLane:
    """Exchanges through the methods of one client in one event loop."""

    def __init__(self, client: Redis, *, foreign: bool) -> None:
        self._client: Any = copy.copy(client) if foreign else client
        self._foreign = foreign
        if foreign:
            self._client.connection_pool = sibling_pool(client.connection_pool)
        self.place = place_of(client.connection_pool.connection_kwargs)
        self.coalesce = False

    async def exchange(self, commands: Sequence[Command], write: bool) -> list[Any]:
        """Send the commands; their replies in order, error replies in place. Several go into one pipeline.

        :raises ConnectionError: nothing was sent, or nothing that writes.
        :raises OutcomeUnknownError: ``write``, and a reply is missing.
        """
        try:
            if len(commands) == 1:
                return [await self._one(commands[0])]
            pipeline = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*self._words(command), **_RAW)
            replies: list[Any] = await pipeline.execute(raise_on_error=False)
        except Exception as error:
            if is_lost(error):
                raise lost(self.place, error, write) from error
            raise
        return replies

    async def _one(self, command: Command) -> Any:
        try:
            return await self._client.execute_command(*self._words(command), **_RAW)
        except redis.exceptions.ResponseError as error:
            return error

    async def leave_server(self) -> None:
        """Have the connections made anew before the next command."""
        await self._client.connection_pool.disconnect(inuse_connections=False)

    def _words(self, command: Command) -> tuple[Any, ...]:
        """The command under the name that is seen; as bytes where redis-py would make something else of the reply."""
        name = command[0]
        text = name.decode() if isinstance(name, bytes) else str(name)
        return (text.encode() if text in self._client.response_callbacks else text, *command[1:])

    def close_with_loop(self) -> None:
        """Have a sibling's connections closed when the running event loop shuts down."""
        if self._foreign:
            pool = self._client.connection_pool
            close_with_loop(pool, functools.partial(close_pool, pool))

    async def close(self) -> None:
        """Close the connections, now."""
        await close_pool(self._client.connection_pool)

    def close_soon(self) -> None:
        """Close the connections of a sibling."""
        if self._foreign:
            close_pool_soon(self._client.connection_pool)
