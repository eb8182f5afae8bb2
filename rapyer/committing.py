"""Committing a batch: one part for each server, sent as one script, and its answers settled locally.

Usually there is one part. Over several servers no batch can be undone everywhere, so every server is
asked first whether its part would apply; only then is each part sent, all-or-nothing by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rapyer import connections
from rapyer.baseline import note, note_container
from rapyer.changes import QueuedOperation
from rapyer.errors import ConflictError, PipelineError, RapyerError
from rapyer.links import PLACE, Document, EchoedNode, Node, find, parent_of
from rapyer.paths import Path
from rapyer.script import ECHO_LIMIT, Answer, Primitive, Refused, check, submit

if TYPE_CHECKING:
    from rapyer.connections import Session


def session_of(document: Document) -> Session:
    """The session of the client that ``document`` uses."""
    return connections.Session.of(document.__rapyer_client__())


def echo_of(path: Path, key: str, expected: int) -> Primitive:
    """The step that answers the list or dict at ``path``, if it is small or of another length."""
    return Primitive("echo", path, (b"%d" % expected, b"%d" % ECHO_LIMIT), key=key)


def refresh_of(document: Document) -> Primitive | None:
    """The step that sets the document's full TTL again, where its model asks for that."""
    milliseconds = document.__rapyer_refresh__()
    if milliseconds is None:
        return None
    return Primitive("refresh", (), (b"%d" % milliseconds,), key=document.__rapyer_key__())


def sets_ttl(steps: Sequence[Primitive]) -> bool:
    """Whether somebody sets the TTL by hand, which no refresh may undo."""
    return any(step.code == "expire" for step in steps)


def _overwritten(operations: Sequence[tuple[int, QueuedOperation]]) -> set[int]:
    """The operations on immutable values whose place is set again later: their answers are outdated."""
    found: set[int] = set()
    fields: set[tuple[int, Any]] = set()
    places: set[tuple[str, Path]] = set()
    for index, operation in reversed(operations):
        owner, path = operation.change.owner, operation.path
        if not isinstance(owner, Node):
            place = (id(parent_of(owner)), getattr(owner, PLACE, None))
            prefixes = ((operation.key, path[:end]) for end in range(len(path) + 1))
            if place in fields or any(prefix in places for prefix in prefixes):
                found.add(index)
        if operation.change.texts is not None:
            fields.update((id(owner), name) for name in operation.change.texts)
        places.update(
            (step.key, step.path) for step in operation.steps if step.code in ("set", "save")
        )
    return found


class Part:
    """What one server gets of a batch."""

    def __init__(self, session: Session, count: int) -> None:
        self.session = session
        self.operations: list[tuple[int, QueuedOperation]] = []
        self._count = count
        self._watches: list[Primitive] = []
        self._refreshes: dict[str, Primitive | None] = {}
        self._places: dict[int, tuple[Document, Path] | None] = {}
        self._echoes: dict[int, tuple[Primitive, Any]] = {}
        self._reads: dict[int, Primitive] = {}
        self._answer = Answer(0, [])

    def keys(self) -> list[str]:
        """The documents of the part."""
        return list(dict.fromkeys(operation.key for _, operation in self.operations))

    def watch(self, step: Primitive) -> None:
        """Refuse the part when a watched document was changed."""
        self._watches.append(step)

    def add(self, index: int, operation: QueuedOperation) -> None:
        """Add an operation, the batch's ``index``-th."""
        self.operations.append((index, operation))
        owner = operation.change.owner
        if id(owner) not in self._places:
            place = self._places[id(owner)] = find(owner)
            if place is not None and isinstance(owner, EchoedNode):
                echo = echo_of(place[1], operation.key, len(owner))
                self._echoes[id(owner)] = (echo, owner)
        if sets_ttl(operation.steps):
            self._refreshes[operation.key] = None
        elif operation.key not in self._refreshes:
            self._refreshes[operation.key] = refresh_of(operation.document)

    def _steps(self) -> list[Primitive]:
        return [
            *self._watches,
            *[step for _, operation in self.operations for step in operation.steps],
            *filter(None, self._refreshes.values()),
        ]

    async def check(self) -> None:
        """Raise what :meth:`send` would raise now; nothing is changed. Sends one EVALSHA."""
        try:
            await check(self.session, self._steps())
        except Refused as refused:
            raise self._refusal(refused) from refused.error

    async def send(self) -> None:
        """Apply the part, or nothing of it. Sends one EVALSHA."""
        self._read_again()
        echoes = [echo for echo, _ in self._echoes.values()]
        try:
            self._answer = await submit(
                self.session, self._steps(), [*echoes, *self._reads.values()]
            )
        except Refused as refused:
            raise self._refusal(refused) from refused.error

    def _read_again(self) -> None:
        """What was read before it was changed is read again at the end, for the local value."""
        changed: set[str] = set()
        for index, operation in reversed(self.operations):
            place = self._places[id(operation.change.owner)]
            if operation.effect != "read":
                changed.add(operation.key)
            elif place is not None and operation.change.settle and operation.key in changed:
                read = Primitive("read", place[1], (b"lenient",), key=operation.key)
                self._reads[index] = read

    def _refusal(self, refused: Refused) -> RapyerError:
        if isinstance(refused.error, ConflictError):
            return refused.error
        position = refused.position - len(self._watches)
        for index, operation in self.operations:
            position -= len(operation.steps)
            if position < 0:
                described = operation.describe()
                return PipelineError(
                    f"nothing was applied: operation {index + 1} of {self._count} ({described}) "
                    f"was refused: {refused.error}",
                    index=index,
                    operation=described,
                )
        return PipelineError(f"nothing was applied: {refused.error}")

    def settle(self, results: list[Any]) -> None:
        """Bring the local values in line with the answers; the results go to their place in ``results``."""
        stamp, values = self._answer
        skipped = _overwritten(self.operations) | self._reads.keys()
        position = len(self._watches)
        for index, operation in self.operations:
            change = operation.change
            answers = values[position : position + len(operation.steps)]
            position += len(operation.steps)
            results[index] = change.decode(answers)
            operation.answer._outcome = (results[index],)
            place = self._places[id(change.owner)]
            if place is not None:
                if change.settle is not None and index not in skipped:
                    change.settle(answers, stamp)
                if change.effect != "read":
                    note(place[0], change, place[1])
        position += sum(refresh is not None for refresh in self._refreshes.values())
        for (_, container), text in zip(self._echoes.values(), values[position:], strict=False):
            container.__rapyer_settle__(text, stamp)
            note_container(self._places[id(container)], container, text)
        position += len(self._echoes)
        changes = {index: operation.change for index, operation in self.operations}
        for index, text in zip(self._reads, values[position:], strict=True):
            settle = changes[index].settle
            if text is not None and settle is not None:
                settle([text], stamp)


async def commit(
    operations: Sequence[QueuedOperation], watches: Sequence[tuple[Document, Primitive]]
) -> list[Any]:
    """Apply ``operations``; their results, in order. See :meth:`rapyer.batch.Batch.commit`."""
    parts: dict[Session, Part] = {}
    sessions: dict[int, Session] = {}
    for index, operation in enumerate(operations):
        session = sessions.get(id(operation.document))
        if session is None:
            session = sessions[id(operation.document)] = session_of(operation.document)
        part = parts.get(session)
        if part is None:
            part = parts[session] = Part(session, len(operations))
        part.add(index, operation)
    for document, step in watches:
        session = session_of(document)
        parts.setdefault(session, Part(session, len(operations))).watch(step)
    for part in parts.values():
        part.session.require_one_slot(part.keys())
    await _send(list(parts.values()))
    results: list[Any] = [None] * len(operations)
    for part in parts.values():
        part.settle(results)
    return results


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
