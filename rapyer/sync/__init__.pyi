"""rapyer without ``await``. Written by ``python -m tests.sync.stub``."""

# What is awaited there is waited for here: the twins are meant to differ from what they override.
# mypy: disable-error-code="override, assignment, misc, unused-ignore"
# pyright: reportIncompatibleMethodOverride=false, reportAssignmentType=false

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, Self, SupportsIndex, TypeVar, overload

import rapyer.types as _types
from rapyer import Index as Index
from rapyer import Key as Key
from rapyer import Queued as Queued
from rapyer import RapyerError as RapyerError
from rapyer import RapyerKey as RapyerKey
from rapyer import RedisConfig as RedisConfig
from rapyer import SafeLoad as SafeLoad
from rapyer import errors as errors
from rapyer import find_redis_models as find_redis_models
from rapyer.base import AtomicRedisModel as _AtomicRedisModel
from rapyer.batch.batch import Batch
from rapyer.bulk.delete import Deletable, Deleted
from rapyer.config import AsyncClient
from rapyer.models.locks import Lock
from rapyer.models.storage import Storage
from rapyer.search.changes import Change
from rapyer.search.matching import Condition
from rapyer.sync.waiting import Block as Block
from rapyer.sync.waiting import Find as Find

__all__ = [
    "AtomicRedisModel",
    "Block",
    "Find",
    "Index",
    "Key",
    "Queued",
    "RapyerError",
    "RapyerKey",
    "RedisBytes",
    "RedisConfig",
    "RedisDatetime",
    "RedisDatetimeTimestamp",
    "RedisDict",
    "RedisFloat",
    "RedisInt",
    "RedisList",
    "RedisStr",
    "SafeLoad",
    "delete_many",
    "errors",
    "find",
    "find_one",
    "find_redis_models",
    "get",
    "init_rapyer",
    "insert",
    "lock_from_key",
    "pipeline",
    "teardown_rapyer",
]

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

class AtomicRedisModel(_AtomicRedisModel):
    @overload
    @classmethod
    def find(
        cls,
        *conditions: Condition,
        sort: Any = ...,
        limit: int | None = ...,
        offset: int = ...,
        max_results: int | None = ...,
        fields: None = ...,
        missing_ok: bool = ...,
        subclasses: bool = ...,
    ) -> Find[Self]: ...
    @overload
    @classmethod
    def find(
        cls,
        *conditions: Condition,
        sort: Any = ...,
        limit: int | None = ...,
        offset: int = ...,
        max_results: int | None = ...,
        fields: Sequence[Any],
        missing_ok: bool = ...,
        subclasses: bool = ...,
    ) -> Find[dict[str, Any]]: ...
    afind = find
    @classmethod
    def find_one(cls, *conditions: Condition, sort: Any = ...) -> Self | None: ...
    @classmethod
    def find_keys(
        cls,
        *conditions: Condition,
        sort: Any = ...,
        limit: int | None = ...,
        offset: int = ...,
        max_results: int | None = ...,
    ) -> Find[str]: ...
    afind_keys = find_keys
    @classmethod
    def changes(
        cls,
        *conditions: Condition,
        interval: float = ...,
        notifications: bool | None = ...,
        ready: asyncio.Event | None = ...,
    ) -> Iterator[Change[Self]]: ...
    @classmethod
    def exists(cls, key: Any) -> bool: ...
    @classmethod
    def get_or_create(cls, document: Self | Any = ..., /, **fields: Any) -> tuple[Self, bool]: ...
    @classmethod
    def create_index(cls, *, rebuild: bool = ...) -> bool: ...
    @classmethod
    def delete_index(cls) -> bool: ...
    @classmethod
    def insert(cls, *models: Self) -> list[RapyerKey]: ...
    @classmethod
    def delete_many(cls, *conditions: Deletable) -> Deleted: ...
    @classmethod
    def afind_one(cls, *conditions: Condition, sort: Any = ...) -> Self | None: ...
    @classmethod
    def ainsert(cls, *models: Self) -> list[RapyerKey]: ...
    @classmethod
    def adelete_many(cls, *conditions: Deletable) -> Deleted: ...
    @classmethod
    def aexists(cls, key: Any) -> bool: ...
    @classmethod
    def aget_or_create(cls, document: Self | Any = ..., /, **fields: Any) -> tuple[Self, bool]: ...
    @classmethod
    def acreate_index(cls, *, rebuild: bool = ...) -> bool: ...
    @classmethod
    def adelete_index(cls) -> bool: ...
    def save(self, *, nx: bool = ..., xx: bool = ...) -> Self: ...
    asave = save
    def save_changes(self) -> Self: ...
    asave_changes = save_changes
    def load(self) -> Self: ...
    aload = load
    @classmethod
    def get(cls, key: Any) -> Self: ...
    @classmethod
    def aget(cls, key: Any) -> Self: ...
    def delete(self) -> bool: ...
    adelete = delete
    @classmethod
    def delete_by_key(cls, key: Any) -> bool: ...
    @classmethod
    def adelete_by_key(cls, key: Any) -> bool: ...
    def duplicate(self, **changes: Any) -> Self: ...
    aduplicate = duplicate
    def duplicate_many(self, count: int, **changes: Any) -> list[Self]: ...
    aduplicate_many = duplicate_many
    def set_ttl(self, seconds: float | timedelta | None) -> None: ...
    aset_ttl = set_ttl
    def pipeline(self, *, watch: bool = ..., ignore_redis_error: bool = ...) -> Block[Self]: ...
    apipeline = pipeline
    @overload
    def lock(
        self,
        action: None = ...,
        *,
        save_at_end: Literal[False] = ...,
        timeout: float | None = ...,
        expiry: float = ...,
    ) -> Block[Lock]: ...
    @overload
    def lock(
        self,
        action: str | None = ...,
        *,
        save_at_end: bool = ...,
        timeout: float | None = ...,
        expiry: float = ...,
    ) -> Block[Self]: ...
    alock = lock
    @overload
    @classmethod
    def lock_from_key(
        cls,
        key: Any,
        action: None = ...,
        *,
        save_at_end: Literal[False] = ...,
        timeout: float | None = ...,
        expiry: float = ...,
    ) -> Block[Lock]: ...
    @overload
    @classmethod
    def lock_from_key(
        cls,
        key: Any,
        action: str | None = ...,
        *,
        save_at_end: bool = ...,
        timeout: float | None = ...,
        expiry: float = ...,
    ) -> Block[Self]: ...
    alock_from_key = lock_from_key
    def aupdate(self, **changes: Any) -> None: ...

class RedisBytes(_types.RedisBytes):
    def save(self) -> Self: ...
    asave = save
    def load(self) -> Self: ...
    aload = load
    def __get__(self, instance: Any, owner: Any) -> RedisBytes: ...

class RedisDatetime(_types.RedisDatetime):
    def save(self) -> Self: ...
    asave = save
    def load(self) -> Self: ...
    aload = load
    def __get__(self, instance: Any, owner: Any) -> RedisDatetime: ...

class RedisDatetimeTimestamp(_types.RedisDatetimeTimestamp):
    def save(self) -> Self: ...
    asave = save
    def load(self) -> Self: ...
    aload = load
    def __get__(self, instance: Any, owner: Any) -> RedisDatetimeTimestamp: ...

class RedisDict(_types.RedisDict[K, V]):
    def aset_item(self, key: K, value: V) -> None: ...
    def adel_item(self, key: K) -> None: ...
    def aupdate(
        self, entries: Mapping[K, V] | Iterable[tuple[K, V]] = ..., /, **kwargs: V
    ) -> None: ...
    def apop(self, key: K, default: Any = ...) -> V | Any: ...
    def apopitem(self) -> tuple[K, V]: ...
    def aclear(self) -> None: ...
    def save(self) -> Self: ...
    asave = save
    def load(self) -> Self: ...
    aload = load
    def __get__(self, instance: Any, owner: Any) -> RedisDict[K, V]: ...

class RedisFloat(_types.RedisFloat):
    def increase(self, amount: float = ...) -> float: ...
    aincrease = increase
    def save(self) -> Self: ...
    asave = save
    def load(self) -> Self: ...
    aload = load
    def __get__(self, instance: Any, owner: Any) -> RedisFloat: ...

class RedisInt(_types.RedisInt):
    def increase(self, amount: int = ...) -> int: ...
    aincrease = increase
    def save(self) -> Self: ...
    asave = save
    def load(self) -> Self: ...
    aload = load
    def __get__(self, instance: Any, owner: Any) -> RedisInt: ...

class RedisList(_types.RedisList[T]):
    def aappend(self, item: T) -> None: ...
    def aextend(self, items: Iterable[T]) -> None: ...
    def ainsert(self, index: SupportsIndex, item: T) -> None: ...
    def apop(self, index: SupportsIndex = ...) -> T | None: ...
    def aclear(self) -> None: ...
    def save(self) -> Self: ...
    asave = save
    def load(self) -> Self: ...
    aload = load
    def __get__(self, instance: Any, owner: Any) -> RedisList[T]: ...

class RedisStr(_types.RedisStr):
    def save(self) -> Self: ...
    asave = save
    def load(self) -> Self: ...
    aload = load
    def __get__(self, instance: Any, owner: Any) -> RedisStr: ...

def delete_many(*conditions: Deletable) -> Deleted: ...
def find(*conditions: Condition, missing_ok: bool = ...) -> Find[Any]: ...
def find_one(*conditions: Condition) -> Any: ...
def get(key: str) -> Any: ...
def init_rapyer(
    redis: str | AsyncClient | Any = ...,
    *,
    ttl: int | None = ...,
    create_indexes: bool = ...,
    logger: Any = ...,
) -> AsyncClient: ...
def insert(*models: Storage) -> list[RapyerKey]: ...
def lock_from_key(
    key: str,
    action: str | None = ...,
    *,
    save_at_end: bool = ...,
    timeout: float | None = ...,
    expiry: float | None = ...,
) -> Block[Any]: ...
def pipeline(
    *documents: Any, watch: bool = ..., ignore_redis_error: bool = ...
) -> Block[Batch]: ...
def teardown_rapyer() -> None: ...
