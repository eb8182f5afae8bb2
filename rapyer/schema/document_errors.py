"""Validation errors that say where: of stored documents by key and fields, of assignments by model and field."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from rapyer.errors import DocumentError


def document_error(key: str, error: ValidationError, prefix: str = "") -> DocumentError:
    """``error`` as the one-line error of a stored document."""
    fields: dict[str, str] = {}
    for entry in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in entry["loc"])
        fields[".".join(part for part in (prefix, place) if part)] = entry["msg"]
    details = "; ".join(f"{place or 'document'}: {message}" for place, message in fields.items())
    return DocumentError(f"{key} does not fit {error.title}: {details}", key=key, fields=fields)


class located:  # noqa: N801 - reads as what it does in a with statement
    """What fails to validate in the ``with`` block is at ``place`` of ``cls``, as Pydantic says it."""

    __slots__ = ("_cls", "_place")

    def __init__(self, cls: type[Any], *place: str | int) -> None:
        self._cls, self._place = cls, place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValidationError):
            details = [_detail(entry, self._place) for entry in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(
                self._cls.__name__, details
            ) from error.__cause__


def _detail(entry: Any, place: tuple[str | int, ...]) -> InitErrorDetails:
    kind, context = entry["type"], entry.get("ctx")
    found: dict[str, Any] = {"loc": (*place, *entry["loc"]), "input": entry["input"]}
    try:
        trial: Any = {"type": kind, **found, "ctx": context or {}}
        ValidationError.from_exception_data("", [trial])
    except (KeyError, TypeError, ValueError):  # one of the user's own
        found["type"] = PydanticCustomError(
            kind, entry["msg"].replace("{", "{{").replace("}", "}}")
        )
        return found  # type: ignore[return-value]
    found["type"] = kind
    if context:
        found["ctx"] = context
    return found  # type: ignore[return-value]
