"""The connections of one client in one event loop.

asyncio ties sockets and locks to the loop they were made in. A client that comes to a second loop
(each pytest test has its own) therefore gets a sibling pool there, made like its own. A pool's
connections are closed when their loop shuts down.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool

from rapyer.connections.coalescing import SMALL, Broken, Together
from rapyer.connections.exchange import (
    DRAIN_ABOVE,
    Command,
    Deadlines,
    converse,
    is_lost,
    is_plain,
    is_stale,
    lost,
    pack,
    place_of,
    replies_of,
    unreachable,
    write_out,
)
from rapyer.connections.redis_internals import (
    close_from_outside,
    connections_of,
    forced_address_of,
    idle_of,
    in_use_of,
    is_waited_for,
    loop_of,
)

# Settings that redis-py itself adds to a pool's, tied to that pool.
_OWN_TO_A_POOL = (
    "connection_pool",
    "maint_notifications_pool_handler",
    "maintenance_notification_hash",
    "maintenance_state",
    "orig_host_address",
    "orig_socket_connect_timeout",
    "orig_socket_timeout",
)


class TidyPool(BlockingConnectionPool):
    """A pool that closes its connections with their event loop, as long as one loop uses it."""

    def __repr__(self) -> str:
        # That of redis-py shows the password in some of its versions.
        return f"<{type(self).__name__} of {place_of(self.connection_kwargs)}>"

    async def get_connection(self, *args: Any, **options: Any) -> Any:
        close_with_loop(self, functools.partial(close_pool, self))
        get_connection: Callable[..., Awaitable[Any]] = super().get_connection
        return await get_connection(*args, **options)


class BlockingSentinelPool(SentinelConnectionPool, TidyPool):
    """Asks Sentinel for the master, and waits for a free connection instead of failing."""


class PoolLane:
    """Exchanges over the connections of one pool."""

    #: Whether commands of tasks that run at the same time are sent together (see ``together``).
    coalesce: bool

    def __init__(self, pool: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.pool = pool
        self.place = place_of(pool.connection_kwargs)
        if isinstance(pool, SentinelConnectionPool):
            self.place = f"the master of {pool.service_name!r}"
        self._deadlines = Deadlines(loop) if is_plain(pool.connection_class) else None
        # These pools keep their free connections in a list and add only bookkeeping of metrics and
        # re-authentication around it, which costs as much as the exchange itself.
        self._simple = (
            self._deadlines is not None
            and type(pool) in (ConnectionPool, BlockingConnectionPool, TidyPool)
            and not pool.connection_kwargs.get("credential_provider")
            and isinstance(getattr(pool, "_available_connections", None), list)
            and isinstance(getattr(pool, "_in_use_connections", None), set)
        )
        # Who waits for a connection here gets it from hand to hand, rather than to fail where the pool
        # itself would; only where waiting has a limit is it for the pool to say so. Somebody waits in
        # is not allowed at all, it is for the pool to say so. Somebody waits in turn only while
        # the lane holds a connection that can be handed on.
        self._queues = self._simple and getattr(pool, "timeout", None) is None
        self._held = 0
        self._busy = 0
        self.coalesce = True
        self._together = Together(
            loop, self._converse, self._begin if self._begins_at_once() else None
        )
        self._turns: deque[asyncio.Future[Any]] = deque()

    async def exchange(self, commands: Sequence[Command], write: bool) -> list[Any]:
        """Send the commands in one write; their replies in order, error replies in place.

        :raises ConnectionError: nothing was sent, or nothing that writes.
        :raises OutcomeUnknownError: ``write``, and a reply is missing.
        """
        payload = pack(commands)
        try:
            if self._gathers() and len(payload) <= SMALL:
                return await self._together.exchange(payload, len(commands))
            return await self._converse(payload, len(commands))
        except Broken as broken:
            raise self._failure(broken, write) from broken.cause

    def _gathers(self) -> bool:
        return bool(self._busy) and self.coalesce and self._simple

    def _failure(self, broken: Broken, write: bool) -> Exception:
        if broken.sent:
            return lost(self.place, broken.cause, write)
        return unreachable(self.place, broken.cause)

    async def _converse(self, payload: bytes, count: int) -> list[Any]:
        self._busy += 1
        try:
            try:
                connection = (self._simple and self._take_idle()) or await self._acquire()
            except Exception as error:
                if is_lost(error):
                    raise Broken(error, sent=False) from error
                raise
            conversation = converse(connection, payload, count, self._deadlines)
            return await self._outcome(connection, conversation)
        finally:
            self._busy -= 1

    def _begin(self, payload: bytes) -> Callable[[int], Awaitable[list[Any]]] | None:
        """Write over a connection that is free, without waiting; what reads the replies.

        None when there is none, or when it takes more than writing.
        """
        if self._deadlines is None or len(payload) > DRAIN_ABOVE:
            return None
        connection = self._take_idle()
        if connection is None:
            return None
        self._busy += 1
        # whoever reads the replies hears of what goes wrong here
        with contextlib.suppress(OSError, RuntimeError):
            write_out(connection, payload, self._deadlines)
        return functools.partial(self._finish, connection)

    async def _finish(self, connection: Any, count: int) -> list[Any]:
        assert self._deadlines is not None
        try:
            replies = replies_of(connection, count, self._deadlines)
            return await self._outcome(connection, replies)
        finally:
            self._busy -= 1

    async def _outcome(
        self, connection: Any, conversation: Coroutine[Any, Any, list[Any]]
    ) -> list[Any]:
        """What ``conversation`` brings; the connection is given back, or closed when it is out of step."""
        try:
            replies = await conversation
        except BaseException as error:
            # A reply may still be under way: nobody else may get this connection as it is.
            try:
                await connection.disconnect(nowait=True)
            finally:
                await self._release(connection)
            if is_lost(error):
                raise Broken(error, sent=True) from error
            raise
        if not (self._simple and self._give_back(connection)):
            await self._release(connection)
        return replies

    def _begins_at_once(self) -> bool:
        """Whether a connection that is free can be written to without asking it anything before."""
        return self._simple and not self.pool.connection_kwargs.get("health_check_interval")

    def _take_idle(self) -> Any:
        """A connection that is ready for use, without waiting; None when there is none."""
        idle = idle_of(self.pool)
        if not idle or is_stale(idle[-1]) or idle[-1].should_reconnect():
            return None
        connection = idle.pop()
        self._held += 1
        in_use_of(self.pool).add(connection)
        return connection

    async def _acquire(self) -> Any:
        """A connected connection, waiting for one if need be."""
        pool = self.pool
        if self._queues and self._held and not pool.can_get_connection():
            connection = await self._wait_in_turn()
        else:
            connection = await pool.get_connection()
            self._held += 1
        if self._deadlines is not None and (is_stale(connection) or connection.should_reconnect()):
            # It broke in the hands of the one before, or the server closed it while it was idle.
            try:
                await connection.disconnect(nowait=True)
                await connection.connect()
            except BaseException:
                await self._release(connection)
                raise
        return connection

    async def _wait_in_turn(self) -> Any:
        turn = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                await self._release(turn.result())
            raise

    def _give_back(self, connection: Any) -> bool:
        """Return a connection without waiting; False when that takes :meth:`_release`."""
        if self._hand_on(connection):
            return True
        if is_waited_for(self.pool) or connection.should_reconnect():
            return False
        self._held -= 1
        in_use_of(self.pool).discard(connection)
        idle_of(self.pool).append(connection)
        return True

    async def _release(self, connection: Any) -> None:
        if not self._hand_on(connection):
            self._held -= 1
            await self.pool.release(connection)

    def _hand_on(self, connection: Any) -> bool:
        """Give a connection to whoever waits longest in turn; False when nobody does."""
        if self._held > 1 and self._turns and is_waited_for(self.pool):
            return False  # those who use the pool directly are served as well
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(connection)
                return True
        return False

    async def leave_server(self) -> None:
        """Have every connection made anew before it is used again: by then another server is the master."""
        for connection in in_use_of(self.pool):
            connection.mark_for_reconnect()
        await self.pool.disconnect(inuse_connections=False)

    def close_with_loop(self) -> None:
        """Have the connections closed when the running event loop shuts down."""
        pool = self.pool
        # Not a method of the lane: a pool may be shared by clients, and outlives each of them.
        close_with_loop(pool, functools.partial(close_pool, pool))

    def close_soon(self) -> None:
        """Close all connections without waiting for it, from outside the event loop."""
        close_pool_soon(self.pool)

    async def close(self) -> None:
        """Close all connections; the lane can be used again."""
        if self._deadlines is not None:
            self._deadlines.close()
        await close_pool(self.pool)


async def close_pool(pool: Any) -> None:
    """Disconnect a pool, and those of the Sentinels behind it."""
    await pool.disconnect()
    manager = getattr(pool, "sentinel_manager", None)
    for sentinel in manager.sentinels if manager else ():
        await sentinel.connection_pool.disconnect()


def close_pool_soon(pool: Any) -> None:
    """Close the connections of a pool without waiting for it, from outside their event loop."""
    for connection in connections_of(pool):
        close_from_outside(connection)


def sibling_pool(pool: Any) -> Any:
    """A pool with the same settings and no connections yet."""
    settings = {
        name: value for name, value in pool.connection_kwargs.items() if name not in _OWN_TO_A_POOL
    }
    settings["connection_class"] = pool.connection_class
    settings["max_connections"] = pool.max_connections
    if isinstance(pool, BlockingConnectionPool):
        settings["timeout"] = pool.timeout
    if isinstance(pool, SentinelConnectionPool):
        settings["is_master"] = pool.is_master
        settings["check_connection"] = pool.check_connection
        manager = _sibling_sentinel(pool.sentinel_manager)
        return type(pool)(pool.service_name, manager, **settings)
    return type(pool)(**settings)


def _sibling_sentinel(manager: Any) -> Sentinel:
    addresses = [
        (settings["host"], settings["port"])
        for settings in (client.connection_pool.connection_kwargs for client in manager.sentinels)
    ]
    return Sentinel(
        addresses,
        min_other_sentinels=manager.min_other_sentinels,
        sentinel_kwargs=manager.sentinel_kwargs,
        force_master_ip=forced_address_of(manager),
        **manager.connection_kwargs,
    )


def belongs_elsewhere(pool: Any, loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a pool already has connections of another event loop."""
    return any(loop_of(connection) not in (None, loop) for connection in connections_of(pool))


def close_with_loop(owner: Any, close: Callable[[], Awaitable[None]]) -> None:
    """Call ``close`` when the running event loop shuts down, or when ``owner`` is collected.

    A loop finishes its asynchronous generators before it closes: the one hook asyncio has for
    this. It refers to them weakly, so ``owner`` (a pool, a cluster client) carries the generator.
    """

    loop = asyncio.get_running_loop()
    known = getattr(owner, "_rapyer_closes_with_loop", None)
    if known is not None and known[0] is loop:
        return

    async def waiting() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await close()

    generator = waiting()
    with contextlib.suppress(StopIteration):
        # Runs up to the yield at once, which makes the generator known to the loop.
        next(generator.__anext__().__await__())
    owner._rapyer_closes_with_loop = (loop, generator)
