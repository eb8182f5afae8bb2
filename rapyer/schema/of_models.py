"""The specs of classes and of their fields: made once, and again when a class is rebuilt."""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast

from pydantic import BaseModel

from rapyer.schema.conversion import Origin
from rapyer.schema.pydantic_internals import core_schema_of
from rapyer.schema.spec import ValueSpec
from rapyer.schema.stored_form import document_schema
from rapyer.schema.walking import everything, peel

SPEC_ATTRIBUTE = "__rapyer_spec__"
SCALARS = frozenset({"str", "int", "float", "bool", "bytes", "datetime", "none", "date", "uuid"})
"""Kinds of values that nobody can change in place."""


class ModelSpec(ValueSpec):
    """The spec of the whole documents of a model class."""

    def __init__(self, cls: type[BaseModel]) -> None:
        stored = document_schema(cls)
        config = dict(peel(stored.schema, stored.definitions).get("config", {}))
        config.pop("title", None)
        origin = Origin(stored, lambda: document_schema(cls))
        super().__init__(stored.schema, origin.definitions, config, origin)
        self._source = core_schema_of(cls)
        self._model_fields: tuple[str, ...] | None = None

    @cached_property
    def plain_fields(self) -> frozenset[str]:
        """The fields whose values nobody can change in place."""
        return frozenset(
            name for name in self.field_names() if self.field(name).core["type"] in SCALARS
        )

    def is_of(self, cls: type[BaseModel]) -> bool:
        """Whether ``cls`` is still what it was when this was made."""
        return self._source is cls.__dict__.get("__pydantic_core_schema__")

    @property
    def model_fields(self) -> tuple[str, ...]:
        """The fields in whose values there can be models."""
        if self._model_fields is None:
            self._model_fields = tuple(
                name
                for name in self.field_names()
                if any(
                    one["type"] == "model"
                    for one in everything(self.field(name).schema, self.definitions)
                )
            )
        return self._model_fields


def native_class(cls: type[BaseModel]) -> type[BaseModel]:
    """The user's class behind a model class: the class itself, or what a live view of it shows."""
    return cast("type[BaseModel]", cls.__dict__.get("__rapyer_native__", cls))


def model_spec(cls: type[BaseModel]) -> ValueSpec:
    """The spec of the whole documents (or nested values) of model class ``cls``.

    Made once, and again when the class is rebuilt. A nested value is written by the spec of its place,
    which knows what class is declared there: ``parent.__rapyer_child_spec__(place)``.
    """
    return _model_spec(cls)


def _model_spec(cls: type[BaseModel]) -> ModelSpec:
    spec: Any = cls.__dict__.get(SPEC_ATTRIBUTE)
    if spec is not None and spec.is_of(cls):
        return cast(ModelSpec, spec)
    cls = native_class(cls)
    spec = cls.__dict__.get(SPEC_ATTRIBUTE)
    if spec is not None and spec.is_of(cls):
        return cast(ModelSpec, spec)
    if not cls.__pydantic_complete__:
        cls.model_rebuild()
    made = ModelSpec(cls)
    type.__setattr__(cls, SPEC_ATTRIBUTE, made)
    return made


def field_spec(cls: type[BaseModel], name: str) -> ValueSpec:
    """The spec of one field of ``cls``.

    Only for live models, which have, or inherit from the plain class they show, a spec of their own.
    """
    spec: ModelSpec | None = getattr(cls, SPEC_ATTRIBUTE, None)
    return (model_spec(cls) if spec is None else spec).field(name)


def plain_fields(cls: type[BaseModel]) -> frozenset[str]:
    """The fields of ``cls`` whose values nobody can change in place."""
    spec: ModelSpec | None = getattr(cls, SPEC_ATTRIBUTE, None)
    return (_model_spec(cls) if spec is None else spec).plain_fields


def fields_with_models(cls: type[BaseModel]) -> tuple[str, ...]:
    """The fields of ``cls`` in whose values there can be models."""
    spec: ModelSpec | None = getattr(cls, SPEC_ATTRIBUTE, None)
    return (_model_spec(cls) if spec is None else spec).model_fields
