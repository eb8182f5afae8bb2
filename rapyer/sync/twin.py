"""The synchronous twin of every asynchronous method: one rule over the library's own classes.

A method of a document whose class is synchronous waits for its coroutine; of any other it gives the coroutine, as
ever. What runs in the background loop (the library's own code) and in the shell always gets coroutines. The methods are
found, not listed: one that is added to the library has its twin.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from rapyer import types
from rapyer.base import AtomicRedisModel as AsyncModel
from rapyer.config import is_bound
from rapyer.keyspace import registry
from rapyer.models.views import Embedded
from rapyer.state.node import state_of
from rapyer.sync.portal import PORTAL
from rapyer.sync.waiting import waited

GIVES_WHAT_IS_AWAITED = frozenset(
    {"find", "find_keys", "changes", "pipeline", "lock", "lock_from_key"}
)
"""Functions that are no coroutines, and give what is awaited, iterated over or entered."""


def is_asynchronous(name: str, member: Any) -> bool:
    """Whether a member of a class is to have a twin."""
    function = getattr(member, "__func__", member)
    if name.startswith("_") or not inspect.isfunction(function):
        return False
    return inspect.iscoroutinefunction(function) or (
        {name, name.removeprefix("a")} & GIVES_WHAT_IS_AWAITED != set()
    )


def classes_with_twins() -> Iterator[type[Any]]:
    """The library's own classes that define asynchronous methods of documents and fields."""
    live = [getattr(types, name) for name in types.__all__]
    seen: dict[type[Any], None] = {}
    for cls in (AsyncModel, Embedded, *live):
        for base in cls.__mro__:
            if base.__module__.partition(".")[0] == "rapyer":
                seen[base] = None
    return iter(seen)


def install() -> None:
    """Give all asynchronous methods their twins; once in a process."""
    twins: dict[int, Any] = {}
    for cls in classes_with_twins():
        for name, member in list(vars(cls).items()):
            if not is_asynchronous(name, member):
                continue
            function = getattr(member, "__func__", member)
            twin = twins.get(id(function))
            if twin is None:
                twin = twins[id(function)] = _twin(function)
            twin = classmethod(twin) if isinstance(member, classmethod) else twin
            type.__setattr__(cls, name, twin)


def _twin(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(owner: Any, /, *args: Any, **kwargs: Any) -> Any:
        if asyncio._get_running_loop() is PORTAL.loop is not None or not _is_synchronous(owner):
            return function(owner, *args, **kwargs)
        return waited(function(owner, *args, **kwargs))

    return call


def _is_synchronous(owner: Any) -> bool:
    """Whether ``owner`` is, or is part of, a document whose class is synchronous."""
    if is_bound():
        return False  # the shell, which awaits
    if not isinstance(owner, type):
        state = state_of(owner)
        while state is not None and state.parent is not None:
            owner = state.parent
            state = state_of(owner)
        owner = type(owner)
    return getattr(owner, "__rapyer_synchronous__", False)


install()


class AtomicRedisModel(AsyncModel):
    """A model whose methods and fields wait for the server. See :class:`rapyer.AtomicRedisModel`."""

    __rapyer_synchronous__ = True


registry.forget(AtomicRedisModel)
