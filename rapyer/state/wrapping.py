"""Turning stored native values into live ones when they are read from their container.

Documents are loaded as plain Python values. The first time one is taken out of its container it is
replaced by its Redis type, linked to that container. Which native type becomes which live one is a
table that the types enter themselves into.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

from rapyer.schema.native import copy_natively, native
from rapyer.state.document import capture
from rapyer.state.node import find, state_of

__all__ = ["copy_natively", "native"]  # their users know them from here

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
