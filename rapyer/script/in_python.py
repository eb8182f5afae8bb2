"""The script's primitives on a parsed JSON value, for places that no JSONPath can name.

RedisJSON cannot address a dict key that holds a backslash or both kinds of quotes. An operation at or
below such a key is carried out here on the text of the nearest container that can be addressed, which
is then compared and set. Python's ``json`` keeps integers and floats exact and dicts in order.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Sequence
from typing import Any

from rapyer.paths import Path


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of the program
    """A primitive that cannot apply; ``reason`` is one of the script's reasons."""

    def __init__(self, reason: str, detail: str = "", more: str = "") -> None:
        super().__init__(reason, detail, more)
        self.reason, self.detail, self.more = reason, detail, more


def dumps(value: Any) -> bytes:
    """Compact JSON text of ``value``."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


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


_MISSING: Any = object()


def _step(tree: Any, segment: str | int) -> Any:
    if isinstance(tree, dict) and isinstance(segment, str):
        return tree.get(segment, _MISSING)
    if isinstance(tree, list) and isinstance(segment, int) and -len(tree) <= segment < len(tree):
        return tree[segment]
    return _MISSING


def _walk(tree: Any, path: Path) -> Any:
    for segment in path:
        tree = _step(tree, segment)
        if tree is _MISSING:
            raise Refusal("nopath")
    return tree


def _demand(value: Any, wanted: type, name: str) -> Any:
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise Refusal("type", json_type(value), name)
    return value


def _check_length(length: int, limit: bytes) -> None:
    if limit and length > int(limit):
        raise Refusal("length", str(length), limit.decode())


def _increment(old: Any, args: Sequence[bytes]) -> Any:
    amount, kind, ge, gt, le, lt = (arg.decode() for arg in args)
    if kind == "integer":
        new: Any = _demand(old, int, "integer") + int(amount)
        if not -(2**63) <= new < 2**63:
            raise Refusal("overflow", str(old), amount)
        number: Any = int
    else:
        if isinstance(old, bool) or not isinstance(old, int | float):
            raise Refusal("type", json_type(old), "number")
        new, number = float(old) + float(amount), float
        if new - new != 0:
            raise Refusal("overflow", str(old), amount)
    tests: tuple[tuple[str, str, Callable[[Any, Any], bool]], ...] = (
        (">=", ge, operator.ge),
        (">", gt, operator.gt),
        ("<=", le, operator.le),
        ("<", lt, operator.lt),
    )
    for sign, limit, holds in tests:
        if limit and not holds(new, number(limit)):
            raise Refusal("bound", str(new), f"{sign} {limit}")
    return new


def apply(code: str, text: bytes, path: Path, args: Sequence[bytes]) -> tuple[bytes, Any]:
    """Carry out primitive ``code`` at ``path`` below the value that ``text`` is.

    Returns the new text and the answer as the script would give it. Raises :class:`Refusal`.
    """
    root, answer = apply_to_tree(code, json.loads(text), path, args)
    if code == "read" or (answer is None and code == "pop") or (code == "set" and answer == 0):
        return text, answer
    return dumps(root), answer


def apply_to_tree(code: str, root: Any, path: Path, args: Sequence[bytes]) -> tuple[Any, Any]:
    """:func:`apply` on a parsed value, which is changed in place; returns the root and the answer."""
    tree = [root]
    path = (0, *path)
    parent, last = _walk(tree, path[:-1]), path[-1]
    old = _step(parent, last)
    answer: Any = 1

    if code == "set":
        new, guard = json.loads(args[0]), args[1].decode()
        if guard == "absent" and old is not _MISSING:
            return tree[0], 0
        if guard not in ("", "absent"):
            if old is _MISSING:
                raise Refusal("nopath")
            if guard not in ("present", json_type(old)):
                raise Refusal("type", json_type(old), guard)
        if not (isinstance(parent, dict) or old is not _MISSING):
            raise Refusal("nopath")
        parent[last] = new
    elif code == "setat":
        index = int(args[0])
        items = _demand(None if old is _MISSING else old, list, "array")
        if not -len(items) <= index < len(items):
            raise Refusal("index", str(index), str(len(items)))
        items[index] = json.loads(args[1])
    elif code == "take":
        container = _demand(old, dict, "object")
        name = args[0].decode()
        answer = dumps(container.pop(name)) if name in container else None
    elif code == "remove":
        if old is _MISSING:
            raise Refusal("nopath")
        del parent[last]
    elif old is _MISSING:
        if code == "read" and args[0] != b"strict":
            return tree[0], None
        raise Refusal("nopath")
    elif code == "incr":
        parent[last] = _increment(old, args)
        answer = dumps(parent[last])
    elif code == "append":
        items = [json.loads(item) for item in args[1:]]
        _check_length(len(_demand(old, list, "array")) + len(items), args[0])
        old.extend(items)
        answer = len(old)
    elif code == "insert":
        items = [json.loads(item) for item in args[2:]]
        _check_length(len(_demand(old, list, "array")) + len(items), args[1])
        for offset, item in enumerate(items):
            old.insert(int(args[0]) + (offset if int(args[0]) >= 0 else 0), item)
        answer = len(old)
    elif code == "pop":
        _demand(old, list, "array")
        if not old and args[1] == b"lenient":
            return tree[0], None
        index = int(args[0])
        if not -len(old) <= index < len(old):
            raise Refusal("index", str(index), str(len(old)))
        if args[2] and len(old) - 1 < int(args[2]):
            raise Refusal("length", str(len(old) - 1), args[2].decode())
        answer = dumps(old.pop(index))
    elif code == "popitem":
        if not _demand(old, dict, "object"):
            raise Refusal("empty")
        name = args[0].decode() if args else ""
        if not args or name not in old:
            name = list(old)[-1]
        answer = [name.encode(), dumps(old.pop(name))]
    elif code == "strapp":
        parent[last] = _demand(old, str, "string") + json.loads(args[0])
        answer = dumps(parent[last])
    elif code == "read":
        return tree[0], dumps(old)
    else:
        raise AssertionError(f"no primitive {code!r} below an unaddressable key")
    return tree[0], answer
