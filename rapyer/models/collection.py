"""What a model class offers for many documents at once: finding, inserting, deleting, its index.

The methods only start what other modules do: :mod:`rapyer.search.find`, :mod:`rapyer.bulk.insert`,
:mod:`rapyer.bulk.delete` and :mod:`rapyer.search.index`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, cast, overload

if TYPE_CHECKING:
    from rapyer.bulk.delete import Deletable
    from rapyer.fields import RapyerKey
    from rapyer.search.find import Condition, Find


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
        fields: None = ...,
        missing_ok: bool = ...,
    ) -> Find[Self]: ...

    @overload
    @classmethod
    def find(
        cls,
        *conditions: Condition,
        sort: Any = ...,
        limit: int | None = ...,
        offset: int = ...,
        fields: Sequence[Any],
        missing_ok: bool = ...,
    ) -> Find[dict[str, Any]]: ...

    @classmethod
    def find(
        cls,
        *conditions: Condition,
        sort: Any = (),
        limit: int | None = None,
        offset: int = 0,
        fields: Sequence[Any] | None = None,
        missing_ok: bool = False,
    ) -> Find[Any]:
        """A search: ``await User.find(...)`` for a list, ``async for user in User.find(...)`` for many.

        Without conditions: all documents. With keys or pks: those documents, in that order, and
        :class:`~rapyer.errors.KeyNotFound` for those that are not there (unless ``missing_ok``). With
        expressions (``User.age > 30``): those that match all of them; with both, those of the keys that
        match. ``sort`` is a field or a list of fields (``"-age"`` for descending), ``fields`` gives
        dicts of these fields instead of models. See :class:`rapyer.search.find.Find` for the methods of a
        search, what it raises and sends.
        """
        from rapyer.search.find import find_in

        search = find_in(cast(Any, cls), conditions, missing_ok=missing_ok)
        order = tuple(sort) if isinstance(sort, list | tuple) else (sort,)
        search = search.sort(*order).limit(limit).offset(offset)
        return search if fields is None else search.project(*fields)

    @classmethod
    async def find_one(cls, *conditions: Condition, sort: Any = ()) -> Self | None:
        """The first document that :meth:`find` finds, or None.

        Raises :class:`~rapyer.errors.BulkError` when nothing was found, but documents failed validation.
        """
        return await cls.find(*conditions, sort=sort, missing_ok=True).first()

    @classmethod
    def find_keys(
        cls, *conditions: Condition, sort: Any = (), limit: int | None = None, offset: int = 0
    ) -> Find[str]:
        """As :meth:`find`, but for the keys; documents are read only where an expression needs it."""
        return cls.find(*conditions, sort=sort, limit=limit, offset=offset).keys()

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
    async def insert(cls, *models: Self) -> list[RapyerKey]:
        """Store new documents and return their keys; nothing that exists is overwritten.

        Raises :class:`~rapyer.errors.BulkError` after everything else was inserted, naming exactly what
        was not; :class:`~rapyer.errors.WrongModelError` for a model of another class, before anything is
        sent. See :func:`rapyer.insert`.
        """
        from rapyer.bulk.insert import insert
        from rapyer.errors import WrongModelError

        for model in models:
            if not isinstance(model, cls):
                raise WrongModelError(f"{model!r} is not a {cls.__name__}")
        return await insert(*cast(Any, models))

    @classmethod
    async def delete_many(cls, *conditions: Deletable) -> int:
        """Delete the documents of these keys, pks and instances, or those that match expressions.

        Returns how many were deleted. See :func:`rapyer.bulk.delete.delete_in` for what it raises and sends.
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
        fields: None = ...,
        missing_ok: bool = ...,
    ) -> Find[Self]: ...

    @overload
    @classmethod
    def afind(
        cls,
        *conditions: Condition,
        sort: Any = ...,
        limit: int | None = ...,
        offset: int = ...,
        fields: Sequence[Any],
        missing_ok: bool = ...,
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
        cls, *conditions: Condition, sort: Any = (), limit: int | None = None, offset: int = 0
    ) -> Find[str]:
        """The same as :meth:`find_keys`."""
        return cls.find_keys(*conditions, sort=sort, limit=limit, offset=offset)

    @classmethod
    async def ainsert(cls, *models: Self) -> list[RapyerKey]:
        """The same as :meth:`insert`."""
        return await cls.insert(*models)

    @classmethod
    async def adelete_many(cls, *conditions: Deletable) -> int:
        """The same as :meth:`delete_many`."""
        return await cls.delete_many(*conditions)

    @classmethod
    async def acreate_index(cls, *, rebuild: bool = False) -> bool:
        """The same as :meth:`create_index`."""
        return await cls.create_index(rebuild=rebuild)
