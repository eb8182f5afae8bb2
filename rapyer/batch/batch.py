"""The batch that collects changes. ``pipeline()`` (:mod:`rapyer.batch.block`) stands on top of it.

Outside a pipeline a change is sent at once (:mod:`rapyer.batch.perform`); inside one it is applied locally,
queued, and sent with all others when the block ends. Both go through :func:`rapyer.script.call.submit`, so
both are all-or-nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial
from hashlib import sha1
from typing import TYPE_CHECKING, Any

from rapyer.batch.change import Change, Queued, QueuedOperation
from rapyer.batch.commit import commit
from rapyer.batch.guarding import guarded, guards_of
from rapyer.batch.part import session_of
from rapyer.batch.touched import Touched
from rapyer.paths import Path
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Primitive, Step
from rapyer.state.document import carry_out, document_state, join_work, leave_work
from rapyer.state.handed_out import Lent
from rapyer.state.node import KeyGuard, Node, document_key, find, state_of
from rapyer.state.work import Work

if TYPE_CHECKING:
    import asyncio

active_batch: ContextVar[Batch | None] = ContextVar("rapyer_batch", default=None)
"""The batch whose block is open here; :func:`current_batch` tells whether it is the running task's."""
stand_in = threading.local()
"""``stand_in.task``: in a thread without an event loop, the task that does what the thread asks for."""


def current_batch() -> Batch | None:
    """The batch that collects the changes of the running task, if there is one."""
    batch = active_batch.get()
    if batch is None:
        return None
    task = batch.task
    if task is None or batch.thread != threading.get_ident():
        running = _current_task()
    else:
        # asked of its loop: finding out which loop runs takes several times as long
        running = sys.modules["asyncio.tasks"].current_task(task.get_loop())
    return batch if running is task else None


def may_collect() -> bool:
    """Whether there may be a :func:`current_batch`; quicker to ask."""
    return active_batch.get() is not None


def _current_task() -> asyncio.Task[Any] | None:
    # Not imported here, as models are defined without it: where a task runs, it was imported before.
    running = sys.modules.get("asyncio.tasks")
    try:
        return None if running is None else running.current_task()
    except RuntimeError:
        return getattr(stand_in, "task", None)


class Batch:
    """Changes that are applied together or not at all."""

    __slots__ = (
        *("_document", "_documents", "_guards", "_key", "_key_guard", "_lent", "_watched", "_work"),
        *("__weakref__", "containers", "detached", "operations", "scopes"),
        *("task", "thread"),
    )

    def __init__(self) -> None:
        self.operations: list[QueuedOperation] = []
        self.task: asyncio.Task[Any] | None = None
        self.thread = 0
        """What opened the innermost block, and the thread in which that runs."""
        self.scopes: list[Any] = [self]
        """The blocks that are open, the innermost one last: what is changed now is taken back with that."""
        self.containers: dict[int, Touched] = {}
        self._documents: dict[int, tuple[Any, Work]] = {}
        self.detached = Work()
        self._lent: dict[tuple[int, Any], Lent] = {}
        self._watched: list[tuple[Any, Step]] = []
        self._document: Any = None
        self._work = self.detached
        self._key = ""
        self._key_guard: KeyGuard | None = None
        self._guards: ValueSpec | None = None

    if not TYPE_CHECKING:  # fields are looked for here by those who take a batch for its document

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(_no_attribute(name))

        def __setattr__(self, name: str, value: Any) -> None:
            try:
                object.__setattr__(self, name, value)
            except AttributeError:
                raise AttributeError(_no_attribute(name)) from None

    # -- collecting ------------------------------------------------------------------------------

    def collecting(self) -> Collecting:
        """Inside the ``with`` block, changes made by this task are queued here instead of sent.

        An exception in the block restores the local values to what they were when it was entered and
        drops what the block queued.
        """
        return Collecting(self)

    def join(self, document: Any) -> Work:
        """Take part in the work on ``document``: what is changed of it in this block can be taken back."""
        known = self._documents.get(id(document))
        if known is not None:
            return known[1]
        work = join_work(document_state(document), self)
        self._documents[id(document)] = document, work
        for node in _live_containers(document):
            work.watch(node)
        return work

    def lend(self, parent: Node, place: Any, value: Any, spec: ValueSpec) -> None:
        """Write down a value that is handed out as it is (see :mod:`rapyer.state.handed_out`)."""
        if (id(parent), place) not in self._lent:
            self._lent[id(parent), place] = Lent(parent, place, value, spec, spec.to_json(value))

    def watch_container(self, node: Any) -> None:
        """Notice when the live list or dict ``node``, handed out just now, is changed past its methods."""
        found = find(node)
        if found is not None:
            self.join(found[0]).watch(node)

    def take_back_in_place(self, keep: bool) -> None:
        """Queue what was changed in place (or undo it)."""
        lent, self._lent = self._lent, {}
        for entry in lent.values():
            if not entry.has_changed():
                continue
            original = entry.put_back()
            for _, work in self._documents.values():
                work.wrapped(entry.value, original)
            if keep:
                entry.parent.__rapyer_node__.assign(entry.parent, entry.place, entry.value)
        for _, work in self._documents.values():
            for node in work.bypassed():
                became = work.put_back(node)
                if keep:
                    node.__rapyer_node__.become(node, became)

    def queue(
        self, change: Change, place: tuple[Any, Path], answer: Queued[Any] | None = None
    ) -> Any:
        """Apply ``change`` locally and queue it; returns the local result. ``answer`` gets the server's."""
        document, path = place
        if document is not self._document:
            self._key = document_key(document)
            self._key_guard = document.__rapyer_node__.key_guard(document)
            self._work = self.join(document)
            self._guards = guards_of(document)
            self._document = document
        if self._key_guard is not None and change.effect != "read":
            self._key_guard(change.verb, path, change.texts)
        if change.echoes:
            self._requeue_bypassed(change.owner)
            container = self.containers.get(id(change.owner))
            if container is None:
                container = self.containers[id(change.owner)] = Touched(change.owner)
            container.add(change.keys)
        steps = change.primitives(path)
        if self._guards is not None:
            steps = guarded(document, self._guards, steps)
        touched = change.touched
        if touched is None:
            local = change.local()
        else:
            instead = partial(carry_out, document, path, steps) if change.echoes else None
            local = self._work.apply(self.scopes[-1], touched, change.local, instead)
        self.operations.append(QueuedOperation(document, self._key, path, change, steps, answer))
        return local

    def _requeue_bypassed(self, node: Any) -> None:
        """What was done past the methods of ``node`` until now comes before what is queued now."""
        for changed in self._work.bypassed(node):
            became = self._work.put_back(changed)
            changed.__rapyer_node__.become(changed, became)

    def apply_detached(self, change: Change) -> Any:
        """Apply ``change`` to what is part of no document now, but may be so again when it is restored."""
        if change.touched is None:
            return change.local()
        return self.detached.apply(self.scopes[-1], change.touched, change.local)

    def drop(self, scope: Any) -> None:
        """Take back locally what the block ``scope`` did."""
        self.detached.drop(scope)
        for _, work in self._documents.values():
            work.drop(scope)

    def hand_over(self, scope: Any, heir: Any) -> None:
        """What the block ``scope`` did belongs to the block around it now."""
        for work in (self.detached, *(work for _, work in self._documents.values())):
            work.hand_over(scope, heir)

    def discard(self) -> None:
        """Forget the queued operations and take back what they did locally."""
        self.drop(self)
        self._forget()

    def _forget(self) -> None:
        for document, _ in self._documents.values():
            leave_work(document_state(document), self)
        self._documents.clear()
        self.detached = Work()
        self._document = None
        self.containers.clear()
        self.operations.clear()
        self._watched.clear()
        self._lent.clear()

    # -- watching --------------------------------------------------------------------------------

    async def watch(self, document: Any) -> None:
        """From now on a change of ``document`` by somebody else makes the batch fail. Sends JSON.GET.

        What others changed since the document was last read is taken over first.
        """
        key = document_key(document)
        text = await session_of(document).execute(b"JSON.GET", key, write=False) or b""
        digest = sha1(text, usedforsecurity=False).hexdigest().encode()
        document.__rapyer_node__.watched(document, text)
        self._watched.append((document, (key, Primitive("watch", (), (digest,)))))

    # -- committing ------------------------------------------------------------------------------

    async def commit(self) -> None:
        """Apply everything in one atomic step; afterwards every :class:`~rapyer.batch.change.Queued` has its result.

        Raises :class:`~rapyer.errors.PipelineError` naming the operation that cannot apply (nothing is
        applied then, and local values are restored), :class:`~rapyer.errors.ConflictError` after a
        conflicting write to a watched document. Sends one EVALSHA. Where the documents live on several
        servers, each is asked first whether its part would apply, then each part is sent.
        """
        operations = list(self.operations)
        if not operations:
            self._forget()
            return
        try:
            for document, _ in list(self._documents.values()):
                state = document_state(document)
                if state.unstamped is not None:
                    await state.may_depart()
            settling = await commit(operations, self._watched)
        except BaseException:
            self.discard()
            raise
        try:
            await settling.settle(self, self.containers)
        finally:
            self._forget()

    def commands(self) -> list[str]:
        """What :meth:`commit` would send, one readable line a step (the script carries them as one)."""
        from rapyer.script.wording import describe_step

        return [
            describe_step(operation.key, step)
            for operation in self.operations
            for step in operation.steps
        ]


def _no_attribute(name: str) -> str:
    return (
        f"a batch has no {name!r}: it collects what is done to the documents themselves inside the block; "
        "'async with document.pipeline() as document' gives the document"
    )


def apply_now(change: Change) -> Any:
    """Carry out ``change`` locally, and queue it inside a pipeline; returns the local result."""
    batch = current_batch()
    if batch is None:
        return edit(change)
    place = find(change.owner)
    return batch.apply_detached(change) if place is None else batch.queue(change, place)


def edit(change: Change) -> Any:
    """Carry out ``change`` locally, as an edit that is saved later."""
    touched = change.touched
    if touched is not None:
        found = find(touched)
        state = None if found is None else state_of(found[0])
        if found is not None and state is not None and state.work is not None:
            instead = None
            if change.echoes:
                instead = partial(carry_out, *found, change.primitives(found[1]))
            return state.work.apply(None, touched, change.local, instead)
    return change.local()


def _live_containers(node: Any) -> Iterator[Any]:
    """The lists and dicts in ``node`` that somebody may have a handle on."""
    kind = node.__rapyer_node__
    if kind.echoes:
        yield node
    for child in kind.nodes(node):
        yield from _live_containers(child)


class Collecting:
    """The ``with`` block of :meth:`Batch.collecting`."""

    __slots__ = ("_batch", "_outer_lent", "_queued", "_token")

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __enter__(self) -> Batch:
        batch = self._batch
        batch.task = _current_task()
        batch.thread = threading.get_ident()
        self._token = active_batch.set(batch)
        self._queued, self._outer_lent = len(batch.operations), batch._lent
        batch.scopes.append(self)
        batch._lent = {}
        return batch

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        batch = self._batch
        try:
            batch.take_back_in_place(keep=kind is None)
        except BaseException:
            kind = BaseException
            raise
        finally:
            self._leave(failed=kind is not None)

    def _leave(self, failed: bool) -> None:
        batch = self._batch
        if failed:
            batch.drop(self)
            del batch.operations[self._queued :]
        else:
            batch.hand_over(self, batch.scopes[-2])
        batch.scopes.remove(self)
        batch._lent = self._outer_lent
        if failed and len(batch.scopes) == 1 and not batch.operations:
            batch._forget()
        try:
            active_batch.reset(self._token)
        except ValueError:
            # the block of an abandoned generator, which the event loop ends in a context of its own
            batch.task = None
