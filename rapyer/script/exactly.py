"""Doubles that the server would misread, on their way to it: other digits, or where to look afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rapyer.paths import Path, addressable_prefix, json_path
from rapyer.schema.numbers import as_read_exactly, read_by_server

_AT_ITS_PLACE = frozenset({"set", "save", "cas"})
"""The primitives whose JSON stands, afterwards, where their path leads."""


class _Misread(float):
    """A double for which there are no digits that the server reads as it."""


def exactly(
    code: str, args: tuple[bytes, ...], where: slice
) -> tuple[tuple[bytes, ...], bytes | None]:
    """The arguments with digits that the server reads exactly, and which doubles it misreads all the same.

    That is None where it misreads none. Otherwise a line for each (the double, its path below the place);
    empty where only the script can find out, which takes it as long as it takes to read the text.
    """
    texts, left = [], False
    for text in args[where]:
        exact, some = as_read_exactly(text)
        texts.append(exact)
        left = left or some
    start, end, _ = where.indices(len(args))
    args = (*args[:start], *texts, *args[end:])
    if not left:
        return args, None
    return args, _doubtful(texts[0]) if code in _AT_ITS_PLACE else b""


def _doubtful(text: bytes) -> bytes:
    lines = []
    for path, number in _misread(json.loads(text, parse_float=_as_read)):
        if addressable_prefix(path) < len(path):
            return b""
        below = json_path(path)[1:]
        if "\n" in below:
            return b""
        lines.append(f"{float(number)!r} {below}\n")
    return "".join(lines).encode()


def _as_read(text: str) -> float:
    number = float(text)
    return number if read_by_server(text) == number else _Misread(number)


def _misread(value: Any) -> Iterator[tuple[Path, _Misread]]:
    waiting: list[tuple[Path, Any]] = [((), value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, _Misread):
            yield path, value
        elif isinstance(value, dict | list):
            parts: Sequence[tuple[Any, Any]] = list(
                value.items() if isinstance(value, dict) else enumerate(value)
            )
            waiting += [
                ((*path, name), inner)
                for name, inner in parts
                if isinstance(inner, _Misread | dict | list)
            ]
