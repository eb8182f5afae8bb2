"""``completion``: the script for a shell. And what that script calls, which no help page lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rapyer_cli.environment import Environment
from rapyer_cli.exits import Exit
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Verb
from rapyer_cli.render.shapes import Lines

_SHELLS = ("bash", "zsh", "fish")


async def completion(session: Session, invocation: Invocation) -> Lines:
    """Write the completion script of a shell."""
    from rapyer_cli.completion.shell import SCRIPTS

    return Lines(tuple(SCRIPTS[invocation.text("shell") or "bash"].rstrip("\n").split("\n")))


async def complete(words: Sequence[str], environment: Environment) -> int:
    """``rapyer __complete SHELL WORDS… -- PARTIAL``: one candidate a line, for fish with its meaning."""
    from rapyer_cli.completion.shell import candidates
    from rapyer_cli.verbs import all_verbs

    shell, *line = words
    position = len(line) - 1 - line[::-1].index("--") if "--" in line else len(line)
    partial = line[position + 1] if position + 1 < len(line) else ""
    found = await candidates(line[:position], partial, all_verbs(), environment)
    for text, meaning, _ in found:
        environment.stdout.write(
            f"{text}\t{meaning}\n" if shell == "fish" and meaning else f"{text}\n"
        )
    return Exit.DONE


VERBS = (
    Verb(
        "completion",
        "write the completion script for bash, zsh or fish",
        "session",
        completion,
        arguments=(Argument("shell", Kind.WORD, "the shell", choices=_SHELLS),),
        examples=(
            'eval "$(rapyer completion bash)"',
            "completion fish > ~/.config/fish/completions/rapyer.fish",
        ),
        connects=False,
    ),
)

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session
