"""Values as text: JSON that is exact, literals that fit a line, characters that cannot harm a terminal."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from rapyer_cli.render.differences import MISSING

_EXACT_BELOW = 120
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def json_text(data: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """``data`` as JSON: exact numbers, unicode as it is, one line unless ``indent`` is given."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(data, ensure_ascii=ascii_only, indent=indent, separators=separators)


def readable(data: Any, limit: int = 0) -> str:
    """``data`` as a person reads it: JSON with blanks, control characters escaped, cut to ``limit``."""
    if data is MISSING:
        return "(nothing)"
    # Only the beginning of a huge value is worth formatting.
    shortened = _head(data, limit) if limit else data
    text = printable(json.dumps(shortened, ensure_ascii=False, separators=(", ", ": ")))
    return cut(text, limit) if limit else text


def raw_text(data: Any) -> str:
    """``data`` without quotes if it is a string, else as JSON."""
    return data if isinstance(data, str) else json_text(data)


def printable(text: str) -> str:
    """``text`` with every character that a terminal could take as a command written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else _escaped(character) for character in text
    )


def cut(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` characters, with an ellipsis if something is missing."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def counted(number: int, noun: str) -> str:
    """``1 document``, ``2,000 documents``."""
    if number == 1:
        return f"1 {noun}"
    plural = noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeo" else noun + "s"
    return f"{number:,} {plural}"


def lifetime_in_words(seconds: float | None) -> str:
    """A time to live for people: ``90 seconds``, ``2 minutes 5 seconds``, ``3 days 4 hours``."""
    if seconds is None:
        return "for ever"
    if seconds < _EXACT_BELOW:
        return f"{seconds:g} seconds"
    left, parts = round(seconds), []
    for length, unit in _UNITS:
        number, left = divmod(left, length)
        if number:
            parts.append(counted(number, unit))
        elif parts:
            break
    return " ".join(parts[:2])


def _escaped(character: str) -> str:
    code = ord(character)
    if character in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[character]
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _head(data: Any, limit: int) -> Any:
    if isinstance(data, str):
        return data[: limit + 1]
    if isinstance(data, list):
        return [_head(item, limit) for item in data[: limit + 1]]
    if isinstance(data, dict):
        return {name: _head(value, limit) for name, value in islice(data.items(), limit + 1)}
    return data
