"""Whether a stored document fits its model, decided without Pydantic where that is beyond doubt.

A *shape* is the part of a model's document schema that can be checked by looking at JSON values: plain types,
bounds of numbers, choices, lists, dicts and models of those. Where users' functions or settings take part, or
a value would have to be converted, nothing is said: that is Pydantic's to decide. Shapes are JSON data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from rapyer.schema.spec import ValueSpec

Shape: TypeAlias = Any
"""A list whose first item is the kind, or None where nothing can be said."""

_BOUNDS = ("ge", "gt", "le", "lt")
# What may be said of a schema without having a say in what is valid.
_SILENT = {"type", "ref", "metadata", "serialization"}
_KEYS = {
    "str": _SILENT,
    "bool": _SILENT,
    "none": _SILENT,
    "any": _SILENT,
    "int": {*_SILENT, *_BOUNDS},
    "float": {*_SILENT, *_BOUNDS, "allow_inf_nan"},
    "bytes": _SILENT,
    "uuid": _SILENT,
    "decimal": {*_SILENT, "allow_inf_nan"},
    "datetime": {*_SILENT, "microseconds_precision"},
    "date": {*_SILENT, "microseconds_precision"},
    "literal": {*_SILENT, "expected"},
    "enum": {*_SILENT, "cls", "members", "sub_type"},
    "nullable": {*_SILENT, "schema"},
    "list": {*_SILENT, "items_schema"},
    "dict": {*_SILENT, "keys_schema", "values_schema"},
    "definition-ref": {*_SILENT, "schema_ref"},
    "model": {
        *_SILENT,
        *("cls", "config", "schema", "custom_init", "root_model", "frozen", "generic_origin"),
    },
    "model-fields": {*_SILENT, "fields", "model_name", "computed_fields"},
    "model-field": {*_SILENT, "schema", "frozen"},
    "default": {*_SILENT, "schema", "default", "default_factory", "default_factory_takes_data"},
}
_CONFIG = {
    *("title", "allow_inf_nan", "ser_json_bytes", "ser_json_inf_nan", "val_json_bytes"),
    *("validate_by_name", "validate_by_alias", "serialize_by_alias", "loc_by_alias"),
    *("ser_json_timedelta", "ser_json_temporal"),
}
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
# As rapyer and Pydantic write them; what else they would read is theirs to know.
_TEXTS = {
    "date": _DATE,
    "datetime": _DATE + r"T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?",
    "uuid": r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}",
    "decimal": r"-?[0-9]{1,20}(\.[0-9]{1,20})?",
    "bytes": r"([A-Za-z0-9]{4})*",
}
_TEXT = {"type": "str"}
_LARGEST_FLOAT = 1.7976931348623157e308


def shape_of(spec: ValueSpec) -> dict[str, Shape]:
    """The shape of the documents of ``spec``, under ``""``, and what it refers to, by name."""
    # Pydantic's names are different in each process.
    names = {ref: str(number) for number, ref in enumerate(spec.definitions)}
    shapes = {names[ref]: _shape(schema, names) for ref, schema in spec.definitions.items()}
    shapes[""] = _shape(spec.schema, names) if spec.config.keys() <= _CONFIG else None
    return shapes


def fits(data: Any, shapes: dict[str, Shape], shape: Shape = ("ref", "")) -> bool:
    """Whether the JSON value ``data`` is certain to be valid; False is no answer."""
    if shape is None:
        return False
    kind = shape[0]
    if kind == "ref":
        return fits(data, shapes, shapes.get(shape[1]))
    if kind == "any":
        return True
    if data is None:
        return kind in ("null", "none")
    if kind == "null":
        return fits(data, shapes, shape[1])
    if kind == "str":
        return isinstance(data, str)
    if kind == "bool":
        return isinstance(data, bool)
    if kind in ("int", "float"):
        return _is_number(data, kind) and _within(data, shape[1])
    if kind == "in":
        return any(type(data) is type(value) and data == value for value in shape[1])
    if kind in _TEXTS:
        return isinstance(data, str) and _is_text_of(data, kind)
    if kind == "list":
        return isinstance(data, list) and all(fits(item, shapes, shape[1]) for item in data)
    if kind == "dict":
        return isinstance(data, dict) and all(fits(v, shapes, shape[1]) for v in data.values())
    if kind == "model":
        return isinstance(data, dict) and all(
            fits(data[name], shapes, field) if name in data else not required
            for name, (required, field) in shape[1].items()
        )
    return False


def _shape(schema: dict[str, Any], names: dict[str, str]) -> Shape:
    kind = schema["type"]
    if not schema.keys() <= _KEYS.get(kind, set()):
        return None
    if kind in ("str", "bool", "none", "any") or kind in _TEXTS:
        return [kind]
    if kind in ("int", "float"):
        bounds = {name: schema[name] for name in _BOUNDS if name in schema}
        return [kind, bounds] if all(type(v) in (int, float) for v in bounds.values()) else None
    if kind in ("literal", "enum"):
        values = (
            schema["expected"] if kind == "literal" else [one.value for one in schema["members"]]
        )
        return ["in", list(values)] if all(type(v) in (int, str) for v in values) else None
    if kind == "definition-ref":
        return ["ref", names[schema["schema_ref"]]]
    if kind == "nullable":
        return ["null", _shape(schema["schema"], names)]
    if kind == "list":
        return ["list", _shape(schema.get("items_schema") or {"type": "any"}, names)]
    if kind == "dict":
        values = _shape(schema.get("values_schema") or {"type": "any"}, names)
        # Without entries no key has to be converted.
        return ["dict", values if schema.get("keys_schema", _TEXT) == _TEXT else None]
    if kind == "model":
        return _model(schema, names)
    return None


def _model(schema: dict[str, Any], names: dict[str, str]) -> Shape:
    inner = schema["schema"]
    special = schema.get("custom_init") or schema.get("root_model")
    if special or inner["type"] != "model-fields" or not inner.keys() <= _KEYS["model-fields"]:
        return None
    if not schema.get("config", {}).keys() <= _CONFIG:
        return None
    return ["model", {name: _field(field, names) for name, field in inner["fields"].items()}]


def _field(field: dict[str, Any], names: dict[str, str]) -> list[Any]:
    """Whether the field must be there, and the shape of its value."""
    schema = field["schema"]
    if not field.keys() <= _KEYS["model-field"]:
        return [True, None]
    if schema["type"] != "default":
        return [True, _shape(schema, names)]
    if not schema.keys() <= _KEYS["default"]:
        return [True, None]
    # A factory is the user's code: what it does to a document without the field is not for here.
    return ["default" not in schema, _shape(schema["schema"], names)]


def _is_number(data: Any, kind: str) -> bool:
    if kind == "float" and isinstance(data, float):
        return -_LARGEST_FLOAT <= data <= _LARGEST_FLOAT
    # Integers that no float holds exactly are for Pydantic, whatever the field is.
    return isinstance(data, int) and not isinstance(data, bool) and abs(data) <= 2**53


def _within(data: float, bounds: dict[str, float]) -> bool:
    return (
        data >= bounds.get("ge", data)
        and data <= bounds.get("le", data)
        and ("gt" not in bounds or data > bounds["gt"])
        and ("lt" not in bounds or data < bounds["lt"])
    )


def _is_text_of(text: str, kind: str) -> bool:
    import re

    if re.fullmatch(_TEXTS[kind], text) is None:
        return False
    if not kind.startswith("date"):
        return True
    from datetime import datetime

    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
