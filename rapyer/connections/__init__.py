"""From a URL to a client, and from a client to replies.

``urls`` makes clients, ``session`` is what the rest of the library sends its commands through;
``exchange`` knows what became of a command, ``lanes`` keeps event loops apart, ``cluster`` routes;
``errors`` are those that redis-py's callers catch, too. Nothing here knows about models, and
connecting never writes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis.crc import key_slot
    from redis.exceptions import NoPermissionError, RedisError, ResponseError

    from rapyer.connections.exchange import Command
    from rapyer.connections.session import AsyncClient, Session, check_server
    from rapyer.connections.urls import client_from_url, redact_url
    from rapyer.errors.server import server_error

__all__ = [
    "AsyncClient",
    "Command",
    "NoPermissionError",
    "RedisError",
    "ResponseError",
    "Session",
    "check_server",
    "client_from_url",
    "key_slot",
    "redact_url",
    "server_error",
]

# Name -> its module. Each needs redis-py, which takes longer to import than the rest of the library and
# asyncio together: it is imported with the first name that is used, so that models can be defined
# without it. Modules on the way to a model therefore write ``connections.Session``, not ``Session``.
_MODULES = {
    "AsyncClient": "rapyer.connections.session",
    "Command": "rapyer.connections.exchange",
    "NoPermissionError": "redis.exceptions",
    "RedisError": "redis.exceptions",
    "ResponseError": "redis.exceptions",
    "Session": "rapyer.connections.session",
    "check_server": "rapyer.connections.session",
    "client_from_url": "rapyer.connections.urls",
    "key_slot": "redis.crc",
    "redact_url": "rapyer.connections.urls",
    "server_error": "rapyer.errors.server",
}

if not TYPE_CHECKING:  # type checkers know the names, and tell what is none

    def __getattr__(name: str) -> Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_MODULES[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
