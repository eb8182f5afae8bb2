"""Committing a batch: one part for each server, sent as one script, and its answers settled locally.

Usually there is one part. Over several servers no batch can be undone everywhere, so every server is
asked first whether its part would apply; only then is each part sent, all-or-nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rapyer import connections
from rapyer.batch.change import QueuedOperation
from rapyer.errors import ConflictError, PipelineError, RapyerError
from rapyer.paths import Path
from rapyer.script.call import ECHO_LIMIT, Answer, Digest, Primitive, Refused, Step, check, submit
from rapyer.state.last_known import note, note_container, notes
from rapyer.state.links import Document, EchoedNode, Node, find

if TYPE_CHECKING:
    from rapyer.connections import Session

_ECHO_LIMIT = b"%d" % ECHO_LIMIT
_SAVING = ("set", "save")


def session_of(document: Document) -> Session:
    """The session of the client that ``document`` uses."""
    return connections.Session.of(document.__rapyer_client__())


def echo_of(path: Path) -> Primitive:
    """The step that answers the list or dict at ``path``, or what tells whether it is another one."""
    return Primitive("echo", path, (_ECHO_LIMIT,))


def refresh_of(document: Document) -> Primitive | None:
    """The step that sets the document's full TTL again, where its model asks for that."""
    milliseconds = document.__rapyer_refresh__()
    return None if milliseconds is None else Primitive("refresh", (), (b"%d" % milliseconds,))


def sets_ttl(steps: Iterable[Primitive]) -> bool:
    """Whether somebody sets the TTL by hand, which no refresh may undo."""
    return any(step.code == "expire" for step in steps)


def _saved_over(operations: Sequence[tuple[int, QueuedOperation]]) -> set[int]:
    """The operations on immutable values that are saved later on: their answers are outdated."""
    found: set[int] = set()
    saved: set[tuple[str, Path]] = set()
    for index, operation in reversed(operations):
        change, key, path = operation.change, operation.key, operation.path
        if saved and not isinstance(change.owner, Node):
            prefixes = ((key, path[:end]) for end in range(len(path) + 1))
            if any(prefix in saved for prefix in prefixes):
                found.add(index)
        if change.touched is None:
            saved.update((key, step.path) for step in operation.steps if step.code in _SAVING)
    return found


class Part:
    """What one server gets of a batch."""

    def __init__(self, session: Session, count: int) -> None:
        self.session = session
        self.operations: list[tuple[int, QueuedOperation]] = []
        self._count = count
        self._watches: list[Step] = []
        self._refreshes: list[Step] | None = None
        self._places: dict[int, tuple[Document, Path] | None] = {}
        self._echoes: list[tuple[EchoedNode, Step]] = []
        self._reads: dict[int, Step] = {}
        self._answer = Answer(0, [])

    def keys(self) -> list[str]:
        """The documents of the part."""
        return list(dict.fromkeys(operation.key for _, operation in self.operations))

    def watch(self, step: Step) -> None:
        """Refuse the part when a watched document was changed."""
        self._watches.append(step)

    def add(self, index: int, operation: QueuedOperation) -> None:
        """Add an operation, the batch's ``index``-th."""
        self.operations.append((index, operation))

    def _place(self, owner: Any) -> tuple[Document, Path] | None:
        """Where ``owner`` stands when the block has ended."""
        if id(owner) not in self._places:
            self._places[id(owner)] = find(owner)
        return self._places[id(owner)]

    def _steps(self) -> list[Step]:
        steps = list(self._watches)
        for _, operation in self.operations:
            key = operation.key
            steps += [(key, step) for step in operation.steps]
        if self._refreshes is None:
            self._refreshes = self._wanted_refreshes(steps)
        steps += self._refreshes
        return steps

    def _wanted_refreshes(self, steps: list[Step]) -> list[Step]:
        refreshes: list[Step] = []
        document = None
        for _, operation in self.operations:
            if operation.document is not document:
                document = operation.document
                step = refresh_of(document)
                if step is not None and (operation.key, step) not in refreshes:
                    refreshes.append((operation.key, step))
        if not refreshes:
            return refreshes
        by_hand = {key for key, step in steps if step.code == "expire"}
        return [(key, step) for key, step in refreshes if key not in by_hand]

    async def check(self) -> None:
        """Raise what :meth:`send` would raise now; nothing is changed. Sends one EVALSHA."""
        try:
            await check(self.session, self._steps())
        except Refused as refused:
            raise self._refusal(refused) from refused.error

    async def send(self) -> None:
        """Apply the part, or nothing of it. Sends one EVALSHA."""
        self._look_at_the_end()
        echoes = [echo for _, echo in self._echoes]
        try:
            self._answer = await submit(
                self.session, self._steps(), [*echoes, *self._reads.values()]
            )
        except Refused as refused:
            raise self._refusal(refused) from refused.error

    def _look_at_the_end(self) -> None:
        """Ask for the final state of lists and dicts, and of what was read before it was changed."""
        changed: set[str] = set()
        echoed: dict[int, tuple[EchoedNode, Step]] = {}
        for index, operation in reversed(self.operations):
            change = operation.change
            if change.effect != "read":
                changed.add(operation.key)
            elif change.settles and operation.key in changed:
                place = self._place(change.owner)
                if place is not None:
                    read = Primitive("read", place[1], (b"lenient",))
                    self._reads[index] = (operation.key, read)
            owner = change.owner
            if change.echoes and id(owner) not in echoed:
                place = self._place(owner)
                if place is not None:
                    echoed[id(owner)] = owner, (operation.key, echo_of(place[1]))
        self._echoes = list(echoed.values())

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

    def settle(self) -> None:
        """Bring the local values in line with the answers, and hand out the results."""
        stamp, values = self._answer
        position = len(self._watches)
        outdated = _saved_over(self.operations)
        document = synced = None
        answers: Sequence[Any] = ()
        for index, operation in self.operations:
            change = operation.change
            end = position + len(operation.steps)
            if change.settles or operation.answer is not None:
                answers = values[position:end]
            position = end
            if operation.answer is not None:
                operation.answer._outcome = (change.decode(answers),)
            if change.effect != "read":
                if change.settles and index not in outdated:
                    change.settle(answers, stamp)
                if operation.document is not document:
                    document = operation.document
                    synced = notes(document)
                elif change.touched is None and change.owner is document:
                    synced = notes(document)  # it was saved as a whole: notes begin anew
                if synced is not None:
                    note(synced, change, operation.path)
            elif (
                change.settles
                and index not in self._reads
                and self._place(change.owner) is not None
            ):
                change.settle(answers, stamp)
        position += len(self._refreshes or ())
        for container, _ in self._echoes:
            text = values[position]
            text = None if isinstance(text, Digest) else text
            position += 1
            container.__rapyer_settle__(text, stamp)
            note_container(self._place(container), container, text)
        if not self._reads:
            return
        changes = {index: operation.change for index, operation in self.operations}
        for index, text in zip(self._reads, values[position:], strict=True):
            if text is not None:
                changes[index].settle([text], stamp)


async def commit(
    operations: Sequence[QueuedOperation], watches: Sequence[tuple[Document, Step]]
) -> None:
    """Apply ``operations``. See :meth:`rapyer.batch.batch.Batch.commit`."""
    parts: dict[Session, Part] = {}
    document = part = None
    for index, operation in enumerate(operations):
        if part is None or operation.document is not document:
            document = operation.document
            session = session_of(document)
            part = parts.get(session)
            if part is None:
                part = parts[session] = Part(session, len(operations))
        part.add(index, operation)
    for document, step in watches:
        session = session_of(document)
        parts.setdefault(session, Part(session, len(operations))).watch(step)
    for part in parts.values():
        if part.session.is_cluster:
            part.session.require_one_slot(part.keys())
    await _send(list(parts.values()))
    for part in parts.values():
        part.settle()


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
