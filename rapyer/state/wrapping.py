"""Turning stored native values into live ones when they are read from their container.

Documents are loaded as plain Python values. The first time one is taken out of its container it is
replaced by its Redis type, linked to that container. Which native type becomes which live one is a
table that the types enter themselves into.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

from pydantic import BaseModel

from rapyer.state.document import capture
from rapyer.state.node import find, set_state, state_of

Wrap: TypeAlias = Callable[[Any, Any, Any], Any]
"""``(value, parent, place) -> live value``."""


class _Wraps(dict[type, "Wrap | None"]):
    """Native type → wrap; types never seen before are decided once."""

    def __missing__(self, cls: type) -> Wrap | None:
        wrap = next((wrap for base, wrap in _families if issubclass(cls, base)), None)
        self[cls] = wrap
        return wrap


WRAPS = _Wraps()
"""How values of a type become live; None: they need no life."""
_families: list[tuple[type, Wrap]] = []


def register_wrap(cls: type, wrap: Wrap | None) -> None:
    """Values whose type is exactly ``cls`` become live through ``wrap``."""
    WRAPS[cls] = wrap


def register_family(base: type, wrap: Wrap) -> None:
    """Values of ``base`` and of all its subclasses become live through ``wrap``."""
    _families.append((base, wrap))


def live(value: Any, parent: Any, place: Any) -> Any:
    """``value`` as a live value at ``place`` of ``parent``; itself where it needs no life."""
    wrap = WRAPS[type(value)]
    return value if wrap is None else wrap(value, parent, place)


def handed_out(parent: Any, place: Any, old: Any, new: Any) -> None:
    """``new``, which its reader may change in place, now stands for ``old`` at ``place`` of ``parent``."""
    found = find(parent)
    if found is None:
        return
    state = state_of(found[0])
    if state is not None:
        if state.known is not None:
            capture(parent, place)
        if state.work is not None and old is not new:
            state.work.wrapped(old, new)


_IMMUTABLE = (str, int, float, bool, type(None), bytes, datetime)
_UNCHANGING = (*_IMMUTABLE, date, time, timedelta, Enum, Decimal, UUID)


def is_unchanging(value: Any) -> bool:
    """Whether nobody who has ``value`` can change it in place."""
    return isinstance(value, _UNCHANGING)


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
    values = {name: native(value) for name, value in model.__dict__.items()}
    set_state(made, "__dict__", values)
    set_state(made, "__pydantic_fields_set__", set(model.__pydantic_fields_set__))
    for name in ("__pydantic_extra__", "__pydantic_private__"):
        state = getattr(model, name)
        set_state(made, name, None if state is None else native(dict(state)))
    return made
