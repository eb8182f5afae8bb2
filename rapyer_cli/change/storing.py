"""Storing many documents whose texts are known, each for itself: sent in chunks, journalled as one change of the line.

For ``import``. What is replaced is read just before it is, and kept in the journal, so that the whole can be undone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer.errors import InvalidValueError, KeyExistsError
from rapyer.keyspace.spelling import as_sent
from rapyer.script.lua import read_script
from rapyer_cli.render.differences import MISSING
from rapyer_cli.session.delta import delta, digest_of
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer.connections import Command
    from rapyer_cli.session.journal import Record


class Stored(NamedTuple):
    """A document that is to be stored: its text, its time to live in seconds, whether it may be there already."""

    key: str
    text: bytes
    ttl: float | None
    replace: bool

    @property
    def milliseconds(self) -> bytes:
        """Its time to live, empty where it has none."""
        return b"" if self.ttl is None else b"%d" % max(round(self.ttl * 1000), 1)

    def command(self) -> Command | None:
        """What stores it with its expiry in one step; None where the server would misread one of its numbers.

        Raises :class:`~rapyer.errors.InvalidValueError` for a number that it cannot hold.
        """
        from rapyer.schema.numbers import as_read_exactly, is_fragile

        key, text = as_sent(self.key), self.text
        if is_fragile(text):
            text, misread = as_read_exactly(text)
            if misread:
                return None
        if self.ttl is None and not self.replace:
            return ("JSON.SET", key, "$", text, "NX")
        mode = b"" if self.replace else b"NX"
        return ("EVAL", read_script("store").source, 1, key, text, self.milliseconds, mode)


async def store_many(session: Session, verb: str, documents: Sequence[Stored]) -> list[Any]:
    """Store documents, each for itself, and journal them; the replies: nothing for what was there already.

    Error replies are in their place. Sends JSON.SET, or EVAL (JSON.SET, PEXPIRE) where there is an expiry; an
    EVALSHA for each document with a number that the server would misread.
    """
    if not documents:
        return []
    record = _record(session, verb)
    if record is not None:
        record.step({"documents": await _documents(session, documents)})
    with session.guard.writing():
        replies = await _send(await session.client(), documents)
    if record is not None:
        refused = [
            document.key
            for document, reply in zip(documents, replies, strict=True)
            if reply is None or isinstance(reply, Exception)
        ]
        record.step({"not": refused})
        session.stored[verb] = session.stored.get(verb, 0) + len(documents) - len(refused)
    return replies


async def _send(client: Any, documents: Sequence[Stored]) -> list[Any]:
    from rapyer_cli.reading.commands import send_all

    replies: list[Any] = [None] * len(documents)
    plain: dict[int, Command] = {}
    careful: list[int] = []
    for at, document in enumerate(documents):
        try:
            command = document.command()
        except InvalidValueError as error:
            replies[at] = error
            continue
        if command is None:
            careful.append(at)
        else:
            plain[at] = command
    for at, reply in zip(plain, await send_all(client, list(plain.values())), strict=True):
        replies[at] = reply
    for at in careful:
        replies[at] = await _send_carefully(client, documents[at])
    return replies


async def _send_carefully(client: Any, document: Stored) -> Any:
    """Store a document whose numbers only the script can put right."""
    from rapyer.connections import Session
    from rapyer.script.call import Primitive, submit
    from rapyer.script.steps import Refused

    mode = b"" if document.replace else b"nx"
    step = Primitive("save", (), (document.text, mode, document.milliseconds))
    try:
        await submit(Session.of(client), [(document.key, step)])
    except Refused as refused:
        return None if isinstance(refused.error, KeyExistsError) else refused.error
    return b"OK"


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


async def _documents(session: Session, stored: Sequence[Stored]) -> list[Any]:
    """Key, what leads back, digest and time to live of each document that is about to be stored."""
    from rapyer_cli.reading.many import texts_of, ttls_of

    client = await session.client()
    replaced = [document.key for document in stored if document.replace]
    before = dict([pair async for pair in texts_of(client, replaced)])
    ttls = await ttls_of(client, replaced)
    found = []
    for document in stored:
        key, after = document.key, json.loads(document.text)
        was = json.loads(before[key]) if key in before else MISSING
        found.append([key, delta(was, after), digest_of(after), ttls.get(key)])
    return found
