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
    ├── ConflictError                    somebody else wrote first; nothing was applied
    ├── CrossSlotError                   a batch would span several slots of a Redis Cluster
    ├── LockError                        a lock was not obtained, or was lost while held
    └── BulkError                        some documents of a bulk call failed; says which

Values that fail Pydantic's validation raise :class:`pydantic.ValidationError` as everywhere else.
What lives here: the classes and their messages (those of ``ConnectionError`` in
:mod:`rapyer.connections.errors`). What does not: deciding when to raise them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rapyer.connections.errors import ConnectionError, OutcomeUnknownError

__all__ = [
    "AmbiguousModelError",
    "BulkError",
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
    "LockError",
    "MissingModuleError",
    "ModelDefinitionError",
    "OutcomeUnknownError",
    "PathNotFound",
    "PipelineError",
    "RapyerError",
    "UnaddressableKeyError",
    "UnknownFieldError",
    "WrongModelError",
    "WrongTypeError",
]

# Subclasses of redis-py's errors, in a module of their own: importing redis-py takes longer than all the
# rest of the library, and models are defined without it.
_OF_CONNECTIONS = ("ConnectionError", "OutcomeUnknownError")

if not TYPE_CHECKING:  # type checkers know the names, and tell what is none

    def __getattr__(name: str) -> Any:
        if name not in _OF_CONNECTIONS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module("rapyer.connections.errors"), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class RapyerError(Exception):
    """Base of all errors raised by rapyer itself. ``str(error)`` is one line: what, where, what to do."""

    def __str__(self) -> str:
        return " ".join(str(argument) for argument in self.args)

    def __reduce__(self) -> Any:
        # not through the constructor, which may ask for more than the message
        return _unpickled, (type(self), self.args), self.__dict__


def _unpickled(cls: type[RapyerError], arguments: tuple[Any, ...]) -> RapyerError:
    error = cls.__new__(cls, *arguments)
    error.args = arguments  # which OSError leaves to its constructor
    return error


class ConfigurationError(RapyerError):
    """The program is set up wrongly: no client, a bad URL, no server to start."""


class ModelDefinitionError(ConfigurationError, TypeError):
    """A model class that cannot be stored was defined; the message names the field."""


class AmbiguousModelError(ConfigurationError):
    """Two model classes share a key prefix and the call cannot tell which is meant."""


class IndexDefinitionError(ConfigurationError):
    """The server has an index of this name with another definition; the message says what differs."""


class MissingModuleError(ConfigurationError):
    """The server lacks a module (RedisJSON, RediSearch) that the call needs."""


class KeyNotFound(RapyerError, KeyError):  # noqa: N818 - the documented name
    """The document does not exist."""

    def __init__(self, message: str, *, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class PathNotFound(KeyNotFound):
    """The document exists, the path inside it does not."""


class KeyExistsError(RapyerError):
    """A document that had to be new exists already."""


class WrongTypeError(RapyerError, TypeError):
    """The stored value has another JSON type than the operation needs."""


class WrongModelError(RapyerError, ValueError):
    """The key belongs to another model class."""


class InvalidValueError(RapyerError, ValueError):
    """The value cannot be held exactly by a JSON document in Redis (integer beyond 64 bits, NaN …)."""


class UnaddressableKeyError(InvalidValueError):
    """No JSON path of RedisJSON can name this dict key (a backslash, or both kinds of quotes)."""


class ExpressionError(InvalidValueError):
    """A condition that cannot be: an unknown field, a value of the wrong type, text that is none."""


class UnknownFieldError(ExpressionError, AttributeError):
    """The model has no such field; the message names those it has."""


class ConstraintError(RapyerError, ValueError):
    """The operation's result would break a constraint of the field; nothing was changed."""


class IntegerOverflowError(RapyerError, OverflowError):
    """The operation's result does not fit into a signed 64-bit integer; nothing was changed."""


class ItemIndexError(RapyerError, IndexError):
    """The list on the server has no item at this index; nothing was changed."""


class EmptyContainerError(RapyerError, KeyError):
    """``popitem`` was asked of an empty dict."""


class DocumentError(RapyerError, ValueError):
    """A stored document does not validate against its model.

    ``key`` is the document's key, ``fields`` maps the dotted path of each bad field to its message.
    """

    def __init__(self, message: str, *, key: str, fields: Mapping[str, str]) -> None:
        super().__init__(message)
        self.key = key
        self.fields = dict(fields)


class DetachedError(RapyerError):
    """The value belongs to no document: it was replaced, removed, copied or never attached."""


class PipelineError(RapyerError):
    """A batch was refused as a whole; nothing was applied.

    ``index`` is the position of the refused operation in the batch (from 0), ``operation`` describes
    it. ``__cause__`` is the specific error, such as :class:`PathNotFound`.
    """

    def __init__(self, message: str, *, index: int | None = None, operation: str = "") -> None:
        super().__init__(message)
        self.index = index
        self.operation = operation


class ConflictError(RapyerError):
    """Somebody else changed the value first; nothing was applied."""


class CrossSlotError(RapyerError):
    """A batch over several documents needs them in one slot of the cluster; nothing was sent."""


class LockError(RapyerError):
    """A lock was not obtained in time, or was lost while it was held."""


class BulkError(RapyerError):
    """Some documents of a bulk call failed; ``failures`` maps their keys to the errors.

    ``documents`` are the good ones of a search.
    """

    def __init__(self, message: str, *, failures: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.failures = dict(failures)
        self.documents: list[Any] = []
