"""``where EXPR set field=value n+=1``: the words of a change of many documents, taken apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rapyer_cli.failures import UsageError
from rapyer_cli.render.text import printable

_ASSIGNMENT = re.compile(r"(?P<name>[^=]+?)(?P<sign>[+-]?)(?P<json>:?)=(?P<text>.*)", re.DOTALL)


class Setting(NamedTuple):
    """``field=text``, ``field+=text`` or ``field-=text``; with ``:=`` the text is JSON. ``sign`` is ``+ -`` or empty."""

    name: str
    sign: str
    text: str
    is_json: bool


def is_where(words: Sequence[str]) -> bool:
    """Whether the words after a target begin a condition."""
    return bool(words) and words[0] == "where"


def condition_of(words: Sequence[str], usage: str) -> str:
    """The text of the condition in ``where EXPR…``. Raises :class:`UsageError` when there is none."""
    text = " ".join(words[1:]).strip()
    if not is_where(words) or not text:
        raise UsageError(f"a condition is missing; usage: {usage}")
    return text


def condition_and_settings(words: Sequence[str], usage: str) -> tuple[str, list[Setting]]:
    """The condition and the assignments of ``where EXPR… set ASSIGNMENTS…``."""
    for position, word in enumerate(words):
        rest = words[position + 1 :]
        if word == "set" and rest and all(_ASSIGNMENT.fullmatch(one) for one in rest):
            return condition_of(words[:position], usage), _settings(rest)
    last = max((i for i, word in enumerate(words) if word == "set"), default=len(words))
    for word in words[last + 1 :]:
        setting_of(word)
    raise UsageError(f"'set field=value' is missing; usage: {usage}")


def setting_of(word: str) -> Setting:
    """One assignment. Raises :class:`UsageError` for what is none."""
    match = _ASSIGNMENT.fullmatch(word)
    if match is None:
        raise UsageError(
            f"{printable(word)!r} is no assignment: write field=value, field+=value, "
            "field-=value or field:=JSON"
        )
    return Setting(match["name"], match["sign"], match["text"], bool(match["json"]))


def _settings(words: Sequence[str]) -> list[Setting]:
    found: dict[str, Setting] = {}
    for setting in map(setting_of, words):
        if setting.name in found:
            raise UsageError(f"{printable(setting.name)} is given twice")
        found[setting.name] = setting
    return list(found.values())
