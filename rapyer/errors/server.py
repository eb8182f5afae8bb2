"""The errors by which a server refuses a command for a reason that is not the value: rapyer's and redis-py's at once.

:mod:`rapyer.errors` hands them out. :func:`server_error` is the one place that tells them apart, from the
first word of the reply, or from the reply's text where a script passes on what its own commands answered.
"""

from __future__ import annotations

import re

import redis.exceptions

from rapyer.errors.connection import ConnectionError
from rapyer.errors.tree import ServerError


class OutOfMemoryError(ServerError, redis.exceptions.OutOfMemoryError):
    """The server has reached its ``maxmemory``; the command was not executed."""


class ReadOnlyError(ServerError, redis.exceptions.ReadOnlyError):
    """The server is a replica that accepts no writes; the next attempt looks for the master."""


class NoPermissionError(ServerError, redis.exceptions.NoPermissionError):
    """The user may not use this command, key or channel."""


class BusyError(ServerError, redis.exceptions.ResponseError):
    """The server is busy with a script or module command of somebody's."""


class LoadingError(ServerError, ConnectionError, redis.exceptions.BusyLoadingError):
    """The server still reads its data set from disk."""


class ClusterDownError(ServerError, redis.exceptions.ClusterDownError):
    """The cluster does not serve this key now."""

    def __init__(self, *args: object) -> None:
        Exception.__init__(self, *args)


class MasterDownError(ServerError, redis.exceptions.MasterDownError):
    """The replica has lost its master, and serves no stale data."""

    def __init__(self, *args: object) -> None:
        Exception.__init__(self, *args)


class NotEnoughReplicasError(ServerError, redis.exceptions.ResponseError):
    """Fewer replicas are connected than ``min-replicas-to-write`` asks for."""


class MisconfiguredError(ServerError, redis.exceptions.ResponseError):
    """The server accepts no writes, as it cannot persist them (``MISCONF``)."""


class CommandRefusedError(ServerError, redis.exceptions.ResponseError):
    """The server refused a command for a reason that has no class of its own."""


_KINDS: tuple[tuple[str, type[ServerError]], ...] = (
    (r"\bOOM\b|used memory > 'maxmemory'", OutOfMemoryError),
    (r"\bREADONLY\b|read only replica", ReadOnlyError),
    (r"\bNOPERM\b|has no permissions|can't access|No permissions", NoPermissionError),
    (r"\bBUSY\b|is busy running a script", BusyError),
    (r"\bLOADING\b|loading the dataset", LoadingError),
    (r"\bCLUSTERDOWN\b|[Cc]luster is down|Hash slot not served", ClusterDownError),
    (r"\bMASTERDOWN\b|Link with MASTER is down", MasterDownError),
    (r"\bNOREPLICAS\b|[Nn]ot enough good replicas", NotEnoughReplicasError),
    (r"\bMISCONF\b|disk is not able to persist|stop-writes-on-bgsave-error", MisconfiguredError),
)
_OF_REDIS: tuple[tuple[type[Exception], type[ServerError]], ...] = (
    (redis.exceptions.OutOfMemoryError, OutOfMemoryError),
    (redis.exceptions.ReadOnlyError, ReadOnlyError),
    (redis.exceptions.NoPermissionError, NoPermissionError),
    (redis.exceptions.BusyLoadingError, LoadingError),
    (redis.exceptions.ClusterDownError, ClusterDownError),
    (redis.exceptions.MasterDownError, MasterDownError),
)


def server_error(reply: Exception | str, where: str = "") -> ServerError | None:
    """The error that an error reply of the server is; None where it may be due to the value.

    :param where: what the command was about, for the message.
    """
    text = str(reply)
    kind = next((ours for theirs, ours in _OF_REDIS if isinstance(reply, theirs)), None)
    if kind is None:
        first = text[:300]  # what follows may be a user's value
        kind = next((ours for pattern, ours in _KINDS if re.search(pattern, first)), None)
    if kind is None:
        return None
    error = kind(f"{where}: {text}" if where else text)
    if isinstance(reply, Exception):
        error.__cause__ = reply
    return error


for _error in [value for value in globals().values() if isinstance(value, type)]:
    if issubclass(_error, ServerError):
        _error.__module__ = "rapyer.errors"  # where they are public: in tracebacks, and for pickle
