"""The model classes that exist, and which of them owns a key: the one with the longest prefix.

The only state of the library that a module holds. Every question of ownership is answered here, for
library, command line and completion alike.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, TypeVar

from rapyer.errors import AmbiguousModelError, WrongModelError
from rapyer.keyspace.model_class import ModelClass

M = TypeVar("M", bound=ModelClass)

_models: dict[tuple[str, str], weakref.ref[Any]] = {}


def register(model: type[ModelClass]) -> None:
    """Enter ``model``; the same class defined again (a reload, a notebook cell) replaces the old one."""
    _models[(model.__module__, model.__qualname__)] = weakref.ref(model, _forget_prefixes)
    _forget_prefixes(None)


def forget(model: type[ModelClass]) -> None:
    """Take ``model`` out, which was defined to be tried alone."""
    entry = (model.__module__, model.__qualname__)
    reference = _models.get(entry)
    if reference is not None and reference() is model:
        del _models[entry]
        _forget_prefixes(None)


def _forget_prefixes(_: object) -> None:
    longer_prefixes.cache_clear()
    every_prefix.cache_clear()


def models() -> list[type[ModelClass]]:
    """The registered model classes that still exist, in order of definition."""
    return [model for reference in _models.values() if (model := reference()) is not None]


def prefix_of(model: type[ModelClass]) -> str:
    """What every key of ``model`` begins with: ``User:``."""
    return model.class_key_initials() + ":"


@lru_cache(maxsize=256)
def longer_prefixes(prefix: str) -> tuple[str, ...]:
    """The prefixes of registered models that begin with ``prefix`` and are longer."""
    every = {prefix_of(model) for model in models()}
    return tuple(other for other in every if len(other) > len(prefix) and other.startswith(prefix))


def owners(key: str, among: Iterable[type[M]]) -> list[type[M]]:
    """Those of the models ``among`` whose prefix ``key`` has, and that is no shorter than another's."""
    found: list[type[M]] = []
    longest = -1
    for model in among:
        prefix = prefix_of(model)
        if not key.startswith(prefix) or len(prefix) < longest:
            continue
        if len(prefix) > longest:
            found, longest = [], len(prefix)
        found.append(model)
    return found


@lru_cache(maxsize=1)
def every_prefix() -> tuple[str, ...]:
    """What whole keys of registered models begin with."""
    return tuple({prefix_of(model) for model in models()})


def of_key(key: str) -> type[ModelClass]:
    """The model that ``key`` belongs to.

    Raises :class:`~rapyer.errors.WrongModelError` when there is none and
    :class:`~rapyer.errors.AmbiguousModelError` when two classes share the prefix.
    """
    candidates = owners(key, models())
    if not candidates:
        known = ", ".join(sorted(model.class_key_initials() for model in models())) or "none"
        raise WrongModelError(f"{key!r} belongs to no known model (known prefixes: {known})")
    if len(candidates) > 1:
        names = " and ".join(f"{model.__module__}.{model.__qualname__}" for model in candidates)
        raise AmbiguousModelError(
            f"{key!r}: {names} share the key prefix; call the method of the one you mean"
        )
    return candidates[0]


def family(model: type[ModelClass]) -> list[type[ModelClass]]:
    """``model`` and its registered subclasses, each of which has documents under a prefix of its own.

    Raises :class:`~rapyer.errors.AmbiguousModelError` when two of the subclasses share a prefix.
    """
    found = {prefix_of(model): model}
    for other in models():
        if other is model or not issubclass(other, model):
            continue
        prefix = prefix_of(other)
        same = found.setdefault(prefix, other)
        if same is not other and same is not model:
            raise AmbiguousModelError(
                f"{same.__module__}.{same.__qualname__} and {other.__module__}.{other.__qualname__}, both "
                f"subclasses of {model.__name__}, share the key prefix {prefix!r}"
            )
    return list(found.values())


class Ownership:
    """Which keys belong to a model: those with its prefix, and not with a longer one of another model."""

    __slots__ = ("_longer", "prefix")

    def __init__(self, model: type[ModelClass]) -> None:
        self.prefix = prefix_of(model)
        self._longer = longer_prefixes(self.prefix)

    def among(self, keys: list[str]) -> list[str]:
        """Those of ``keys``, all of which have the prefix, that belong to the model."""
        if not self._longer:
            return keys
        return [key for key in keys if not key.startswith(self._longer)]
