"""rapyer: Pydantic models that live in Redis as JSON documents, with atomic operations on their fields.

The public names are those of ``__all__`` here, of :mod:`rapyer.base`, :mod:`rapyer.types`, :mod:`rapyer.fields`,
:mod:`rapyer.config` and :mod:`rapyer.errors`. The rooms, each of which imports only those below it:

============================  ==========================================================================
:mod:`rapyer.sync`            the same without ``await``
:mod:`rapyer.setup`           clients for all models of a program
:mod:`rapyer.testing`         pytest fixtures: a real server
:mod:`rapyer.mypy`            a plugin for mypy
:mod:`rapyer.base`            ``AtomicRedisModel``, put together
:mod:`rapyer.collection`      what a model class offers for all of its documents
:mod:`rapyer.bulk`            inserting and deleting many documents
:mod:`rapyer.search`          finding documents: by key, by scanning, through an index
:mod:`rapyer.models`          models as nodes and as documents
:mod:`rapyer.types`           the live ``str int float bytes datetime list dict``
:mod:`rapyer.batch`           changes, the batch that collects them, its commit
:mod:`rapyer.state`           the tree of live values, and what the server last said of each
:mod:`rapyer.script`          one batch as one call of a script on the server
:mod:`rapyer.expressions`     conditions on documents
:mod:`rapyer.keyspace`        which model owns a key; scanning and reading many
:mod:`rapyer.connections`     from a URL to a client, from a client to replies
:mod:`rapyer.embedded`        a private server that starts when needed
:mod:`rapyer.schema`          what annotations say: the stored form, what is refused
:mod:`rapyer.config`          how a model is set up
:mod:`rapyer.fields`          ``Key``, ``Index``, ``SafeLoad``
:mod:`rapyer.operations`      the registry of typed operations
:mod:`rapyer.paths`           JSON paths and targets
:mod:`rapyer.errors`          the tree of errors
============================  ==========================================================================

``.github/ARCHITECTURE.md`` has the same map with the ways that values take through it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rapyer import errors
    from rapyer.base import AtomicRedisModel
    from rapyer.batch.batch import Batch
    from rapyer.batch.block import pipeline
    from rapyer.batch.change import Queued
    from rapyer.bulk.delete import delete_many
    from rapyer.bulk.insert import insert
    from rapyer.config import RedisConfig
    from rapyer.errors import RapyerError
    from rapyer.fields import Index, Key, RapyerKey, SafeLoad
    from rapyer.models.lockable import lock_from_key
    from rapyer.search.start import find, find_one, get
    from rapyer.setup import find_redis_models, init_rapyer, teardown_rapyer

    apipeline = pipeline
    alock_from_key = lock_from_key
    afind, afind_one, aget = find, find_one, get
    ainsert, adelete_many = insert, delete_many

__version__ = "0.1.0"

__all__ = [
    "AtomicRedisModel",
    "Batch",
    "Index",
    "Key",
    "Queued",
    "RapyerError",
    "RapyerKey",
    "RedisConfig",
    "SafeLoad",
    "adelete_many",
    "afind",
    "afind_one",
    "aget",
    "ainsert",
    "alock_from_key",
    "apipeline",
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

# Name -> (module, name there). Pydantic and redis-py are imported with the first name that needs them:
# command line, completion and pytest plugin load without them.
_EXPORTS = {
    "AtomicRedisModel": ("base", "AtomicRedisModel"),
    "Batch": ("batch.batch", "Batch"),
    "apipeline": ("batch.block", "pipeline"),
    "pipeline": ("batch.block", "pipeline"),
    "Queued": ("batch.change", "Queued"),
    "RedisConfig": ("config", "RedisConfig"),
    "adelete_many": ("bulk.delete", "delete_many"),
    "delete_many": ("bulk.delete", "delete_many"),
    "RapyerError": ("errors", "RapyerError"),
    "Index": ("fields", "Index"),
    "Key": ("fields", "Key"),
    "RapyerKey": ("fields", "RapyerKey"),
    "SafeLoad": ("fields", "SafeLoad"),
    "afind": ("search.start", "find"),
    "afind_one": ("search.start", "find_one"),
    "aget": ("search.start", "get"),
    "find": ("search.start", "find"),
    "find_one": ("search.start", "find_one"),
    "get": ("search.start", "get"),
    "ainsert": ("bulk.insert", "insert"),
    "insert": ("bulk.insert", "insert"),
    "alock_from_key": ("models.lockable", "lock_from_key"),
    "find_redis_models": ("setup", "find_redis_models"),
    "lock_from_key": ("models.lockable", "lock_from_key"),
    "init_rapyer": ("setup", "init_rapyer"),
    "teardown_rapyer": ("setup", "teardown_rapyer"),
}


if not TYPE_CHECKING:  # type checkers know the names, and tell what is none

    def __getattr__(name: str) -> Any:
        if name == "errors":
            return import_module("rapyer.errors")
        if name not in _EXPORTS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, attribute = _EXPORTS[name]
        value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), attribute)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
