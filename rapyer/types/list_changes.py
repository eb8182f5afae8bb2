"""The changes of a list: what each sends, and what it does to the local one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, SupportsIndex, TypeAlias

from rapyer.batch.change import Change, ComposedChange
from rapyer.paths import Path
from rapyer.script.call import Primitive
from rapyer.state.wrapping import native
from rapyer.types.container import (
    alive,
    check_length,
    clear_change,
    decode_item,
    natively,
    spec_of,
    transform,
)
from rapyer.types.list_node import LIST

Live: TypeAlias = list[Any]
"""A live list: what a ``RedisList`` is, besides its methods."""


def is_simple(node: Live) -> bool:
    """Whether items can be added and removed one by one: nobody validates the list as a whole."""
    return not spec_of(node).has_validators


def valid_item(node: Live, value: Any) -> Any:
    """``value`` as a native item of ``node``; raises :class:`pydantic.ValidationError`."""
    return spec_of(node).item.accept(value)


def _texts(node: Live, items: Iterable[Any]) -> tuple[bytes, ...]:
    spec = spec_of(node).item
    return tuple(spec.to_json(item) for item in items)


def _limit(node: Live) -> bytes:
    limit = spec_of(node).max_length
    return b"" if limit is None else b"%d" % limit


def whole(node: Live, verb: str, function: Callable[[list[Any]], Any]) -> Change:
    """A change that recomputes the whole list."""

    def local() -> Any:
        trial = list.copy(node)
        result = function(trial)
        check_length(node, len(trial))
        if not is_simple(node):
            spec_of(node).validate_python(natively(trial))
        list.__setitem__(node, slice(None), trial)
        return result

    return transform(node, verb, function, local)


def append(node: Live, verb: str, values: Iterable[Any]) -> Change:
    """Items are added at the end. Sends JSON.ARRAPPEND."""
    items = [valid_item(node, value) for value in values]
    if not is_simple(node):
        return whole(node, verb, lambda value: value.extend(items))
    texts, limit = _texts(node, items), _limit(node)

    def primitives(path: Path) -> list[Primitive]:
        return [Primitive("append", path, (limit, *texts))]

    def local() -> None:
        length = len(node)
        check_length(node, length + len(items))
        items[:] = [alive(item, node, length + at) for at, item in enumerate(items)]
        list.extend(node, items)
        LIST.own(node, range(length, len(node)))

    return ComposedChange(verb, node, primitives, local)


def insert(node: Live, verb: str, index: SupportsIndex, value: Any) -> Change:
    """An item is inserted; past the end it is appended. Sends JSON.ARRINSERT."""
    items, position = [valid_item(node, value)], index.__index__()
    if not is_simple(node):
        return whole(node, verb, lambda value: value.insert(position, items[0]))
    (text,), limit = _texts(node, items), _limit(node)

    def primitives(path: Path) -> list[Primitive]:
        return [Primitive("insert", path, (b"%d" % position, limit, text))]

    def local() -> None:
        length = len(node)
        check_length(node, length + 1)
        at = max(0, position + length) if position < 0 else min(position, length)
        items[0] = alive(items[0], node, at)
        list.insert(node, position, items[0])
        LIST.own(node, [at])

    return ComposedChange(verb, node, primitives, local)


def set_item(node: Live, verb: str, position: int, value: Any) -> Change:
    """The item at an index is replaced. Sends JSON.SET."""
    items = [valid_item(node, value)]
    if not is_simple(node):
        return whole(node, verb, lambda content: content.__setitem__(position, items[0]))
    (text,) = _texts(node, items)

    def primitives(path: Path) -> list[Primitive]:
        return [Primitive("setat", path, (b"%d" % position, text))]

    def local() -> None:
        at = position + len(node) if position < 0 else position
        items[0] = alive(items[0], node, at)
        list.__setitem__(node, position, items[0])
        LIST.own(node, [position])

    return ComposedChange(verb, node, primitives, local)


def pop(node: Live, verb: str, index: SupportsIndex, mode: bytes) -> Change:
    """The item at an index is removed and is the result. Sends JSON.ARRPOP.

    ``mode`` is ``strict``, or ``lenient``: an empty list has None.
    """
    position = index.__index__()
    if not is_simple(node):
        return whole(
            node,
            verb,
            lambda value: native(value.pop(position)) if value or mode == b"strict" else None,
        )
    spec = spec_of(node)
    least = b"" if spec.min_length is None else b"%d" % spec.min_length

    def primitives(path: Path) -> list[Primitive]:
        return [Primitive("pop", path, (b"%d" % position, mode, least))]

    def local() -> Any:
        if not len(node) and mode == b"lenient":
            return None
        if -len(node) <= position < len(node):
            check_length(node, len(node) - 1)
        return native(list.pop(node, position))

    def decode(answers: Sequence[Any]) -> Any:
        return None if answers[0] is None else decode_item(spec.item, answers[0])

    return ComposedChange(verb, node, primitives, local, decode, effect="destructive")


def clear(node: Live, verb: str) -> Change:
    """All items are removed. Sends JSON.SET."""
    return clear_change(node, verb, b"[]", b"array", lambda: list.clear(node))
