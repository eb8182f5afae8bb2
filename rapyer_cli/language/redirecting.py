"""Where the output of a line of the REPL goes: ``| command``, ``> file``, ``>> file``. Pure.

Only words that stand alone and unquoted mean that. A verb that takes a condition keeps its ``>``, which compares:
nothing that was typed as a condition is ever written to a file called ``10``.
"""

from __future__ import annotations

from typing import NamedTuple

from rapyer_cli.failures import UsageError
from rapyer_cli.language.grammar import Kind, Verbs
from rapyer_cli.language.quoting import Word, quoted, scan


class Typed(NamedTuple):
    """The verb's own part of a line, and the shell command or the file that its output is for."""

    line: str
    command: str = ""
    file: str = ""
    append: bool = False


def parted(line: str, verbs: Verbs) -> Typed:
    """``line`` as the part of its verb, and where its output goes. Raises :class:`UsageError` for half of that."""
    words = scan(line)
    for word in words:
        if word.source == "|":
            command = line[word.end :].strip()
            if not command:
                raise UsageError("a command has to follow '|'; '|' in quotes is a word like others")
            return Typed(line[: word.start], command=command)
    signs = (">>",) if _takes_condition(words, verbs) else (">", ">>")
    for position, word in enumerate(words):
        if word.source in signs:
            file = words[position + 1 :]
            if len(file) != 1:
                raise UsageError(
                    f"one file has to follow {word.source!r}, and nothing else; in quotes it is a word like others"
                )
            return Typed(line[: word.start], file=file[0].text, append=word.source == ">>")
    return Typed(line)


def _takes_condition(words: list[Word], verbs: Verbs) -> bool:
    name = next((word.text for word in words if not word.text.startswith("-")), "")
    verb = verbs.get(name)
    if any(word.source == "where" for word in words):
        return True  # update MODEL where …
    return verb is not None and any(a.kind is Kind.EXPRESSION for a in verb.arguments)


def with_last(line: str, target: str | None, value: str | None) -> str:
    """``line`` with the last result in place of each bare ``_``: as the first argument a target, else a value.

    Raises :class:`UsageError` where the last line gave none.
    """
    words = scan(line)
    plain = [word for word in words if not word.source.startswith("-")]
    found = [word for word in plain[1:] if word.source == "_"]
    for word in reversed(found):
        is_target = word is plain[1]
        text = target if is_target else value
        if text is None:
            what = "one document" if is_target else "a value"
            raise UsageError(f"'_' is what the last line gave, and that was not {what}")
        line = line[: word.start] + quoted(text) + line[word.end :]
    return line
