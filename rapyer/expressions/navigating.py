"""From the annotation of a value to those of what is inside it: fields, items, entries, arms of unions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from rapyer.errors import UnknownFieldError
from rapyer.paths import field_path
from rapyer.schema.of_models import model_spec
from rapyer.schema.spec import ValueSpec, any_spec

SEQUENCES = ("list", "tuple", "set", "frozenset")
OPEN = ("any", "is-instance", "function-plain", "json")
"""Kinds of which nothing is known."""
_FIELDED = ("model", "typed-dict", "dataclass")


def leaves(spec: ValueSpec) -> Iterator[ValueSpec]:
    """The kinds of value that ``spec`` describes, one spec each: the arms of unions, roots of root models."""
    core = spec.core
    if core["type"] in ("union", "tagged-union"):
        for arm in spec._arms(core):
            yield from leaves(spec._derived(arm))
    elif core["type"] == "model" and core.get("root_model"):
        yield from leaves(spec._derived(core["schema"]))
    elif core["type"] != "none":
        yield spec


def kinds(specs: Iterable[ValueSpec]) -> set[str]:
    """The core types of the values that ``specs`` describe; ``any`` where nothing is known."""
    found = {str(leaf.core["type"]) for spec in specs for leaf in leaves(spec)}
    return found or {"any"}


def below(
    specs: tuple[ValueSpec, ...], segment: Any, path: tuple[Any, ...], model: type[BaseModel]
) -> tuple[Any, tuple[ValueSpec, ...]]:
    """The segment as it stands in a loaded document, and what is known of the value it leads to.

    Raises :class:`~rapyer.expressions.expression.UnknownFieldError` when it leads nowhere.
    """
    found: list[ValueSpec] = []
    known: dict[str, None] = {}
    native_segment = segment
    for leaf in [leaf for spec in specs for leaf in leaves(spec)]:
        kind = leaf.core["type"]
        if kind in _FIELDED:
            names = leaf.field_names()
            known |= dict.fromkeys(names)
            if segment in names:
                found.append(leaf.field(segment))
            elif isinstance(segment, str):
                inherited = _in_subclasses(leaf, segment)
                if not inherited and (not names or _allows_extra(leaf)):
                    inherited = [any_spec()]
                found += inherited
        elif kind == "dict":
            try:
                native_segment = leaf.key.validate_python(segment)
            except ValidationError:
                continue
            found.append(leaf.value)
        elif kind == "list" and isinstance(segment, int):
            found.append(leaf.item)
        elif kind in OPEN or (kind in SEQUENCES and isinstance(segment, int)):
            found.append(any_spec())
    if found:
        return native_segment, tuple(found)
    where = f"{model.__name__}.{field_path(path)}" if path else model.__name__
    if known:
        raise UnknownFieldError(f"{where} has no field {segment!r}; it has {', '.join(known)}")
    what = " | ".join(dict.fromkeys(spec.describe() for spec in specs))
    raise UnknownFieldError(f"{where} is {what}: there is nothing at {segment!r} in it")


def elements(specs: tuple[ValueSpec, ...]) -> tuple[ValueSpec, ...]:
    """What is known of the items of the lists, sets and tuples, and of the values of the dicts, among
    ``specs``; empty where there are none.
    """
    found: list[ValueSpec] = []
    for leaf in [leaf for spec in specs for leaf in leaves(spec)]:
        kind = leaf.core["type"]
        if kind in SEQUENCES:
            found += item_specs(leaf)
        elif kind == "dict":
            found.append(leaf.value)
        elif kind in OPEN:
            found.append(any_spec())
    return tuple(found)


def item_specs(leaf: ValueSpec) -> list[ValueSpec]:
    """What is known of the items of a list, set or tuple; of a tuple one spec for each of its items."""
    items = leaf.core.get("items_schema")
    arms = items if isinstance(items, list) else [items or {"type": "any"}]
    return [leaf._derived(arm) for arm in arms]


def _in_subclasses(leaf: ValueSpec, name: str) -> list[ValueSpec]:
    """The specs of a field that only subclasses of a nested model have."""
    found = []
    for cls in _subclasses(leaf.model):
        spec = model_spec(cls)
        if name in spec.field_names():
            found.append(spec.field(name))
    return found


def _subclasses(cls: type[BaseModel] | None) -> Iterator[type[BaseModel]]:
    """All subclasses of ``cls`` that users defined, not the live views of classes."""
    for sub in cls.__subclasses__() if cls is not None else ():
        if "__rapyer_native__" not in sub.__dict__:
            yield sub
            yield from _subclasses(sub)


def _allows_extra(leaf: ValueSpec) -> bool:
    cls = leaf.model
    return cls is not None and cls.model_config.get("extra") == "allow"
