"""RedisDict: a dict that is an object of a stored document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from rapyer.batch.batch import apply_now, current_batch
from rapyer.batch.perform import perform
from rapyer.operations import operation
from rapyer.state.document import work_on
from rapyer.state.node import STATE, Node, set_state
from rapyer.state.wrapping import native
from rapyer.types import dict_changes as changes
from rapyer.types.container import Container, pending_steps, register_container
from rapyer.types.dict_node import ABSENT, DICT, DictKind
from rapyer.types.inplace import change_of_step

if TYPE_CHECKING:
    from _collections_abc import dict_items, dict_values

K = TypeVar("K")
V = TypeVar("V")


class RedisDict(Container, dict[K, V], Generic[K, V]):
    """A ``dict`` field. Its values become live when they are taken out.

    Synchronous methods are those of ``dict``: local outside a pipeline, queued inside one. The ``a…``
    methods change the stored dict at once, in one atomic step, and then agree the local dict with it.
    Keys are whatever Pydantic writes as JSON keys: text of any kind, integers, UUIDs, enums …
    """

    __slots__ = (STATE,)
    __rapyer_node__: ClassVar[DictKind] = DICT
    python_type: ClassVar[type] = dict
    __hash__ = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        dict.__init__(self, *args, **kwargs)
        set_state(self, STATE, None)

    # -- reading ---------------------------------------------------------------------------------

    def __getitem__(self, key: K) -> V:
        return DICT.live_at(self, key)  # type: ignore[no-any-return]

    def get(self, key: Any, default: Any = None, /) -> Any:
        """The live value at ``key``, or ``default``."""
        return DICT.live_at(self, key) if dict.__contains__(self, key) else default

    def values(self) -> dict_values[K, V]:
        """The live values."""
        for key in self:
            DICT.live_at(self, key)
        return dict.values(self)

    def items(self) -> dict_items[K, V]:
        """The keys with their live values."""
        for key in self:
            DICT.live_at(self, key)
        return dict.items(self)

    def copy(self) -> dict[K, V]:
        """A shallow copy as native dict; the values are the live ones."""
        return dict(self.items())

    def clone(self) -> dict[K, V]:
        """A deep native copy: no Redis types left inside."""
        return {native(key): native(value) for key, value in dict.items(self)}

    def __copy__(self) -> Self:
        return type(self)(dict.items(self))

    def __deepcopy__(self, memo: Any) -> Self:
        return type(self)(self.clone())

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.clone(),)

    def __or__(self, other: Any) -> Any:
        return dict.copy(self) | other if isinstance(other, dict) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return other | dict.copy(self) if isinstance(other, dict) else NotImplemented

    def __rapyer_replace__(self, content: Mapping[Any, Any]) -> None:
        apply_now(changes.replace(self, "update", content))

    # -- the methods of dict ---------------------------------------------------------------------

    def __setitem__(self, key: K, value: V) -> None:
        current = dict.get(self, key, ABSENT)
        if value is current and (isinstance(value, Node) or work_on(self) is None):
            return
        steps = pending_steps(value, current)
        if steps is not None and current_batch() is not None:
            for step in steps:
                apply_now(change_of_step(current, step))
            return
        apply_now(changes.set_entry(self, "__setitem__", key, value))

    def __delitem__(self, key: K) -> None:
        if not dict.__contains__(self, key):
            raise KeyError(key)
        apply_now(changes.remove(self, "__delitem__", key))

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several entries, from a mapping, an iterable of pairs and keywords."""
        apply_now(changes.set_entries(self, "update", dict(*args, **kwargs)))

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]
        self.update(other)
        return self

    def setdefault(self, key: K, default: Any = None, /) -> Any:
        """The live value at ``key``, which is set to ``default`` where there is none."""
        if dict.__contains__(self, key) and current_batch() is None:
            return DICT.live_at(self, key)
        apply_now(changes.set_entries(self, "setdefault", {key: default}, only_new=True))
        return DICT.live_at(self, key)

    def pop(self, key: K, default: Any = ABSENT, /) -> Any:
        """Remove ``key`` and return its value (as native value), or ``default``; KeyError without one."""
        if default is ABSENT:
            if not dict.__contains__(self, key):
                raise KeyError(key)
            value = native(dict.__getitem__(self, key))
            apply_now(changes.remove(self, "pop", key))
            return value
        return apply_now(changes.pop(self, "pop", key, default))

    def popitem(self) -> tuple[K, V]:
        """Remove and return the last entry (as native values); KeyError when empty."""
        if not self:
            raise KeyError("popitem(): dictionary is empty")
        return apply_now(changes.popitem(self, "popitem"))  # type: ignore[no-any-return]

    def clear(self) -> None:
        """Remove all entries."""
        apply_now(changes.clear(self, "clear"))

    # -- at once on the server -------------------------------------------------------------------

    @operation(
        "set_item",
        effect="write",
        help="Set one entry of the dict.",
        example="rapyer set_item UserProfile:1/settings language en",
        key="key",
        value="value",
    )
    async def aset_item(self, key: K, value: V) -> None:
        """Set one entry of the stored dict. Sends one EVALSHA (JSON.SET)."""
        return await perform(changes.set_entry(self, "aset_item", key, value))  # type: ignore[no-any-return]

    @operation(
        "del_item",
        effect="destructive",
        help="Delete one entry of the dict.",
        example="rapyer del_item UserProfile:1/settings language",
        key="key",
    )
    async def adel_item(self, key: K) -> None:
        """Delete one entry of the stored dict; raises ``PathNotFound`` (a KeyError) when it is not there.

        Sends one EVALSHA (JSON.DEL).
        """
        return await perform(changes.remove(self, "adel_item", key))  # type: ignore[no-any-return]

    @operation(
        "update",
        effect="write",
        help="Set several entries of the dict.",
        example="rapyer update UserProfile:1/settings theme=dark lang=en",
        entries="entries",
    )
    async def aupdate(
        self, entries: Mapping[K, V] | Iterable[tuple[K, V]] = (), /, **kwargs: V
    ) -> None:
        """Set several entries of the stored dict in one step, from a mapping and keywords.

        Sends one EVALSHA (JSON.SET for each entry).
        """
        return await perform(changes.set_entries(self, "aupdate", dict(entries, **kwargs)))  # type: ignore[no-any-return]

    @operation(
        "pop",
        effect="write",
        help="Remove one entry and return its value.",
        example="rapyer pop UserProfile:1/settings theme",
        key="key",
        default="value",
    )
    async def apop(self, key: K, default: Any = None) -> V | Any:
        """Remove ``key`` from the stored dict and return its value, or ``default`` when it is not there.

        Sends one EVALSHA (JSON.GET, JSON.DEL).
        """
        return await perform(changes.pop(self, "apop", key, default))

    @operation(
        "popitem",
        effect="write",
        help="Remove and return one entry.",
        example="rapyer popitem UserProfile:1/settings",
    )
    async def apopitem(self) -> tuple[K, V]:
        """Remove an entry of the stored dict and return it: the locally last one if it is still there.

        Raises :class:`~rapyer.errors.EmptyContainerError` (a KeyError) when the dict is empty. Sends
        one EVALSHA (JSON.OBJKEYS, JSON.GET, JSON.DEL).
        """
        return await perform(changes.popitem(self, "apopitem"))  # type: ignore[no-any-return]

    @operation(
        "clear",
        effect="destructive",
        help="Remove all entries of the dict.",
        example="rapyer clear UserProfile:1/settings",
    )
    async def aclear(self) -> None:
        """Remove all entries of the stored dict. Sends one EVALSHA (JSON.SET)."""
        return await perform(changes.clear(self, "aclear"))  # type: ignore[no-any-return]

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> RedisDict[K, V]: ...
        def __set__(self, instance: Any, value: dict[K, V]) -> None: ...


register_container(dict, RedisDict)
