"""Lines of text (of the REPL, of a ``run`` file) as invocations, by the same parser as the shell's words."""

from __future__ import annotations

from collections.abc import Sequence

from rapyer_cli.failures import UsageError
from rapyer_cli.language.grammar import Invocation, Kind, Verb, Verbs
from rapyer_cli.language.parser import parse
from rapyer_cli.language.quoting import Word, scan, split


def lines_of(text: str) -> list[str]:
    """The lines of ``text``. LF or CRLF ends one, and nothing else: no other separator begins a command."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def commands_in(text: str) -> list[str]:
    """The commands of ``text``: its lines, but for those that a quote which was left open goes on over."""
    commands: list[str] = []
    for line in lines_of(text):
        if commands and is_open(commands[-1]):
            commands[-1] += "\n" + line
        else:
            commands.append(line)
    return commands


def is_open(line: str) -> bool:
    """Whether a quote is open at the end of ``line``."""
    words = scan(line)
    return bool(words) and bool(words[-1].open)


def invocation_of(line: str, verbs: Verbs) -> Invocation | None:
    """The invocation that a line asks for; None for an empty line or a comment."""
    words = split(line)
    if not words:
        return None
    verb = next((verbs.get(word.text) for word in words if not word.text.startswith("-")), None)
    texts = [word.text for word in words]
    if verb is not None and any(a.kind is Kind.EXPRESSION for a in verb.arguments):
        texts = _with_one_expression(words, verb)
    invocation = parse(texts, verbs)
    if invocation is None:
        raise UsageError(f"{texts[0]!r} without a verb; 'help' lists the verbs")
    return invocation


def _with_one_expression(words: Sequence[Word], verb: Verb) -> list[str]:
    """The words with those of the expression as one, quotes kept: nobody has to quote it as a whole."""
    position = next(i for i, a in enumerate(verb.arguments) if a.kind is Kind.EXPRESSION) + 1
    takes_value = {f for o in verb.all_options() if o.kind is not None for f in o.flags}
    options: list[str] = []
    positional: list[Word] = []
    pending = False
    for word in words:
        if pending:
            options.append(word.text)
            pending = False
        elif (
            word.source.startswith("-")
            and not word.source.lstrip("-")[:1].isdigit()
            and len(word.source) > 1
        ):
            options.append(word.text)
            pending = word.text in takes_value
        else:
            positional.append(word)
    head = [word.text for word in positional[:position]]
    rest = positional[position:]
    if len(rest) == 1 and rest[0].source[0] == rest[0].source[-1] and rest[0].source[0] in "'\"":
        return [*head, rest[0].text, *options]
    return [*head, *([" ".join(word.source for word in rest)] if rest else []), *options]
