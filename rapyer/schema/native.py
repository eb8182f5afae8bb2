"""Copies without any Redis type in them: what a user handed in, or is handed, as plain Python values."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from pydantic import BaseModel

_IMMUTABLE = (str, int, float, bool, type(None), bytes, datetime)


def native(value: Any) -> Any:
    """A deep copy of ``value`` without any Redis type in it."""
    kind = type(value)
    if kind in _IMMUTABLE:
        return value
    clone = getattr(kind, "__rapyer_native_copy__", None)
    if clone is not None:
        return clone(value)
    if kind is list:
        return [native(item) for item in value]
    if kind is dict:
        return {native(key): native(item) for key, item in value.items()}
    if kind in (tuple, set, frozenset):
        return kind(native(item) for item in value)
    if isinstance(value, BaseModel):
        return copy_natively(value)
    return copy.deepcopy(value)


def copy_natively(model: Any) -> Any:
    """A deep copy of a model in which all values are native."""
    cls: Any = type(model)
    made = cls.__new__(cls)
    object.__setattr__(
        made, "__dict__", {name: native(value) for name, value in model.__dict__.items()}
    )
    object.__setattr__(made, "__pydantic_fields_set__", set(model.__pydantic_fields_set__))
    for name in ("__pydantic_extra__", "__pydantic_private__"):
        state = getattr(model, name)
        object.__setattr__(made, name, None if state is None else native(dict(state)))
    return made
