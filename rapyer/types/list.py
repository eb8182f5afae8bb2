"""RedisList: a list that is the list of a stored document."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, SupportsIndex, TypeVar, overload

from rapyer.batch.batch import apply_now, current_batch
from rapyer.batch.perform import perform
from rapyer.operations import operation
from rapyer.state.document import work_on
from rapyer.state.node import STATE, Node, set_state
from rapyer.state.wrapping import native
from rapyer.types import list_changes as changes
from rapyer.types.container import Container, natively, pending_steps, register_container
from rapyer.types.inplace import change_of_step
from rapyer.types.list_node import LIST, ListKind

T = TypeVar("T")
_list = builtins.list


class RedisList(Container, list[T], Generic[T]):
    """A ``list`` field. Its items become live when they are taken out.

    Synchronous methods are those of ``list``: local outside a pipeline, queued inside one. The ``a…``
    methods change the stored list at once, in one atomic step, and then agree the local list with it.
    """

    __slots__ = (STATE,)
    __rapyer_node__: ClassVar[ListKind] = LIST
    python_type: ClassVar[type] = list
    __hash__ = None

    def __init__(self, items: Iterable[T] = ()) -> None:
        list.__init__(self, items)
        set_state(self, STATE, None)

    # -- reading ---------------------------------------------------------------------------------

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> _list[T]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice):
            return [LIST.live_at(self, i) for i in range(*index.indices(len(self)))]
        return LIST.live_at(self, index.__index__())

    def __iter__(self) -> Iterator[T]:
        index = 0
        while index < len(self):
            yield LIST.live_at(self, index)
            index += 1

    def __reversed__(self) -> Iterator[T]:
        for index in range(len(self) - 1, -1, -1):
            if index < len(self):
                yield LIST.live_at(self, index)

    def copy(self) -> _list[T]:
        """A shallow copy as native list; the items are the live ones."""
        return self[:]

    def clone(self) -> _list[T]:
        """A deep native copy: no Redis types left inside."""
        return natively(list.__iter__(self))

    def __copy__(self) -> Self:
        return type(self)(list.__iter__(self))

    def __deepcopy__(self, memo: Any) -> Self:
        return type(self)(self.clone())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.clone(),)

    # -- the methods of list ---------------------------------------------------------------------

    def append(self, item: T) -> None:
        """Add an item at the end."""
        apply_now(changes.append(self, "append", (item,)))

    def extend(self, items: Iterable[T]) -> None:
        """Add all items at the end."""
        apply_now(changes.append(self, "extend", list(items)))

    def insert(self, index: SupportsIndex, item: T) -> None:
        """Insert an item before ``index``; past the end it is appended, as in any list."""
        apply_now(changes.insert(self, "insert", index, item))

    def pop(self, index: SupportsIndex = -1) -> Any:
        """Remove and return the item at ``index`` (as native value); IndexError when there is none."""
        return apply_now(changes.pop(self, "pop", index, b"strict"))

    def clear(self) -> None:
        """Remove all items."""
        apply_now(changes.clear(self, "clear"))

    def remove(self, item: T) -> None:
        """Remove the first item equal to ``item``; ValueError when there is none."""
        wanted = native(item)
        apply_now(changes.whole(self, "remove", lambda value: value.remove(wanted)))

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        """Sort in place; inside a pipeline the stored list is sorted, whatever it holds by then."""
        apply_now(changes.whole(self, "sort", lambda value: value.sort(key=key, reverse=reverse)))

    def reverse(self) -> None:
        """Reverse in place."""
        apply_now(changes.whole(self, "reverse", lambda value: value.reverse()))

    def remove_range(self, start: SupportsIndex, end: SupportsIndex) -> None:
        """Remove the items from ``start`` up to, not including, ``end``, like ``del l[start:end]``."""
        span = slice(start.__index__(), end.__index__())
        apply_now(changes.whole(self, "remove_range", lambda value: value.__delitem__(span)))

    @overload
    def __setitem__(self, index: SupportsIndex, value: T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[T]) -> None: ...
    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        if isinstance(index, slice):
            items = [changes.valid_item(self, item) for item in value]
            apply_now(
                changes.whole(
                    self, "__setitem__", lambda content: content.__setitem__(index, items)
                )
            )
            return
        position = index.__index__()
        current = list.__getitem__(self, position)
        if value is current and (isinstance(value, Node) or work_on(self) is None):
            return
        steps = pending_steps(value, current)
        if steps is not None and current_batch() is not None:
            for step in steps:
                apply_now(change_of_step(current, step))
            return
        apply_now(changes.set_item(self, "__setitem__", position, value))

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        if isinstance(index, slice):
            span = index
            apply_now(changes.whole(self, "__delitem__", lambda value: value.__delitem__(span)))
        else:
            apply_now(changes.pop(self, "__delitem__", index, b"strict"))

    def __iadd__(self, items: Iterable[T]) -> Self:  # type: ignore[override, misc]
        self.extend(items)
        return self

    def __imul__(self, times: SupportsIndex) -> Self:
        count = times.__index__()
        apply_now(changes.whole(self, "*=", lambda value: value.__imul__(count) and None))
        return self

    # -- at once on the server -------------------------------------------------------------------

    @operation(
        "append",
        effect="write",
        help="Add one item at the end of the list.",
        example="rapyer append Playlist:1/songs 'Song 2'",
        item="item",
    )
    async def aappend(self, item: T) -> None:
        """Append ``item`` to the stored list. Sends one EVALSHA (JSON.ARRAPPEND).

        Raises :class:`pydantic.ValidationError` for an item that does not fit, before anything is sent;
        :class:`~rapyer.errors.KeyNotFound` and its kin when there is no such list.
        """
        return await perform(changes.append(self, "aappend", (item,)))  # type: ignore[no-any-return]

    @operation(
        "extend",
        effect="write",
        help="Add several items at the end of the list.",
        example="rapyer extend Playlist:1/songs 'Song 3' 'Song 4'",
        items="items",
    )
    async def aextend(self, items: Iterable[T]) -> None:
        """Append all ``items`` to the stored list in one step. Sends one EVALSHA (JSON.ARRAPPEND)."""
        return await perform(changes.append(self, "aextend", list(items)))  # type: ignore[no-any-return]

    @operation(
        "insert",
        effect="write",
        help="Insert one item before an index; past the end it is appended.",
        example="rapyer insert Playlist:1/songs 0 'Intro'",
        index="index",
        item="item",
    )
    async def ainsert(self, index: SupportsIndex, item: T) -> None:
        """Insert ``item`` before ``index`` of the stored list. Sends one EVALSHA (JSON.ARRINSERT)."""
        return await perform(changes.insert(self, "ainsert", index, item))  # type: ignore[no-any-return]

    @operation(
        "pop",
        effect="write",
        help="Remove and return one item, the last one by default.",
        example="rapyer pop Playlist:1/songs 0",
        index="index",
    )
    async def apop(self, index: SupportsIndex = -1) -> T | None:
        """Remove the item at ``index`` from the stored list and return it; None from an empty list.

        Raises :class:`~rapyer.errors.ItemIndexError` (an IndexError) when the list is shorter; nothing
        is popped then. Sends one EVALSHA (JSON.ARRPOP).
        """
        return await perform(changes.pop(self, "apop", index, b"lenient"))  # type: ignore[no-any-return]

    @operation(
        "clear",
        effect="destructive",
        help="Remove all items of the list.",
        example="rapyer clear Playlist:1/songs",
    )
    async def aclear(self) -> None:
        """Remove all items of the stored list. Sends one EVALSHA (JSON.SET)."""
        return await perform(changes.clear(self, "aclear"))  # type: ignore[no-any-return]

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> RedisList[T]: ...
        def __set__(self, instance: Any, value: _list[T]) -> None: ...


register_container(list, RedisList)
