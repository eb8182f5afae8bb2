"""Storing many documents whose texts are known, each for itself: sent in chunks, journalled as one change of the line.

For ``import``. What is replaced is read just before it is, and kept in the journal, so that the whole can be undone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rapyer_cli.render.differences import MISSING
from rapyer_cli.session.delta import delta, digest_of
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer.connections import Command
    from rapyer_cli.session.journal import Record

_STORES = "JSON.SET"


async def send_many(session: Session, verb: str, commands: Sequence[Command]) -> list[Any]:
    """Send commands in one write, each for itself, and journal them; error replies are in their place.

    Only for bulk verbs whose documents do not depend on each other. ``JSON.SET`` of whole documents is what can be
    undone; other commands go with them.
    """
    from rapyer_cli.reading.commands import send_all

    if not commands:
        return []
    record = _record(session, verb)
    stored = [command for command in commands if command[0] == _STORES]
    keys = [_text(command[1]) for command in stored]
    if record is not None and stored:
        record.step({"documents": await _documents(session, stored, keys)})
    with session.guard.writing():
        replies = await send_all(await session.client(), commands)
    if record is not None and stored:
        sent = [
            reply for command, reply in zip(commands, replies, strict=True) if command[0] == _STORES
        ]
        refused = [
            key
            for key, reply in zip(keys, sent, strict=True)
            if reply is None or isinstance(reply, Exception)
        ]
        record.step({"not": refused})
        session.stored[verb] = session.stored.get(verb, 0) + len(keys) - len(refused)
    return replies


def end_records(session: Session, outcome: str) -> None:
    """Write how the changes of this line ended, once it is over."""
    for verb, record in session.records.items():
        number = session.stored.get(verb, 0)
        if record is not None:
            record.end(outcome, documents=number, changes=[f"{verb} of {number:,} documents"])
    session.records.clear()
    session.stored.clear()


def _record(session: Session, verb: str) -> Record | None:
    from rapyer_cli.change.describing import redacted

    if verb not in session.records:
        header = {"server": redacted(session), "verb": verb, "many": True, "changes": [verb]}
        session.records[verb] = session.journal.begin(header)
    return session.records[verb]


async def _documents(session: Session, stored: Sequence[Command], keys: list[str]) -> list[Any]:
    """Key, what leads back, digest and time to live of each document that is about to be stored."""
    from rapyer_cli.reading.many import texts_of, ttls_of

    client = await session.client()
    replaced = [key for key, command in zip(keys, stored, strict=True) if command[-1] != "NX"]
    before = dict([pair async for pair in texts_of(client, replaced)])
    ttls = await ttls_of(client, replaced)
    found = []
    for key, command in zip(keys, stored, strict=True):
        after = json.loads(_text(command[3]))
        was = json.loads(before[key]) if key in before else MISSING
        found.append([key, delta(was, after), digest_of(after), ttls.get(key)])
    return found


def _text(word: bytes | str | int) -> str:
    """A word of a command as text."""
    return word.decode("utf-8", "surrogateescape") if isinstance(word, bytes) else str(word)
