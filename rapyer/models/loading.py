"""Between models and their stored documents: whole documents out of bytes, and errors that say what is wrong.

The bytes themselves are made and read by :mod:`rapyer.schema.spec`; here they become model instances with a
pk, and validation errors become :class:`~rapyer.errors.DocumentError` naming key and fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo

from rapyer.fields import SafeLoadMark, has_mark
from rapyer.models.keys import note_key_field
from rapyer.schema.document_errors import document_error
from rapyer.schema.of_models import model_spec
from rapyer.schema.spec import ValueSpec
from rapyer.schema.walking import ANY, Schema, unwrapped_once
from rapyer.script.in_python import dumps
from rapyer.state.document import DocumentState
from rapyer.state.known import Known
from rapyer.state.node import STATE, set_state, state_of

if TYPE_CHECKING:
    from rapyer.models.storage import Storage

    Model = TypeVar("Model", bound=Storage)


def load_document(cls: type[Model], key: str, text: bytes) -> Model:
    """The model that the stored ``text`` of ``key`` is.

    Raises :class:`~rapyer.errors.DocumentError` naming the key and every field that does not validate.
    """
    spec = model_spec(cls)  # type: ignore[arg-type]
    return _load(cls, spec, len(cls.class_key_initials()) + 1, key, text)


def loader(cls: type[Model]) -> Callable[[str, bytes], Model]:
    """:func:`load_document` for many documents of ``cls``, for as long as nobody defines classes."""
    spec = model_spec(cls)  # type: ignore[arg-type]
    return partial(_load, cls, spec, len(cls.class_key_initials()) + 1)


def _load(cls: type[Model], spec: ValueSpec, start: int, key: str, text: bytes) -> Model:
    unread = None
    try:
        model: Any = spec.validate_json(text)
    except ValidationError as error:
        model, unread = _load_safely(cls, spec, key, text, error)
    state = DocumentState(key[start:], Known())
    if unread is not None:
        state.unread = unread
    set_state(model, STATE, state)
    if cls.__rapyer_key_field__ is not None:
        note_key_field(model)
    return model  # type: ignore[no-any-return]


def unread_fields(model: Any) -> dict[str, str | None]:
    """The ``SafeLoad`` fields of ``model`` that could not be read, with what is stored; None where nothing is.

    A field that was assigned since is none of them, until the assignment is taken back.
    """
    state = state_of(model)
    unread = None if state is None or state.parent is not None else state.unread
    if not unread:
        return {}
    return {
        name: text for name, text in unread.items() if name not in model.__pydantic_fields_set__
    }


def with_unread(model: Any, text: bytes) -> bytes:
    """``text`` of ``model`` in which fields that could not be read keep what is stored."""
    unread = unread_fields(model)
    if not unread:
        return text
    content = json.loads(text)
    for name, stored in unread.items():
        if stored is None:
            content.pop(name, None)
        else:
            content[name] = json.loads(stored)
    return dumps(content)


def safe_fields(cls: type[Storage]) -> set[str]:
    """The fields of ``cls`` whose stored value may fail validation."""
    everything = cls.Meta.safe_load_all
    return {
        name
        for name, field in cls.__pydantic_fields__.items()
        if everything or has_mark(field, SafeLoadMark)
    }


def _load_safely(
    cls: type[Model], spec: ValueSpec, key: str, text: bytes, error: ValidationError
) -> tuple[BaseModel, dict[str, str | None]]:
    """The document with the failing ``SafeLoad`` fields as None, if they are all that fails."""
    failing = {entry["loc"][0] for entry in error.errors(include_url=False) if entry["loc"]}
    if not failing or not failing <= safe_fields(cls):
        raise document_error(key, error) from error
    content = json.loads(text)
    unread = {
        name: _taken_out(content, name, field)
        for name, field in cls.__pydantic_fields__.items()
        if name in failing
    }
    lenient = _without_fields(spec, failing)
    try:
        model: Any = lenient.validate_json(dumps(content))
    except ValidationError as again:
        raise document_error(key, again) from again
    return model, unread


def _taken_out(content: dict[str, Any], name: str, field: FieldInfo) -> str | None:
    """The text of what is stored of a field, under its name or an older one; None where nothing is."""
    alias = field.validation_alias
    older = alias.choices if isinstance(alias, AliasChoices) else [alias]
    for one in (name, *older):
        if isinstance(one, str) and one in content:
            return dumps(content.pop(one)).decode()
    return None


def _without_fields(spec: ValueSpec, names: set[Any]) -> ValueSpec:
    """``spec`` in which the fields ``names`` default to None, whatever they say themselves."""
    nothing = {
        "type": "model-field",
        "schema": {"type": "default", "schema": ANY, "default": None},
    }

    def relax(schema: Schema) -> Schema:
        if schema["type"] == "model-fields":
            fields = {
                name: nothing if name in names else field
                for name, field in schema["fields"].items()
            }
            return {**schema, "fields": fields}
        inner = unwrapped_once(schema, spec.definitions)
        if schema["type"] == "definition-ref" and inner is not None:
            return relax({name: value for name, value in inner.items() if name != "ref"})
        return {**schema, "schema": relax(schema["schema"])} if "schema" in schema else schema

    return ValueSpec(relax(spec.schema), spec.definitions, spec.config)
