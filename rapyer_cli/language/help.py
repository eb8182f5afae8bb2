"""Help pages: the overview and one page per verb, written from the declarations in ``grammar``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from rapyer_cli.exits import Exit
from rapyer_cli.language.grammar import (
    CHANGE_OPTIONS,
    CONNECTION_OPTIONS,
    OUTPUT_OPTIONS,
    Group,
    Option,
    Verb,
    Verbs,
)

_GROUPS: tuple[tuple[Group, str], ...] = (
    ("look", "Look"),
    ("change", "Change"),
    ("operation", "Typed operations (change one field atomically)"),
    ("many", "Many documents"),
    ("session", "Session"),
    ("repl", "In the REPL only"),
)
_USUAL_EXITS = (Exit.DONE, Exit.FAILED, Exit.USAGE, Exit.CONNECTION, Exit.INTERRUPTED)


_AT_THE_PROMPT = [
    ("LINE | COMMAND", "give what a pipe would get to a command of your shell"),
    (
        "LINE > FILE, >> FILE",
        "write or append it to a file; after a condition only >>, as > compares",
    ),
    ("!COMMAND", "run a command of your shell"),
    ("_", "what the last line gave: as the first argument its document, else its value"),
    ("clear", "alone: clear the screen"),
    ("F1", "the keys"),
]


def overview(verbs: Verbs, width: int, *, repl: bool = False) -> str:
    """The page of ``rapyer --help``, or of ``help`` in the REPL."""
    lines: list[str] = []
    if not repl:
        lines += ["rapyer: a typed shell for Pydantic models in Redis", ""]
    lines += [
        "  VERB TARGET [ARGUMENTS] [--options]"
        if repl
        else "Usage: rapyer VERB TARGET [ARGUMENTS] [--options]"
    ]
    lines += [
        "",
        "A TARGET is a model (BlogPost), a document (BlogPost:42) or a place inside one",
        "(BlogPost:42/settings/theme, BlogPost:42/tags/0, /-1 for the last item).",
    ]
    for group, title in _GROUPS:
        members = [verb for verb in verbs if verb.group == group]
        if not members or (group == "repl" and not repl):
            continue
        lines += ["", f"{title}:"]
        lines += _columns([(verb.name, verb.help) for verb in members], width)
    lines += ["", "Options:" if repl else "Options of every verb:"]
    lines += _options((CHANGE_OPTIONS if repl else CONNECTION_OPTIONS) + OUTPUT_OPTIONS, width)
    prefix = "" if repl else "rapyer "
    lines += ["", "Examples:"]
    lines += [
        f"  {prefix}ls BlogPost",
        f"  {prefix}get BlogPost:42",
        f"  {prefix}increase BlogPost:42/views 5",
    ]
    if repl:
        lines += ["", "At the prompt:"]
        lines += _columns(_AT_THE_PROMPT, width)
    else:
        lines += ["", "Exit codes:"]
        lines += _columns([(str(int(code)), code.meaning) for code in Exit], width)
    lines += [
        "",
        "help VERB shows the page of one verb."
        if repl
        else "'rapyer VERB --help' shows the page of one verb.",
    ]
    return "\n".join(lines) + "\n"


def page(verb: Verb, width: int, *, repl: bool = False) -> str:
    """The page of one verb: usage, arguments, options, examples, exit codes."""
    prefix = "" if repl else "rapyer "
    lines = [f"Usage: {prefix}{verb.name} {verb.signature}".rstrip() + " [--options]", ""]
    lines += textwrap.wrap(verb.help[:1].upper() + verb.help[1:] + ".", width)
    if verb.details:
        lines.append("")
        for paragraph in verb.details.split("\n"):
            lines += textwrap.wrap(paragraph, width) or [""]
    if verb.aliases:
        lines += ["", f"Also spelled: {', '.join(verb.aliases)}"]
    if verb.arguments:
        lines += ["", "Arguments:"]
        lines += _columns(
            [(a.name.upper(), a.help + _choices(a.choices)) for a in verb.arguments], width
        )
    own = verb.options
    if own:
        lines += ["", "Options:"]
        lines += _options(own, width)
    elsewhere = (*own, *(CONNECTION_OPTIONS if repl else ()))
    shared = [option for option in verb.all_options() if option not in elsewhere]
    if shared:
        lines += ["", "Options of every such verb:" if own else "Options:"]
        lines += _options(shared, width)
    lines += ["", "Examples:"]
    lines += [f"  {prefix}{example}" for example in verb.examples]
    if verb.in_shell:
        lines += ["", "Exit codes:"]
        codes = sorted({*_USUAL_EXITS, *verb.exits})
        lines += _columns([(str(int(code)), code.meaning) for code in codes], width)
    return "\n".join(lines) + "\n"


def _options(options: Iterable[Option], width: int) -> list[str]:
    rows = []
    for option in options:
        flags = ", ".join(sorted(option.flags, key=len))
        if option.kind is not None:
            flags += f" {option.metavar or option.name.upper()}"
        rows.append((flags, option.help + _choices(option.choices)))
    return _columns(rows, width)


def _choices(choices: Sequence[str]) -> str:
    return f" ({', '.join(choices)})" if choices else ""


def _columns(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    left = min(max((len(name) for name, _ in rows), default=0), 26)
    lines = []
    for name, text in rows:
        wrapped = textwrap.wrap(text, max(width - left - 4, 20)) or [""]
        if len(name) > left:
            lines.append(f"  {name}")
            name = ""
        lines.append(f"  {name:<{left}}  {wrapped[0]}".rstrip())
        lines += [" " * (left + 4) + line for line in wrapped[1:]]
    return lines
