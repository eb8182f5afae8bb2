"""Between models and their stored documents: whole documents out of bytes, and errors that say what is wrong.

The bytes themselves are made and read by :mod:`rapyer.schema.spec`; here they become model instances with a
pk, and validation errors become :class:`~rapyer.errors.DocumentError` naming key and fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from rapyer.errors import DocumentError
from rapyer.fields import SafeLoadMark, has_mark
from rapyer.schema.of_models import model_spec
from rapyer.schema.spec import ValueSpec
from rapyer.schema.walking import ANY, Schema, unwrapped_once
from rapyer.script.in_python import dumps
from rapyer.state.last_known import BASELINE, CLEAN

if TYPE_CHECKING:
    from rapyer.models.storage import Storage

    Model = TypeVar("Model", bound=Storage)

PK = "__rapyer_pk__"
FAILED = "__rapyer_failed__"


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
    try:
        model: Any = spec.validate_json(text)
    except ValidationError as error:
        model = _load_safely(cls, spec, key, text, error)
    object.__setattr__(model, PK, key[start:])
    object.__setattr__(model, BASELINE, CLEAN)
    return model  # type: ignore[no-any-return]


def with_unread(model: Any, text: bytes) -> bytes:
    """``text`` of ``model`` in which fields that could not be read keep what is stored."""
    unread = getattr(model, FAILED, None)
    if not unread:
        return text
    content = json.loads(text)
    content.update({name: value for name, value in unread.items() if content.get(name) is None})
    return dumps(content)


def document_error(key: str, error: ValidationError, prefix: str = "") -> DocumentError:
    """``error`` as the one-line error of a stored document."""
    fields: dict[str, str] = {}
    for entry in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in entry["loc"])
        fields[".".join(part for part in (prefix, place) if part)] = entry["msg"]
    details = "; ".join(f"{place or 'document'}: {message}" for place, message in fields.items())
    return DocumentError(f"{key} does not fit {error.title}: {details}", key=key, fields=fields)


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
) -> BaseModel:
    """The document with the failing ``SafeLoad`` fields as None, if they are all that fails."""
    failing = {entry["loc"][0] for entry in error.errors(include_url=False) if entry["loc"]}
    if not failing or not failing <= safe_fields(cls):
        raise document_error(key, error) from error
    content = json.loads(text)
    kept = {name: value for name, value in content.items() if name not in failing}
    lenient = _without_fields(spec, failing)
    try:
        model: Any = lenient.validate_json(json.dumps(kept, ensure_ascii=False))
    except ValidationError as again:
        raise document_error(key, again) from again
    unread = {name: content[name] for name in cls.__pydantic_fields__ if name in failing}
    object.__setattr__(model, FAILED, unread)
    return model  # type: ignore[no-any-return]


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
