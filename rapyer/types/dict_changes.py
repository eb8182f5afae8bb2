"""The changes of a dict: what each sends, and what it does to the local one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from rapyer.batch.change import Change, ComposedChange
from rapyer.paths import Path
from rapyer.script.call import Primitive
from rapyer.state.wrapping import native
from rapyer.types.container import (
    alive,
    check_length,
    clear_change,
    decode_item,
    spec_of,
    transform,
)
from rapyer.types.dict_node import ABSENT, DICT

Live: TypeAlias = dict[Any, Any]
"""A live dict: what a ``RedisDict`` is, besides its methods."""


def is_simple(node: Live) -> bool:
    """Whether entries can come and go one by one: nobody validates the dict as a whole."""
    return spec_of(node).is_unlimited


def whole(node: Live, verb: str, function: Callable[[dict[Any, Any]], Any]) -> Change:
    """A change that recomputes the whole dict."""

    def local() -> Any:
        trial = dict.copy(node)
        result = function(trial)
        if not is_simple(node):
            check_length(node, len(trial))
            spec_of(node).validate_python({k: native(v) for k, v in trial.items()})
        DICT.restore(node, trial)
        return result

    return transform(node, verb, function, local)


class SetEntry(Change):
    """One entry of a dict gets a value. Sends JSON.SET."""

    __slots__ = ("_key", "_name", "_text", "_value", "keys", "owner", "touched", "verb")
    echoes = True

    def __init__(self, verb: str, owner: Live, key: Any, value: Any, text: bytes) -> None:
        self.verb = verb
        self.owner: Any = owner
        self.touched: Any = owner
        self._name = DICT.key_text(owner, key)
        self.keys = (self._name,)
        self._key, self._value, self._text = key, value, text

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return (Primitive("set", (*path, self._name), (self._text, b"")),)

    def local(self) -> None:
        self._value = hold_alive(self.owner, self._key, self._value)


def hold_alive(node: Live, key: Any, value: Any) -> Any:
    """Hold ``value``, live if it can be changed in place, so that a second place gets a copy of its own."""
    made = alive(value, node, key)
    dict.__setitem__(node, key, made)
    return made


def set_entry(node: Live, verb: str, key: Any, value: Any) -> Change:
    """One entry gets a value."""
    if not is_simple(node):
        return set_entries(node, verb, {key: value})
    key = DICT.valid_key(node, key)
    spec = DICT.child_spec(node, key)
    value = spec.accept(value)
    return SetEntry(verb, node, key, value, spec.to_json(value))


def set_entries(
    node: Live, verb: str, entries: Mapping[Any, Any], *, only_new: bool = False
) -> Change:
    """Several entries get values. Sends JSON.SET for each."""
    valid: dict[Any, Any] = {}
    for key, value in entries.items():
        key = DICT.valid_key(node, key)
        valid[key] = DICT.child_spec(node, key).accept(value)

    def update(content: dict[Any, Any]) -> None:
        for key, value in valid.items():
            if not only_new or not dict.__contains__(content, key):
                dict.__setitem__(content, key, value)

    if not is_simple(node):
        return whole(node, verb, update)
    steps = [
        (DICT.key_text(node, key), DICT.child_spec(node, key).to_json(value))
        for key, value in valid.items()
    ]
    guard = b"absent" if only_new else b""

    def primitives(path: Path) -> list[Primitive]:
        if not steps:
            return [Primitive("set", path, (b"{}", b"absent"))]
        return [Primitive("set", (*path, key), (text, guard)) for key, text in steps]

    def local() -> None:
        for key, value in valid.items():
            if not only_new or not dict.__contains__(node, key):
                valid[key] = hold_alive(node, key, value)

    return ComposedChange(verb, node, primitives, local, keys=[key for key, _ in steps])


def remove(node: Live, verb: str, key: Any) -> Change:
    """An entry that must be there is removed. Sends JSON.DEL."""
    key = DICT.valid_key(node, key)
    if not may_lose(node, key):
        return whole(node, verb, lambda content: content.__delitem__(key))
    text = DICT.key_text(node, key)

    def primitives(path: Path) -> list[Primitive]:
        return [Primitive("remove", (*path, text))]

    def local() -> None:
        dict.__delitem__(node, key)

    return ComposedChange(verb, node, primitives, local, keys=(text,), effect="destructive")


def may_lose(node: Live, key: Any) -> bool:
    """Whether nobody minds when the entry ``key`` is gone."""
    return is_simple(node) and spec_of(node).core["type"] != "typed-dict"


def pop(node: Live, verb: str, key: Any, default: Any) -> Change:
    """An entry is removed and its value the result, or ``default``. Sends JSON.GET, JSON.DEL."""
    key = DICT.valid_key(node, key)
    if not may_lose(node, key):
        return whole(node, verb, lambda content: native(content.pop(key, default)))
    text = DICT.key_text(node, key)
    spec = DICT.child_spec(node, key)

    def primitives(path: Path) -> list[Primitive]:
        return [Primitive("take", path, (text.encode(),))]

    def decode(answers: Sequence[Any]) -> Any:
        return default if answers[0] is None else decode_item(spec, answers[0])

    def local() -> Any:
        return native(dict.pop(node, key, default))

    return ComposedChange(verb, node, primitives, local, decode, keys=(text,), effect="destructive")


class _PopItem(ComposedChange):
    """Which entry it was is known when the server has answered."""

    __slots__ = ()

    def decode(self, answers: Sequence[Any]) -> Any:
        self.keys = (answers[0][0].decode(),)
        return super().decode(answers)


def popitem(node: Live, verb: str) -> Change:
    """The locally last entry is removed, or another one; key and value are the result.

    Sends JSON.OBJKEYS, JSON.GET, JSON.DEL.
    """
    if not is_simple(node) or spec_of(node).core["type"] == "typed-dict":
        return whole(node, verb, lambda content: native(content.popitem()))
    preferred = next(reversed(node), ABSENT)
    name = () if preferred is ABSENT else (DICT.key_text(node, preferred).encode(),)
    spec = spec_of(node)

    def primitives(path: Path) -> list[Primitive]:
        return [Primitive("popitem", path, name)]

    def local() -> Any:
        return native(dict.popitem(node))

    def decode(answers: Sequence[Any]) -> Any:
        key_text, value_text = answers[0]
        key = _key_of_text(spec, key_text.decode())
        return key, decode_item(DICT.child_spec(node, key), value_text)

    return _PopItem(verb, node, primitives, local, decode, keys=(), effect="destructive")


def _key_of_text(spec: Any, text: str) -> Any:
    """The Python key that is called ``text``; the text itself where it fits no key."""
    if spec.core["type"] == "typed-dict" or spec.key.python_type is str:
        return text
    try:
        return spec.key.parse_text(text)
    except ValueError:
        return text


def clear(node: Live, verb: str) -> Change:
    """All entries are removed. Sends JSON.SET."""
    if spec_of(node).core["type"] == "typed-dict":
        return whole(node, verb, lambda content: content.clear())
    return clear_change(node, verb, b"{}", b"object", lambda: dict.clear(node))


def replace(node: Live, verb: str, content: Mapping[Any, Any]) -> Change:
    """The whole content becomes another one."""
    valid = spec_of(node).accept({key: native(value) for key, value in content.items()})

    def function(held: dict[Any, Any]) -> None:
        dict.clear(held)
        dict.update(held, valid)

    return whole(node, verb, function)
