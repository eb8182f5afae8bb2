"""Names that the user has given to lines: ``[aliases]`` of config.toml. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from rapyer_cli.language.quoting import scan


def expanded(line: str, aliases: Mapping[str, str]) -> str:
    """``line`` with the alias that it begins with, if it does, as what that stands for. Once: no alias of an alias."""
    words = scan(line)
    if words and words[0].source in aliases:
        return aliases[words[0].source] + line[words[0].end :]
    return line
