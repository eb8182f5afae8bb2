"""Finding documents: ``User.find(User.age > 30).sort("-age").limit(10)``, awaited or iterated over.

:class:`Find` is a search that has not been run. Where its keys come from is decided when it runs: the
ones that were given, an index, or SCAN (:mod:`rapyer.search.matching`). Here what matches is ordered, cut,
shaped, counted and changed; order is made in :mod:`rapyer.expressions.ordering`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, cast

from rapyer.batch.batch import current_batch
from rapyer.config import refresh_of
from rapyer.errors import BulkError, InvalidValueError, RapyerError
from rapyer.expressions.expression import FieldReference
from rapyer.expressions.ordering import Order, SortField, as_order, put_in_order, values_of
from rapyer.keyspace import registry
from rapyer.keyspace.texts import CHUNK, Entry, refresh_ttls
from rapyer.schema.native import native
from rapyer.search.matching import Condition, Search, all_of
from rapyer.search.results import Found, Problems
from rapyer.search.update import Changes, update_unchanged

T = TypeVar("T")

_ATTEMPTS = 100
"""How often a document that others keep changing is read again before that is an error."""


@dataclass(frozen=True, eq=False)
class Find(Search, Coroutine[Any, Any, list[T]], Generic[T]):
    """A search: ``await`` it for a list (``asyncio.run`` and ``create_task`` take it as it is), or iterate with ``async for``, which holds only a few hundred
    documents at a time.

    :meth:`sort`, :meth:`limit`, :meth:`offset`, :meth:`where`, :meth:`project` and :meth:`keys` give new
    searches. Running one raises, after the last result:

    - :class:`~rapyer.errors.KeyNotFound` when keys were given and some are not there;
    - :class:`~rapyer.errors.BulkError` when documents do not validate, ``failures`` mapping their keys to
      the errors. Of an awaited search its ``documents`` are the good ones.

    Sends JSON.MGET for every 200 documents, and to get their keys SCAN or FT.AGGREGATE; nothing that
    writes, but a TTL refresh of the documents it gives where their model asks for it. Documents that
    change while a search runs are found as they are when they are read.
    """

    order: Order = ()
    most: int | None = None
    skipped: int = 0
    shape: Callable[[Any], T] | None = None
    """What results are made of documents by; None for the documents themselves."""
    only_keys: bool = False
    _running: list[Any] = field(default_factory=list, init=False, repr=False)
    """The coroutine, once this very search is run as a task."""

    # -- refining --------------------------------------------------------------------------------

    def where(self, *expressions: Condition) -> Find[T]:
        """Only the documents that also match ``expressions``."""
        return replace(self, expression=all_of(self.model, self.expression, expressions))

    def sort(self, *fields: SortField) -> Find[T]:
        """In the order of ``fields``: ``"age"``, ``"-age"`` for descending, ``User.address.city``.

        Documents without a value come last; equal ones are in the order of their keys. A sorted search
        first reads all that match, holding what they are sorted by.
        """
        return replace(self, order=as_order(cast(Any, self.model), fields))

    def limit(self, most: int | None) -> Find[T]:
        """At most so many; None for all."""
        if most is not None and most < 0:
            raise InvalidValueError(f"a limit must not be negative: {most}")
        return replace(self, most=most)

    def offset(self, skipped: int) -> Find[T]:
        """Without the first ``skipped`` ones. Unless sorted, the order is the server's and may change."""
        if skipped < 0:
            raise InvalidValueError(f"an offset must not be negative: {skipped}")
        return replace(self, skipped=skipped)

    def project(self, *fields: str | FieldReference | Any) -> Find[dict[str, Any]]:
        """Dicts of these fields' native values instead of models: ``project("name", "address.city")``."""
        places = {}
        for name in fields:
            ((place, _),) = as_order(cast(Any, self.model), (name,))
            places[name if isinstance(name, str) else str(place)] = place

        def shape(document: Any) -> dict[str, Any]:
            return {name: native(place.read(document)) for name, place in places.items()}

        return cast("Find[dict[str, Any]]", replace(self, shape=cast(Any, shape), only_keys=False))

    def keys(self) -> Find[str]:
        """The keys instead of the documents; nothing is read where no expression or order needs it."""
        return cast("Find[str]", replace(self, only_keys=True))

    # -- running ---------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self._list().__await__()

    def send(self, value: Any) -> Any:
        """The next step of the search, as of any coroutine: so it can be run as a task."""
        return self._coroutine().send(value)

    def throw(self, *error: Any) -> Any:
        """Throw into the search that runs, as into any coroutine."""
        return self._coroutine().throw(*error)

    def close(self) -> None:
        """End the search that runs; one that does not run yet stays as it is."""
        if self._running:
            self._running[0].close()

    def _coroutine(self) -> Coroutine[Any, Any, list[T]]:
        if not self._running:
            self._running.append(self._list())
        running: Coroutine[Any, Any, list[T]] = self._running[0]
        return running

    def __aiter__(self) -> AsyncIterator[T]:
        return self.results()

    async def first(self) -> T | None:
        """The first result, None where there is none. Raises only when there is none."""
        async with aclosing(self.limit(1).results()) as results:
            async for result in results:
                return result
        return None

    async def count(self) -> int:
        """How many results there are. Documents are read where an expression or keys need it."""
        if self.order:
            return await replace(self, order=()).count()
        counted, problems = 0, Problems(self.missing_ok)
        last = None if self.most is None else self.skipped + self.most
        async with aclosing(self.keys()._groups(problems)) as groups:
            async for group in groups:
                counted += len(group)
                if last is not None and counted >= last:
                    counted = last
                    break
        problems.report()
        return max(0, counted - self.skipped)

    async def update(self, changes: Mapping[str, Any] | None = None, /, **fields: Any) -> int:
        """Set fields of all documents that it finds; how many were changed.

        Each document is changed in one atomic step, and only while it is what was read: one that somebody
        else changes meanwhile is read again, and changed if it still matches. ``changes`` are fields that
        are no Python names, or a mapping in place of keywords.

        Raises, before anything is sent, :class:`~rapyer.errors.UnknownFieldError`,
        :class:`pydantic.ValidationError` for a value that a field does not take, and
        :class:`~rapyer.errors.InvalidValueError` for the ``Key`` field and frozen ones. Raises
        :class:`~rapyer.errors.BulkError` when something failed: ``failures`` maps the keys of what was not
        (or, after ``OutcomeUnknownError``, not surely) changed to the errors, among them
        :class:`~rapyer.errors.ConstraintError` where the model's validators refuse the result. Sends what
        finding sends, and one EVALSHA for each document (for many at once).
        """
        if current_batch() is not None:
            raise RapyerError(
                "find(…).update() cannot be part of a pipeline: change each document instead"
            )
        wanted = Changes({**(changes or {}), **fields}, self.models())
        search, problems, done = self, Problems(self.missing_ok), 0
        if self.order or self.most is not None or self.skipped:
            search = replace(
                self, given=tuple(await self._chosen()), order=(), most=None, skipped=0
            )
            problems = Problems(missing_ok=True)
        async with aclosing(search.matching(problems)) as groups:
            async for group in groups:
                done += await search._update_group(group, wanted, problems)
                if wanted.lost is not None:
                    break
        problems.report_done(done, "updated")
        return done

    async def _update_group(self, group: Found, changes: Changes, problems: Problems) -> int:
        done = 0
        for _ in range(_ATTEMPTS):
            changed, again = await update_unchanged(group, changes, problems)
            done += changed
            if not again:
                return done
            search = replace(self, given=tuple(again), order=(), most=None, skipped=0)
            found = [found async for found in search.matching(Problems(missing_ok=True))]
            group = Found.joined(found)
        problem = RapyerError(f"others keep changing it: given up after {_ATTEMPTS} attempts")
        problems.failures |= {key: problem for _, key in group.entries}
        return done

    async def _chosen(self) -> list[Entry]:
        """The entries of the page that order, offset and limit choose."""
        keys = await replace(self, only_keys=True, shape=None)._list()
        if self.model is None:
            known = {key: model for model, key in self.given or ()}
            return [(known[cast(str, key)], cast(str, key)) for key in keys]
        family = self.models()
        return [(registry.owners(cast(str, key), family)[0], cast(str, key)) for key in keys]

    acount, afirst, aexplain, aupdate = count, first, Search.explain, update

    async def _list(self) -> list[T]:
        found: list[T] = []
        try:
            async with aclosing(self._pages()) as pages:
                async for page in pages:
                    found += page
        except BulkError as error:
            error.documents = found
            raise
        return found

    async def results(self) -> AsyncGenerator[T, None]:
        """The results one by one; closing the generator ends the search at once."""
        async with aclosing(self._pages()) as pages:
            async for page in pages:
                for result in page:
                    yield result

    async def _pages(self) -> AsyncGenerator[list[T], None]:
        """The results in lists."""
        if self.most == 0:
            return
        problems = Problems(self.missing_ok)
        source = self._sorted(problems) if self.order else self._as_found(problems)
        async with aclosing(source) as pages:
            async for page in pages:
                yield page
        problems.report()

    async def _as_found(self, problems: Problems) -> AsyncGenerator[list[T], None]:
        skip, left = self.skipped, self.most
        async with aclosing(self._groups(problems)) as groups:
            async for group in groups:
                page = group
                if skip:
                    page, skip = group[skip:], max(0, skip - len(group))
                if left is not None:
                    page = page[:left]
                    left -= len(page)
                if page:
                    yield await self._made(page)
                if left == 0:
                    return

    async def _sorted(self, problems: Problems) -> AsyncGenerator[list[T], None]:
        """First all that match, of which only what they are sorted by is held; then the page of them."""
        rows = [
            (values_of(document, self.order), entry)
            async for found in self.matching(problems)
            for document, entry in zip(found.documents, found.entries, strict=True)
        ]
        put_in_order(rows, self.order, values=lambda row: row[0], key=lambda row: row[1][1])
        last = None if self.most is None else self.skipped + self.most
        page = tuple(entry for _, entry in rows[self.skipped : last])
        if self.only_keys:
            yield cast("list[T]", [key for _, key in page])
            return
        again = replace(self, given=page, order=(), skipped=0, most=None)
        gone_meanwhile = Problems(missing_ok=True)
        async with aclosing(again._as_found(gone_meanwhile)) as pages:
            async for documents in pages:
                yield documents
        problems.failures.update(gone_meanwhile.failures)

    async def _groups(self, problems: Problems) -> AsyncGenerator[Found | list[str], None]:
        """What results are made of: documents that match, or keys."""
        source: AsyncGenerator[Found | list[str], None]
        source = self.matching(problems) if self._needs_documents() else self._all_keys()
        async with aclosing(source) as groups:
            async for group in groups:
                yield group

    async def _made(self, page: Found | list[str]) -> list[T]:
        if isinstance(page, list):
            return cast("list[T]", page)
        if self.only_keys:
            return cast("list[T]", [key for _, key in page.entries])
        if any(refresh_of(model.Meta) is not None for model in self.models()):
            await refresh_ttls(page.entries)
        if self.shape is None:
            return cast("list[T]", page.documents)
        return [self.shape(document) for document in page.documents]

    def _needs_documents(self) -> bool:
        given = self.given is not None
        return not self.only_keys or self.expression is not None or bool(self.order) or given

    def _chunk_size(self) -> int:
        if self.most is None or self.expression is not None or self.order:
            return CHUNK
        return min(CHUNK, self.skipped + self.most)
