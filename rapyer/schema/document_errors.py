"""Validation errors of stored documents, as one line that names key and fields."""

from __future__ import annotations

from pydantic import ValidationError

from rapyer.errors import DocumentError


def document_error(key: str, error: ValidationError, prefix: str = "") -> DocumentError:
    """``error`` as the one-line error of a stored document."""
    fields: dict[str, str] = {}
    for entry in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in entry["loc"])
        fields[".".join(part for part in (prefix, place) if part)] = entry["msg"]
    details = "; ".join(f"{place or 'document'}: {message}" for place, message in fields.items())
    return DocumentError(f"{key} does not fit {error.title}: {details}", key=key, fields=fields)
