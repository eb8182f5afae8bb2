"""Turning stored native values into live ones when they are read from their container.

Documents are loaded as plain Python values. The first time one is taken out of its container it is
replaced by its Redis type, linked to that container. Which native type becomes which live one is a
table that the types enter themselves into.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from rapyer.schema.native import copy_natively, native
from rapyer.state.links import PARENT, PLACE, Node

__all__ = ["copy_natively", "native"]  # their users know them from here

Wrap: TypeAlias = Callable[[Any, Node, Any], Any]
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


def register_wrap(cls: type, wrap: Wrap) -> None:
    """Values whose type is exactly ``cls`` become live through ``wrap``."""
    WRAPS[cls] = wrap


def register_family(base: type, wrap: Wrap) -> None:
    """Values of ``base`` and of all its subclasses become live through ``wrap``."""
    _families.append((base, wrap))


def live(value: Any, parent: Node, place: Any) -> Any:
    """``value`` as a live value at ``place`` of ``parent``; itself where it needs no life."""
    wrap = WRAPS[type(value)]
    return value if wrap is None else wrap(value, parent, place)


def is_held_elsewhere(value: Any, parent: Node, place: Any) -> bool:
    """Whether another place than this one holds ``value`` itself (so that this one needs a copy)."""
    other = getattr(value, PARENT, None)
    if other is None or (other is parent and getattr(value, PLACE, None) == place):
        return False
    return bool(other.__rapyer_holds__(getattr(value, PLACE, None), value))


def link(value: Any, parent: Node | None, place: Any) -> None:
    """Link ``value`` to its place."""
    object.__setattr__(value, PARENT, parent)
    object.__setattr__(value, PLACE, place)
