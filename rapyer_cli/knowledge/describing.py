"""Places, fields and operations as shapes: what ``get``, ``ls``, ``tree``, ``schema`` and ``ops`` show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer_cli.language.addresses import Address
from rapyer_cli.reading.drift import Path, Problems, place_name
from rapyer_cli.render.shapes import FieldRow, Node, Shown

if TYPE_CHECKING:
    from rapyer.models.places import Place
    from rapyer.operations import Operation
    from rapyer.schema.spec import ValueSpec


def shown_value(address: Address, data: Any, spec: ValueSpec, problems: Problems) -> Shown:
    """A value with the types of its entries, and marks where it does not fit them."""
    note = f"does not fit: {problems[()]}" if () in problems else ""
    return Shown(str(address), data, type_label(spec), rows_of(spec, data, problems), note)


def rows_of(spec: ValueSpec, data: Any, problems: Problems) -> tuple[FieldRow, ...]:
    """The entries of a container with their types; none for a scalar."""
    misfits: dict[str, str] = {}
    for path, problem in problems.items():
        if path:
            below = f"{place_name(path[1:])}: " if path[1:] else ""
            misfits.setdefault(str(path[0]), f"{below}{problem}")
    if isinstance(data, dict):
        named = spec.field_names()
        return tuple(
            FieldRow(
                name, value, type_label(spec.child(name)) if named else "", misfits.get(name, "")
            )
            for name, value in data.items()
        )
    if isinstance(data, list):
        return tuple(
            FieldRow(str(index), value, "", misfits.get(str(index), ""))
            for index, value in enumerate(data)
        )
    return ()


def type_label(spec: ValueSpec) -> str:
    """The annotation in words; empty where nothing is known."""
    return "" if spec.python_type is object and spec.core["type"] == "any" else spec.describe()


def tree_of(label: str, spec: ValueSpec | None, data: Any, problems: Problems, path: Path) -> Node:
    """A place as a tree, each field with its type, and marks where it does not fit."""
    type_ = type_label(spec) if spec is not None else ""
    if path in problems:
        type_ = f"{type_}  does not fit: {problems[path]}".lstrip()
    if isinstance(data, dict):
        known = spec is not None and bool(spec.field_names())
        children = [
            tree_of(
                name,
                spec.child(name) if spec is not None and known else None,
                value,
                problems,
                (*path, name),
            )
            for name, value in data.items()
        ]
        return Node(label, None, type_, children)
    if isinstance(data, list):
        items = [tree_of(str(i), None, value, problems, (*path, i)) for i, value in enumerate(data)]
        return Node(label, None, type_, items)
    return Node(label, data, type_, has_value=True)


def operations_for(spec: ValueSpec) -> tuple[Operation, ...]:
    """The typed operations that a place with this spec has."""
    import rapyer.types  # noqa: F401 - fills the registry
    from rapyer.operations import REGISTRY

    return REGISTRY.for_type(spec.python_type)


def type_of(place: Place) -> type:
    """The builtin type by which the registry knows what can be done at a place.

    The annotation says it; where that is open, the value found there does.
    """
    from rapyer.operations import REGISTRY

    value = place.value
    if isinstance(value, bool):
        return bool
    known = {entry.python_type for entry in REGISTRY}
    return next((base for base in type(value).__mro__ if base in known), object)


def signature_of(operation: Operation) -> str:
    """``TARGET INDEX ITEM``: an operation's arguments as help shows them."""
    parts = ["TARGET"]
    for parameter in operation.parameters:
        text = parameter.name.upper() + ("…" if parameter.variadic else "")
        parts.append(text if parameter.required else f"[{text}]")
    return " ".join(parts)


def examples_of(operation: Operation) -> str:
    """An operation's example without the program's name."""
    return operation.example.removeprefix("rapyer ")
