"""Operations as data: one change, the batch that collects changes, and ``pipeline()`` on top of it.

A :class:`Change` says what to send, what it does to the local value and how to read the answer. Outside
a pipeline it is sent at once; inside one it is applied locally, queued, and sent with all others when
the block ends. Both go through :func:`rapyer.script.submit`, so both are all-or-nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any, Generic, TypeVar

from rapyer.baseline import note
from rapyer.connections import Session
from rapyer.errors import ConfigurationError, ConflictError, KeyNotFound, PipelineError, RapyerError
from rapyer.links import Document, Node, find, locate
from rapyer.operations import Effect
from rapyer.paths import Path, field_path
from rapyer.script import ECHO_LIMIT, Answer, Primitive, Refused, submit

T = TypeVar("T")


def _nothing(answers: Sequence[Any]) -> Any:
    return None


@dataclass(slots=True, eq=False)
class Change:
    """One operation on one value.

    ``owner`` is the value whose place it changes, ``touched`` the container whose content it changes
    locally. ``primitives`` gives the script's steps for the owner's path, ``local`` applies the change
    to the local value and returns the local result, ``decode`` turns the steps' answers into the
    operation's result, ``settle`` brings the local value in line with the answers. ``growth`` is by how
    much the length of a list or dict changes, None where only the server knows.
    """

    verb: str
    owner: Any
    touched: Node | None
    primitives: Callable[[Path], Sequence[Primitive]]
    local: Callable[[], Any]
    decode: Callable[[Sequence[Any]], Any] = _nothing
    settle: Callable[[Sequence[Any], int], None] | None = None
    growth: int | None = None
    names: tuple[str, ...] = ()
    effect: Effect = "write"


class Queued(Generic[T]):
    """The result of an asynchronous operation inside a pipeline; readable when the block has ended.

    :meth:`result` returns it. Awaiting it, or reading it early, raises ``RuntimeError``.
    """

    __slots__ = ("_outcome", "verb")

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self._outcome: tuple[T] | None = None

    def result(self) -> T:
        """The operation's result; raises ``RuntimeError`` before the block has ended successfully."""
        if self._outcome is None:
            raise RuntimeError(
                f"{self.verb} is queued: its result can be read after the pipeline has ended"
            )
        return self._outcome[0]

    def __await__(self) -> Generator[Any, None, T]:
        return self.result()
        yield  # pragma: no cover - makes this a generator

    def __repr__(self) -> str:
        state = "pending" if self._outcome is None else repr(self._outcome[0])
        return f"<Queued {self.verb}: {state}>"


@dataclass(slots=True, eq=False)
class QueuedOperation:
    """One queued operation: its verb, the document's key, the path, and the script's steps."""

    verb: str
    document: Document
    key: str
    path: Path
    effect: Effect
    change: Change
    steps: tuple[Primitive, ...]
    answer: Queued[Any] = field(repr=False)

    def describe(self) -> str:
        """``increase Counter:1/count``."""
        place = f"/{field_path(self.path)}" if self.path else ""
        return f"{self.verb} {self.key}{place}"


_active: ContextVar[Batch | None] = ContextVar("rapyer_batch", default=None)


def current_batch() -> Batch | None:
    """The batch that collects the changes of the running task, if there is one."""
    batch = _active.get()
    return batch if batch is not None and batch.task is _current_task() else None


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


class Batch:
    """Changes that are applied together or not at all."""

    def __init__(self) -> None:
        self.operations: list[QueuedOperation] = []
        self.task: asyncio.Task[Any] | None = None
        self._snapshots: dict[int, tuple[Node, Any]] = {}
        self._watched: list[tuple[Document, Primitive]] = []
        self._adopted: dict[int, Document] = {}

    # -- collecting ------------------------------------------------------------------------------

    @contextmanager
    def collecting(self) -> Iterator[Batch]:
        """Inside the ``with`` block, changes made by this task are queued here instead of sent.

        An exception in the block restores the local values to what they were when it was entered and
        drops what the block queued.
        """
        self.task = _current_task()
        token = _active.set(self)
        queued, outer, self._snapshots = len(self.operations), self._snapshots, {}
        try:
            yield self
        except BaseException:
            self._restore()
            del self.operations[queued:]
            raise
        else:
            for identity, snapshot in self._snapshots.items():
                outer.setdefault(identity, snapshot)
        finally:
            self._snapshots = outer
            _active.reset(token)

    def touch(self, node: Node) -> None:
        """Remember the content of ``node`` before its first change."""
        if id(node) not in self._snapshots:
            self._snapshots[id(node)] = (node, node.__rapyer_snapshot__())

    def queue(self, change: Change) -> tuple[Queued[Any], Any]:
        """Apply ``change`` locally and queue it; returns the pending answer and the local result."""
        document, path = locate(change.owner)
        key = document.__rapyer_key__()
        steps = tuple(_keyed(change.primitives(path), key))
        if change.touched is not None:
            self.touch(change.touched)
        local = change.local()
        answer: Queued[Any] = Queued(change.verb)
        self.operations.append(
            QueuedOperation(change.verb, document, key, path, change.effect, change, steps, answer)
        )
        return answer, local

    def _restore(self) -> None:
        for node, snapshot in reversed(list(self._snapshots.values())):
            node.__rapyer_restore__(snapshot)

    def discard(self) -> None:
        """Forget the queued operations and restore the local values."""
        self._restore()
        self._forget()

    def _forget(self) -> None:
        self.operations.clear()
        self._snapshots.clear()
        self._watched.clear()

    # -- watching --------------------------------------------------------------------------------

    async def watch(self, document: Document) -> None:
        """From now on a change of ``document`` by somebody else makes the batch fail. Sends JSON.GET.

        What others changed since the document was last read is taken over first.
        """
        key = document.__rapyer_key__()
        session = session_of(document)
        text = await session.execute(b"JSON.GET", key, write=False) or b""
        digest = sha1(text, usedforsecurity=False).hexdigest().encode()
        document.__rapyer_catch_up__(text)
        self._watched.append((document, Primitive("watch", (), (digest,), key=key)))

    # -- committing ------------------------------------------------------------------------------

    async def commit(self) -> list[Any]:
        """Apply everything in one atomic step a server; returns the operations' results in order.

        Raises :class:`~rapyer.errors.PipelineError` naming the operation that cannot apply (nothing is
        applied then, and local values are restored), :class:`~rapyer.errors.ConflictError` after a
        conflicting write to a watched document. Sends one EVALSHA.
        """
        operations = list(self.operations)
        if not operations:
            self._forget()
            return []
        try:
            answers = await self._send(operations)
        except BaseException:
            self.discard()
            raise
        results = []
        position = 0
        for operation in operations:
            values = answers.values[position : position + len(operation.steps)]
            position += len(operation.steps)
            result = operation.change.decode(values)
            operation.answer._outcome = (result,)
            results.append(result)
            if operation.change.settle is not None and find(operation.change.owner) is not None:
                operation.change.settle(values, answers.stamp)
        for (_, container), text in zip(
            self._echoed(operations), answers.values[position:], strict=True
        ):
            if find(container) is not None:
                container.__rapyer_settle__(text, answers.stamp)
        for operation in operations:
            found = find(operation.change.owner)
            if found is not None and operation.effect != "read":
                note(found[0], operation.change.owner, found[1], operation.change.names)
        self._forget()
        return results

    def _echoed(self, operations: Sequence[QueuedOperation]) -> list[tuple[Primitive, Any]]:
        echoes: dict[int, tuple[Primitive, Any]] = {}
        for operation in operations:
            owner = operation.change.owner
            if id(owner) in echoes or not hasattr(owner, "__rapyer_settle__"):
                continue
            found = find(owner)
            if found is not None:
                echoes[id(owner)] = (_echo(found[1], found[0].__rapyer_key__(), len(owner)), owner)
        return list(echoes.values())

    async def _send(self, operations: Sequence[QueuedOperation]) -> Answer:
        session = session_of(operations[0].document)
        for operation in operations:
            if session_of(operation.document) is not session:
                raise PipelineError(
                    f"{operations[0].key} and {operation.key} live on different servers: no batch can be "
                    "all-or-nothing over both; use one pipeline for each",
                    operation=operation.describe(),
                )
        session.require_one_slot([operation.key for operation in operations])
        watches = [watch for _, watch in self._watched]
        steps = [step for operation in operations for step in operation.steps]
        refreshes = _refreshes(operation.document for operation in operations)
        echoes = [echo for echo, _ in self._echoed(operations)]
        try:
            answer = await submit(session, [*watches, *steps, *refreshes], echoes)
        except Refused as refused:
            if isinstance(refused.error, ConflictError):
                raise refused.error from None
            owner = [index for index, operation in enumerate(operations) for _ in operation.steps]
            index = owner[refused.position - len(watches)]
            operation = operations[index]
            raise PipelineError(
                f"nothing was applied: operation {index + 1} of {len(operations)} "
                f"({operation.describe()}) was refused: {refused.error}",
                index=index,
                operation=operation.describe(),
            ) from refused.error
        first, last = len(watches), len(watches) + len(steps)
        return Answer(
            answer.stamp, answer.values[first:last] + answer.values[last + len(refreshes) :]
        )

    def commands(self) -> list[str]:
        """What :meth:`commit` would send, one readable line a step (the script carries them as one)."""
        from rapyer.describe import describe_step

        return [describe_step(step) for operation in self.operations for step in operation.steps]


def _keyed(primitives: Sequence[Primitive], key: str) -> Iterator[Primitive]:
    for step in primitives:
        yield step._replace(key=key)


def _echo(path: Path, key: str, expected: int) -> Primitive:
    return Primitive("echo", path, (b"%d" % expected, b"%d" % ECHO_LIMIT), key=key)


def _refreshes(documents: Iterator[Document]) -> list[Primitive]:
    refreshes = {}
    for document in documents:
        milliseconds = document.__rapyer_refresh__()
        if milliseconds is not None:
            key = document.__rapyer_key__()
            refreshes[key] = Primitive("refresh", (), (b"%d" % milliseconds,), key=key)
    return list(refreshes.values())


def session_of(document: Document) -> Session:
    """The session of the client that ``document`` uses."""
    return Session.of(document.__rapyer_client__())


async def perform(change: Change) -> Any:
    """Carry out ``change``: queued inside a pipeline (returns :class:`Queued`), otherwise at once.

    At once means one EVALSHA; when it is refused, the specific error is raised and nothing is changed.
    Afterwards the local value is what the server has.
    """
    batch = current_batch()
    if batch is not None:
        return batch.queue(change)[0]
    document, path = locate(change.owner)
    key = document.__rapyer_key__()
    steps = list(_keyed(change.primitives(path), key))
    owner = change.owner
    echoes = []
    if hasattr(owner, "__rapyer_settle__"):
        expected = -1 if change.growth is None else len(owner) + change.growth
        echoes.append(_echo(path, key, expected))
    refreshes = _refreshes(iter((document,)))
    try:
        stamp, values = await submit(session_of(document), steps + refreshes, echoes)
    except Refused as refused:
        raise refused.error from refused.error.__cause__
    result = change.decode(values[: len(steps)])
    if find(owner) is None:
        return result  # replaced while the command was under way: there is no local value any more
    if echoes and not owner.__rapyer_outdated__(stamp):
        with suppress(LookupError, ValueError, TypeError):
            change.local()
        owner.__rapyer_settle__(values[-1], stamp)
    elif not echoes and change.settle is None:
        change.local()
    if change.settle is not None:
        change.settle(values[: len(steps)], stamp)
    if change.effect != "read":
        note(document, owner, path, change.names)
    return result


def apply_now(change: Change) -> Any:
    """Carry out ``change`` locally, and queue it inside a pipeline; returns the local result."""
    batch = current_batch()
    if batch is None or find(change.owner) is None:
        return change.local()
    return batch.queue(change)[1]


@asynccontextmanager
async def pipeline(*documents: Document, watch: bool = False) -> AsyncIterator[Batch]:
    """Collect every change made in the block and apply all of them, or none, when it ends.

    ``watch=True`` makes the block fail with :class:`~rapyer.errors.ConflictError` when somebody else
    writes one of ``documents`` meanwhile. A block inside another joins it: its changes are sent with
    the outer ones, and an exception that leaves the inner block drops only the inner block's changes.

    Raises :class:`~rapyer.errors.PipelineError` when an operation cannot apply; nothing is applied and
    local values are what they were. Sends one EVALSHA when the block ends (and JSON.GET of each watched
    document when it begins).
    """
    outer = current_batch()
    batch = outer if outer is not None else Batch()
    if watch and not documents:
        raise ConfigurationError(
            "pipeline(watch=True) needs the documents to watch: pipeline(a, b, watch=True)"
        )
    for document in documents:
        adopt = getattr(document, "__rapyer_link_children__", None)
        if adopt is not None:
            adopt()
        if watch:
            await batch.watch(document)
    with batch.collecting():
        yield batch
    if outer is None:
        await batch.commit()


__all__ = [
    "Batch",
    "Change",
    "KeyNotFound",
    "Queued",
    "QueuedOperation",
    "RapyerError",
    "apply_now",
    "current_batch",
    "perform",
    "pipeline",
]
