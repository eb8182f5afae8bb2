"""What stored documents have in common: types, optional fields, values that repeat. Pure; from JSON values alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

_MOST_VALUES = 50
_FEW = 10
_ENOUGH = 12
_LONGEST_CHOICE = 40
_MANY_NAMES = 20
_SCALARS = (bool, int, float)


@dataclass(slots=True)
class Shape:
    """Everything that was seen at one place: how often there was what.

    ``values`` are the different texts, as long as there are few; ``names`` the entries of objects, ``item`` the items of
    lists; ``texts`` what all texts can be read as.
    """

    seen: int = 0
    nulls: int = 0
    scalars: dict[type, int] = field(default_factory=dict)
    strings: int = 0
    objects: int = 0
    lists: int = 0
    values: set[str] | None = field(default_factory=set)
    texts: list[str] = field(default_factory=lambda: list(_READINGS))
    names: dict[str, Shape] = field(default_factory=dict)
    item: Shape | None = None

    def add(self, value: Any) -> None:
        """Take one more value into account."""
        self.seen += 1
        if value is None:
            self.nulls += 1
        elif isinstance(value, str):
            self._add_text(value)
        elif isinstance(value, dict):
            self.objects += 1
            for name, inner in value.items():
                self.names.setdefault(name, Shape()).add(inner)
        elif isinstance(value, list):
            self.lists += 1
            self.item = self.item or Shape()
            for inner in value:
                self.item.add(inner)
        else:
            kind = type(value)
            self.scalars[kind] = self.scalars.get(kind, 0) + 1

    def _add_text(self, value: str) -> None:
        self.strings += 1
        if self.values is not None:
            self.values.add(value)
            if len(self.values) > _MOST_VALUES:
                self.values = None
        if self.texts:
            self.texts = [name for name in self.texts if _reads(_READINGS[name], value)]

    def is_optional_in(self, objects: int) -> bool:
        """Whether it was null, or missing in some of so many objects."""
        return self.nulls > 0 or self.seen < objects

    def choices(self) -> list[str]:
        """The few texts that repeat, in order; empty where they are no choice."""
        if self.values is None or self.strings < _ENOUGH or not self.values:
            return []
        few = 2 <= len(self.values) <= min(_FEW, self.strings // 4)
        short = all(0 < len(value) <= _LONGEST_CHOICE for value in self.values)
        return sorted(self.values) if few and short else []

    def is_mapping(self) -> bool:
        """Whether the names in its objects are data, not fields: many of them, each in a few objects only."""
        if not self.names:
            return True
        if all(name.isdigit() for name in self.names):
            return True
        average = sum(shape.seen for shape in self.names.values()) / len(self.names)
        return len(self.names) > _MANY_NAMES and average < self.objects / 3

    def of_entries(self) -> Shape:
        """The values of all entries as one."""
        return merged(self.names.values())


def shape_of(values: Iterable[Any]) -> Shape:
    """The shape of several values."""
    shape = Shape()
    for value in values:
        shape.add(value)
    return shape


def merged(shapes: Iterable[Shape]) -> Shape:
    """Several places as if they were one."""
    whole = Shape()
    for shape in shapes:
        whole.seen += shape.seen
        whole.nulls += shape.nulls
        whole.strings += shape.strings
        whole.objects += shape.objects
        whole.lists += shape.lists
        for kind, number in shape.scalars.items():
            whole.scalars[kind] = whole.scalars.get(kind, 0) + number
        if whole.values is not None and shape.values is not None:
            whole.values |= shape.values
        if shape.values is None or len(whole.values or ()) > _MOST_VALUES:
            whole.values = None
        if shape.strings:
            whole.texts = [name for name in whole.texts if name in shape.texts]
        for name, inner in shape.names.items():
            known = whole.names.get(name)
            whole.names[name] = inner if known is None else merged((known, inner))
        if shape.item is not None:
            whole.item = shape.item if whole.item is None else merged((whole.item, shape.item))
    return whole


def key_field(documents: Iterable[tuple[str, Any]]) -> str | None:
    """The field whose value is the pk of every document, given with that; None where there is none."""
    candidates: list[str] | None = None
    for pk, data in documents:
        fitting = [name for name, value in data.items() if _as_pk(value) == pk]
        candidates = fitting if candidates is None else [n for n in candidates if n in fitting]
        if not candidates:
            return None
    if not candidates:
        return None
    usual = [name for name in candidates if name.lower() in ("id", "pk", "key", "name", "uuid")]
    return (usual or candidates)[0]


def _as_pk(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _reads(read: Callable[[str], str], text: str) -> bool:
    """Whether ``text`` is exactly what such a value is written as."""
    try:
        return read(text) == text
    except ValueError:
        return False


def _uuid(text: str) -> str:
    return str(UUID(text))


_READINGS: dict[str, Callable[[str], str]] = {
    "date": lambda text: date.fromisoformat(text).isoformat(),
    "datetime": lambda text: datetime.fromisoformat(text).isoformat() if len(text) > 10 else "",
    "UUID": _uuid,
}
"""Texts that are something else, by the class; each gives what it would be written as."""
