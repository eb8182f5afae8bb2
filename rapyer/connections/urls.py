"""From a URL to a client: which schemes there are, what their parameters mean, what goes wrong.

=====================================================  =========================================
``redis://[[user]:password@]host[:port][/db]``          TCP
``rediss://…?ssl_ca_certs=&ssl_certfile=&ssl_keyfile=``  TLS
``unix://[[user]:password@]/path[?db=]``                Unix socket
``redis+sentinel://host:port,host:port/service[/db]``   the master that Sentinel names
``redis+cluster://host:port,host:port``                 Redis Cluster
``embedded://[directory][?idle=seconds]``               the server of :mod:`rapyer.embedded`
=====================================================  =========================================

``rediss+sentinel`` and ``rediss+cluster`` are the same over TLS. Percent-encode what is special.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis.exceptions
from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import (
    URL_QUERY_ARGUMENT_PARSERS,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff

from rapyer.connections.embedded import EmbeddedConnection
from rapyer.connections.pool_lane import BlockingSentinelPool, TidyPool
from rapyer.connections.session import Session
from rapyer.embedded import EmbeddedServer
from rapyer.errors import ConfigurationError

SCHEMES = (
    *("redis", "rediss", "unix", "embedded"),
    *("redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"),
)
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_SECRETS = re.compile(r"([?&](?:\w*password)=)[^&#]*", re.IGNORECASE)


class _Client(Redis):
    """A client whose ``aclose`` also closes what it opened in other ways than its pool."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await Session.of(self).close()
        await super().aclose(close_connection_pool)


class _ClusterClient(RedisCluster):
    """A cluster client whose ``aclose`` also closes its siblings' connections in this loop."""

    async def aclose(self) -> None:
        await Session.of(self).close()
        await super().aclose()


def client_from_url(url: str, **overrides: Any) -> Redis | RedisCluster:
    """A client of ``redis.asyncio`` for a URL; nothing is connected yet.

    It never sends a command twice by itself (redis-py's default retries apply a write again when
    its reply was lost), and waits for a free connection instead of failing when all are in use.

    :param url: one of the forms in the table of this module; query parameters are those of
        redis-py's connections (``protocol``, ``socket_timeout`` …).
    :param overrides: settings that win over those of the URL (``decode_responses=True``,
        ``max_connections=20``, ``password=…`` …).
    :raises ConfigurationError: the URL cannot be understood or names a file that is not there.
        Passwords never appear in the message.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise ConfigurationError(f"{redact_url(url)!r} is not a URL of a server; it is {known}")
    try:
        if scheme == "embedded":
            server = EmbeddedServer.from_url(url)
            return _pooled(EmbeddedConnection, {"server": server, **overrides})
        settings, hosts, path = _parse(url, scheme)
        settings.update(overrides)
        _require_files(settings)
        if scheme.endswith("+sentinel"):
            return _sentinel(hosts, path, settings, tls=scheme.startswith("rediss"))
        if scheme.endswith("+cluster"):
            return _cluster(hosts, settings, tls=scheme.startswith("rediss"))
        if scheme == "unix":
            settings["path"] = path
            return _pooled(UnixDomainSocketConnection, settings)
        settings["host"], settings["port"] = hosts[0]
        settings["db"] = settings.get("db", _database(path))
        return _pooled(SSLConnection if scheme == "rediss" else Connection, settings)
    except (TypeError, ValueError, redis.exceptions.RedisError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(
            f"{redact_url(url)!r} cannot be used: {_reason(url, error)}"
        ) from None


def redact_url(url: str) -> str:
    """A URL as it may be shown: every password replaced by ``***``, also where it was not percent-encoded."""
    scheme, separator, rest = url.partition("://")
    # Up to the last @, so that a password with an unescaped / ? # or @ does not show either.
    credentials, at, place = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    if at and colon:
        rest = f"{user}:***@{place}"
    return _SECRETS.sub(r"\1***", f"{scheme}{separator}{rest}")


def _reason(url: str, error: Exception) -> str:
    """Why ``url`` cannot be used, without any part of its password."""
    text = str(error)
    credentials = url.partition("://")[2].rpartition("@")[0]
    secrets = [credentials.partition(":")[2] if ":" in credentials else credentials]
    secrets += [match[0].partition("=")[2] for match in _SECRETS.finditer(url)]
    quoted = re.findall(r"'([^']+)'", text)
    for secret in filter(None, {part for one in secrets for part in (one, unquote(one))}):
        shown = any(_share(secret, part) or part in secret for part in quoted)
        if shown or _share(secret, text, 4):
            return "its parts are not what they should be; percent-encode what is special in the password"
    return text


def _share(secret: str, text: str, length: int = 3) -> bool:
    """Whether so many characters of ``secret`` (or all of it) show in ``text`` in a row."""
    length = min(length, len(secret))
    return any(secret[at : at + length] in text for at in range(len(secret) - length + 1))


def _parse(url: str, scheme: str) -> tuple[dict[str, Any], list[tuple[str, int]], str]:
    """The settings, the hosts and the unquoted path of a URL."""
    # urlsplit knows the parts of any scheme, and nothing of a list of hosts.
    parts = urlsplit(url)
    settings: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        convert = URL_QUERY_ARGUMENT_PARSERS.get(name, str)
        try:
            settings[name] = convert(value)
        except (TypeError, ValueError):
            raise ValueError(f"{value!r} is no value for {name}") from None
    credentials, _, netloc = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    if user:
        settings["username"] = unquote(user)
    if password:
        settings["password"] = unquote(password)
    default = 26379 if scheme.endswith("+sentinel") else 6379
    hosts = [_address(text, default) for text in netloc.split(",")] if scheme != "unix" else []
    return settings, hosts, unquote(parts.path)


def _address(text: str, default: int) -> tuple[str, int]:
    found = re.fullmatch(r"(?:\[([^]]+)\]|([^:\[\]]*))(?::(\d+))?", text)
    if not found:
        raise ValueError(f"{text!r} is not a host with a port")
    return unquote(found[1] or found[2]) or "localhost", int(found[3] or default)


def _database(text: str) -> int:
    text = text.strip("/")
    if text and not text.isdigit():
        raise ValueError(f"{text!r} is not the number of a database")
    return int(text or 0)


def _require_files(settings: Mapping[str, Any]) -> None:
    for name in _FILES:
        path = settings.get(name)
        if path is not None and not os.access(path, os.R_OK):
            raise ConfigurationError(f"{name}: there is no readable file {path}")


def _no_retries() -> Retry:
    return Retry(NoBackoff(), 0)


def _limits(settings: dict[str, Any]) -> dict[str, Any]:
    """Wait for a connection for as long as it takes, unless told otherwise."""
    settings.setdefault("max_connections", 50)
    settings.setdefault("timeout", None)
    settings.setdefault("retry", _no_retries())
    return settings


def _pooled(connection_class: type, settings: dict[str, Any]) -> Redis:
    pool: Any = TidyPool(connection_class=connection_class, **_limits(settings))
    # Constructed, not connected: this is where redis-py meets a setting it does not know.
    pool.make_connection()
    return _Client.from_pool(pool)


def _sentinel(
    hosts: list[tuple[str, int]], path: str, settings: dict[str, Any], *, tls: bool
) -> Redis:
    service, _, database = path.strip("/").partition("/")
    if not service:
        raise ValueError("it lacks the name of the service: redis+sentinel://host:port/service")
    settings["db"] = settings.get("db", _database(database))
    own = {
        name.removeprefix("sentinel_"): settings.pop(name)
        for name in list(settings)
        if name.startswith("sentinel_")
    }
    shared = {name: value for name, value in settings.items() if name.startswith("socket_")}
    if tls:
        shared.update({name: v for name, v in settings.items() if name.startswith("ssl_")})
        shared["ssl"] = True
    manager = Sentinel(hosts, sentinel_kwargs={**shared, **own, "retry": _no_retries()})
    pool: Any = BlockingSentinelPool(  # type: ignore[no-untyped-call]
        service,
        manager,
        connection_class=SentinelManagedSSLConnection if tls else SentinelManagedConnection,
        **_limits(settings),
    )
    pool.make_connection()
    return _Client.from_pool(pool)


def _cluster(hosts: list[tuple[str, int]], settings: dict[str, Any], *, tls: bool) -> RedisCluster:
    settings.setdefault("retry", _no_retries())
    return _ClusterClient(
        startup_nodes=[ClusterNode(host, port) for host, port in hosts], ssl=tls, **settings
    )
