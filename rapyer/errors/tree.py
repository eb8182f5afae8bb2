"""The error classes that need nothing but Python. :mod:`rapyer.errors` hands them out and draws the tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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


_BEFORE_CARET = 40
"""How many characters before the caret are shown, and as many from it on."""


class ExpressionError(InvalidValueError):
    """A condition that cannot be: an unknown field, a value of the wrong type, text that is none.

    :ivar source: the line of the text that is meant, where the condition was text.
    :ivar column: where in it, from 1 on.
    """

    source: str | None = None
    column: int | None = None

    @property
    def marked(self) -> str:
        """The text with a caret under what is meant, in two lines; empty for a condition that was no text."""
        if self.source is None or self.column is None:
            return ""
        start = max(self.column - 1 - _BEFORE_CARET, 0)
        cut = "".join(
            c if c.isprintable() else " " for c in self.source[start : start + 2 * _BEFORE_CARET]
        )
        ahead = "…" if start else ""
        return f"{ahead}{cut}\n{' ' * (len(ahead) + self.column - 1 - start)}^"


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


class ServerError(RapyerError):
    """The server refused a command, for a reason that is not the value; nothing was executed.

    Each of its kinds is redis-py's own class, too.
    """


class AppliedError(RapyerError):
    """The server applied it, and what followed failed: an answer that no model accepts, a validator.

    Not to be sent again. ``answer`` is what the server answered.
    """

    def __init__(self, message: str, *, answer: Any = None) -> None:
        super().__init__(message)
        self.answer = answer


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


for _error in [value for value in globals().values() if isinstance(value, type)]:
    if issubclass(_error, RapyerError):
        _error.__module__ = "rapyer.errors"  # where it is public: in tracebacks, and for pickle
