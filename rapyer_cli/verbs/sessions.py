"""``repl``: opening a sitting. (``server config doctor completion`` have files of their own.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapyer_cli.exits import Exit
from rapyer_cli.language.grammar import Invocation, Verb
from rapyer_cli.render.shapes import Ended


async def repl(session: Session, invocation: Invocation) -> Ended:
    """Open the REPL."""
    from rapyer_cli.repl.loop import run_repl

    return Ended(None, Exit(await run_repl(session)))


VERBS = (
    Verb(
        "repl",
        "open the interactive shell",
        "session",
        repl,
        examples=("repl", "repl --profile live --read-only", "repl -m examples/blog.py"),
        exits=(Exit.MODELS,),
        connects=False,
    ),
)

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session
