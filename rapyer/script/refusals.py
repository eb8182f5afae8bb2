"""From the reason for which the script refused a step to the error that says so."""

from __future__ import annotations

from rapyer.errors import (
    ConflictError,
    ConstraintError,
    EmptyContainerError,
    IntegerOverflowError,
    InvalidValueError,
    ItemIndexError,
    KeyExistsError,
    KeyNotFound,
    PathNotFound,
    RapyerError,
    WrongTypeError,
)
from rapyer.paths import field_path
from rapyer.script.steps import Primitive

_KINDS = {"integer": "an integer", "array": "a list", "object": "an object", "null": "null"}


def _a(kind: str) -> str:
    return _KINDS.get(kind, f"a {kind}")


def error_of(reason: str, detail: str, more: str, key: str, step: Primitive) -> Exception:
    """The error for a refusal of ``step`` on the document ``key``.

    :param reason: one of :data:`~rapyer.script.primitives.REASONS`, with its details.
    """
    where = f"{key}/{field_path(step.path)}" if step.path else key
    match reason:
        case "nokey":
            return KeyNotFound(f"{key} does not exist; save the document first", key=key)
        case "nopath":
            return PathNotFound(f"{where}: there is no such place in the stored document", key=key)
        case "type":
            return WrongTypeError(f"{where} holds {_a(detail)}, the operation needs {_a(more)}")
        case "key":
            return WrongTypeError(f"{key} is not a JSON document but another Redis type")
        case "index":
            return ItemIndexError(f"{where}: index {detail} is out of range of a list of {more}")
        case "empty":
            return EmptyContainerError(f"{where} is empty")
        case "bound":
            if step.args[1] == b"number":  # which Lua writes with 17 digits
                detail = repr(float(detail))
            return ConstraintError(f"{where} would become {detail}, it must be {more}")
        case "length":
            return ConstraintError(f"{where} would have length {detail}, the limit is {more}")
        case "overflow":
            return IntegerOverflowError(
                f"{where}: {detail} and {more} together exceed the number's range"
            )
        case "inexact":
            return InvalidValueError(
                f"{where}: the float under the key {detail!r} cannot be stored exactly: no path names that key"
            )
        case "halfway":
            return RapyerError(
                f"{where}: the server refused: {detail}; and what had been applied could not be undone: {more}"
            )
        case "conflict":
            return ConflictError(f"{key} was changed by somebody else; nothing was applied")
        case "exists":
            return KeyExistsError(f"{key} exists already")
        case _:
            return _server_refusal(detail, where)


def _server_refusal(text: str, where: str) -> Exception:
    """What a command of the script was refused for by the server."""
    from rapyer.errors.server import CommandRefusedError, server_error

    return server_error(text, where) or CommandRefusedError(f"{where}: the server refused: {text}")
