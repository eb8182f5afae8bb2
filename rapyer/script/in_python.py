"""The script's primitives on a parsed JSON value: the same answers, refusals and text as the server's.

RedisJSON cannot address a dict key that holds a backslash or both kinds of quotes. An operation at or
below such a key is carried out here on the text of the nearest container that can be addressed, which
is then compared and set. Python's ``json`` keeps integers and floats exact and dicts in order.
"""

from __future__ import annotations

import hashlib
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rapyer.paths import Path
from rapyer.script.steps import Digest, Primitive

ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT"})()
"""Stands for a document that is not there."""

DIGESTED_AT_MOST = 2 << 20
"""What is longer is sent as it is: to digest it would hold the server for longer than to send it."""

_MISSING: Any = object()
_EXPONENT = re.compile(rb"[0-9]e[+-][0-9]")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9.]+e[+-][0-9]+')
_SHORTEST_PLAIN = 1e-5  # Python writes an exponent below 1e-4 already


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of the program
    """A primitive that cannot apply; ``reason`` is one of the script's reasons.

    ``step`` is the one that was refused, where that is part of a larger one.
    """

    def __init__(self, reason: str, detail: str = "", more: str = "") -> None:
        super().__init__(reason, detail, more)
        self.reason, self.detail, self.more = reason, detail, more
        self.step: Primitive | None = None


def dumps(value: Any) -> bytes:
    """JSON text of ``value``, as the server writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return _TOKEN.sub(_as_server_writes, text) if _EXPONENT.search(text) else text


def _as_server_writes(match: re.Match[bytes]) -> bytes:
    token = match[0]
    if token.startswith(b'"'):
        return token
    digits, _, exponent = token.partition(b"e")
    power = int(exponent)
    if _SHORTEST_PLAIN <= abs(float(token)) < 1:
        sign, plain = (b"-", digits[1:]) if digits.startswith(b"-") else (b"", digits)
        return b"%b0.%b%b" % (sign, b"0" * (-power - 1), plain.replace(b".", b""))
    return b"%be%d" % (digits, power)


def json_type(value: Any) -> str:
    """RedisJSON's name of the type of ``value``."""
    if isinstance(value, bool):
        return "boolean"
    for kind, name in (
        (str, "string"),
        (int, "integer"),
        (float, "number"),
        (list, "array"),
        (dict, "object"),
    ):
        if isinstance(value, kind):
            return name
    return "null"


class _Place:
    """A place in a value: what holds it, where in it, and what stands there."""

    __slots__ = ("last", "parent", "value")

    def __init__(self, root: list[Any], path: Path) -> None:
        self.parent: Any = root
        self.last: Any = 0
        self.value: Any = root[0]
        for segment in path:
            self.parent, self.last = self.value, segment
            self.value = _step(self.parent, segment)
            if self.parent is _MISSING:
                raise Refusal("nopath")

    def demand(self, wanted: type | None = None, name: str = "") -> Any:
        """What stands there, if it is of the ``wanted`` type."""
        value = self.value
        if value is _MISSING:
            raise Refusal("nopath")
        if wanted is not None and (
            not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool)
        ):
            raise Refusal("type", json_type(value), name)
        return value

    def put(self, value: Any) -> None:
        self.parent[self.last] = value


def _step(tree: Any, segment: str | int) -> Any:
    if isinstance(tree, dict) and isinstance(segment, str):
        return tree.get(segment, _MISSING)
    if isinstance(tree, list) and isinstance(segment, int) and -len(tree) <= segment < len(tree):
        return tree[segment]
    return _MISSING


def _check_length(length: int, limit: bytes) -> None:
    if limit and length > int(limit):
        raise Refusal("length", str(length), limit.decode())


def _removed(container: dict[str, Any], name: str) -> Any:
    """Take out an entry; the last one takes its place, as on the server."""
    if name != next(reversed(container)):
        entries = list(container.items())
        entries[list(container).index(name)] = entries.pop()
        value = container[name]
        container.clear()
        container.update(entries)
        return value
    return container.pop(name)


def _set(place: _Place, args: Sequence[bytes]) -> Any:
    new, guard = json.loads(args[0]), args[1].decode()
    is_there = place.value is not _MISSING
    if guard == "absent" and is_there:
        return 0
    if guard not in ("", "absent"):
        place.demand()
        if guard not in ("present", json_type(place.value)):
            raise Refusal("type", json_type(place.value), guard)
    if not is_there and not (isinstance(place.parent, dict) and isinstance(place.last, str)):
        raise Refusal("nopath")
    place.put(new)
    return 1


def _strapp(place: _Place, args: Sequence[bytes]) -> Any:
    place.put(place.demand(str, "string") + json.loads(args[0]))
    return dumps(place.parent[place.last])


_BOUNDS: tuple[tuple[str, Callable[[Any, Any], bool]], ...] = (
    (">=", operator.ge),
    (">", operator.gt),
    ("<=", operator.le),
    ("<", operator.lt),
)


def _incr(place: _Place, args: Sequence[bytes]) -> Any:
    amount, kind, *limits = (arg.decode() for arg in args)
    old: Any = place.demand()
    number: Any = int if kind == "integer" else float
    if isinstance(old, bool) or not isinstance(old, int if number is int else int | float):
        raise Refusal("type", json_type(old), kind)
    new = number(old) + number(amount)
    if not -(2**63) <= new < 2**63 if number is int else new - new != 0:
        raise Refusal("overflow", dumps(old).decode(), amount)
    for (sign, holds), limit in zip(_BOUNDS, limits, strict=True):
        if limit and not holds(new, number(limit)):
            raise Refusal("bound", dumps(new).decode(), f"{sign} {limit}")
    place.put(new)
    return dumps(new)


def _setat(place: _Place, args: Sequence[bytes]) -> Any:
    index, new = int(args[0]), json.loads(args[1])
    items = place.demand(list, "array")
    if not -len(items) <= index < len(items):
        raise Refusal("index", str(index), str(len(items)))
    items[index] = new
    return 1


def _append(place: _Place, args: Sequence[bytes]) -> Any:
    new = [json.loads(item) for item in args[1:]]
    items = place.demand(list, "array")
    _check_length(len(items) + len(new), args[0])
    items.extend(new)
    return len(items)


def _insert(place: _Place, args: Sequence[bytes]) -> Any:
    index, new = int(args[0]), [json.loads(item) for item in args[2:]]
    items = place.demand(list, "array")
    _check_length(len(items) + len(new), args[1])
    items[index:index] = new
    return len(items)


def _pop(place: _Place, args: Sequence[bytes]) -> Any:
    index, least = int(args[0]), args[2]
    items = place.demand(list, "array")
    if not items and args[1] == b"lenient":
        return None
    if not -len(items) <= index < len(items):
        raise Refusal("index", str(index), str(len(items)))
    if least and len(items) - 1 < int(least):
        raise Refusal("length", str(len(items) - 1), least.decode())
    return dumps(items.pop(index))


def _take(place: _Place, args: Sequence[bytes]) -> Any:
    container, name = place.demand(dict, "object"), args[0].decode()
    return dumps(_removed(container, name)) if name in container else None


def _remove(place: _Place, args: Sequence[bytes]) -> Any:
    place.demand()
    if isinstance(place.parent, dict):
        _removed(place.parent, place.last)
    else:
        del place.parent[place.last]
    return 1


def _popitem(place: _Place, args: Sequence[bytes]) -> Any:
    container = place.demand(dict, "object")
    if not container:
        raise Refusal("empty")
    name = args[0].decode() if args else ""
    if not args or name not in container:
        name = next(reversed(container))
    return [name.encode(), dumps(_removed(container, name))]


def _read(place: _Place, args: Sequence[bytes]) -> Any:
    return dumps(place.demand())


def _echo(place: _Place, args: Sequence[bytes]) -> Any:
    value, limit = place.value, args[0]
    if not isinstance(value, list | dict):
        return None
    text = dumps(value)
    if limit and (not int(limit) or len(value) > int(limit)) and len(text) <= DIGESTED_AT_MOST:
        return Digest(hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())
    return text


def _save(place: _Place, args: Sequence[bytes]) -> Any:
    new = json.loads(args[0])
    if args[1] == b"nx" and place.value is not ABSENT:
        raise Refusal("exists")
    if args[1] == b"xx" and place.value is ABSENT:
        raise Refusal("nokey")
    place.put(new)
    return 1


def _drop(place: _Place, args: Sequence[bytes]) -> Any:
    place.put(ABSENT)
    return 1


def _expire(place: _Place, args: Sequence[bytes]) -> Any:
    return 1


OPERATIONS: Mapping[str, Callable[[_Place, Sequence[bytes]], Any]] = {
    "set": _set,
    "strapp": _strapp,
    "incr": _incr,
    "setat": _setat,
    "append": _append,
    "insert": _insert,
    "pop": _pop,
    "take": _take,
    "remove": _remove,
    "popitem": _popitem,
    "read": _read,
    "echo": _echo,
    "save": _save,
    "drop": _drop,
    "expire": _expire,
    "refresh": _expire,
}
"""What carries out each primitive; a primitive that refuses has changed nothing."""


def apply_to_tree(code: str, tree: Any, path: Path, args: Sequence[bytes]) -> tuple[Any, Any]:
    """Carry out primitive ``code`` at ``path`` below the parsed value ``tree``, which is changed in place.

    :param tree: a document, or a value in it; :data:`ABSENT` for a document that is not there.
    :returns: the tree (another one where ``path`` is empty and the value was replaced), and the answer as
        :func:`~rapyer.script.call.submit` would give it.
    :raises Refusal: it cannot apply; the tree is as it was.
    """
    if tree is ABSENT:
        if code == "refresh" or is_lenient(code, args):
            return tree, 0 if code == "refresh" else None
        if code != "save" or args[1] == b"xx":
            raise Refusal("nokey")
    root = [tree]
    try:
        answer = OPERATIONS[code](_Place(root, path), args)
    except Refusal as refusal:
        if refusal.reason == "nopath" and is_lenient(code, args):
            return tree, None
        raise
    return root[0], answer


def is_lenient(code: str, args: Sequence[bytes]) -> bool:
    """Whether the primitive answers nothing where there is nothing, instead of refusing."""
    return code == "echo" or (code == "read" and args[0] != b"strict")


def apply(code: str, text: bytes, path: Path, args: Sequence[bytes]) -> tuple[bytes, Any]:
    """Carry out primitive ``code`` at ``path`` below the value that ``text`` is.

    Returns the new text and the answer as the script would give it. Raises :class:`Refusal`.
    """
    tree, answer = apply_to_tree(code, json.loads(text), path, args)
    return dumps(tree), answer
