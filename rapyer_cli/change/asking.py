"""Asking before something is destroyed, or many documents are changed."""

from __future__ import annotations

from rapyer_cli.failures import Refused
from rapyer_cli.language.grammar import Invocation
from rapyer_cli.session.session import Session


def askable(session: Session, what: str) -> None:
    """Raise :class:`Refused` where nobody can be asked."""
    if session.ask is None and not session.environment.interactive:
        raise Refused(f"{what}: this needs --yes where nobody can be asked; nothing was sent")


async def ask_before(session: Session, invocation: Invocation, question: str) -> None:
    """Ask, unless ``--yes`` was given. Raises :class:`Refused` when the answer is no or nobody can be asked."""
    if invocation.flag("yes"):
        return
    environment = session.environment
    askable(session, question.rstrip("?"))
    ask = session.ask or environment.ask
    answer = await ask(f"{question} [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise Refused("not confirmed; nothing was sent")
