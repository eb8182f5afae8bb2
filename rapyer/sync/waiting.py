"""What is awaited, iterated over or entered in the library, without ``async`` and ``await``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from rapyer.search.find import Find as AsyncFind
from rapyer.sync.portal import PORTAL

T = TypeVar("T")


class Block(Generic[T]):
    """The ``with`` block of a pipeline or a lock."""

    def __init__(self, block: AbstractAsyncContextManager[T]) -> None:
        self._block = block

    def __enter__(self) -> T:
        return PORTAL.run(self._block.__aenter__())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        worker = PORTAL.worker()
        if worker.was_stopped:
            worker.was_stopped = False
            if kind is None:
                error = asyncio.CancelledError()
                kind = type(error)
        return worker.run(self._block.__aexit__(kind, error, trace))


def iterated(items: AsyncIterator[T]) -> Iterator[T]:
    """``items`` one after the other; left early, they are closed."""
    try:
        while True:
            try:
                item: T = PORTAL.run(cast("Coroutine[Any, Any, T]", items.__anext__()))
            except StopAsyncIteration:
                return
            yield item
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            PORTAL.run(close())


class Find(Generic[T]):
    """A search: iterate over it, ``list(User.find(...))``. See :class:`rapyer.search.find.Find`."""

    def __init__(self, search: AsyncFind[T]) -> None:
        self._search = search

    def __iter__(self) -> Iterator[T]:
        return iterated(self._search.__aiter__())

    def __repr__(self) -> str:
        return repr(self._search)

    def where(self, *expressions: Any) -> Find[T]:
        """The same search with more conditions."""
        return Find(self._search.where(*expressions))

    def sort(self, *fields: Any) -> Find[T]:
        """The same search in this order; ``"-age"`` for descending."""
        return Find(self._search.sort(*fields))

    def limit(self, most: int | None) -> Find[T]:
        """The same search with at most so many results."""
        return Find(self._search.limit(most))

    def offset(self, skipped: int) -> Find[T]:
        """The same search without the first results."""
        return Find(self._search.offset(skipped))

    def project(self, *fields: Any) -> Find[dict[str, Any]]:
        """The same search, giving dicts of these fields."""
        return Find(self._search.project(*fields))

    def keys(self) -> Find[str]:
        """The same search, giving keys."""
        return Find(self._search.keys())

    def all(self) -> list[T]:
        """Run the search; all results. What does not validate is raised after, with the good ones."""
        return PORTAL.run(self._search._list())

    def first(self) -> T | None:
        """The first result, or None."""
        return PORTAL.run(self._search.first())

    def count(self) -> int:
        """How many results there are."""
        return PORTAL.run(self._search.count())

    def update(self, changes: Mapping[str, Any] | None = None, /, **fields: Any) -> int:
        """Set fields of all that is found; how many were changed."""
        return PORTAL.run(self._search.update(changes, **fields))

    def explain(self) -> Any:
        """How the search would be run."""
        return PORTAL.run(self._search.explain())


def waited(result: Any) -> Any:
    """What a function of the library gave, for those who cannot await."""
    if isinstance(result, AsyncFind):
        return Find(result)
    if asyncio.iscoroutine(result):
        return PORTAL.run(result)
    if isinstance(result, AbstractAsyncContextManager) or hasattr(result, "__aenter__"):
        return Block(result)
    if hasattr(result, "__anext__"):
        return iterated(result)
    return result


def waiting(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """``function`` of the library for those who cannot await."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return waited(function(*args, **kwargs))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = function.__doc__
    return call
