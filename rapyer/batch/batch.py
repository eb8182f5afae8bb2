"""The batch that collects changes, and ``pipeline()`` on top of it.

Outside a pipeline a change is sent at once (:func:`perform`); inside one it is applied locally, queued,
and sent with all others when the block ends. Both go through :func:`rapyer.script.call.submit`, so both are
all-or-nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from hashlib import sha1
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rapyer.batch.change import Change, Queued, QueuedOperation
from rapyer.batch.commit import commit, echo_of, refresh_of, session_of, sets_ttl
from rapyer.errors import ConfigurationError
from rapyer.paths import Path
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Digest, Primitive, Refused, Step, submit
from rapyer.state.handed_out import Lent, replace_in_snapshot
from rapyer.state.last_known import capture, note, note_container, notes
from rapyer.state.links import PARENT, PLACE, Document, KeyGuard, Node, find, locate

if TYPE_CHECKING:
    import asyncio

_active: ContextVar[Batch | None] = ContextVar("rapyer_batch", default=None)


def current_batch() -> Batch | None:
    """The batch that collects the changes of the running task, if there is one."""
    batch = _active.get()
    if batch is None:
        return None
    return batch if batch.task is _current_task() else None


def may_collect() -> bool:
    """Whether there may be a :func:`current_batch`; quicker to ask."""
    return _active.get() is not None


def _current_task() -> asyncio.Task[Any] | None:
    # Not imported here, as models are defined without it: where a task runs, it was imported before.
    running = sys.modules.get("asyncio.tasks")
    try:
        return None if running is None else running.current_task()
    except RuntimeError:
        return None


class Snapshot:
    """The content of a node before its first change in a batch; ``names`` are the fields that change."""

    __slots__ = ("content", "names", "node")

    def __init__(self, node: Node, names: Iterable[str] | None) -> None:
        self.node, self.content = node, node.__rapyer_snapshot__()
        self.names = None if names is None else set(names)

    def add(self, names: Iterable[str] | None) -> None:
        """More fields change; None for any."""
        if names is None:
            self.names = None
        elif self.names is not None:
            self.names.update(names)

    def restore(self) -> None:
        """Make the content what it was; fields that others changed stay as they are."""
        self.node.__rapyer_restore__(self.content, self.names)


def _changed_names(change: Change) -> Iterable[str] | None:
    """The fields of the touched model that ``change`` changes; None where that is not known."""
    owner, touched = change.owner, change.touched
    if owner is touched:
        return change.texts
    if getattr(owner, PARENT, None) is touched:
        place = getattr(owner, PLACE)
        return (place,) if type(place) is str else None
    return None


class Batch:
    """Changes that are applied together or not at all."""

    def __init__(self) -> None:
        self.operations: list[QueuedOperation] = []
        self.task: asyncio.Task[Any] | None = None
        self._snapshots: dict[int, Snapshot] = {}
        self._lent: dict[tuple[int, Any], Lent] = {}
        self._watched: list[tuple[Document, Step]] = []
        self._document: Document | None = None
        self._key = ""
        self._key_guard: KeyGuard | None = None

    # -- collecting ------------------------------------------------------------------------------

    def collecting(self) -> Collecting:
        """Inside the ``with`` block, changes made by this task are queued here instead of sent.

        An exception in the block restores the local values to what they were when it was entered and
        drops what the block queued.
        """
        return Collecting(self)

    def lend(self, parent: Node, place: Any, value: Any, spec: ValueSpec) -> None:
        """Write down a value that is handed out as it is (see :mod:`rapyer.state.handed_out`)."""
        if (id(parent), place) not in self._lent:
            self._lent[id(parent), place] = Lent(parent, place, value, spec, spec.to_json(value))

    def _take_back(self, keep: bool) -> None:
        """Queue what was changed in place (or undo it)."""
        lent, self._lent = self._lent, {}
        for entry in lent.values():
            if not entry.has_changed():
                continue
            original = entry.put_back()
            known = self._snapshots.get(id(entry.parent))
            if known is not None:
                replace_in_snapshot(known.content, entry.value, original)
            if keep:
                entry.parent.__rapyer_assign__(entry.place, entry.value)

    def queue(
        self, change: Change, place: tuple[Document, Path], answer: Queued[Any] | None = None
    ) -> Any:
        """Apply ``change`` locally and queue it; returns the local result. ``answer`` gets the server's."""
        document, path = place
        if document is not self._document:
            self._key = document.__rapyer_key__()
            self._key_guard = document.__rapyer_key_guard__()
            self._document = document
        if self._key_guard is not None and change.effect != "read":
            self._key_guard(change.verb, path, change.texts)
        steps = change.primitives(path)
        if change.touched is not None:
            self.keep(change.touched, _changed_names(change))
        local = change.local()
        self.operations.append(QueuedOperation(document, self._key, path, change, steps, answer))
        return local

    def keep(self, node: Node, names: Iterable[str] | None) -> None:
        """Write down the content of ``node`` (of a model: its fields ``names``) before it changes."""
        known = self._snapshots.get(id(node))
        if known is None:
            self._snapshots[id(node)] = Snapshot(node, names)
        else:
            known.add(names)

    def apply_detached(self, change: Change) -> Any:
        """Apply ``change`` to what is part of no document now, but may be so again when it is restored."""
        if change.touched is not None:
            self.keep(change.touched, _changed_names(change))
        return change.local()

    def _restore(self) -> None:
        for snapshot in reversed(list(self._snapshots.values())):
            snapshot.restore()

    def discard(self) -> None:
        """Forget the queued operations and restore the local values."""
        self._restore()
        self._forget()

    def _forget(self) -> None:
        self._document = None
        self.operations.clear()
        self._snapshots.clear()
        self._watched.clear()
        self._lent.clear()

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
        self._watched.append((document, (key, Primitive("watch", (), (digest,)))))

    # -- committing ------------------------------------------------------------------------------

    async def commit(self) -> None:
        """Apply everything in one atomic step; afterwards every :class:`~rapyer.batch.batch.change.Queued` has its result.

        Raises :class:`~rapyer.errors.PipelineError` naming the operation that cannot apply (nothing is
        applied then, and local values are restored), :class:`~rapyer.errors.ConflictError` after a
        conflicting write to a watched document. Sends one EVALSHA. Where the documents live on several
        servers, each is asked first whether its part would apply, then each part is sent.
        """
        operations = list(self.operations)
        try:
            if operations:
                await commit(operations, self._watched)
        except BaseException:
            self.discard()
            raise
        self._forget()

    def commands(self) -> list[str]:
        """What :meth:`commit` would send, one readable line a step (the script carries them as one)."""
        from rapyer.script.wording import describe_step

        return [
            describe_step(operation.key, step)
            for operation in self.operations
            for step in operation.steps
        ]


async def perform(change: Change) -> Any:
    """Carry out ``change``: queued inside a pipeline (returns :class:`Queued`), otherwise at once.

    At once means one EVALSHA; when it is refused, the specific error is raised and nothing is changed.
    Afterwards the local value is what the server has.
    """
    owner = change.owner
    place = document, path = locate(owner)
    batch = current_batch()
    if batch is not None:
        queued: Queued[Any] = Queued(change.verb)
        batch.queue(change, place, queued)
        return queued
    if change.effect != "read" and (guard := document.__rapyer_key_guard__()) is not None:
        guard(change.verb, path, change.texts)
    key = document.__rapyer_key__()
    primitives = change.primitives(path)
    steps = [(key, step) for step in primitives]
    refresh = refresh_of(document)
    if refresh is not None and not sets_ttl(primitives):
        steps.append((key, refresh))
    echoes: list[Step] = []
    if change.echoes:
        echoes.append((key, echo_of(path)))
    try:
        stamp, values = await submit(session_of(document), steps, echoes)
    except Refused as refused:
        raise refused.error from refused.error.__cause__
    answers = values[: len(primitives)]
    result = change.decode(answers)
    if echoes:
        now = find(owner)
        if now is None:
            return result  # replaced while the command was under way: no local value any more
        if not owner.__rapyer_outdated__(stamp):
            with suppress(LookupError, ValueError, TypeError):
                change.local()
            text = None if isinstance(values[-1], Digest) else values[-1]
            owner.__rapyer_settle__(text, stamp)
            note_container(now, owner, text)
    if change.settles:
        change.settle(answers, stamp)
    elif not echoes and find(owner) is not None:
        change.local()
    if change.effect != "read" and (synced := notes(document)) is not None:
        note(synced, change, path)
    return result


def apply_now(change: Change) -> Any:
    """Carry out ``change`` locally, and queue it inside a pipeline; returns the local result."""
    batch = current_batch()
    if batch is None:
        capture(change.owner)
        return change.local()
    place = find(change.owner)
    return batch.apply_detached(change) if place is None else batch.queue(change, place)


class Collecting:
    """The ``with`` block of :meth:`Batch.collecting`."""

    __slots__ = ("_batch", "_outer", "_outer_lent", "_queued", "_token")

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __enter__(self) -> Batch:
        batch = self._batch
        batch.task = _current_task()
        self._token = _active.set(batch)
        self._queued, self._outer = len(batch.operations), batch._snapshots
        self._outer_lent = batch._lent
        batch._snapshots, batch._lent = {}, {}
        return batch

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        batch = self._batch
        try:
            batch._take_back(keep=kind is None)
        except BaseException:
            kind = BaseException
            raise
        finally:
            self._leave(failed=kind is not None)

    def _leave(self, failed: bool) -> None:
        batch = self._batch
        if failed:
            batch._restore()
            del batch.operations[self._queued :]
        else:
            for identity, snapshot in batch._snapshots.items():
                known = self._outer.setdefault(identity, snapshot)
                known.add(snapshot.names)
        batch._snapshots = self._outer
        batch._lent = self._outer_lent
        try:
            _active.reset(self._token)
        except ValueError:
            # the block of an abandoned generator, which the event loop ends in a context of its own
            batch.task = None


class Pipeline:
    """The ``async with`` block of :func:`pipeline`."""

    __slots__ = ("_batch", "_collecting", "_documents", "_nested", "_watch")

    def __init__(self, documents: tuple[Document, ...], watch: bool) -> None:
        self._documents, self._watch = documents, watch

    async def __aenter__(self) -> Batch:
        outer = current_batch()
        self._nested = outer is not None
        batch = self._batch = Batch() if outer is None else outer
        for document in self._documents:
            document.__rapyer_link_children__()
            if self._watch:
                await batch.watch(document)
        self._collecting = batch.collecting()
        return self._collecting.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._collecting.__exit__(kind, error, trace)
        if kind is None and not self._nested:
            await self._batch.commit()


def pipeline(*documents: Document, watch: bool = False) -> Pipeline:
    """Collect every change made in an ``async with`` block and apply all of them, or none, at its end.

    ``watch=True`` makes the block fail with :class:`~rapyer.errors.ConflictError` when somebody else
    writes one of ``documents`` meanwhile. A block inside another joins it: its changes are sent with
    the outer ones, and an exception that leaves the inner block drops only the inner block's changes.

    Raises :class:`~rapyer.errors.PipelineError` when an operation cannot apply; nothing is applied and
    local values are what they were. Sends one EVALSHA when the block ends (and JSON.GET of each watched
    document when it begins).
    """
    if watch and not documents:
        raise ConfigurationError(
            "pipeline(watch=True) needs the documents to watch: pipeline(a, b, watch=True)"
        )
    return Pipeline(documents, watch)
