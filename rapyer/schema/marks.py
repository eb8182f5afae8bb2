"""Marks: the names by which nested values of a subclass say in the stored document of which class they are.

A mark names one class for good. The class that was defined first under a name has that name as its mark;
one of the same name that comes later is marked with its module and qualified name. A class that is
defined *again* (a notebook cell, a reload) takes the place of its former self.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import BaseModel

from rapyer.schema.walking import is_root_model

CLASS_TAG = "__class__"
"""The JSON name of the mark; absent for the declared class itself."""
_HIDDEN = "__rapyer_native__"


def stored_subclasses(cls: type[Any]) -> list[type[Any]]:
    """All subclasses of model class or dataclass ``cls`` that can be values, in the order of definition.

    Not the live views of a class.
    """
    found: dict[type[Any], None] = {}
    waiting = list(cls.__subclasses__())
    while waiting:
        sub = waiting.pop(0)
        if _HIDDEN not in sub.__dict__:
            waiting += sub.__subclasses__()
            if _is_value_class(sub):
                found[sub] = None
    return list(found)


def _is_value_class(cls: type[Any]) -> bool:
    if issubclass(cls, BaseModel):
        if is_root_model(cls):
            return False
        return cls.__pydantic_complete__
    return "__dataclass_fields__" in cls.__dict__


def count_subclasses(classes: tuple[type[Any], ...]) -> int:
    """A number that changes when one of ``classes`` gets a subclass."""
    count = 0
    for cls in classes:
        count += len(cls.__subclasses__())
    return count


def incomplete_subclasses(classes: tuple[type[Any], ...]) -> tuple[type[BaseModel], ...]:
    """The subclasses that will be value classes once what their annotations mention is defined."""
    return tuple(
        sub
        for cls in classes
        for sub in cls.__subclasses__()
        if issubclass(sub, BaseModel) and not sub.__pydantic_complete__
    )


class Marks:
    """The marks of the subclasses of one declared class.

    ``choices`` are the classes and their marks, each under a name of its own; what a mark is read as has
    the mark for its name.
    """

    def __init__(self, declared: type[Any], subclasses: list[type[Any]]) -> None:
        self._written: dict[type[Any], str] = {declared: ""}
        self.choices: dict[str, tuple[type[Any], str]] = {}
        self._by_name: dict[str, list[str]] = {}
        marks: dict[tuple[str, str], str] = {}
        for sub in subclasses:
            label = sub.__module__, sub.__qualname__
            mark = marks.get(label)
            if mark is None:
                namesakes = self._by_name.setdefault(sub.__name__, [])
                mark = marks[label] = ".".join(label) if namesakes else sub.__name__
                namesakes.append(mark)
            elif mark in self.choices:  # of its former self there may be values
                former = f"{mark} ({len(self.choices)})"
                self.choices[former] = self.choices[mark]
                self._written[self.choices[mark][0]] = former
            self._written[sub] = mark
            self.choices[mark] = sub, mark

    def of(self, value: Any) -> str:
        """The choice for ``value``, a model or dataclass or its stored form; empty for the declared class."""
        if isinstance(value, dict):
            mark = value.get(CLASS_TAG, "")
            return self._meant(mark, value) if isinstance(mark, str) and mark else ""
        written = self._written
        return next((written[base] for base in type(value).__mro__ if base in written), "")

    def _meant(self, mark: str, value: dict[str, Any]) -> str:
        """The mark as it is written today: modules move, and another process may import in another order."""
        namesakes = self._by_name.get(mark, ())
        if len(namesakes) > 1:
            fitting = (one for one in namesakes if value.keys() - {CLASS_TAG} <= self._names(one))
            return next(fitting, mark)
        if mark not in self.choices and "." in mark:
            namesakes = self._by_name.get(mark.rpartition(".")[2], ())
            if len(namesakes) == 1:
                return namesakes[0]
        return mark

    def _names(self, mark: str) -> set[str]:
        cls, _ = self.choices[mark]
        if issubclass(cls, BaseModel):
            return set(cls.__pydantic_fields__)
        return {field.name for field in dataclasses.fields(cls)}


def without_mark(value: Any) -> Any:
    """A stored object without its mark, for the class itself to read."""
    if isinstance(value, dict):
        return {name: item for name, item in value.items() if name != CLASS_TAG}
    return value
