"""Committing a batch: one part for each server, sent as one script, and its answers settled locally.

Usually there is one part. Over several servers no batch can be undone everywhere, so every server is
asked first whether its part would apply; only then is each part sent, all-or-nothing by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rapyer.batch.change import QueuedOperation
from rapyer.batch.part import Part, session_of
from rapyer.batch.settling import Settling
from rapyer.errors import PipelineError, RapyerError
from rapyer.script.call import Step

if TYPE_CHECKING:
    from rapyer.connections import Session


async def commit(
    operations: Sequence[QueuedOperation], watches: Sequence[tuple[Any, Step]]
) -> Settling:
    """Apply ``operations``. See :meth:`rapyer.batch.batch.Batch.commit`.

    What is returned brings the local values in line with the answers: nothing is taken back any more.
    """
    parts: dict[Session, Part] = {}
    document = part = None
    for index, operation in enumerate(operations):
        if part is None or operation.document is not document:
            document = operation.document
            session = session_of(document)
            part = parts.get(session)
            if part is None:
                part = parts[session] = Part(session, len(operations))
        part.operations.append((index, operation))
    for document, step in watches:
        session = session_of(document)
        parts.setdefault(session, Part(session, len(operations))).watch(step)
    for part in parts.values():
        if part.session.is_cluster:
            part.session.require_one_slot(part.keys())
    settling = Settling(list(parts.values()))
    try:
        await _send(list(parts.values()))
    except BaseException as error:
        settling.fail(error)
        raise
    return settling


async def _send(parts: Sequence[Part]) -> None:
    if len(parts) > 1:
        for part in parts:
            await part.check()
    for number, part in enumerate(parts):
        try:
            await part.send()
        except RapyerError as error:
            if number == 0:
                raise
            applied = ", ".join(key for earlier in parts[:number] for key in earlier.keys())  # noqa: SIM118 - not a dict
            raise PipelineError(
                f"applied on {number} of {len(parts)} servers only (to {applied}), then: {error}"
            ) from error
