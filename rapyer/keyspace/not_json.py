"""What the server says of a key that holds no JSON document: the one place that reads its words."""

from __future__ import annotations

from rapyer.errors import WrongTypeError

_SAYS = ("wrong Redis type", "WRONGTYPE")


def is_not_json(error: object) -> bool:
    """Whether an error reply (or its text) says that the key is of another Redis type than JSON."""
    text = error.decode("utf-8", "replace") if isinstance(error, bytes) else str(error)
    return any(words in text for words in _SAYS)


def not_json(key: str) -> WrongTypeError:
    """The error for a key of another Redis type."""
    return WrongTypeError(f"{key} is not a JSON document but another Redis type")
