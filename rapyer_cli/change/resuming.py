"""Changes of many documents that were interrupted: finding the one that a line goes on with, and what of it was done."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from rapyer_cli.change.describing import redacted
from rapyer_cli.render.differences import MISSING
from rapyer_cli.session.delta import digest_of
from rapyer_cli.session.journal import Entry
from rapyer_cli.session.plan_many import ManyPlan
from rapyer_cli.session.session import Session


def interrupted_before(session: Session, plan: ManyPlan) -> Entry | None:
    """The entry of the same change that was interrupted last, unless it was finished or taken back since."""
    here = redacted(session)
    entries = session.journal.entries()
    taken_back = {entry.get("undoes") for entry in entries if "undoes" in entry}
    for entry in reversed(entries):
        if entry.get("line") != plan.line or entry.get("server") != here or not entry.get("many"):
            continue
        if entry.get("outcome") == "done" or entry["entry"] in taken_back:
            return None
        return None if "outcome" not in entry and _runs(entry.get("pid")) else entry
    return None


async def settle(session: Session, entry: Entry) -> None:
    """Find out which documents of the last step were changed, where the process did not live to say it.

    Sends JSON.GETs, and writes it into the journal.
    """
    from rapyer_cli.reading.many import texts_of

    last: list[Any] | None = None
    for step in session.journal.steps(entry):
        if "documents" in step:
            last = step["documents"]
        elif "not" in step:
            last = None
    if last is None:
        return
    client = await session.client()
    texts = dict([pair async for pair in texts_of(client, [document[0] for document in last])])
    not_done = [
        key
        for key, _, digest, *_ in last
        if digest_of(json.loads(texts[key]) if key in texts else MISSING) != digest
    ]
    session.journal.resume(entry).step({"not": not_done})


def _runs(pid: Any) -> bool:
    if not isinstance(pid, int) or pid == os.getpid() or sys.platform == "win32":
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
