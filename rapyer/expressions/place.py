"""Where in a document a value stands, and how it is read from a loaded one.

What is not there reads as None, everywhere: an absent dict key, a field of a nested model that is None,
a field that only a subclass of the nested model has.
"""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from typing import Any

from pydantic import BaseModel

from rapyer.paths import Path, field_path


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document a value stands."""

    path: tuple[Any, ...]

    def read(self, document: Any) -> Any:
        """The native value at this place of a model or of plain JSON; None where there is none."""
        value = document
        for segment in self.path:
            value = _step(value, segment)
            if value is None:
                return None
        return value

    @property
    def stored_path(self) -> Path:
        """The path inside the stored document."""
        return tuple(part if isinstance(part, int | str) else str(part) for part in self.path)

    def __str__(self) -> str:
        return field_path(self.stored_path)


def _step(value: Any, segment: Any) -> Any:
    if isinstance(value, BaseModel):
        if type(value).__pydantic_root_model__:
            return _step(value.__dict__["root"], segment)
        # not getattr: nothing has to become a live value only to be compared
        values = value.__dict__
        if segment in values:
            return values[segment]
        return (value.__pydantic_extra__ or {}).get(segment)
    if isinstance(value, dict):
        found = dict.get(value, segment)
        return dict.get(value, str(segment)) if found is None else found
    if isinstance(value, list | tuple):
        if not isinstance(segment, int) or not -len(value) <= segment < len(value):
            return None
        return list.__getitem__(value, segment) if isinstance(value, list) else value[segment]
    if is_dataclass(value) and isinstance(segment, str):
        return getattr(value, segment, None)
    return None


def unwrapped(value: Any) -> Any:
    """``value``, or what a root model is around."""
    while isinstance(value, BaseModel) and type(value).__pydantic_root_model__:
        value = value.__dict__["root"]
    return value
