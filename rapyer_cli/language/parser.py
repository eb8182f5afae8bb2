"""From words to an :class:`~rapyer_cli.language.grammar.Invocation`: a Typer application made from the verbs.

Shell and REPL parse with the same application. Only the command that is asked for is built; help pages
are written by :mod:`rapyer_cli.language.help`, errors are raised as :class:`~rapyer_cli.failures.UsageError`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from rapyer_cli.failures import UsageError
from rapyer_cli.language.grammar import (
    CONNECTION_OPTIONS,
    OUTPUT_OPTIONS,
    Argument,
    Invocation,
    Kind,
    Option,
    Verb,
    Verbs,
)

_SHIELD = "\ue000"
_LOOKS_NEGATIVE = re.compile(r"-(\d|\.\d|inf\b|Inf\b|nan\b)")


def parse(words: Sequence[str], verbs: Verbs) -> Invocation | None:
    """The invocation that ``words`` ask for; None when they hold no verb.

    Raises :class:`~rapyer_cli.failures.UsageError` for anything that does not fit the grammar.
    """
    verb, rest = find_verb(words, verbs)
    if verb is None:
        return None
    if asks_for_help(verb, rest):
        return Invocation(verb, {"help": True})
    if not rest and not any(argument.required for argument in verb.arguments):
        return Invocation(verb)
    return parse_for(verb, rest)


def find_verb(words: Sequence[str], verbs: Verbs) -> tuple[Verb | None, list[str]]:
    """The verb of a line, and the other words; options may stand before the verb."""
    takes_value = {
        flag
        for option in (*CONNECTION_OPTIONS, *OUTPUT_OPTIONS)
        if option.kind is not None
        for flag in option.flags
    }
    position = 0
    while position < len(words) and words[position].startswith("-") and len(words[position]) > 1:
        position += 2 if words[position] in takes_value else 1
    if position >= len(words):
        return None, list(words)
    verb = verbs.get(words[position])
    if verb is None:
        raise UsageError(_unknown_verb(words[position], verbs))
    return verb, [*words[:position], *words[position + 1 :]]


def asks_for_help(verb: Verb, words: Sequence[str]) -> bool:
    """Whether ``--help`` is among the options, whatever else is missing or wrong."""
    options = words[: words.index("--")] if "--" in words else words
    return "--help" in options or "-h" in options


def parse_for(verb: Verb, words: Sequence[str]) -> Invocation:
    """Parse the words after a known verb."""
    import typer
    from typer.exceptions import TyperException

    application = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    settings = {"help_option_names": ["--help", "-h"]}
    application.command(verb.name, context_settings=settings)(_callback(verb))
    command = typer.main.get_command(application)
    try:
        values = command.main(_shielded(words), prog_name=verb.name, standalone_mode=False)
    except TyperException as error:
        text = (str(error) or error.__class__.__name__).replace(_SHIELD, "").strip()
        hint = _hint(verb, text.lower())
        raise UsageError(f"{_sentence(text)}; usage: {_usage(verb)}{hint}") from error
    return Invocation(verb, values)


def _callback(verb: Verb) -> Callable[..., dict[str, Any]]:
    import typer

    parameters: list[inspect.Parameter] = []
    annotations: dict[str, Any] = {}

    def add(name: str, annotation: Any, default: Any) -> None:
        annotations[name] = annotation
        parameters.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
            )
        )

    for argument in verb.arguments:
        described = typer.Argument(help=argument.help, metavar=argument.name.upper())
        if argument.many:
            default = inspect.Parameter.empty if argument.required else None
            add(argument.name, Annotated[list[str] | None, described], default)
        elif argument.required:
            add(argument.name, Annotated[str, described], inspect.Parameter.empty)
        else:
            add(argument.name, Annotated[str | None, described], None)
    for option in verb.all_options():
        if option.name == "help":
            continue
        chosen = typer.Option(*option.flags, help=option.help)
        if option.kind is None:
            add(option.name, Annotated[bool, chosen], False)
        elif option.many:
            add(option.name, Annotated[list[str] | None, chosen], None)
        else:
            add(option.name, Annotated[str | None, chosen], None)

    def collect(**values: Any) -> dict[str, Any]:
        return _checked(verb, {name: _unshielded(value) for name, value in values.items()})

    collect.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    collect.__annotations__ = annotations
    return collect


def _checked(verb: Verb, values: dict[str, Any]) -> dict[str, Any]:
    every: tuple[Argument | Option, ...] = (*verb.arguments, *verb.all_options())
    for named in every:
        value = values.get(named.name)
        if named.choices and isinstance(value, str) and value not in named.choices:
            allowed = ", ".join(named.choices)
            raise UsageError(f"{value!r} is no {named.name} of {verb.name}: use one of {allowed}")
    return values


def _shielded(words: Sequence[str]) -> list[str]:
    # "-5" is a value here, never an option; Click would take it for one.
    shielded: list[str] = []
    literal = False
    for word in words:
        literal = literal or word == "--"
        hide = not literal and _LOOKS_NEGATIVE.match(word)
        shielded.append(_SHIELD + word if hide else word)
    return shielded


def _unshielded(value: Any) -> Any:
    if isinstance(value, str):
        return value.removeprefix(_SHIELD)
    if isinstance(value, (list, tuple)):
        return [_unshielded(item) for item in value]
    return value


def _hint(verb: Verb, problem: str) -> str:
    """What to do when a part of a value was taken for something else; mostly empty."""
    values = (Kind.VALUE, Kind.OPERAND, Kind.ASSIGNMENT, Kind.EXPRESSION)
    if not any(argument.kind in values for argument in verb.arguments):
        return ""
    if "no such option" in problem:
        return "; -- comes before values that begin with -"
    if "unexpected extra argument" in problem:
        return "; what contains blanks stands in quotes"
    return ""


def _usage(verb: Verb) -> str:
    return " ".join(part for part in (verb.name, verb.signature) if part)


def _sentence(text: str) -> str:
    missing = re.match(r"Missing parameter: (\w+)", text)
    if missing:
        return f"{missing.group(1).upper()} is missing"
    text = text.rstrip(".")
    return text[:1].lower() + text[1:]


def _unknown_verb(word: str, verbs: Verbs) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, verbs.spellings(), n=1)
    if close:
        return f"there is no verb {word!r}; did you mean {close[0]}?"
    return f"there is no verb {word!r}; 'help' lists them"
