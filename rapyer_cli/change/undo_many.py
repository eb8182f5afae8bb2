"""Taking back a change of many documents: those that nobody changed since, each by itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from rapyer_cli.change.resuming import settle
from rapyer_cli.failures import NotFound
from rapyer_cli.render.differences import MISSING
from rapyer_cli.session.delta import before_of, digest_of
from rapyer_cli.session.plan_many import ManyPlan, Rewrite, Unfit
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer_cli.session.plan import Done

_CHUNK = 200


def plan_undo_of_many(session: Session, done: Done) -> ManyPlan:
    """The plan that takes back the documents of an entry which are still as it left them."""
    number = done.number

    async def documents() -> AsyncIterator[Rewrite | Unfit]:
        entry = next((e for e in session.journal.entries() if e["entry"] == number), None)
        if entry is None or not any(True for _ in session.journal.steps(entry)):
            raise NotFound(f"entry {number} is no longer in the journal")
        await settle(session, entry)
        left: set[str] = set()
        for step in session.journal.steps(entry):
            left.update(step.get("not", ()))
        for step in session.journal.steps(entry):
            kept = step.get("documents", ())
            for start in range(0, len(kept), _CHUNK):
                async for found in _back(session, kept[start : start + _CHUNK], left):
                    yield found

    verb = f"undo of {done.verb}"
    return ManyPlan(verb, f"undo {number}", "write", "", documents, undoes=done)


async def _back(
    session: Session, kept: list[Any], left: set[str]
) -> AsyncIterator[Rewrite | Unfit]:
    from rapyer_cli.reading.many import texts_of

    keys = [document[0] for document in kept]
    texts = dict([pair async for pair in texts_of(await session.client(), keys)])
    for key, change, digest, ttl in kept:
        text = texts.get(key, b"")
        now = json.loads(text) if text else MISSING
        if digest_of(now) == digest:
            yield Rewrite(key, now, before_of(change, now), text, ttl)
        elif key in left:
            continue
        else:
            yield Unfit(key, f"{key} was changed since", bad=False)
