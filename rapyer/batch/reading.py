"""Reading a place with one plain command, while nothing else is under way that it could be confused with."""

from __future__ import annotations

from typing import Any

from rapyer import connections
from rapyer.batch.arrival import Arrival
from rapyer.batch.change import Change
from rapyer.errors import KeyNotFound, PathNotFound, ServerError, WrongTypeError
from rapyer.paths import Path, addressable_prefix, field_path, json_path
from rapyer.script import in_python
from rapyer.state.document import DocumentState
from rapyer.state.node import document_key


async def read_plainly(change: Change, document: Any, path: Path, state: DocumentState) -> Arrival:
    """The answer to a change that reads ``path``, from a command of its own. Sends JSON.GET.

    It has no stamp: what begins meanwhile waits for it.
    """
    unstamped = state.begin_unstamped()
    try:
        change.depart()
        text = await read_text(document, path)
    finally:
        state.end_unstamped(unstamped)
    arrival = Arrival(document, state, 0, applied=False)
    arrival.path, arrival.answers = path, [text]
    return arrival


async def read_text(document: Any, path: Path) -> bytes:
    """The stored JSON text at ``path``. Sends JSON.GET.

    Raises :class:`~rapyer.errors.KeyNotFound` for a document, :class:`~rapyer.errors.PathNotFound` for
    a place that is not there.
    """
    kind = document.__rapyer_node__
    key = document_key(document)
    reach = addressable_prefix(path)
    session = connections.Session.of(kind.client(document))
    refresh = kind.refresh(document)
    command: tuple[Any, ...] = (b"JSON.GET", key)
    if path:
        command = (b"JSON.GET", key, json_path(path[:reach]).encode())
    try:
        if refresh is None:
            reply = await session.execute(*command, write=False)
        else:
            replies = await session.execute_many([command, (b"PEXPIRE", key, refresh)], write=False)
            reply = replies[0]
            if isinstance(reply, Exception):
                raise reply
    except connections.ResponseError as error:
        if isinstance(error, ServerError):
            raise
        raise WrongTypeError(f"{key} is not a JSON document: {error}") from error
    if reply is None:
        raise KeyNotFound(f"{key} does not exist", key=key)
    if not path:
        return reply  # type: ignore[no-any-return]
    missing = PathNotFound(
        f"{key}/{field_path(path)}: there is no such place in the stored document", key=key
    )
    if reply == b"[]":
        raise missing
    text: bytes = reply[1:-1]
    if reach < len(path):
        try:
            _, text = in_python.apply("read", text, path[reach:], (b"strict",))
        except in_python.Refusal:
            raise missing from None
    return text
