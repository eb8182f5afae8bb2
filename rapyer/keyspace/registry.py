"""The model classes that exist, by key prefix. The only state of the library that a module holds."""

from __future__ import annotations

import weakref
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rapyer.config import DEFAULT_LOCK_EXPIRY
from rapyer.errors import AmbiguousModelError, WrongModelError

if TYPE_CHECKING:
    from rapyer.base import AtomicRedisModel
    from rapyer.models.locks import Lock

_models: dict[tuple[str, str], weakref.ref[Any]] = {}


def register(model: type[AtomicRedisModel]) -> None:
    """Enter ``model``; the same class defined again (a reload, a notebook cell) replaces the old one."""
    _models[(model.__module__, model.__qualname__)] = weakref.ref(model)
    _longer_prefixes.cache_clear()


def models() -> list[type[AtomicRedisModel]]:
    """The registered model classes that still exist, in order of definition."""
    return [model for reference in _models.values() if (model := reference()) is not None]


def longest_prefix(key: str) -> str:
    """The longest prefix of a registered model that ``key`` begins with, before its colon; or ''."""
    longest = ""
    for model in models():
        prefix = model.class_key_initials()
        if len(prefix) > len(longest) and key.startswith(prefix + ":"):
            longest = prefix
    return longest


def longer_prefixes(prefix: str) -> tuple[str, ...]:
    """The prefixes of registered models that begin with ``prefix`` and are longer, with their colons."""
    return _longer_prefixes(prefix)


@lru_cache(maxsize=256)
def _longer_prefixes(prefix: str) -> tuple[str, ...]:
    every = {f"{model.class_key_initials()}:" for model in models()}
    return tuple(other for other in every if len(other) > len(prefix) and other.startswith(prefix))


def of_key(key: str) -> type[AtomicRedisModel]:
    """The model that ``key`` belongs to.

    Raises :class:`~rapyer.errors.WrongModelError` when there is none and
    :class:`~rapyer.errors.AmbiguousModelError` when two classes share the prefix.
    """
    candidates: list[type[AtomicRedisModel]] = []
    longest = -1
    for model in models():
        prefix = model.class_key_initials()
        if not key.startswith(prefix + ":") or len(prefix) < longest:
            continue
        if len(prefix) > longest:
            candidates, longest = [], len(prefix)
        candidates.append(model)
    if not candidates:
        known = ", ".join(sorted(model.class_key_initials() for model in models())) or "none"
        raise WrongModelError(f"{key!r} belongs to no known model (known prefixes: {known})")
    if len(candidates) > 1:
        names = " and ".join(f"{model.__module__}.{model.__qualname__}" for model in candidates)
        raise AmbiguousModelError(
            f"{key!r}: {names} share the key prefix; call the method of the one you mean"
        )
    return candidates[0]


def lock_from_key(
    key: str, *, timeout: float | None = None, expiry: float | None = None
) -> AbstractAsyncContextManager[Lock]:
    """Hold the lock of the document with this whole key, through its model's own client.

    See ``AtomicRedisModel.lock``. Raises :class:`~rapyer.errors.WrongModelError` for a key of no known
    model and :class:`~rapyer.errors.LockError`.
    """
    model = of_key(key)
    return model.lock_from_key(
        key, timeout=timeout, expiry=DEFAULT_LOCK_EXPIRY if expiry is None else expiry
    )
