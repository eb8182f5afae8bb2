"""``ttl``: how long a document has to live, and setting it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import CliError, UsageError, ValueRefused
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Verb
from rapyer_cli.render.shapes import Shown
from rapyer_cli.render.text import lifetime_in_words
from rapyer_cli.verbs.arguments import CHANGE_EXITS

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session


async def ttl(session: Session, invocation: Invocation) -> Any:
    """Show the seconds a document has to live, or plan to set them."""
    from rapyer.errors import KeyNotFound
    from rapyer.keyspace.spelling import as_sent
    from rapyer_cli.reading.commands import ask
    from rapyer_cli.session.resolve import key_at

    target = invocation.text("target")
    address = session.certain_address(target) or session.address(target)
    if address.pointer:
        raise UsageError(
            f"only documents have a time to live; {address.pointer[-1]!r} is inside one"
        )
    key = await key_at(session, address)
    seconds = invocation.text("seconds")
    if seconds is not None:
        return await _plan(session, invocation, seconds)
    milliseconds = await ask(await session.client(), "PTTL", as_sent(key))
    if milliseconds == -2:
        raise KeyNotFound(f"{key} does not exist", key=key)
    left = None if milliseconds < 0 else milliseconds / 1000
    return Shown(str(address), left, note="lives for ever" if left is None else "seconds left")


async def _plan(session: Session, invocation: Invocation, text: str) -> Any:
    from rapyer_cli.change.execute import batch_for, refuse_if_read_only
    from rapyer_cli.reading.many import ttls_of
    from rapyer_cli.session.plan import Lifetime, Plan
    from rapyer_cli.session.resolve import place_at

    if not invocation.flag("dry_run"):
        refuse_if_read_only(session)
    seconds = _seconds(text)
    place = await place_at(session, invocation.text("target"))
    document: Any = place.document
    if not hasattr(document, "set_ttl"):
        raise CliError(f"{place.target} has no time to live")
    batch = batch_for(session, invocation)
    with batch.collecting():
        await document.set_ttl(seconds)
    key = str(document.key)
    before = (await ttls_of(await session.client(), [key]))[key]
    note = f"{place.target}: lives {lifetime_in_words(before)} → {lifetime_in_words(seconds)}"
    return Plan("ttl", "write", batch, [], notes=(note,), lifetime=Lifetime(key, before, seconds))


def _seconds(text: str) -> float | None:
    if text in ("never", "none", "-1"):
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e10:
        raise ValueRefused(f"a time to live is seconds greater than 0, or 'never', not {text!r}")
    return seconds


VERBS = (
    Verb(
        "ttl",
        "show or set how many seconds a document has to live",
        "look",
        ttl,
        arguments=(
            Argument("target", Kind.TARGET, "a document"),
            Argument("seconds", Kind.NUMBER, "seconds from now, or 'never'", required=False),
        ),
        examples=("ttl BlogPost:42", "ttl BlogPost:42 3600", "ttl BlogPost:42 never"),
        exits=CHANGE_EXITS,
        effect="write",
        only_looks=lambda invocation: invocation.text("seconds") is None,
    ),
)
