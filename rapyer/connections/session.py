"""What the library sends its commands through: raw replies, and errors that tell the outcome.

A session belongs to one client for as long as that lives. It adds no retries: the only command ever
sent again is one that the server said it did not execute (a script it does not know, a redirection).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from weakref import ref

import redis.exceptions
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from rapyer import errors
from rapyer.connections.cluster_lane import ClusterLane, one_slot, sibling_cluster
from rapyer.connections.cluster_layout import Layout
from rapyer.connections.exchange import Command, missing_module, refused
from rapyer.connections.pool_lane import PoolLane, belongs_elsewhere, close_pool_soon, sibling_pool
from rapyer.connections.seen_lane import SeenLane, is_watched

_SESSION = "_rapyer_session"
"""The attribute of a client that holds its session: both live equally long."""

_LOG = logging.getLogger("rapyer.connections")
logging.getLogger("rapyer").addHandler(logging.NullHandler())  # whoever wants to hear adds another

AsyncClient = Redis | RedisCluster
Lane = PoolLane | ClusterLane | SeenLane
Guard = Callable[[Sequence[Command]], None]


class Session:
    """The way to the server of one client, in every event loop it is used from.

    :ivar is_cluster: whether keys are spread over several servers.
    :ivar guard: called with the commands before anything else happens to them; what it raises
        refuses them. This is where a read-only or dry-run mode is enforced.
    """

    def __init__(self, client: AsyncClient) -> None:
        self.is_cluster = isinstance(client, RedisCluster)
        self.guard: Guard | None = None
        self._coalesce = True
        if not self.is_cluster and not isinstance(client, Redis):
            raise errors.ConfigurationError(
                f"a client of redis.asyncio is needed, not {type(client).__module__}."
                f"{type(client).__qualname__}"
            )
        # Not the client itself: sessions are kept for as long as their client lives.
        self._client = ref(client)
        self._pool = getattr(client, "connection_pool", None)
        self._opening = threading.Lock()
        self._home: asyncio.AbstractEventLoop | None = None
        self._lanes: dict[asyncio.AbstractEventLoop, Lane] = {}

    @classmethod
    def of(cls, client: AsyncClient) -> Session:
        """The session of a client, the same one for the same client.

        :raises ConfigurationError: ``client`` is not a client of ``redis.asyncio``.
        """
        session: Session | None = getattr(client, _SESSION, None)
        if session is not None and session._client() is not client:
            # a copy, which carries the session of what it was copied from
            vars(client).pop(_SESSION, None)
            session = None
        if session is None:
            # in one step, as threads with loops of their own may share the client
            made = cls(client)
            session = vars(client).setdefault(_SESSION, made)
        return session

    @property
    def coalesce(self) -> bool:
        """Whether commands of tasks that run at the same time are sent together, in one write over one
        connection; False sends each over a connection of its own.
        """
        return self._coalesce

    @coalesce.setter
    def coalesce(self, value: bool) -> None:
        self._coalesce = value
        for lane in list(self._lanes.values()):
            if isinstance(lane, PoolLane):
                lane.coalesce = value

    async def execute(self, *words: bytes | str | int, write: bool, node: Any = None) -> Any:
        """Send one command and return its reply: bytes for strings, never decoded.

        :param write: whether the command may change data; decides what a lost reply means.
        :param node: one of :meth:`primaries`, for commands without a key.
        :raises ConnectionError: nothing was sent, or nothing that writes.
        :raises OutcomeUnknownError: the reply to a write was lost.
        :raises MissingModuleError: the server lacks the module of the command.
        :raises redis.exceptions.ResponseError: any other error reply of the server.
        """
        (reply,) = await self._exchange((words,), write, node)
        if isinstance(reply, Exception):
            raise await self._refusal(reply)
        return reply

    async def execute_many(
        self, commands: Sequence[Command], *, write: bool, node: Any = None
    ) -> list[Any]:
        """Send commands in one write, without a transaction, and return their replies in order.

        An error reply is returned in its place (as :meth:`execute` would raise it). The commands
        and the replies are held in memory: bound their number.

        :raises ConnectionError: nothing was sent, or nothing that writes.
        :raises OutcomeUnknownError: ``write``, and at least one reply was lost.
        """
        if not commands:
            return []
        replies = await self._exchange(commands, write, node)
        for number, reply in enumerate(replies):
            if isinstance(reply, Exception):
                replies[number] = await self._refusal(reply)
        return replies

    async def evalsha(
        self,
        sha: str,
        source: str,
        keys: Sequence[str | bytes],
        args: Sequence[bytes | str | int],
        *,
        write: bool = True,
    ) -> Any:
        """Run a script by its SHA-1, or by its source where the server does not know it yet.

        :param source: the text that ``sha`` is the SHA-1 of.
        :raises CrossSlotError: the keys are in several slots of a cluster; nothing was sent.

        Other errors as :meth:`execute`. Sends ``EVALSHA``, after ``NOSCRIPT`` (nothing was
        executed) ``EVAL`` once.
        """
        words = (len(keys), *keys, *args)
        (reply,) = await self._exchange((("EVALSHA", sha, *words),), write, None)
        if isinstance(reply, redis.exceptions.NoScriptError):
            return await self.execute("EVAL", source, *words, write=write)
        if isinstance(reply, Exception):
            raise await self._refusal(reply)
        return reply

    async def heed(self, error: Exception) -> None:
        """Have the next commands look for the master again, if ``error`` says that a replica was asked to write.

        For errors that came inside a reply, where only the caller can see them.
        """
        if isinstance(error, errors.ReadOnlyError):
            _LOG.info("%s refuses to write: the master is looked for again", self._lane().place)
            await self._lane().leave_server()

    async def _refusal(self, reply: Exception) -> Exception:
        error = refused(reply, self._lane().place)
        await self.heed(error)
        return error

    async def primaries(self) -> list[Any]:
        """The nodes to ask for something about all keys: one ``None``, or a cluster's primaries."""
        lane = self._lane()
        return await lane.primaries() if isinstance(lane, ClusterLane) else [None]

    async def layout(self) -> Layout | None:
        """Which node of the cluster has which slots; None without a cluster, or where nobody may ask."""
        lane = self._lane()
        return await lane.layout() if isinstance(lane, ClusterLane) else None

    def require_one_slot(self, keys: Sequence[str | bytes]) -> None:
        """Refuse keys that cannot be used together.

        :raises CrossSlotError: the client is a cluster's and the keys are in several slots.
        """
        if self.is_cluster:
            one_slot(keys)

    async def close(self) -> None:
        """Close the connections of this event loop; the client stays usable."""
        loop = asyncio.get_running_loop()
        lane = self._lanes.pop(loop, None)
        if lane is not None:
            await lane.close()

    def close_soon(self) -> None:
        """Close the connections of all event loops from outside of them, without waiting.

        For the end of a test: the sockets are closed when their loop runs next, or closes.
        """
        while self._lanes:
            _, lane = self._lanes.popitem()
            lane.close_soon()
        if self._pool is not None:
            close_pool_soon(self._pool)

    def _exchange(
        self, commands: Sequence[Command], write: bool, node: Any
    ) -> Awaitable[list[Any]]:
        if self.guard is not None:
            self.guard(commands)
        lane = self._lane()
        if isinstance(lane, ClusterLane):
            return lane.exchange(commands, write, node)
        return lane.exchange(commands, write)

    def _lane(self) -> Lane:
        loop = asyncio.get_running_loop()
        lane = self._lanes.get(loop)
        return lane if lane is not None else self._open_lane(loop)

    def _open_lane(self, loop: asyncio.AbstractEventLoop) -> Lane:
        # Loops of other threads may be doing the same.
        with self._opening:
            for known in [known for known in self._lanes if known.is_closed()]:
                del self._lanes[known]
            lane: Lane
            if self.is_cluster:
                client: Any = self._client()
                foreign = self._home not in (None, loop)
                lane = ClusterLane(sibling_cluster(client) if foreign else client, loop)
            else:
                foreign = self._home not in (None, loop) or belongs_elsewhere(self._pool, loop)
                own: Any = self._client()
                if own is not None and is_watched(own):
                    lane = SeenLane(own, foreign=foreign)
                else:
                    lane = PoolLane(sibling_pool(self._pool) if foreign else self._pool, loop)
                    lane.coalesce = self._coalesce
            if self._home is None:
                self._home = loop
            self._lanes[loop] = lane
        lane.close_with_loop()
        return lane


async def check_server(client: AsyncClient) -> None:
    """Make sure that the server can be reached and stores JSON. Writes nothing.

    :raises ConnectionError: it cannot be reached, or refuses the login.
    :raises MissingModuleError: it has no JSON module; the message says what to do.

    Sends ``COMMAND INFO``.
    """
    session = Session.of(client)
    try:
        reply = await session.execute("COMMAND", "INFO", "JSON.SET", write=False)
    except redis.exceptions.NoPermissionError:
        return  # a user who may not ask: the first operation will tell
    if not reply or reply[0] is None:
        raise missing_module("JSON", session._lane().place)
