"""Colours of a line as it is typed: a pure function from text to styled fragments."""

from __future__ import annotations

import re

from rapyer_cli.language.grammar import Verbs
from rapyer_cli.language.quoting import scan

Fragment = tuple[str, str]

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\Z")


def fragments(line: str, verbs: Verbs) -> list[Fragment]:
    """``line`` in pieces, each with the class of its colour; together they are the line again."""
    pieces: list[Fragment] = []
    position = 0
    verb_seen = False
    for word in scan(line):
        pieces.append(("", line[position : word.start]))
        if word.source.startswith("-") and len(word.source) > 1 and not _NUMBER.match(word.source):
            style = "class:option"
        elif not verb_seen:
            verb_seen = True
            style = "class:verb" if word.text in verbs else "class:unknown"
        else:
            style = _style_of(word.source)
        pieces.append((style, word.source))
        position = word.end
    rest = line[position:]
    pieces.append(("class:comment" if rest.lstrip().startswith("#") else "", rest))
    return [piece for piece in pieces if piece[1]]


def _style_of(source: str) -> str:
    if source[0] in "'\"":
        return "class:text"
    if source[0] in "{[":
        return "class:json"
    if _NUMBER.match(source) or source in ("true", "false", "null"):
        return "class:number"
    if "=" in source:
        return "class:assignment"
    return "class:target" if ":" in source or "/" in source else ""
