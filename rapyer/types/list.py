"""RedisList: a list that is the list of a stored document."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, SupportsIndex, TypeVar, overload

from pydantic import BaseModel

from rapyer.batch.batch import apply_now, current_batch, perform
from rapyer.batch.change import Change, ComposedChange
from rapyer.errors import DetachedError
from rapyer.operations import operation
from rapyer.paths import Path
from rapyer.script.call import Primitive
from rapyer.state import links
from rapyer.state.wrapping import live, native
from rapyer.types.container import (
    SPEC,
    STAMP,
    Container,
    is_same,
    natively,
    pending_steps,
    register_container,
)
from rapyer.types.inplace import change_of_step
from rapyer.types.scalars import ListSlot, Scalar

T = TypeVar("T")
_list = builtins.list


class RedisList(Container, list[T], Generic[T]):
    """A ``list`` field. Its items become live when they are taken out.

    Synchronous methods are those of ``list``: local outside a pipeline, queued inside one. The ``a…``
    methods change the stored list at once, in one atomic step, and then agree the local list with it.
    """

    __slots__ = (SPEC, STAMP, links.PARENT, links.PLACE)
    python_type: ClassVar[type] = list
    __hash__ = None

    def __init__(self, items: Iterable[T] = ()) -> None:
        list.__init__(self, items)
        object.__setattr__(self, links.PARENT, None)

    # -- links -----------------------------------------------------------------------------------

    def __rapyer_place_of__(self, child: Any) -> int:
        place = child.__rapyer_place__
        if isinstance(place, ListSlot):
            if self._slot_is_at(place, place.index):
                return place.index
            for index in range(len(self)):
                if self._slot_is_at(place, index):
                    place.index = index
                    return index
        else:
            if isinstance(place, int) and self.__rapyer_holds__(place, child):
                return place
            for index, item in enumerate(list.__iter__(self)):
                if item is child:
                    object.__setattr__(child, links.PLACE, index)
                    return index
        raise DetachedError("the item is not in its list any more")

    def _slot_is_at(self, slot: ListSlot, index: int) -> bool:
        if not 0 <= index < len(self):
            return False
        return getattr(list.__getitem__(self, index), links.PLACE, None) is slot

    def __rapyer_segment__(self, child: Any) -> int:
        return self.__rapyer_place_of__(child)

    def __rapyer_holds__(self, place: Any, child: Any) -> bool:
        if isinstance(place, ListSlot):
            place = place.index
        return (
            isinstance(place, int)
            and 0 <= place < len(self)
            and list.__getitem__(self, place) is child
        )

    def __rapyer_child_spec__(self, place: Any) -> Any:
        return self.__rapyer_spec_of__().item

    def __rapyer_raw__(self, place: Any) -> Any:
        return list.__getitem__(self, place)

    def __rapyer_put__(self, place: int, value: Any) -> Any:
        old = list.__getitem__(self, place)
        slot = getattr(old, links.PLACE, None)
        value = native(value) if isinstance(value, Scalar) else value
        made = live(value, self, place)
        if isinstance(made, Scalar):
            object.__setattr__(
                made, links.PLACE, slot if isinstance(slot, ListSlot) else ListSlot(place)
            )
        list.__setitem__(self, place, made)
        return made

    def __rapyer_snapshot__(self) -> list[Any]:
        return list.copy(self)

    def __rapyer_hold__(self, place: Any, value: Any) -> None:
        list.__setitem__(self, place, value)

    def __rapyer_assign__(self, place: Any, value: Any) -> None:
        self[place] = value

    def __rapyer_restore__(self, snapshot: list[Any], names: set[str] | None = None) -> None:
        list.__setitem__(self, slice(None), snapshot)

    def __rapyer_adopt__(self, value: Sequence[Any]) -> None:
        size = len(self)
        merged = [
            list.__getitem__(self, i)
            if i < size and is_same(list.__getitem__(self, i), new)
            else new
            for i, new in enumerate(value)
        ]
        list.__setitem__(self, slice(None), merged)

    def _live_at(self, index: int) -> Any:
        raw = list.__getitem__(self, index)
        if index < 0:
            index += len(self)
        made = live(raw, self, index)
        if made is not raw:
            list.__setitem__(self, index, made)
        if isinstance(made, Scalar):
            slot = made.__rapyer_place__  # type: ignore[attr-defined]
            if not isinstance(slot, ListSlot):
                object.__setattr__(made, links.PLACE, ListSlot(index))
            elif slot.index != index and self._slot_is_at(slot, slot.index):
                # the same object stands at two indices: this place gets a value of its own
                made = live(native(made), self, index)
                object.__setattr__(made, links.PLACE, ListSlot(index))
                list.__setitem__(self, index, made)
            else:
                slot.index = index
        return made

    def _own(self, places: Iterable[int]) -> None:
        """Link models that came in just now, so that a second place gets a copy of its own."""
        for place in places:
            if isinstance(list.__getitem__(self, place), BaseModel):
                self._live_at(place)

    # -- reading ---------------------------------------------------------------------------------

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> _list[T]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice):
            return [self._live_at(i) for i in range(*index.indices(len(self)))]
        return self._live_at(index.__index__())

    def __iter__(self) -> Iterator[T]:
        index = 0
        while index < len(self):
            yield self._live_at(index)
            index += 1

    def __reversed__(self) -> Iterator[T]:
        for index in range(len(self) - 1, -1, -1):
            if index < len(self):
                yield self._live_at(index)

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

    # -- changes ---------------------------------------------------------------------------------

    def _item(self, value: Any) -> Any:
        return self.__rapyer_spec_of__().item.validate_python(value)

    def _texts(self, items: Iterable[Any]) -> tuple[bytes, ...]:
        spec = self.__rapyer_spec_of__().item
        return tuple(spec.to_json(item) for item in items)

    def _simple(self) -> bool:
        """Whether items can be added and removed one by one: nobody validates the list as a whole."""
        return not self.__rapyer_spec_of__().has_validators

    def _whole(self, verb: str, function: Callable[[list[Any]], Any]) -> Change:
        """A change that recomputes the whole list."""

        def local() -> Any:
            trial = list.copy(self)
            result = function(trial)
            self._check_length(len(trial))
            if not self._simple():
                self.__rapyer_spec_of__().validate_python(natively(trial))
            list.__setitem__(self, slice(None), trial)
            return result

        return self._transform(verb, function, local)

    def _append_change(self, verb: str, values: Iterable[Any]) -> Change:
        items = [self._item(value) for value in values]
        if not self._simple():
            return self._whole(verb, lambda value: value.extend(items))
        texts, limit = self._texts(items), self._limit()

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("append", path, (limit, *texts))]

        def local() -> None:
            self._check_length(len(self) + len(items))
            list.extend(self, items)
            self._own(range(len(self) - len(items), len(self)))

        return ComposedChange(verb, self, self, primitives, local, growth=len(items))

    def _insert_change(self, verb: str, index: SupportsIndex, value: Any) -> Change:
        item, position = self._item(value), index.__index__()
        if not self._simple():
            return self._whole(verb, lambda value: value.insert(position, item))
        (text,), limit = self._texts([item]), self._limit()

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("insert", path, (b"%d" % position, limit, text))]

        def local() -> None:
            self._check_length(len(self) + 1)
            list.insert(self, position, item)
            if isinstance(item, BaseModel):
                self._own(range(len(self)))

        return ComposedChange(verb, self, self, primitives, local, growth=1)

    def _set_change(self, verb: str, position: int, value: Any) -> Change:
        item = self._item(value)
        if not self._simple():
            return self._whole(verb, lambda content: content.__setitem__(position, item))
        (text,) = self._texts([item])

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("setat", path, (b"%d" % position, text))]

        def local() -> None:
            list.__setitem__(self, position, item)
            self._own([position])

        return ComposedChange(verb, self, self, primitives, local, growth=0)

    def _pop_change(self, verb: str, index: SupportsIndex, mode: bytes) -> Change:
        position = index.__index__()
        if not self._simple():
            return self._whole(
                verb,
                lambda value: native(value.pop(position)) if value or mode == b"strict" else None,
            )
        spec = self.__rapyer_spec_of__()
        least = b"" if spec.min_length is None else b"%d" % spec.min_length

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("pop", path, (b"%d" % position, mode, least))]

        def local() -> Any:
            if not len(self) and mode == b"lenient":
                return None
            if -len(self) <= position < len(self):
                self._check_length(len(self) - 1)
            return native(list.pop(self, position))

        def decode(answers: Sequence[Any]) -> Any:
            return None if answers[0] is None else self._decode_item(spec.item, answers[0])

        growth = -1 if len(self) else 0
        return ComposedChange(
            verb, self, self, primitives, local, decode, growth=growth, effect="destructive"
        )

    def _clear(self, verb: str) -> Change:
        return self._clear_change(verb, b"[]", b"array", lambda: list.clear(self))

    # -- the methods of list ---------------------------------------------------------------------

    def append(self, item: T) -> None:
        """Add an item at the end."""
        apply_now(self._append_change("append", (item,)))

    def extend(self, items: Iterable[T]) -> None:
        """Add all items at the end."""
        apply_now(self._append_change("extend", list(items)))

    def insert(self, index: SupportsIndex, item: T) -> None:
        """Insert an item before ``index``; past the end it is appended, as in any list."""
        apply_now(self._insert_change("insert", index, item))

    def pop(self, index: SupportsIndex = -1) -> Any:
        """Remove and return the item at ``index`` (as native value); IndexError when there is none."""
        return apply_now(self._pop_change("pop", index, b"strict"))

    def clear(self) -> None:
        """Remove all items."""
        apply_now(self._clear("clear"))

    def remove(self, item: T) -> None:
        """Remove the first item equal to ``item``; ValueError when there is none."""
        wanted = native(item)
        apply_now(self._whole("remove", lambda value: value.remove(wanted)))

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        """Sort in place; inside a pipeline the stored list is sorted, whatever it holds by then."""
        apply_now(self._whole("sort", lambda value: value.sort(key=key, reverse=reverse)))

    def reverse(self) -> None:
        """Reverse in place."""
        apply_now(self._whole("reverse", lambda value: value.reverse()))

    def remove_range(self, start: SupportsIndex, end: SupportsIndex) -> None:
        """Remove the items from ``start`` up to, not including, ``end``, like ``del l[start:end]``."""
        span = slice(start.__index__(), end.__index__())
        apply_now(self._whole("remove_range", lambda value: value.__delitem__(span)))

    @overload
    def __setitem__(self, index: SupportsIndex, value: T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[T]) -> None: ...
    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        if isinstance(index, slice):
            items = [self._item(item) for item in value]
            apply_now(self._whole("__setitem__", lambda content: content.__setitem__(index, items)))
            return
        position = index.__index__()
        current = list.__getitem__(self, position)
        if value is current and (current_batch() is None or isinstance(value, links.Node)):
            return
        steps = pending_steps(value, current)
        if steps is not None and current_batch() is not None:
            for step in steps:
                apply_now(change_of_step(current, step))
            return
        apply_now(self._set_change("__setitem__", position, value))

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        if isinstance(index, slice):
            span = index
            apply_now(self._whole("__delitem__", lambda value: value.__delitem__(span)))
        else:
            apply_now(self._pop_change("__delitem__", index, b"strict"))

    def __iadd__(self, items: Iterable[T]) -> Self:  # type: ignore[override, misc]
        self.extend(items)
        return self

    def __imul__(self, times: SupportsIndex) -> Self:
        count = times.__index__()
        apply_now(self._whole("*=", lambda value: value.__imul__(count) and None))
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
        return await perform(self._append_change("aappend", (item,)))  # type: ignore[no-any-return]

    @operation(
        "extend",
        effect="write",
        help="Add several items at the end of the list.",
        example="rapyer extend Playlist:1/songs 'Song 3' 'Song 4'",
        items="items",
    )
    async def aextend(self, items: Iterable[T]) -> None:
        """Append all ``items`` to the stored list in one step. Sends one EVALSHA (JSON.ARRAPPEND)."""
        return await perform(self._append_change("aextend", list(items)))  # type: ignore[no-any-return]

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
        return await perform(self._insert_change("ainsert", index, item))  # type: ignore[no-any-return]

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
        return await perform(self._pop_change("apop", index, b"lenient"))  # type: ignore[no-any-return]

    @operation(
        "clear",
        effect="destructive",
        help="Remove all items of the list.",
        example="rapyer clear Playlist:1/songs",
    )
    async def aclear(self) -> None:
        """Remove all items of the stored list. Sends one EVALSHA (JSON.SET)."""
        return await perform(self._clear("aclear"))  # type: ignore[no-any-return]

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> RedisList[T]: ...
        def __set__(self, instance: Any, value: _list[T]) -> None: ...


register_container(list, RedisList)
