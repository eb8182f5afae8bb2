"""Breaking Lua, line by line: comparisons, conditions, numbers and calls outside of texts and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.mutants.mutant import Mutant

_REPLACEMENTS = (
    (r" == ", " ~= "),
    (r" ~= ", " == "),
    (r" < ", " <= "),
    (r" <= ", " < "),
    (r" > ", " >= "),
    (r" >= ", " > "),
    (r" and ", " or "),
    (r" or ", " and "),
    (r"\bnot ", ""),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    (r"\b0\b", "1"),
    (r"\b1\b", "2"),
)
_CALL = re.compile(
    r"^\s*(?:call|repair|write|put_back|demand|check_length|restore\w*|\w+_items)\(.*\)$"
)
_TEXT = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|--.*$")


def broken_lua(room: str, file: str, source: bytes) -> Iterator[Mutant]:
    """Every mutant of a script."""
    start = 0
    for number, raw in enumerate(source.splitlines(keepends=True), 1):
        line = raw.decode().rstrip("\n")
        for begin, end, new, effect in _broken(line):
            at = start + len(line[:begin].encode())
            length = len(line[begin:end].encode())
            yield Mutant(room, file, at, at + length, new, number, line.strip(), effect)
        start += len(raw)


def _broken(line: str) -> Iterator[tuple[int, int, str, str]]:
    code = _TEXT.sub(lambda match: "\0" * len(match.group()), line)
    for pattern, new in _REPLACEMENTS:
        for match in re.finditer(pattern, code):
            effect = f"{match.group().strip()} becomes {new.strip() or 'nothing'}"
            yield *match.span(), new, effect
    if _CALL.match(line):
        yield len(line) - len(line.lstrip()), len(line), "do end", "skips"
