"""Fields of models as descriptors: a live value on an instance, a search expression on the class."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from pydantic import BaseModel

from rapyer.state.wrapping import WRAPS

building_class: ContextVar[bool] = ContextVar("rapyer_building_class", default=False)
"""True while Pydantic collects the fields of a new class: it must not take a descriptor for a default."""


class LiveField:
    """A model's field: a live value on an instance, a search expression on the class."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        name = self.name
        if instance is None:
            if building_class.get():
                raise AttributeError(name)
            from rapyer.expressions.expression import FieldReference

            return FieldReference.of_model(owner, name)
        values = instance.__dict__
        try:
            value = values[name]
        except KeyError:
            raise AttributeError(
                f"{type(instance).__name__!r} object has no attribute {name!r}"
            ) from None
        wrap = WRAPS[type(value)]
        if wrap is None:
            return value
        made = wrap(value, instance, name)
        if made is not value:
            values[name] = made
        return made

    def __set__(self, instance: Any, value: Any) -> None:
        setattr(instance, self.name, value)


def install_fields(cls: type[BaseModel]) -> None:
    """Put a :class:`LiveField` in the place of each field of ``cls``."""
    for name in cls.__pydantic_fields__:
        type.__setattr__(cls, name, LiveField(name))
