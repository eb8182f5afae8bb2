"""A live list as a node: where its items stand, and how it is made equal to what the server has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from rapyer.errors import DetachedError
from rapyer.schema.spec import ValueSpec
from rapyer.state.document import work_on
from rapyer.state.node import STATE, Node, State, adopted, set_state, state_of
from rapyer.state.wrapping import live, native
from rapyer.types.container import ContainerKind, is_same
from rapyer.types.scalars import ListSlot, Scalar


class ListKind(ContainerKind):
    """Items stand at indices. A model, list or dict is found by identity, an immutable value by its slot."""

    __slots__ = ()

    def place_of(self, node: Any, child: Any) -> int:
        place = child.__rapyer_state__.place
        if isinstance(place, ListSlot):
            if self.is_at(node, place, place.index):
                return place.index
            for index in range(len(node)):
                if self.is_at(node, place, index):
                    place.index = index
                    return index
        else:
            if isinstance(place, int) and self.holds(node, place, child):
                return place
            for index, item in enumerate(list.__iter__(node)):
                if item is child:
                    child.__rapyer_state__.place = index
                    return index
        raise DetachedError("the item is not in its list any more")

    def is_at(self, node: Any, slot: ListSlot, index: int) -> bool:
        """Whether the immutable value of ``slot`` stands at ``index``."""
        if not 0 <= index < len(node):
            return False
        state = state_of(list.__getitem__(node, index))
        return state is not None and state.place is slot

    def segment(self, node: Any, child: Any) -> int:
        return self.place_of(node, child)

    def holds(self, node: Any, place: Any, child: Any) -> bool:
        if isinstance(place, ListSlot):
            place = place.index
        return (
            isinstance(place, int)
            and 0 <= place < len(node)
            and list.__getitem__(node, place) is child
        )

    def child_spec(self, node: Any, place: Any) -> ValueSpec:
        return self.spec_of(node).item

    def raw(self, node: Any, place: Any) -> Any:
        return list.__getitem__(node, place)

    def raws(self, node: Any) -> Iterable[tuple[Any, Any]]:
        return enumerate(list.__iter__(node))

    def hold(self, node: Any, place: Any, value: Any) -> None:
        list.__setitem__(node, place, value)

    def put(self, node: Any, place: int, value: Any) -> Any:
        state = state_of(list.__getitem__(node, place))
        slot = None if state is None else state.place
        value = native(value) if isinstance(value, Scalar) else value
        made = live(value, node, place)
        if isinstance(made, Scalar):
            made.__rapyer_state__.place = (  # type: ignore[attr-defined]
                slot if isinstance(slot, ListSlot) else ListSlot(place)
            )
        list.__setitem__(node, place, made)
        return made

    def assign(self, node: Any, place: Any, value: Any) -> None:
        node[place] = value

    def become(self, node: Any, content: Any) -> None:
        node[:] = content

    def snapshot(self, node: Any) -> list[Any]:
        return list.copy(node)

    def restore(self, node: Any, content: list[Any]) -> None:
        list.__setitem__(node, slice(None), content)

    def fits(self, node: Any, fresh: Any) -> bool:
        return isinstance(fresh, list)

    def adopt(self, node: Any, fresh: Sequence[Any]) -> None:
        """What is equal at both ends stays; between, item takes over from item, so that handles stay good."""
        held = list.copy(node)
        least = min(len(held), len(fresh))
        start = 0
        while start < least and is_same(held[start], fresh[start]):
            start += 1
        end = 0
        while end < least - start and is_same(held[-1 - end], fresh[-1 - end]):
            end += 1
        middle = list(fresh[start : len(fresh) - end])
        taken = {id(item) for item in (*held[:start], *held[len(held) - end :])}
        for offset, item in enumerate(held[start : len(held) - end]):
            if offset == len(middle):
                break
            if id(item) not in taken:  # ``*=`` lets one object stand at several indices
                taken.add(id(item))
                middle[offset] = self._succeeded(node, item, middle[offset])
        list.__setitem__(node, slice(start, len(held) - end), middle)

    @staticmethod
    def _succeeded(node: Any, held: Any, fresh: Any) -> Any:
        if is_same(held, fresh):
            return held
        if isinstance(held, Node):
            return adopted(held, fresh)
        state = state_of(held)
        if isinstance(held, Scalar) and state is not None and type(fresh) is held.python_type:
            made = type(held)(fresh)  # type: ignore[call-arg]
            set_state(made, STATE, State(node, state.place))
            return made
        return fresh

    def live_at(self, node: Any, place: int) -> Any:
        index = place
        held = list.__getitem__(node, index)
        if index < 0:
            index += len(node)
        made = live(held, node, index)
        if made is not held:
            list.__setitem__(node, index, made)
        if isinstance(made, Scalar):
            state = made.__rapyer_state__  # type: ignore[attr-defined]
            slot = state.place
            if not isinstance(slot, ListSlot):
                state.place = ListSlot(index)
                work = work_on(node)
                if work is not None:
                    work.item_wrapped(node, index, held, made)
            elif slot.index != index and self.is_at(node, slot, slot.index):
                # the same object stands at two indices: this place gets a value of its own
                made = live(native(made), node, index)
                made.__rapyer_state__.place = ListSlot(index)
                list.__setitem__(node, index, made)
            else:
                slot.index = index
        return made

    def own(self, node: Any, places: Iterable[int]) -> None:
        """Link what came in just now, so that a second place gets a copy of its own."""
        for place in places:
            if isinstance(list.__getitem__(node, place), BaseModel | list | dict):
                self.live_at(node, place)


LIST = ListKind()
