"""How a model is set up: its client, its time to live, its ways of reading and deleting.

A model's configuration is its ``Meta``: a :class:`RedisConfig`, or a nested ``class Meta:`` with the same
attributes. A subclass without its own shares its parent's object.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from rapyer.errors import ConfigurationError

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.cluster import RedisCluster

AsyncClient: TypeAlias = "Redis | RedisCluster"

DEFAULT_MAX_DELETE = 1000
DEFAULT_LOCK_PREFIX = "rapyer:lock:"
DEFAULT_LOCK_EXPIRY = 10.0
"""How many seconds a lock outlives its holder."""

_LONGEST_TTL = 1 << 62


@dataclass(slots=True)
class RedisConfig:
    """The configuration of a model.

    ``redis``: a ``redis.asyncio`` client; ``ttl``: seconds a document lives after each save, None for
    ever; ``refresh_ttl``: whether reading or changing a document sets the full ``ttl`` again;
    ``safe_load_all``: stored values that fail validation load as None and are listed in
    ``failed_fields``; ``max_delete_per_transaction``: how many keys one command of ``delete_many``
    carries; ``dump_pk``: whether dumps of a model without a ``Key`` field hold its pk as ``pk``, and
    validation takes it back, so that what was sent elsewhere is still that document (to be set where
    the class is defined); ``lock_prefix``: what the keys of locks begin with (``"User:lock:"`` where an
    access list only allows ``~User:*``).
    """

    _given: bool = field(default=False, init=False, repr=False, compare=False)
    redis: Any = None
    ttl: int | None = None
    refresh_ttl: bool = False
    safe_load_all: bool = False
    max_delete_per_transaction: int = DEFAULT_MAX_DELETE
    dump_pk: bool = False
    lock_prefix: str = DEFAULT_LOCK_PREFIX
    _installed: Any = field(default=None, init=False, repr=False, compare=False)
    """The client that ``init_rapyer`` put here, not the user."""
    _owned: bool = field(default=False, init=False, repr=False, compare=False)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name == "redis":  # given by somebody, also where it is the client that was installed
            object.__setattr__(self, "_given", True)

    @property
    def was_given(self) -> bool:
        """Whether somebody else than ``init_rapyer`` put the client here."""
        return self.redis is not None and self._given

    def install(self, client: AsyncClient | None, *, owned: bool = False) -> AsyncClient | None:
        """Use ``client``, which is to be closed by ``init_rapyer`` or ``teardown_rapyer`` if ``owned``.

        Returns the one to be closed now.
        """
        replaced = self._installed if self._owned else None
        self.redis = self._installed = client
        self._given = False
        self._owned = owned
        return None if replaced is client else replaced


_client_in_use: ContextVar[Any] = ContextVar("rapyer_client", default=None)
_refresh_allowed: ContextVar[bool] = ContextVar("rapyer_refresh", default=True)


@contextmanager
def use_client(client: AsyncClient, *, refresh_ttl: bool = True) -> Iterator[None]:
    """Inside the block every model talks to ``client``, whatever its ``Meta`` says.

    ``refresh_ttl=False`` also keeps reads and changes from refreshing a TTL where a model asks for it.
    """
    token, refresh = _client_in_use.set(client), _refresh_allowed.set(refresh_ttl)
    try:
        yield
    finally:
        _refresh_allowed.reset(refresh)
        _client_in_use.reset(token)


def is_bound() -> bool:
    """Whether this runs inside a :func:`use_client` block."""
    return _client_in_use.get() is not None


def refresh_of(config: RedisConfig) -> int | None:
    """The milliseconds to which an access sets the TTL again; None when it leaves the TTL alone."""
    if config.refresh_ttl and config.ttl and config.ttl > 0 and _refresh_allowed.get():
        return int(config.ttl * 1000)
    return None


def ttl_of(config: RedisConfig, owner: str) -> int | None:
    """The milliseconds that a document of ``owner`` lives after a save; None for ever.

    Raises :class:`~rapyer.errors.ConfigurationError` for what would delete it at once or is no TTL.
    """
    if config.ttl is None:
        return None
    milliseconds = int(config.ttl * 1000)
    if not 0 < milliseconds < _LONGEST_TTL:
        raise ConfigurationError(
            f"{owner}.Meta.ttl must be a positive number of seconds or None, not {config.ttl}"
        )
    return milliseconds


def client_of(config: RedisConfig, owner: str) -> AsyncClient:
    """The client that a model with ``config`` talks to.

    Raises :class:`~rapyer.errors.ConfigurationError` when it has none.
    """
    client = _client_in_use.get()
    if client is None:
        client = config.redis
    if client is None:
        raise ConfigurationError(
            f"{owner} has no Redis client: call rapyer.init_rapyer(url) or set {owner}.Meta.redis"
        )
    return client  # type: ignore[no-any-return]


def as_config(meta: Any, owner: str) -> RedisConfig:
    """``meta`` as :class:`RedisConfig`: itself, or made from the attributes of a nested class.

    Raises :class:`~rapyer.errors.ConfigurationError` for a name that is not a setting.
    """
    if isinstance(meta, RedisConfig):
        return meta
    given = {name: value for name, value in vars(meta).items() if not name.startswith("__")}
    known = {setting.name for setting in fields(RedisConfig) if setting.init}
    unknown = sorted(given.keys() - known)
    if unknown:
        raise ConfigurationError(
            f"{owner}.Meta: unknown setting {unknown[0]!r}; known are {sorted(known)}"
        )
    return RedisConfig(**given)
