"""A line of the REPL (or of a ``run`` file) as words, quoted as in a POSIX shell.

In one point it is kinder than a shell: a word that starts with ``{`` or ``[`` reaches to its closing
bracket, quotes and blanks included, so that JSON can be typed as it is. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from rapyer_cli.failures import UsageError

_BLANKS = " \t\r\n"
_NEEDS_QUOTES = frozenset(_BLANKS + "'\"\\#")


class Word(NamedTuple):
    """One word: its text, where it stands in the line, and as what it was typed. ``open`` when its quote is not closed."""

    text: str
    start: int
    end: int
    source: str
    open: str = ""


def scan(line: str) -> list[Word]:
    """All words of ``line``; the last may be unfinished. A word that starts with ``#`` ends the line."""
    words: list[Word] = []
    position = 0
    while position < len(line):
        if line[position] in _BLANKS:
            position += 1
            continue
        if line[position] == "#":
            break
        end, text, unclosed = _word(line, position)
        words.append(Word(text, position, end, line[position:end], unclosed))
        position = end
    return words


def split(line: str) -> list[Word]:
    """The words of a finished line. Raises :class:`UsageError` when a quote is not closed."""
    words = scan(line)
    if words and words[-1].open:
        raise UsageError(f"the {words[-1].open} that opens {words[-1].source!r} is not closed")
    return words


def quoted(text: str) -> str:
    """``text`` as one word of a line."""
    if text and not _NEEDS_QUOTES.intersection(text) and text[0] not in "{[":
        return text
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def left_open(text: str, quote: str) -> str:
    """``text`` as the beginning of a word whose ``quote`` the typist has opened and will close."""
    if quote == "'":
        return f"'{text}" if "'" not in text else quoted(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}'


def _word(line: str, start: int) -> tuple[int, str, str]:
    if line[start] in "{[":
        end = _closing_bracket(line, start)
        if end is not None and (end == len(line) or line[end] in _BLANKS):
            return end, line[start:end], ""
    parts: list[str] = []
    position = start
    while position < len(line) and line[position] not in _BLANKS:
        character = line[position]
        if character == "'":
            close = line.find("'", position + 1)
            if close < 0:
                return len(line), "".join(parts) + line[position + 1 :], "'"
            parts.append(line[position + 1 : close])
            position = close + 1
        elif character == '"':
            position, inside, closed = _double_quoted(line, position + 1)
            parts.append(inside)
            if not closed:
                return len(line), "".join(parts), '"'
        elif character == "\\" and position + 1 < len(line):
            parts.append(line[position + 1])
            position += 2
        elif character in "{[" and line[position - 2 : position] == ":=":
            end = _closing_bracket(line, position)
            if end is None:
                parts.append(character)
                position += 1
            else:
                parts.append(line[position:end])
                position = end
        else:
            parts.append(character)
            position += 1
    return position, "".join(parts), ""


def _double_quoted(line: str, position: int) -> tuple[int, str, bool]:
    parts: list[str] = []
    while position < len(line):
        character = line[position]
        if character == '"':
            return position + 1, "".join(parts), True
        if character == "\\" and line[position + 1 : position + 2] in ('"', "\\"):
            parts.append(line[position + 1])
            position += 2
            continue
        parts.append(character)
        position += 1
    return position, "".join(parts), False


def _closing_bracket(line: str, start: int) -> int | None:
    depth = 0
    in_text = False
    position = start
    while position < len(line):
        character = line[position]
        if in_text:
            if character == "\\":
                position += 1
            elif character == '"':
                in_text = False
        elif character == '"':
            in_text = True
        elif character in "{[":
            depth += 1
        elif character in "}]":
            depth -= 1
            if depth == 0:
                return position + 1
        position += 1
    return None
