"""What one server gets of a batch: the steps of its operations, and what is asked of it at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rapyer import connections
from rapyer.batch.change import QueuedOperation
from rapyer.batch.guarding import validate_last
from rapyer.errors import ConflictError, PipelineError, RapyerError, ServerError
from rapyer.paths import Path
from rapyer.script.call import ECHO_LIMIT, Answer, Primitive, Refused, Step, check, submit
from rapyer.state.node import find

if TYPE_CHECKING:
    from rapyer.connections import Session

ECHO = (b"%d" % ECHO_LIMIT,)
"""The arguments of an ``echo``."""


def session_of(document: Any) -> Session:
    """The session of the client that ``document`` uses."""
    return connections.Session.of(document.__rapyer_node__.client(document))


def refresh_of(document: Any) -> Primitive | None:
    """The step that sets the document's full TTL again, where its model asks for that."""
    milliseconds = document.__rapyer_node__.refresh(document)
    return None if milliseconds is None else Primitive("refresh", (), (b"%d" % milliseconds,))


def sets_ttl(steps: Iterable[Primitive]) -> bool:
    """Whether somebody sets the TTL by hand, which no refresh may undo."""
    return any(step.code == "expire" for step in steps)


class Part:
    """What one server gets of a batch."""

    def __init__(self, session: Session, count: int) -> None:
        self.session = session
        self.operations: list[tuple[int, QueuedOperation]] = []
        self.answer = Answer(0, [])
        self.echoes: list[tuple[Any, Any, Path]] = []
        """The lists and dicts that are sent back: document, the value, its path at the end."""
        self.reads: list[int] = []
        """The operations that read what was changed since: they are answered at the end."""
        self._count = count
        self._watches: list[Step] = []
        self._refreshes: list[Step] | None = None

    def keys(self) -> list[str]:
        """The documents of the part."""
        return list(dict.fromkeys(operation.key for _, operation in self.operations))

    def documents(self) -> list[Any]:
        """Their instances."""
        return list({id(o.document): o.document for _, o in self.operations}.values())

    def watch(self, step: Step) -> None:
        """Refuse the part when a watched document was changed."""
        self._watches.append(step)

    @property
    def first(self) -> int:
        """The position of the first operation's first answer."""
        return len(self._watches)

    @property
    def last(self) -> int:
        """The position of what follows the operations' answers: echoes, then reads."""
        steps = sum(len(operation.steps) for _, operation in self.operations)
        return len(self._watches) + steps + len(self._refreshes or ())

    def _steps(self) -> list[Step]:
        steps = list(self._watches)
        for _, operation in self.operations:
            key = operation.key
            steps += [(key, step) for step in operation.steps]
        validate_last(steps)
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
        asked = self._look_at_the_end()
        try:
            self.answer = await submit(self.session, self._steps(), asked)
        except Refused as refused:
            raise self._refusal(refused) from refused.error

    def _look_at_the_end(self) -> list[Step]:
        """Ask for the final state of lists and dicts, and of what was read before it was changed."""
        changed: set[str] = set()
        echoed: set[int] = set()
        steps: list[Step] = []
        reads: list[Step] = []
        for index, operation in reversed(self.operations):
            change, key = operation.change, operation.key
            if change.effect != "read":
                changed.add(key)
            elif key in changed and (place := find(change.owner)) is not None:
                self.reads.append(index)
                reads.append((key, Primitive("read", place[1], (b"lenient",))))
            if change.echoes and id(owner := change.owner) not in echoed:
                place = find(owner)
                if place is not None and place[0] is operation.document:
                    echoed.add(id(owner))
                    self.echoes.append((operation.document, owner, place[1]))
                    steps.append((key, Primitive("echo", place[1], ECHO)))
        return steps + reads

    def _refusal(self, refused: Refused) -> RapyerError:
        if isinstance(refused.error, ConflictError | ServerError):
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
