"""``python``: a Python prompt with the models, on the connection in force, with ``await`` at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer_cli.exits import Exit
from rapyer_cli.language.grammar import Invocation, Verb
from rapyer_cli.render.shapes import Ended

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session


async def python(session: Session, invocation: Invocation) -> Ended:
    """Read and run Python until its end; a read-only connection refuses what may write."""
    from contextlib import nullcontext

    import rapyer
    from rapyer_cli.repl.python_prompt import run_python

    names: dict[str, Any] = {model.__name__: model for model in session.models}
    names |= {"rapyer": rapyer, "client": await session.client()}
    reason = session.read_only_reason
    note = f"read-only: {reason}" if reason else "changes made here are not journalled"
    session.environment.note(
        f"rapyer: {', '.join(names)} are here, and 'await' works; {note}. Ctrl-D leaves."
    )
    with nullcontext() if reason else session.guard.writing():
        failed = await run_python(session.environment, names)
    return Ended(None, Exit.FAILED if failed else Exit.DONE)


VERBS = (
    Verb(
        "python",
        "open a Python prompt with the models, and await",
        "session",
        python,
        examples=("python", "python --profile live", "python < script.py"),
        details=(
            "The models talk to the server in force, whatever they configured themselves. Where changes are refused "
            "(--read-only, a profile that is read-only or prod), they are refused here too. Changes are neither shown "
            "before nor journalled. Without a terminal, standard input is run as a script; an exception ends it with 1."
        ),
    ),
)
