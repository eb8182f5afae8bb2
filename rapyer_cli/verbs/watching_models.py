"""``watch MODEL [where EXPR]``: every document that is created, changed or deleted, as it happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer_cli.failures import UsageError, one_line
from rapyer_cli.language.addresses import Address, escape_key
from rapyer_cli.language.conditions import condition_of
from rapyer_cli.language.grammar import Invocation
from rapyer_cli.render.differences import MISSING, differences
from rapyer_cli.render.plain import difference_record
from rapyer_cli.render.shapes import Changed, ChangedDocument, Column, Table
from rapyer_cli.verbs.look import number_of

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session


class Seen(NamedTuple):
    """One change: the JSON before and after, ``MISSING`` where there was none; ``note`` says what is odd about it."""

    key: str
    kind: str
    before: Any
    after: Any
    note: str = ""


async def watch_model(
    session: Session, invocation: Invocation, address: Address, words: Sequence[str], seconds: float
) -> None:
    """Show changes until interrupted, or until ``--count`` came."""
    from rapyer_cli.render import chosen_form, render
    from rapyer_cli.session.resolve import require_known

    if not address.is_model:
        raise UsageError("watch … where takes a model, such as BlogPost")
    text = condition_of(words, "watch MODEL where EXPRESSION") if words else None
    await require_known(session, address.name)
    most = number_of(invocation, "count", 0)
    form = invocation.text("output")
    people = chosen_form(form, session.environment) in ("rich", "table", "tree")
    ready = asyncio.Event()
    source = _changes(session, address.name, text, seconds, ready)
    announcing = asyncio.create_task(_announce(session, address.name, ready))
    number = 0
    try:
        async with aclosing(source) as changes:
            async for seen in changes:
                shape = _for_people(seen) if people else _record(seen, address.name)
                if seen.note:
                    session.environment.note(f"rapyer: {seen.note}")
                await render(shape, session.environment, form)
                number += 1
                if number == most:
                    return
    finally:
        announcing.cancel()


async def _announce(session: Session, name: str, ready: asyncio.Event) -> None:
    await ready.wait()
    session.environment.note(f"rapyer: watching {name}; Ctrl-C ends it")


def _for_people(seen: Seen) -> Changed:
    found = tuple(differences(seen.before, seen.after))
    return Changed((ChangedDocument(f"{seen.key}  {seen.kind}", found),), state="seen")


def _record(seen: Seen, name: str) -> Table:
    row = {
        "key": escape_key(seen.key, name),
        "kind": seen.kind,
        "changes": [difference_record(one) for one in differences(seen.before, seen.after)]
        if seen.kind == "changed"
        else [],
        "document": None if seen.after is MISSING else seen.after,
    }
    return Table(tuple(Column(field, field) for field in row), [row], raw="key")


async def _changes(
    session: Session, name: str, text: str | None, seconds: float, ready: asyncio.Event
) -> AsyncGenerator[Seen, None]:
    from rapyer_cli.reading.matching import condition_from

    model = session.models.named(name)
    condition = condition_from(model, text)
    if model is None:
        async with aclosing(_untyped(session, name, condition, seconds, ready)) as found:
            async for seen in found:
                yield seen
        return
    conditions = () if condition is None else (condition,)
    source = model.changes(*conditions, interval=seconds, ready=ready)
    async with aclosing(source) as changes:
        async for change in changes:
            before = change.before if change.kind != "created" else MISSING
            note = "" if change.error is None else one_line(str(change.error))
            if not change.before_is_known:
                before = change.after
                note = f"{change.key}: what it was before was too much to be kept"
            after = MISSING if change.kind == "deleted" else change.after
            kind: str = change.kind
            if kind == "changed" and not change.matches and change.error is None:
                kind = "matches no longer"
            yield Seen(change.key, kind, before, after, note)


async def _untyped(
    session: Session, name: str, condition: Any, seconds: float, ready: asyncio.Event
) -> AsyncGenerator[Seen, None]:
    from rapyer.keyspace.changes import Keys, text_changes
    from rapyer_cli.reading.many import key_batches

    client = await session.client()

    async def scan() -> AsyncGenerator[list[str], None]:
        async for keys in key_batches(client, name):
            yield keys

    keys = Keys(f"{name}:", scan, list)
    source = text_changes(client, keys, interval=seconds, notifications=None, ready=ready)
    async with aclosing(source) as changes:
        async for change in changes:
            before, after = _json(change.before), _json(change.after)
            did, does = (
                one is not MISSING and (condition is None or condition.matches(one))
                for one in (before, after)
            )
            if not (did or does):
                continue
            kind = "changed" if does else "matches no longer"
            if change.after is None:
                kind = "deleted"
            elif change.before is None:
                kind = "created" if change.was_kept else "changed"
                before = before if change.was_kept else after
            yield Seen(change.key, kind, before, after)


def _json(text: bytes | None) -> Any:
    return MISSING if text is None else json.loads(text)
