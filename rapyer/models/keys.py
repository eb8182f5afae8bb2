"""What a document's key is made of, and that it stays so: a changed ``Key`` field never leaves an orphan."""

from __future__ import annotations

import os
from typing import Any

from rapyer.errors import InvalidValueError
from rapyer.keyspace.keys import key_text
from rapyer.models.loading import PK
from rapyer.schema.spec import model_spec


def pk_of(model: Any) -> str:
    """The pk of ``model``: its ``Key`` field's value as text, or a uuid4 that it is given now."""
    field = type(model).__rapyer_key_field__
    if field is not None:
        value = model.__dict__[field]
        if value is None:
            raise InvalidValueError(
                f"{type(model).__name__}.{field} is the document's key and must not be None"
            )
        if type(value) is str or (isinstance(value, str) and not hasattr(value, "value")):
            return str(value)
        return key_text(model_spec(type(model)).field(field).to_json(value))
    pk = getattr(model, PK, None)
    if pk is None:
        pk = new_pk()
        object.__setattr__(model, PK, pk)
    return pk


def new_pk() -> str:
    """The text of a random UUID (version 4), as ``str(uuid.uuid4())`` makes it in twice the time."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def key_change(model: Any, stored: str, new: str) -> InvalidValueError:
    """The error for a ``Key`` field that would not be ``stored`` any more."""
    name = f"{type(model).class_key_initials()}:{stored}"
    return InvalidValueError(
        f"the key field of {name} cannot become {new!r}: that would leave the old document behind; use "
        "duplicate() for a copy, or delete the old document and save a new one"
    )


def check_key_unchanged(model: Any) -> None:
    """Raise when the ``Key`` field was changed since the document was read or written."""
    if type(model).__rapyer_key_field__ is None:
        return
    stored = getattr(model, PK, None)
    if stored is not None and stored != pk_of(model):
        raise key_change(model, stored, pk_of(model))
