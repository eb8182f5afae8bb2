"""Which fields of a model an index can hold, and in which form: the schema behind ``Index[T]``.

An index knows what is stored, an expression asks for what is loaded. Only where the two are the same for
every document that loads can an index answer; fields with validators or transformations are left out,
with the reason. How the index is created is in :mod:`rapyer.search.index`, how it is asked in
:mod:`rapyer.search.index_answers`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Literal, TypeAlias, cast

from pydantic import BaseModel

from rapyer.fields import IndexMark, has_mark
from rapyer.keyspace.model_class import ModelClass
from rapyer.paths import json_path
from rapyer.schema.of_models import model_spec
from rapyer.schema.spec import ValueSpec
from rapyer.schema.walking import Schema
from rapyer.types.scalars import LIVE_TYPE

Kind: TypeAlias = Literal[
    "text", "number", "flag", "uuid", "timestamp", "datetime", "date", "decimal"
]
_FLAGS: dict[Kind, tuple[str, ...]] = {
    "text": ("TAG", "CASESENSITIVE", "INDEXEMPTY", "INDEXMISSING"),
    "uuid": ("TAG", "INDEXEMPTY", "INDEXMISSING"),
    "flag": ("TAG", "INDEXEMPTY", "INDEXMISSING"),
    "datetime": ("TAG", "CASESENSITIVE", "INDEXEMPTY", "INDEXMISSING"),
    "date": ("TAG", "CASESENSITIVE", "INDEXEMPTY", "INDEXMISSING"),
    "decimal": ("TAG", "CASESENSITIVE", "INDEXEMPTY", "INDEXMISSING"),
    "number": ("NUMERIC", "INDEXMISSING"),
    "timestamp": ("NUMERIC", "INDEXMISSING"),
}
_TRANSFORMING = ("to_lower", "to_upper", "strip_whitespace", "coerce_numbers_to_str")
_TRANSFORMING_CONFIG = (
    "str_to_lower",
    "str_to_upper",
    "str_strip_whitespace",
    "coerce_numbers_to_str",
)
_PLAIN_ALIAS = re.compile(r"[A-Za-z]\w*\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class IndexedField:
    """A field in the index: ``alias`` is its name there, ``many`` says that it is a list of values."""

    path: tuple[str, ...]
    alias: str
    kind: Kind
    many: bool

    @property
    def json_path(self) -> str:
        return json_path(self.path) + ("[*]" if self.many else "")

    @property
    def filtered(self) -> bool:
        """Whether a filter over the stored texts answers for it (:mod:`rapyer.search.index_filter`), not a query."""
        return self.kind in ("datetime", "date", "decimal")

    @property
    def arguments(self) -> tuple[str, ...]:
        """The field in FT.CREATE."""
        return self.json_path, "AS", self.alias, *_FLAGS[self.kind]

    @property
    def definition(self) -> tuple[str, str, str, frozenset[str]]:
        """Path, name, type and flags, as FT.INFO tells them."""
        kind, *flags = _FLAGS[self.kind]
        return self.json_path, self.alias, kind, frozenset(flags)


@dataclass(frozen=True, slots=True)
class IndexSchema:
    """The fields an index holds, by path, and why other ``Index`` fields are not among them."""

    fields: dict[tuple[str, ...], IndexedField]
    left_out: dict[tuple[str, ...], str]


def index_schema(model: type[ModelClass]) -> IndexSchema:
    """What the index of ``model`` holds; empty for a model without ``Index`` fields."""
    found = IndexSchema({}, {})
    cls = cast("type[BaseModel]", model)
    _collect(cls, model_spec(cls), (), None, found)
    return found


def _collect(
    model: type[BaseModel],
    spec: ValueSpec,
    path: tuple[str, ...],
    unsure: str | None,
    found: IndexSchema,
    outer: tuple[type[BaseModel], ...] = (),
) -> None:
    outer = (*outer, model)  # a model inside itself is not indexed again
    unsure = unsure or _rewritten_by(spec, model)
    for name in spec.field_names():  # none where a root model is around something else
        field = model.__pydantic_fields__[name]
        place, inner = (*path, name), spec.field(name)
        if has_mark(field, IndexMark):
            reason = unsure
            form: tuple[Kind, bool] | None = None
            if reason is None:
                form, reason = _form_of(inner)
            if form is None:
                found.left_out[place] = reason or ""
            else:
                alias = "__".join(place)
                taken = {known.alias for known in found.fields.values()}
                if not _PLAIN_ALIAS.match(alias) or alias in taken:
                    numbered = (f"field{number}" for number in range(len(taken) + 1))
                    alias = next(name for name in numbered if name not in taken)
                found.fields[place] = IndexedField(place, alias, *form)
        elif inner.model is not None and inner.model not in outer:
            wrapper = _wrapper_of(inner.schema, inner)
            hidden = wrapper and f"{wrapper} of {'.'.join(place)} may change it when it is loaded"
            _collect(inner.model, inner, place, unsure or hidden, found, outer)


def _rewritten_by(spec: ValueSpec, model: type[BaseModel]) -> str | None:
    """Why the fields of a model may be loaded as something else than is stored."""
    schema = spec.core["schema"]
    if "serialization" in spec.core or "serialization" in schema:
        return f"a serializer of {model.__name__} decides what is stored"
    while "fields" not in schema and "schema" in schema:
        if schema["type"] in ("function-before", "function-wrap", "function-plain"):
            return f"a model validator of {model.__name__} may change them when they are loaded"
        schema = schema["schema"]
    if any(model.model_config.get(name) for name in _TRANSFORMING_CONFIG):
        return f"the configuration of {model.__name__} changes texts when they are loaded"
    return None


def _wrapper_of(schema: Schema, spec: ValueSpec) -> str | None:
    """What stands between a field and its type and may change the value."""
    while schema is not spec.core:
        kind = schema["type"]
        if "serialization" in schema:
            return "a serializer"
        if kind == "definition-ref":
            schema = spec.definitions[schema["schema_ref"]]
        elif kind in ("default", "nullable") and "schema" in schema:
            schema = schema["schema"]
        else:
            return "a validator" if kind.startswith("function-") else kind
    return None


def _form_of(spec: ValueSpec) -> tuple[tuple[Kind, bool] | None, str | None]:
    """How a field stands in an index and whether it is a list, or why it cannot."""
    wrapper = _wrapper_of(spec.schema, spec)
    if wrapper is not None:
        return None, f"{wrapper} may change it when it is loaded"
    many = spec.core["type"] in ("list", "set", "frozenset")
    if many:
        spec = spec._derived(spec.core.get("items_schema") or {"type": "any"})
        wrapper = _wrapper_of(spec.schema, spec)
        if wrapper is not None:
            return None, f"{wrapper} may change its items when they are loaded"
    kind = _kind_of(spec.core)
    if kind is None or (many and kind not in ("text", "number")):
        return None, f"an index cannot answer exactly for {spec.describe()}"
    return (kind, many), None


def _kind_of(core: Schema) -> Kind | None:
    kind = core["type"]
    if "serialization" in core and kind != "datetime":
        return None
    if kind == "str":
        return None if any(core.get(name) for name in _TRANSFORMING) else "text"
    if kind in ("int", "float"):
        return "number"
    if kind == "bool":
        return "flag"
    if kind == "uuid":
        return "uuid"
    if kind == "datetime":
        live = core.get("metadata", {}).get(LIVE_TYPE)
        written = core.get("serialization", {})
        if live is not None and written.get("return_schema", {}).get("type") == "float":
            return "timestamp"
        return "datetime" if written.get("function") is datetime.isoformat else None
    if kind in ("date", "decimal"):
        return cast(Kind, kind)
    if kind == "literal":
        return _kind_of_values(core["expected"])
    if kind == "enum" and "missing" not in core:
        return _kind_of_values([member.value for member in core["members"]])
    return None


def _kind_of_values(values: list[Any]) -> Kind | None:
    if all(isinstance(value, str) and not isinstance(value, Enum) for value in values):
        return "text"
    if all(isinstance(value, int) and not isinstance(value, bool | Enum) for value in values):
        return "number"
    return None
