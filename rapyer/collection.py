"""What a model class offers for its documents as a whole: finding, inserting, deleting, its index.

The methods only start what other modules do: :mod:`rapyer.search.find`, :mod:`rapyer.bulk.insert`,
:mod:`rapyer.bulk.delete`, :mod:`rapyer.bulk.get_or_create` and :mod:`rapyer.search.index`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any, Self, cast, overload

from rapyer.errors import WrongModelError
from rapyer.fields import RapyerKey
from rapyer.keyspace.keys import key_of

if TYPE_CHECKING:
    import asyncio

    from rapyer.bulk.delete import Deletable, Deleted
    from rapyer.search.changes import Change
    from rapyer.search.find import Find
    from rapyer.search.matching import Condition

# Searching and bulk operations are imported when they are first used: they need asyncio, without which
# models can be defined in half the time.


class Collection:
    """The documents of a model class as a whole."""

    __slots__ = ()

    @overload
    @classmethod
    def find(
        cls,
        *conditions: Condition,
        sort: Any = ...,
        limit: int | None = ...,
        offset: int = ...,
        max_results: int | None = ...,
        fields: None = ...,
        missing_ok: bool = ...,
        subclasses: bool = ...,
    ) -> Find[Self]: ...

    @overload
    @classmethod
    def find(
        cls,
        *conditions: Condition,
        sort: Any = ...,
        limit: int | None = ...,
        offset: int = ...,
        max_results: int | None = ...,
        fields: Sequence[Any],
        missing_ok: bool = ...,
        subclasses: bool = ...,
    ) -> Find[dict[str, Any]]: ...

    @classmethod
    def find(
        cls,
        *conditions: Condition,
        sort: Any = (),
        limit: int | None = None,
        offset: int = 0,
        max_results: int | None = None,
        fields: Sequence[Any] | None = None,
        missing_ok: bool = False,
        subclasses: bool = True,
    ) -> Find[Any]:
        """A search: ``await User.find(...)`` for a list, ``async for user in User.find(...)`` for many.

        Without conditions: all documents. With keys or pks: those documents, in that order, and
        :class:`~rapyer.errors.KeyNotFound` for those that are not there (unless ``missing_ok``). With
        expressions (``User.age > 30``): those that match all of them; with both, those of the keys that
        match. The documents of subclasses are found with those of their base class, unless ``subclasses``
        is False; a key or pk names a document of this very class. ``sort`` is a field or a list of fields (``"-age"`` for descending), ``fields`` gives
        dicts of these fields instead of models, ``max_results`` is another name of ``limit``. See :class:`rapyer.search.find.Find` for the methods of a
        search, what it raises and sends.
        """
        from rapyer.search.start import find_in

        search = find_in(cast(Any, cls), conditions, missing_ok=missing_ok, subclasses=subclasses)
        order = tuple(sort) if isinstance(sort, list | tuple) else (sort,)
        search = search.sort(*order).limit(_limit(limit, max_results)).offset(offset)
        return search if fields is None else search.project(*fields)

    @classmethod
    async def find_one(cls, *conditions: Condition, sort: Any = ()) -> Self | None:
        """The first document that :meth:`find` finds, or None.

        Raises :class:`~rapyer.errors.BulkError` when nothing was found, but documents failed validation.
        """
        return await cls.find(*conditions, sort=sort, missing_ok=True).first()

    @classmethod
    def find_keys(
        cls,
        *conditions: Condition,
        sort: Any = (),
        limit: int | None = None,
        offset: int = 0,
        max_results: int | None = None,
    ) -> Find[str]:
        """As :meth:`find`, but for the keys; documents are read only where an expression needs it."""
        most = _limit(limit, max_results)
        return cls.find(*conditions, sort=sort, limit=most, offset=offset).keys()

    @classmethod
    def changes(
        cls,
        *conditions: Condition,
        interval: float = 1.0,
        notifications: bool | None = None,
        ready: asyncio.Event | None = None,
    ) -> AsyncGenerator[Change[Self], None]:
        """The changes of this model's documents by whoever it is, as they happen, without end.

        ``async for change in User.changes(User.age > 30): print(change.key, change.kind, change.fields)``. With
        conditions, changes of documents that fulfil them, and once of those that no longer do. The documents are
        first read, which ``ready`` (an ``asyncio.Event``) tells the end of; what changes from the call on is told.

        Where the server sends keyspace notifications (``notify-keyspace-events`` with ``KA``, or ``Kdgxe``; not on a
        cluster), changes are told at once. Otherwise, and after a lost connection, all documents are looked at
        every ``interval`` seconds, which reads them all. ``notifications=True`` raises
        :class:`~rapyer.errors.ConfigurationError` rather than that, ``False`` never subscribes. The server's setting
        is never changed.

        Each change is relative to the one told before; of several in quick succession perhaps only the last is told,
        and of a document that came and went between two looks nothing. The texts of documents are kept for
        ``before``, up to 64 MB; beyond that ``before_is_known`` is False. Documents of subclasses are not watched.

        Raises :class:`~rapyer.errors.ConnectionError` when the server cannot be reached. Sends CONFIG GET,
        PSUBSCRIBE, SCAN and JSON.GET; nothing is written, and no time to live is refreshed. Close it with
        ``aclose()`` when it is left early.
        """
        from rapyer.search.changes import changes_in

        return changes_in(
            cast(Any, cls), conditions, interval=interval, notifications=notifications, ready=ready
        )

    @classmethod
    async def exists(cls, key: Any) -> bool:
        """Whether there is a document with this key or pk. Sends TYPE.

        Raises :class:`~rapyer.errors.WrongModelError` for a key of another model.
        """
        from rapyer.keyspace.scan import is_document

        return await is_document(cast(Any, cls), key_of(cast(Any, cls), key))

    @classmethod
    async def get_or_create(
        cls, document: Self | Any = None, /, **fields: Any
    ) -> tuple[Self, bool]:
        """The document that is stored, or a new one; and whether it was created.

        ``document`` is a new instance, or a pk or key; ``fields`` are those of the new document (also the
        ``Key`` field, in place of ``document``). What exists already is left as it is. Two callers at once
        never both create it.

        Raises what :meth:`save` and :meth:`get` raise. Sends one EVALSHA (JSON.SET NX), and JSON.GET when
        the document is there. Cannot be part of a pipeline.
        """
        from rapyer.bulk.get_or_create import get_or_create

        return cast("tuple[Self, bool]", await get_or_create(cast(Any, cls), document, fields))

    @classmethod
    async def create_index(cls, *, rebuild: bool = False) -> bool:
        """Create the RediSearch index of this model's ``Index`` fields; whether it was created.

        An index that is there is left alone, and :class:`~rapyer.search.index.IndexDefinitionError` raised when
        it is not the one the model defines; ``rebuild=True`` drops it (never a document) and creates it
        anew. Finding scans until the server has filled it. See :func:`rapyer.search.index.create_index`.
        """
        from rapyer.search.index import create_index

        return await create_index(cast(Any, cls), rebuild=rebuild)

    @classmethod
    async def delete_index(cls) -> bool:
        """Delete the RediSearch index of this model, never a document; whether there was one.

        Finding scans from then on. Sends FT.DROPINDEX.
        """
        from rapyer.search.index import delete_index

        return await delete_index(cast(Any, cls))

    @classmethod
    async def insert(cls, *models: Self) -> list[RapyerKey]:
        """Store new documents and return their keys; nothing that exists is overwritten.

        Raises :class:`~rapyer.errors.BulkError` after everything else was inserted, naming exactly what
        was not; :class:`~rapyer.errors.WrongModelError` for a model of another class, before anything is
        sent. See :func:`rapyer.insert`.
        """
        from rapyer.bulk.insert import insert

        for model in models:
            if not isinstance(model, cls):
                raise WrongModelError(f"{model!r} is not a {cls.__name__}")
        return await insert(*cast(Any, models))

    @classmethod
    async def delete_many(cls, *conditions: Deletable) -> Deleted:
        """Delete the documents of these keys, pks and instances, or those that match expressions.

        Returns how many were deleted, a number that also says how many ``by_model``. See :func:`rapyer.bulk.delete.delete_in` for what it raises and sends.
        """
        from rapyer.bulk.delete import delete_in

        return await delete_in(cast(Any, cls), *conditions)

    @overload
    @classmethod
    def afind(
        cls,
        *conditions: Condition,
        sort: Any = ...,
        limit: int | None = ...,
        offset: int = ...,
        max_results: int | None = ...,
        fields: None = ...,
        missing_ok: bool = ...,
        subclasses: bool = ...,
    ) -> Find[Self]: ...

    @overload
    @classmethod
    def afind(
        cls,
        *conditions: Condition,
        sort: Any = ...,
        limit: int | None = ...,
        offset: int = ...,
        max_results: int | None = ...,
        fields: Sequence[Any],
        missing_ok: bool = ...,
        subclasses: bool = ...,
    ) -> Find[dict[str, Any]]: ...

    @classmethod
    def afind(cls, *conditions: Condition, **options: Any) -> Find[Any]:
        """The same as :meth:`find`."""
        return cls.find(*conditions, **options)

    @classmethod
    async def afind_one(cls, *conditions: Condition, sort: Any = ()) -> Self | None:
        """The same as :meth:`find_one`."""
        return await cls.find_one(*conditions, sort=sort)

    @classmethod
    def afind_keys(
        cls,
        *conditions: Condition,
        sort: Any = (),
        limit: int | None = None,
        offset: int = 0,
        max_results: int | None = None,
    ) -> Find[str]:
        """The same as :meth:`find_keys`."""
        most = _limit(limit, max_results)
        return cls.find_keys(*conditions, sort=sort, limit=most, offset=offset)

    @classmethod
    async def ainsert(cls, *models: Self) -> list[RapyerKey]:
        """The same as :meth:`insert`."""
        return await cls.insert(*models)

    @classmethod
    async def adelete_many(cls, *conditions: Deletable) -> Deleted:
        """The same as :meth:`delete_many`."""
        return await cls.delete_many(*conditions)

    @classmethod
    async def aexists(cls, key: Any) -> bool:
        """The same as :meth:`exists`."""
        return await cls.exists(key)

    @classmethod
    async def aget_or_create(
        cls, document: Self | Any = None, /, **fields: Any
    ) -> tuple[Self, bool]:
        """The same as :meth:`get_or_create`."""
        return await cls.get_or_create(document, **fields)

    @classmethod
    async def acreate_index(cls, *, rebuild: bool = False) -> bool:
        """The same as :meth:`create_index`."""
        return await cls.create_index(rebuild=rebuild)

    @classmethod
    async def adelete_index(cls) -> bool:
        """The same as :meth:`delete_index`."""
        return await cls.delete_index()


def _limit(limit: int | None, max_results: int | None) -> int | None:
    if limit is not None and max_results is not None:
        raise TypeError("limit and max_results are two names of one thing: give one of them")
    return max_results if limit is None else limit
