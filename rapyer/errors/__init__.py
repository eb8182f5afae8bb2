"""Every error rapyer raises on its own account.

::

    RapyerError
    ├── ConfigurationError               no client, bad URL, no server binary …
    │   ├── ModelDefinitionError         (TypeError) a model class that cannot be stored
    │   ├── AmbiguousModelError          two model classes claim one key prefix
    │   ├── IndexDefinitionError         the server has this index with another definition
    │   └── MissingModuleError           the server has no RedisJSON (or no RediSearch)
    ├── ConnectionError                  (redis ConnectionError, builtin ConnectionError) nothing was written
    │   └── OutcomeUnknownError          the reply to a write was lost: it was applied once or not at all
    ├── ServerError                      the server refused, for a reason that is not the value; each also redis-py's
    │   ├── OutOfMemoryError (redis OutOfMemoryError) maxmemory is reached
    │   ├── ReadOnlyError (redis ReadOnlyError) a replica was asked to write
    │   ├── NoPermissionError (redis NoPermissionError) an ACL forbids it
    │   ├── BusyError (redis ResponseError) somebody's script runs
    │   ├── LoadingError (rapyer ConnectionError, redis BusyLoadingError) the data set is being read from disk
    │   ├── ClusterDownError (redis ClusterDownError) the cluster does not serve the key now
    │   ├── MasterDownError (redis MasterDownError) a replica without its master
    │   ├── NotEnoughReplicasError (redis ResponseError) min-replicas-to-write
    │   ├── MisconfiguredError (redis ResponseError) the server cannot persist, and so accepts no writes
    │   └── CommandRefusedError (redis ResponseError) any other refusal
    ├── KeyNotFound                      (KeyError) the document is not there
    │   └── PathNotFound                 the document is there, the path inside it is not
    ├── KeyExistsError                   a document that must be new is there already
    ├── WrongTypeError                   (TypeError) the stored value has another JSON type
    ├── WrongModelError                  (ValueError) the key belongs to another model class
    ├── InvalidValueError                (ValueError) a value that JSON in Redis cannot hold exactly
    │   ├── UnaddressableKeyError        a dict key that no JSON path can name
    │   └── ExpressionError              a condition that cannot be
    │       └── UnknownFieldError        (AttributeError) the model has no such field
    ├── ConstraintError                  (ValueError) the result would break a field's constraint
    ├── IntegerOverflowError             (OverflowError) the result does not fit into 64 bits
    ├── ItemIndexError                   (IndexError) list index out of range on the server
    ├── EmptyContainerError              (KeyError) popitem from an empty dict
    ├── DocumentError                    (ValueError) a stored document fails its model's validation
    ├── DetachedError                    the value is no longer (or was never) part of a document
    ├── PipelineError                    a batch was refused as a whole; names the operation
    ├── AppliedError                     it was applied, and what followed failed; carries the answer
    ├── ConflictError                    somebody else wrote first; nothing was applied
    ├── CrossSlotError                   a batch would span several slots of a Redis Cluster
    ├── LockError                        a lock was not obtained, or was lost while held
    └── BulkError                        some documents of a bulk call failed; says which

Values that fail Pydantic's validation raise :class:`pydantic.ValidationError` as everywhere else.
What lives here: the classes and their messages (those of ``ConnectionError`` in
:mod:`rapyer.errors.connection`). What does not: deciding when to raise them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rapyer.errors.tree import (
    AmbiguousModelError,
    AppliedError,
    BulkError,
    ConfigurationError,
    ConflictError,
    ConstraintError,
    CrossSlotError,
    DetachedError,
    DocumentError,
    EmptyContainerError,
    ExpressionError,
    IndexDefinitionError,
    IntegerOverflowError,
    InvalidValueError,
    ItemIndexError,
    KeyExistsError,
    KeyNotFound,
    LockError,
    MissingModuleError,
    ModelDefinitionError,
    PathNotFound,
    PipelineError,
    RapyerError,
    ServerError,
    UnaddressableKeyError,
    UnknownFieldError,
    WrongModelError,
    WrongTypeError,
)

if TYPE_CHECKING:
    from rapyer.errors.connection import ConnectionError, OutcomeUnknownError
    from rapyer.errors.server import (
        BusyError,
        ClusterDownError,
        CommandRefusedError,
        LoadingError,
        MasterDownError,
        MisconfiguredError,
        NoPermissionError,
        NotEnoughReplicasError,
        OutOfMemoryError,
        ReadOnlyError,
    )

__all__ = [
    "AmbiguousModelError",
    "AppliedError",
    "BulkError",
    "BusyError",
    "ClusterDownError",
    "CommandRefusedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionError",
    "ConstraintError",
    "CrossSlotError",
    "DetachedError",
    "DocumentError",
    "EmptyContainerError",
    "ExpressionError",
    "IndexDefinitionError",
    "IntegerOverflowError",
    "InvalidValueError",
    "ItemIndexError",
    "KeyExistsError",
    "KeyNotFound",
    "LoadingError",
    "LockError",
    "MasterDownError",
    "MisconfiguredError",
    "MissingModuleError",
    "ModelDefinitionError",
    "NoPermissionError",
    "NotEnoughReplicasError",
    "OutOfMemoryError",
    "OutcomeUnknownError",
    "PathNotFound",
    "PipelineError",
    "RapyerError",
    "ReadOnlyError",
    "ServerError",
    "UnaddressableKeyError",
    "UnknownFieldError",
    "WrongModelError",
    "WrongTypeError",
]

# Subclasses of redis-py's errors, in a module of their own: importing redis-py takes longer than all the
# rest of the library, and models are defined without it.
_LATE = {
    **dict.fromkeys(("ConnectionError", "OutcomeUnknownError"), "connection"),
    **dict.fromkeys(
        (
            "BusyError",
            "ClusterDownError",
            "CommandRefusedError",
            "LoadingError",
            "MasterDownError",
            "MisconfiguredError",
            "NoPermissionError",
            "NotEnoughReplicasError",
            "OutOfMemoryError",
            "ReadOnlyError",
        ),
        "server",
    ),
}

if not TYPE_CHECKING:  # type checkers know the names, and tell what is none

    def __getattr__(name: str) -> Any:
        if name not in _LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"rapyer.errors.{_LATE[name]}"), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
