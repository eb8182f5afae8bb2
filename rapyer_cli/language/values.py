"""From the text of an argument to a typed value: literal, ``@file``, ``-``, ``--json``, ``key=value``.

What a text means for an annotation is decided by :class:`rapyer.schema.spec.ValueSpec`; here are the sources
of the text and the message when it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer_cli.environment import Environment
from rapyer_cli.failures import NotFound, UsageError, ValueRefused, validation_lines
from rapyer_cli.render.text import cut, printable

if TYPE_CHECKING:
    from rapyer.schema.spec import ValueSpec

_ASSIGNMENT = re.compile(r"(?P<name>[^=]*?)(?P<json>:?)=(?P<text>.*)", re.DOTALL)


class Assignment(NamedTuple):
    """``name=text``, or ``name:=json``."""

    name: str
    text: str
    is_json: bool


def text_given(text: str, environment: Environment) -> str:
    """The text that an argument stands for: itself, the file after ``@``, or standard input for ``-``.

    ``@@…`` is a literal ``@…``. Raises :class:`NotFound` when the file cannot be read.
    """
    if text == "-":
        return _without_last_newline(environment.stdin.read())
    if text.startswith("@@"):
        return text[1:]
    if text.startswith("@") and len(text) > 1:
        path = environment.cwd / text[1:]
        try:
            return _without_last_newline(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise NotFound(
                f"cannot read {path}: {reason}; a value that begins with @ is written @{text}"
            ) from error
    return text


def assignment_of(word: str) -> Assignment:
    """``views=5`` or ``views:=5`` as its parts. Raises :class:`UsageError` without a ``=``."""
    match = _ASSIGNMENT.fullmatch(word)
    if match is None or not match["name"]:
        raise UsageError(f"{printable(word)!r} is no assignment: write field=value or field:=JSON")
    return Assignment(match["name"], match["text"], bool(match["json"]))


def assignments_of(words: Sequence[str]) -> list[Assignment]:
    """Several assignments. Raises :class:`UsageError` when one name is given twice."""
    found: dict[str, Assignment] = {}
    for word in words:
        assignment = assignment_of(word)
        if assignment.name in found:
            raise UsageError(f"{printable(assignment.name)} is given twice")
        found[assignment.name] = assignment
    return list(found.values())


def typed(spec: ValueSpec, text: str, where: str, *, as_json: bool = False) -> Any:
    """The value that ``text`` means for ``spec``.

    Raises :class:`ValueRefused`: what ``where`` expects, why this is not it, and an example.
    """
    parse: Callable[[str], Any] = spec.validate_json if as_json else spec.parse_text
    return _guarded(parse, text, spec, where, cut(printable(text), 60))


def checked(spec: ValueSpec, value: Any, where: str) -> Any:
    """``value`` as ``spec`` validates it, with the same message as :func:`typed`."""
    return _guarded(spec.validate_python, value, spec, where, cut(printable(repr(value)), 60))


def refused_value(spec: ValueSpec, where: str, shown: str, reason: str) -> ValueRefused:
    """The error that says what is expected at ``where``, with an example."""
    return ValueRefused(
        f"{where} expects {spec.describe()}, not {shown!r}: {reason.rstrip('.')}; for example {spec.example()}"
    )


def index_of(text: str, where: str) -> int:
    """A list index. Raises :class:`ValueRefused`."""
    try:
        return int(text)
    except ValueError:
        raise ValueRefused(f"{where} expects an index such as 0 or -1, not {text!r}") from None


def amount_of(text: str, python_type: type, where: str) -> int | float:
    """The amount to add to a number. Raises :class:`ValueRefused`."""
    try:
        return int(text) if python_type is int else float(text)
    except ValueError:
        kind = "a whole number such as 5" if python_type is int else "a number such as 2.5"
        raise ValueRefused(f"{where} expects {kind}, not {text!r}") from None


def _guarded(
    parse: Callable[[Any], Any], value: Any, spec: ValueSpec, where: str, shown: str
) -> Any:
    from pydantic import ValidationError

    try:
        return parse(value)
    except ValidationError as error:
        raise refused_value(spec, where, shown, "; ".join(validation_lines(error))) from error
    except ValueError as error:
        raise refused_value(spec, where, shown, str(error)) from error


def _without_last_newline(text: str) -> str:
    return text.removesuffix("\n")
