"""Reading lists and dicts again whose digest is not that of the local ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rapyer import connections
from rapyer.batch.arrival import Arrival, Stale, adopt_text, merge_text, tell
from rapyer.batch.fate import lose
from rapyer.paths import Path
from rapyer.script.call import Primitive, Step, submit
from rapyer.state.document import DocumentState, based
from rapyer.state.node import document_key, find


async def read_again(document: Any, state: DocumentState, stale: Sequence[Stale]) -> None:
    """Let lists and dicts be what the server has. Sends EVALSHA (JSON.GET).

    A list with unsaved edits stays as it is, a dict keeps the entries that were edited.
    """
    key = document_key(document)
    found = [(one, place[1]) for one in stale if (place := find(one.owner)) is not None]
    if not found:
        return
    reads: list[Step] = [(key, Primitive("read", path, (b"lenient",))) for _, path in found]
    try:
        session = connections.Session.of(document.__rapyer_node__.client(document))
        stamp, texts = await submit(session, reads)
    except BaseException as error:
        lose(state, [path for _, path in found])
        if isinstance(error, Exception):
            return  # what was asked for is done; the next operation says what is wrong
        raise
    with based(state):
        for (one, path), text in zip(found, texts, strict=True):
            _take_over(document, state, stamp, one, path, text)


async def read_places(document: Any, state: DocumentState, places: Sequence[Path]) -> None:
    """Let what stands at ``places`` below all open blocks be what the server has. Sends EVALSHA (JSON.GET)."""
    key = document_key(document)
    reads: list[Step] = [(key, Primitive("read", path, (b"lenient",))) for path in places]
    session = connections.Session.of(document.__rapyer_node__.client(document))
    _, texts = await submit(session, reads)
    with based(state):
        for path, text in zip(places, texts, strict=True):
            if text is not None:
                tell(document, state, path, text)


def _take_over(
    document: Any,
    state: DocumentState,
    stamp: int,
    stale: Stale,
    path: Path,
    text: Any,
) -> None:
    owner = stale.owner
    if text is None or find(owner) != (document, path):
        lose(state, [path])
        return
    arrival = Arrival(document, state, stamp, applied=True)
    arrival.path = path
    if stale.was is None:
        text = adopt_text(owner, owner.__rapyer_node__.spec_of(owner), text)
    elif isinstance(owner, dict):
        text = merge_text(owner, stale.was, text, stale.keys)
    arrival.say((), text)
