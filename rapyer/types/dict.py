"""RedisDict: a dict that is an object of a stored document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel

from rapyer.batch.batch import apply_now, current_batch, perform
from rapyer.batch.change import Change, ComposedChange
from rapyer.errors import DetachedError, InvalidValueError
from rapyer.operations import operation
from rapyer.paths import Path
from rapyer.script.call import Primitive
from rapyer.state import links
from rapyer.state.wrapping import link, live, native
from rapyer.types.container import (
    SPEC,
    STAMP,
    Container,
    is_same,
    pending_steps,
    register_container,
)
from rapyer.types.inplace import change_of_step
from rapyer.types.scalars import Scalar

if TYPE_CHECKING:
    from _collections_abc import dict_items, dict_values

K = TypeVar("K")
V = TypeVar("V")
_ABSENT: Any = object()


class RedisDict(Container, dict[K, V], Generic[K, V]):
    """A ``dict`` field. Its values become live when they are taken out.

    Synchronous methods are those of ``dict``: local outside a pipeline, queued inside one. The ``a…``
    methods change the stored dict at once, in one atomic step, and then agree the local dict with it.
    Keys are whatever Pydantic writes as JSON keys: text of any kind, integers, UUIDs, enums …
    """

    __slots__ = (SPEC, STAMP, links.PARENT, links.PLACE)
    python_type: ClassVar[type] = dict
    __hash__ = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        dict.__init__(self, *args, **kwargs)
        object.__setattr__(self, links.PARENT, None)

    # -- links -----------------------------------------------------------------------------------

    def __rapyer_place_of__(self, child: Any) -> Any:
        place = child.__rapyer_place__
        held = dict.get(self, place, _ABSENT)
        if held is child or (isinstance(child, Scalar) and held is not _ABSENT):
            return place
        raise DetachedError("the value is not in its dict any more")

    def __rapyer_segment__(self, child: Any) -> str:
        return self._key_text(self.__rapyer_place_of__(child))

    def __rapyer_holds__(self, place: Any, child: Any) -> bool:
        return dict.get(self, place, _ABSENT) is child

    def __rapyer_child_spec__(self, place: Any) -> Any:
        spec = self.__rapyer_spec_of__()
        return spec.child(place) if spec.core["type"] == "typed-dict" else spec.value

    def __rapyer_raw__(self, place: Any) -> Any:
        return dict.__getitem__(self, place)

    def __rapyer_put__(self, place: Any, value: Any) -> Any:
        made: Any = value
        if not isinstance(value, Scalar):
            made = live(value, self, place)
        elif links.parent_of(value) is None:
            link(value, self, place)
        else:
            made = live(native(value), self, place)
        dict.__setitem__(self, place, made)
        return made

    def __rapyer_snapshot__(self) -> dict[Any, Any]:
        return dict.copy(self)

    def __rapyer_hold__(self, place: Any, value: Any) -> None:
        dict.__setitem__(self, place, value)

    def __rapyer_assign__(self, place: Any, value: Any) -> None:
        self[place] = value

    def __rapyer_restore__(self, snapshot: dict[Any, Any], names: set[str] | None = None) -> None:
        dict.clear(self)
        dict.update(self, snapshot)

    def __rapyer_adopt__(self, value: Mapping[Any, Any]) -> None:
        # in the local order: the server's changes with every removal
        kept = {
            key: held if is_same(held, value[key]) else value[key]
            for key, held in dict.items(self)
            if key in value
        }
        kept.update((key, new) for key, new in value.items() if key not in kept)
        self.__rapyer_restore__(kept)

    def _live_at(self, key: Any) -> Any:
        raw = dict.__getitem__(self, key)
        made = live(raw, self, key)
        if made is not raw:
            dict.__setitem__(self, key, made)
        return made

    # -- reading ---------------------------------------------------------------------------------

    def __getitem__(self, key: K) -> V:
        return self._live_at(key)  # type: ignore[no-any-return]

    def get(self, key: Any, default: Any = None, /) -> Any:
        """The live value at ``key``, or ``default``."""
        return self._live_at(key) if dict.__contains__(self, key) else default

    def values(self) -> dict_values[K, V]:
        """The live values."""
        for key in self:
            self._live_at(key)
        return dict.values(self)

    def items(self) -> dict_items[K, V]:
        """The keys with their live values."""
        for key in self:
            self._live_at(key)
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

    # -- keys and values -------------------------------------------------------------------------

    def _key_text(self, key: Any) -> str:
        """The text of ``key`` in the stored object."""
        if type(key) is str:
            _refuse_surrogates(key)
            return key
        spec = self.__rapyer_spec_of__().key
        written = json.loads(_key_writer(spec)(key))
        return written if isinstance(written, str) else json.dumps(written)

    def _key(self, key: Any) -> Any:
        spec = self.__rapyer_spec_of__()
        if spec.core["type"] == "typed-dict" or (type(key) is str and spec.key.takes_any_text):
            return key
        return spec.key.validate_python(key)

    def _value(self, key: Any, value: Any) -> Any:
        return self.__rapyer_child_spec__(key).validate_python(value)

    def _text(self, key: Any, value: Any) -> bytes:
        return self.__rapyer_child_spec__(key).to_json(value)  # type: ignore[no-any-return]

    def _simple(self) -> bool:
        return self.__rapyer_spec_of__().is_unlimited

    def _whole(self, verb: str, function: Callable[[dict[Any, Any]], Any]) -> Change:
        def local() -> Any:
            trial = dict.copy(self)
            result = function(trial)
            if not self._simple():
                self._check_length(len(trial))
                self.__rapyer_spec_of__().validate_python({k: native(v) for k, v in trial.items()})
            self.__rapyer_restore__(trial)
            return result

        return self._transform(verb, function, local)

    # -- changes ---------------------------------------------------------------------------------

    def _set_change(
        self, verb: str, entries: Mapping[Any, Any], *, only_new: bool = False
    ) -> Change:
        valid = {}
        for key, value in entries.items():
            key = self._key(key)
            valid[key] = self._value(key, value)

        def update(content: dict[Any, Any]) -> None:
            for key, value in valid.items():
                if not only_new or not dict.__contains__(content, key):
                    dict.__setitem__(content, key, value)

        if not self._simple():
            return self._whole(verb, update)
        steps = [(self._key_text(key), self._text(key, value)) for key, value in valid.items()]
        guard = b"absent" if only_new else b""

        def primitives(path: Path) -> list[Primitive]:
            if not steps:
                return [Primitive("set", path, (b"{}", b"absent"))]
            return [Primitive("set", (*path, key), (text, guard)) for key, text in steps]

        def local() -> None:
            update(self)
            for key, value in valid.items():
                if isinstance(value, BaseModel):
                    self._live_at(key)  # linked now, so that a second place gets a copy of its own

        new = 0
        for key in valid:
            if not dict.__contains__(self, key):
                new += 1
        return ComposedChange(verb, self, self, primitives, local, growth=new)

    def _set_entry(self, verb: str, key: Any, value: Any) -> Change:
        if not self._simple():
            return self._set_change(verb, {key: value})
        key = self._key(key)
        spec = self.__rapyer_child_spec__(key)
        value = spec.validate_python(value)
        return SetEntry(verb, self, key, self._key_text(key), value, spec.to_json(value))

    def _remove_change(self, verb: str, key: Any) -> Change:
        key = self._key(key)
        if not self._simple():
            return self._whole(verb, lambda content: content.__delitem__(key))
        text = self._key_text(key)

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("remove", (*path, text))]

        growth = -1 if dict.__contains__(self, key) else 0
        return ComposedChange(
            verb,
            self,
            self,
            primitives,
            lambda: dict.__delitem__(self, key),
            growth=growth,
            effect="destructive",
        )

    def _pop_change(self, verb: str, key: Any, default: Any) -> Change:
        key = self._key(key)
        if not self._simple():
            return self._whole(verb, lambda content: native(content.pop(key, default)))
        text = self._key_text(key).encode()
        spec = self.__rapyer_child_spec__(key)

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("take", path, (text,))]

        def decode(answers: Sequence[Any]) -> Any:
            return default if answers[0] is None else self._decode_item(spec, answers[0])

        growth = -1 if dict.__contains__(self, key) else 0
        return ComposedChange(
            verb,
            self,
            self,
            primitives,
            lambda: native(dict.pop(self, key, default)),
            decode,
            growth=growth,
            effect="destructive",
        )

    def _popitem_change(self, verb: str) -> Change:
        if not self._simple():
            return self._whole(verb, lambda content: native(content.popitem()))
        preferred = next(reversed(self), _ABSENT)
        name = () if preferred is _ABSENT else (self._key_text(preferred).encode(),)
        spec = self.__rapyer_spec_of__()

        def primitives(path: Path) -> list[Primitive]:
            return [Primitive("popitem", path, name)]

        def local() -> Any:
            return native(dict.popitem(self))

        def decode(answers: Sequence[Any]) -> Any:
            key_text, value_text = answers[0]
            key = next(
                iter(
                    spec.validate_json(
                        b"{%s:%s}" % (json.dumps(key_text.decode()).encode(), value_text)
                    )
                )
            )
            return key, self._decode_item(self.__rapyer_child_spec__(key), value_text)

        growth = -1 if len(self) else None
        return ComposedChange(
            verb, self, self, primitives, local, decode, growth=growth, effect="destructive"
        )

    def _clear(self, verb: str) -> Change:
        return self._clear_change(verb, b"{}", b"object", lambda: dict.clear(self))

    # -- the methods of dict ---------------------------------------------------------------------

    def __setitem__(self, key: K, value: V) -> None:
        current = dict.get(self, key, _ABSENT)
        if value is current and (current_batch() is None or isinstance(value, links.Node)):
            return
        steps = pending_steps(value, current)
        if steps is not None and current_batch() is not None:
            for step in steps:
                apply_now(change_of_step(current, step))
            return
        apply_now(self._set_entry("__setitem__", key, value))

    def __delitem__(self, key: K) -> None:
        if not dict.__contains__(self, key):
            raise KeyError(key)
        apply_now(self._remove_change("__delitem__", key))

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several entries, from a mapping, an iterable of pairs and keywords."""
        apply_now(self._set_change("update", dict(*args, **kwargs)))

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]
        self.update(other)
        return self

    def setdefault(self, key: K, default: Any = None, /) -> Any:
        """The live value at ``key``, which is set to ``default`` where there is none."""
        if dict.__contains__(self, key) and current_batch() is None:
            return self._live_at(key)
        apply_now(self._set_change("setdefault", {key: default}, only_new=True))
        return self._live_at(key)

    def pop(self, key: K, default: Any = _ABSENT, /) -> Any:
        """Remove ``key`` and return its value (as native value), or ``default``; KeyError without one."""
        if default is _ABSENT:
            if not dict.__contains__(self, key):
                raise KeyError(key)
            value = native(dict.__getitem__(self, key))
            apply_now(self._remove_change("pop", key))
            return value
        return apply_now(self._pop_change("pop", key, default))

    def popitem(self) -> tuple[K, V]:
        """Remove and return the last entry (as native values); KeyError when empty."""
        if not self:
            raise KeyError("popitem(): dictionary is empty")
        return apply_now(self._popitem_change("popitem"))  # type: ignore[no-any-return]

    def clear(self) -> None:
        """Remove all entries."""
        apply_now(self._clear("clear"))

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
        return await perform(self._set_entry("aset_item", key, value))  # type: ignore[no-any-return]

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
        return await perform(self._remove_change("adel_item", key))  # type: ignore[no-any-return]

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
        return await perform(self._set_change("aupdate", dict(entries, **kwargs)))  # type: ignore[no-any-return]

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
        return await perform(self._pop_change("apop", key, default))

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
        return await perform(self._popitem_change("apopitem"))  # type: ignore[no-any-return]

    @operation(
        "clear",
        effect="destructive",
        help="Remove all entries of the dict.",
        example="rapyer clear UserProfile:1/settings",
    )
    async def aclear(self) -> None:
        """Remove all entries of the stored dict. Sends one EVALSHA (JSON.SET)."""
        return await perform(self._clear("aclear"))  # type: ignore[no-any-return]

    if TYPE_CHECKING:

        def __get__(self, instance: Any, owner: Any) -> RedisDict[K, V]: ...
        def __set__(self, instance: Any, value: dict[K, V]) -> None: ...


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError(
            f"the key {text!r} is not valid Unicode text: {error.reason}"
        ) from error


def _key_writer(spec: Any) -> Callable[[Any], bytes]:
    return spec.to_json  # type: ignore[no-any-return]


class SetEntry(Change):
    """One entry of a dict gets a value. Sends JSON.SET."""

    __slots__ = ("_key", "_name", "_text", "_value", "growth", "owner", "touched", "verb")
    echoes = True

    def __init__(
        self, verb: str, owner: RedisDict[Any, Any], key: Any, name: str, value: Any, text: bytes
    ) -> None:
        self.verb = verb
        self.owner = self.touched = owner
        self.growth = 0 if dict.__contains__(owner, key) else 1
        self._key, self._name, self._value, self._text = key, name, value, text

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("set", (*path, self._name), (self._text, b"")),)

    def local(self) -> None:
        dict.__setitem__(self.owner, self._key, self._value)
        if isinstance(self._value, BaseModel):
            self.owner._live_at(
                self._key
            )  # linked now, so that a second place gets a copy of its own


register_container(dict, RedisDict)
