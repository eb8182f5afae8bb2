"""Setting models up for a program: ``init_rapyer`` and ``teardown_rapyer``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer import connections
from rapyer.errors import ConfigurationError
from rapyer.keyspace import registry

if TYPE_CHECKING:
    from rapyer.base import AtomicRedisModel
    from rapyer.config import AsyncClient

_UNSET: Any = object()


async def init_rapyer(
    redis: str | AsyncClient | None = None,
    *,
    ttl: int | None = _UNSET,
    create_indexes: bool = False,
) -> AsyncClient:
    """Give every model a client, and check that its server can store JSON; returns the client.

    ``redis`` is a URL (``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://``,
    ``redis+cluster://``, ``embedded://``) or a ``redis.asyncio`` client, which is used as it is. Without
    it the models keep the clients they have, and those are checked. ``ttl`` sets the seconds to live of
    all models. ``create_indexes`` creates the RediSearch indexes of models with ``Index`` fields; nothing
    else is ever written.

    Raises :class:`~rapyer.errors.ConfigurationError` for a bad URL,
    :class:`~rapyer.errors.ConnectionError` when the server cannot be reached and
    :class:`~rapyer.errors.MissingModuleError` when it has no JSON module. Sends COMMAND INFO (and
    FT.CREATE when asked for).
    """
    client = connections.client_from_url(redis) if isinstance(redis, str) else redis
    models = registry.models()
    if client is not None:
        await connections.check_server(client)
    else:
        configured = {id(m.Meta.redis): m.Meta.redis for m in models if m.Meta.redis is not None}
        if not configured:
            raise ConfigurationError("init_rapyer() needs a URL or client: no model has one yet")
        for known in configured.values():
            await connections.check_server(known)
        client = next(iter(configured.values()))
    for config in _configs(models):
        if redis is not None:
            config.redis = client
        if ttl is not _UNSET:
            config.ttl = ttl
    if create_indexes:
        from rapyer.search.index import create_index, has_index

        for model in models:
            if has_index(model):
                await create_index(model)
    return client


async def teardown_rapyer() -> None:
    """Close the clients of all models and take them away from the models."""
    closed: set[int] = set()
    for config in _configs(registry.models()):
        client, config.redis = config.redis, None
        if client is not None and id(client) not in closed:
            closed.add(id(client))
            await client.aclose()


def _configs(models: list[type[AtomicRedisModel]]) -> list[Any]:
    from rapyer.base import AtomicRedisModel

    classes: list[type[AtomicRedisModel]] = [AtomicRedisModel, *models]
    configs = {id(model.Meta): model.Meta for model in classes}
    return list(configs.values())
