"""Turning stored native values into live ones when they are read from their container.

Documents are loaded as plain Python values. The first time one is taken out of its container it is
replaced by its Redis type, linked to that container. Which native type becomes which live one is a
table that the types enter themselves into.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from rapyer.links import PARENT, PLACE, Node
from rapyer.schema import ValueSpec

Wrap: TypeAlias = Callable[[Any, Node, Any, Callable[[Any], ValueSpec]], Any]
"""``(value, parent, place, spec_at) -> live value``; ``spec_at(place)`` is asked only when needed."""


class _Wraps(dict[type, "Wrap | None"]):
    """Native type → wrap; types never seen before are decided once."""

    def __missing__(self, cls: type) -> Wrap | None:
        wrap = next((wrap for base, wrap in _families if issubclass(cls, base)), None)
        self[cls] = wrap
        return wrap


_wraps = _Wraps()
_families: list[tuple[type, Wrap]] = []


def register_wrap(cls: type, wrap: Wrap) -> None:
    """Values whose type is exactly ``cls`` become live through ``wrap``."""
    _wraps[cls] = wrap


def register_family(base: type, wrap: Wrap) -> None:
    """Values of ``base`` and of all its subclasses become live through ``wrap``."""
    _families.append((base, wrap))


def live(value: Any, parent: Node, place: Any) -> Any:
    """``value`` as a live value at ``place`` of ``parent``; itself where it needs no life."""
    wrap = _wraps[type(value)]
    if wrap is None:
        return value
    return wrap(value, parent, place, parent.__rapyer_child_spec__)


def is_bound_to(value: Any, parent: Node, place: Any) -> bool:
    """Whether ``value`` is linked to exactly this place."""
    return getattr(value, PARENT, None) is parent and getattr(value, PLACE, None) == place


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


def native(value: Any) -> Any:
    """A deep copy of ``value`` without any Redis type in it."""
    clone = getattr(type(value), "__rapyer_native_copy__", None)
    if clone is not None:
        return clone(value)
    kind = type(value)
    if kind is list:
        return [native(item) for item in value]
    if kind is dict:
        return {native(key): native(item) for key, item in value.items()}
    if kind in (tuple, set, frozenset):
        return kind(native(item) for item in value)
    return value
