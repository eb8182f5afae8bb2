"""Finding documents: ``User.find(User.age > 30).sort("-age").limit(10)``, awaited or iterated over.

:class:`Find` is a search that has not been run. Where its keys come from is decided when it runs: the
ones that were given, an index (:mod:`rapyer.search.index_answers`), or SCAN; every document is read and the
expression evaluated on it, so the results are the same either way. Reading is in
:mod:`rapyer.keyspace.texts`, order in :mod:`rapyer.expressions.ordering`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from rapyer.config import refresh_of
from rapyer.errors import BulkError, DocumentError, InvalidValueError, KeyNotFound, WrongModelError
from rapyer.expressions.expression import And, Expression, FieldReference
from rapyer.expressions.ordering import Order, SortField, as_order, put_in_order, values_of
from rapyer.fields import RapyerKey
from rapyer.keyspace import registry
from rapyer.keyspace.texts import (
    CHUNK,
    Entry,
    entries_of,
    in_groups,
    read_overlapping,
    refresh_ttls,
    regrouped,
    scanned_keys,
)
from rapyer.models.loading import loader
from rapyer.state.wrapping import native

if TYPE_CHECKING:
    from rapyer.base import AtomicRedisModel

T = TypeVar("T")
Condition: TypeAlias = "Expression | str | int"
"""A key, or an expression; type checkers take ``User.age > 30`` for a bool, which is an int."""

_NAMED = 10


@dataclass(frozen=True, slots=True)
class Found:
    """Documents that match, in columns of one length: a list of 200 costs less than 200 objects."""

    entries: list[Entry]
    documents: list[Any]
    texts: list[bytes]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, part: slice) -> Found:
        return Found(self.entries[part], self.documents[part], self.texts[part])


@dataclass(frozen=True, eq=False)
class Find(Generic[T]):
    """A search: ``await`` it for a list, or iterate with ``async for``, which holds only a few hundred
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

    model: type[AtomicRedisModel] | None
    given: tuple[Entry, ...] | None = None
    expression: Expression | None = None
    order: Order = ()
    most: int | None = None
    skipped: int = 0
    missing_ok: bool = False
    shape: Callable[[Any], T] | None = None
    """What results are made of documents by; None for the documents themselves."""
    only_keys: bool = False

    # -- refining --------------------------------------------------------------------------------

    def where(self, *expressions: Condition) -> Find[T]:
        """Only the documents that also match ``expressions``."""
        return replace(self, expression=_all_of(self.model, self.expression, expressions))

    def sort(self, *fields: SortField) -> Find[T]:
        """In the order of ``fields``: ``"age"``, ``"-age"`` for descending, ``User.address.city``.

        Documents without a value come last; equal ones are in the order of their keys. A sorted search
        first reads all that match, holding what they are sorted by.
        """
        return replace(self, order=as_order(self.model, fields))

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
            ((place, _),) = as_order(self.model, (name,))
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

    async def explain(self) -> str:
        """How the search gets its keys: the given ones, the index's query, or a scan and why."""
        if self.given is not None:
            return f"keys: {len(self.given)} given"
        from rapyer.search.index_answers import explain

        assert self.model is not None
        return await explain(self.model, self.expression)

    acount, afirst, aexplain = count, first, explain

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

    def _all_keys(self) -> AsyncGenerator[list[str], None]:
        assert self.model is not None
        return self._keys(self.model)

    async def _made(self, page: Found | list[str]) -> list[T]:
        if isinstance(page, list):
            return cast("list[T]", page)
        if self.only_keys:
            return cast("list[T]", [key for _, key in page.entries])
        if self.model is None or refresh_of(self.model.Meta) is not None:
            await refresh_ttls(page.entries)
        if self.shape is None:
            return page.documents
        return [self.shape(document) for document in page.documents]

    async def matching(self, problems: Problems) -> AsyncGenerator[Found, None]:
        """The documents that match, as they were read."""
        size = CHUNK
        if self.most is not None and self.expression is None and not self.order:
            size = min(CHUNK, self.skipped + self.most)
        async with aclosing(read_overlapping(regrouped(self._entries(), size))) as chunks:
            async for chunk, texts in chunks:
                yield self._found(chunk, texts, problems)

    def _found(
        self, chunk: list[Entry], texts: Sequence[bytes | None], problems: Problems
    ) -> Found:
        """The documents of ``chunk`` that match."""
        loaders = {model: loader(model) for model in {model for model, _ in chunk}}
        matches = None if self.expression is None else self.expression.matches
        found = Found([], [], [])
        for entry, text in zip(chunk, texts, strict=True):
            model, key = entry
            if text is None:
                if self.given is not None:
                    problems.missing(key)
                continue
            try:
                document = loaders[model](key, text)
            except DocumentError as error:
                problems.failures[key] = error
                continue
            if matches is None or matches(document):
                found.entries.append(entry)
                found.documents.append(document)
                found.texts.append(text)
        return found

    def _needs_documents(self) -> bool:
        given = self.given is not None
        return not self.only_keys or self.expression is not None or bool(self.order) or given

    async def _entries(self) -> AsyncGenerator[list[Entry], None]:
        if self.given is not None:
            source = in_groups(self.given)
        else:
            assert self.model is not None
            source = entries_of(self.model, self._keys(self.model))
        async with aclosing(source):
            async for group in source:
                yield group

    def _keys(self, model: type[AtomicRedisModel]) -> AsyncGenerator[list[str], None]:
        if self.expression is None:
            return scanned_keys(model)
        from rapyer.search.index_answers import candidate_keys

        return candidate_keys(model, self.expression)


class Problems:
    """What a search could not give."""

    def __init__(self, missing_ok: bool) -> None:
        self.failures: dict[str, Exception] = {}
        self._missing_ok = missing_ok

    def missing(self, key: str) -> None:
        if not self._missing_ok:
            self.failures[key] = KeyNotFound(f"{key} does not exist", key=key)

    def report(self) -> None:
        if not self.failures:
            return
        keys = list(self.failures)
        named = ", ".join(keys[:_NAMED]) + (
            f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
        )
        if all(isinstance(failure, KeyNotFound) for failure in self.failures.values()):
            verb = "does" if len(keys) == 1 else "do"
            raise KeyNotFound(f"{named} {verb} not exist", key=keys[0])
        noun = "document" if len(keys) == 1 else "documents"
        raise BulkError(f"{len(keys)} {noun} failed: {named}", failures=self.failures)


# -- starting ----------------------------------------------------------------------------------------


def find_in(
    model: type[AtomicRedisModel], conditions: tuple[Condition, ...], *, missing_ok: bool = False
) -> Find[Any]:
    """The search in one model for these keys and expressions; for all its documents without any."""
    keys = [condition for condition in conditions if isinstance(condition, str)]
    rest = tuple(condition for condition in conditions if not isinstance(condition, str))
    given = tuple([(model, key) for key in model._own_keys(keys)]) if keys else None
    expression = _all_of(model, None, rest)
    return Find(model, given=given, expression=expression, missing_ok=missing_ok)


def find(*conditions: Condition, missing_ok: bool = False) -> Find[Any]:
    """The documents of these keys, of whatever models, in order; or those that match expressions.

    Each model is read through its own client. Without arguments there are no results. Raises
    :class:`~rapyer.errors.WrongModelError` for a key of no known model and
    :class:`~rapyer.errors.AmbiguousModelError` when two models share its prefix; see :class:`Find` for
    what running it raises and sends.
    """
    keys = [condition for condition in conditions if isinstance(condition, str)]
    rest = tuple(condition for condition in conditions if not isinstance(condition, str))
    expression = _all_of(None, None, rest)
    if keys or expression is None:
        given = tuple((registry.of_key(key), str(key)) for key in keys)
        return Find(None, given=given, expression=expression, missing_ok=missing_ok)
    models = list(dict.fromkeys(expression.models()))
    if len(models) != 1:
        names = ", ".join(model.__name__ for model in models) or "none"
        raise WrongModelError(f"the expressions must be about one model, not {names}")
    return find_in(cast("type[AtomicRedisModel]", models[0]), rest)


async def find_one(*conditions: Condition) -> Any:
    """The first of what :func:`find` finds, or None."""
    return await find(*conditions, missing_ok=True).first()


async def get(key: str) -> Any:
    """The document with this key, of whatever model it belongs to. Sends JSON.GET.

    Raises :class:`~rapyer.errors.KeyNotFound`, :class:`~rapyer.errors.DocumentError`, and
    :class:`~rapyer.errors.WrongModelError` or :class:`~rapyer.errors.AmbiguousModelError` when the key
    belongs to no model or to more than one.
    """
    return await registry.of_key(key).get(RapyerKey(key))


def _all_of(
    model: type[AtomicRedisModel] | None,
    expression: Expression | None,
    conditions: tuple[Any, ...],
) -> Expression | None:
    parts = [] if expression is None else [expression]
    for condition in conditions:
        if not isinstance(condition, Expression):
            raise TypeError(f"find takes keys and expressions such as User.age > 30: {condition!r}")
        for owner in condition.models():
            if model is not None and not issubclass(model, owner):
                raise WrongModelError(
                    f"{condition} is about {owner.__name__}, not {model.__name__}"
                )
        parts.append(condition)
    if len(parts) > 1:
        return And(tuple(parts))
    return parts[0] if parts else None
