"""Setting models up for a program: ``init_rapyer`` and ``teardown_rapyer``."""

from __future__ import annotations

from typing import Any, cast

from rapyer import connections
from rapyer.base import AtomicRedisModel
from rapyer.config import AsyncClient, RedisConfig
from rapyer.errors import ConfigurationError, IndexDefinitionError, MissingModuleError
from rapyer.keyspace import registry
from rapyer.search.index import create_index, has_index

_UNSET: Any = object()


def find_redis_models() -> list[type[AtomicRedisModel]]:
    """The model classes that exist, in order of definition."""
    return cast("list[type[AtomicRedisModel]]", registry.models())


async def init_rapyer(
    redis: str | AsyncClient | Any = None,
    *,
    ttl: int | None = _UNSET,
    create_indexes: bool = False,
    logger: Any = None,
) -> AsyncClient:
    """Give every model a client, and check that its server can store JSON; returns the client.

    ``redis`` is a URL (``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://``,
    ``redis+cluster://``, ``embedded://``; text or Pydantic's ``RedisDsn``) or a ``redis.asyncio`` client,
    which is used as it is. A model that was given a client by itself keeps it. A second call replaces
    what the first one gave, and closes that if it was made from a URL. Without ``redis`` the models keep
    the clients they have, and those are checked. ``ttl`` sets the seconds to live of all models.
    ``create_indexes`` creates the RediSearch indexes of models with ``Index`` fields; nothing else is
    ever written.

    Raises :class:`~rapyer.errors.ConfigurationError` for a bad URL and for a ``logger``,
    :class:`~rapyer.errors.ConnectionError` when a server cannot be reached and
    :class:`~rapyer.errors.MissingModuleError` when it has no JSON module; ``ConfigurationError``, after
    all other indexes were created, for models of which no index can hold anything. Sends COMMAND INFO
    (and FT.CREATE when asked for).
    """
    if logger is not None:
        raise ConfigurationError(
            "init_rapyer takes no logger: the loggers are 'rapyer' and below; give "
            "logging.getLogger('rapyer') the handlers and the level"
        )
    configs, own = _configs()
    url = _url(redis)
    client = cast("AsyncClient | None", redis if url is None else connections.client_from_url(url))
    if client is not None:
        try:
            await connections.check_server(client)
        except BaseException:
            if url is not None:
                await client.aclose()
            raise
        await _close([config.install(client, owned=url is not None) for config in configs])
    else:
        known = {id(config.redis): config.redis for config in configs if config.redis is not None}
        known.update({id(config.redis): config.redis for config in own})
        for configured in known.values():
            await connections.check_server(configured)
        client = next(iter(known.values()), None)
        if client is None:
            raise ConfigurationError("init_rapyer() needs a URL or client: no model has one yet")
    if ttl is not _UNSET:
        for config in (*configs, *own):
            config.ttl = ttl
    if create_indexes:
        await _create_indexes()
    return client


async def _create_indexes() -> None:
    problems = []
    for model in registry.models():
        if not has_index(model):
            continue
        try:
            await create_index(model)
        except (IndexDefinitionError, MissingModuleError):
            raise
        except ConfigurationError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("; ".join(problems))


async def teardown_rapyer() -> None:
    """Take their clients away from the models, and close what ``init_rapyer`` made from a URL.

    A client that was handed in stays open, and a model that was given one by itself keeps it.
    """
    configs, _ = _configs()
    await _close([config.install(None) for config in configs])


async def _close(clients: list[Any]) -> None:
    for client in {id(client): client for client in clients if client is not None}.values():
        await client.aclose()


def _url(redis: Any) -> str | None:
    """``redis`` as text if it is a URL."""
    if isinstance(redis, str):
        return redis
    of_pydantic = type(redis).__module__.split(".")[0] in ("pydantic", "pydantic_core")
    return str(redis) if of_pydantic else None


def _configs() -> tuple[list[RedisConfig], list[RedisConfig]]:
    """The configurations that get what ``init_rapyer`` is given, and those of models with a client of their own.

    That of ``AtomicRedisModel`` holds the default of all models, whoever put it there.
    """
    default = AtomicRedisModel.Meta
    others = {id(model.Meta): model.Meta for model in find_redis_models()}
    others.pop(id(default), None)
    own = [config for config in others.values() if config.was_given]
    return [default, *(config for config in others.values() if not config.was_given)], own
