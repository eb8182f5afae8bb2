"""What a document's key is made of, and that it stays so: a changed ``Key`` field never leaves an orphan."""

from __future__ import annotations

import os
from typing import Any

from rapyer.errors import InvalidValueError
from rapyer.keyspace import registry
from rapyer.keyspace.keys import key_of, key_text
from rapyer.schema.of_models import model_spec
from rapyer.state.document import document_state
from rapyer.state.node import parent_of, state_of


def pk_of(model: Any) -> str:
    """The pk of ``model``: its ``Key`` field's value as text, or a uuid4 that it is given now."""
    if type(model).__rapyer_key_field__ is not None:
        return key_field_text(model)
    state = document_state(model)
    if state.pk is None:
        state.pk = new_pk()
    return state.pk


def document_pk(model: Any) -> str:
    """The pk of the document that ``model`` stands for: that under which it was read or written."""
    state = state_of(model)
    stored = None if state is None or state.parent is not None else state.pk
    return pk_of(model) if stored is None else stored


def key_field_text(model: Any) -> str:
    """The pk that the ``Key`` field says."""
    cls: Any = type(model)
    field = cls.__rapyer_key_field__
    value = model.__dict__[field]
    if value is None:
        raise InvalidValueError(
            f"{cls.__name__}.{field} is the document's key and must not be None"
        )
    if type(value) is str or (isinstance(value, str) and not hasattr(value, "value")):
        return str(value)
    return key_text(model_spec(cls).field(field).to_json(value))


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
    """Raise when the ``Key`` field was changed since the document was read or written.

    It may become what the key says: that repairs a document that was copied or renamed.
    """
    if type(model).__rapyer_key_field__ is None:
        return
    state = state_of(model)
    if state is None or state.parent is not None or state.pk is None:
        return
    said = key_field_text(model)
    if said != state.pk and said != state.drifted_pk:
        raise key_change(model, state.pk, said)


def assign_pk(model: Any, value: Any) -> None:
    """Let a new ``model`` become the document ``value``; that of a stored one stays what it is."""
    cls = type(model)
    if parent_of(model) is not None:
        raise InvalidValueError(
            f"this {cls.__name__} is part of another document: it has that one's pk and none of its own"
        )
    field = cls.__rapyer_key_field__
    if field is not None:
        setattr(model, field, value)
        check_key_unchanged(model)
        return
    pk = key_of(cls, value).removeprefix(registry.prefix_of(cls))
    state = document_state(model)
    if state.known is not None and pk != state.pk:
        raise InvalidValueError(
            f"the pk of {cls.class_key_initials()}:{state.pk} cannot become {pk!r}: that would leave the old "
            "document behind; use duplicate() for a copy, or delete the old document and save a new one"
        )
    state.pk = pk


def note_written(model: Any) -> None:
    """``model`` was written: its identity is the key that it was written under."""
    if type(model).__rapyer_key_field__ is not None:
        state = document_state(model)
        if state.pk is None:
            state.pk = pk_of(model)
        note_key_field(model)


def note_key_field(model: Any) -> None:
    """Write down what the ``Key`` field says of a document that was read, where the key says otherwise."""
    if type(model).__rapyer_key_field__ is not None:
        state = document_state(model)
        said = key_field_text(model)
        state.drifted_pk = None if said == state.pk else said
