"""The way from threads without an event loop to the library's coroutines: one loop in the background for all of them.

Each thread has one task there, in which everything that the thread asks for runs, one after the other. So whatever
belongs to a task (an open pipeline, a held lock) belongs to the thread.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextvars
import os
import threading
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from rapyer.batch.batch import active_batch, stand_in
from rapyer.errors import ConfigurationError

T = TypeVar("T")
_MISSING: Any = object()


class Worker:
    """The task in which everything runs that one thread asks for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """To be made in the loop's thread."""
        self.was_stopped = False
        """Whether the task was cancelled while it had nothing to do: a lock that its thread holds was lost."""
        self.context = contextvars.Context()
        self._loop = loop
        self._jobs: asyncio.Queue[tuple[Coroutine[Any, Any, Any], Any, contextvars.Context]] = (
            asyncio.Queue()
        )
        self._current: concurrent.futures.Future[Any] | None = None
        self._has_ended = False
        self.task = loop.create_task(self._work(), context=self.context)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run ``coroutine`` for the calling thread. An interruption cancels it, waits until it has ended, and is raised."""
        outcome: concurrent.futures.Future[T] = concurrent.futures.Future()
        job = (coroutine, outcome, contextvars.copy_context())
        self._loop.call_soon_threadsafe(self._jobs.put_nowait, job)
        try:
            return outcome.result()
        except KeyboardInterrupt:
            if not outcome.done():
                self._loop.call_soon_threadsafe(self._interrupt, outcome)
                concurrent.futures.wait([outcome])
            raise
        finally:
            active_batch.set(self.context.get(active_batch))

    def end(self) -> None:
        """End the task, once it has nothing to do; its thread has ended."""
        self._has_ended = True
        self.task.cancel()

    def _interrupt(self, outcome: concurrent.futures.Future[Any]) -> None:
        if self._current is outcome:
            self.task.cancel()

    async def _work(self) -> None:
        while not self._has_ended:
            try:
                coroutine, outcome, given = await self._jobs.get()
            except asyncio.CancelledError:
                self.was_stopped = True
                continue
            self._current = outcome
            self._take_over(given)
            try:
                outcome.set_result(await coroutine)
            except asyncio.CancelledError as error:
                self.task.uncancel()
                outcome.set_exception(error)
            except BaseException as error:
                outcome.set_exception(error)
            finally:
                self._current = None
            del coroutine, outcome, given

    def _take_over(self, given: contextvars.Context) -> None:
        """Let the context variables of the task be those of its thread (the current span of a trace, for example)."""
        for variable, value in given.items():
            if variable is not active_batch and variable.get(_MISSING) is not value:
                variable.set(value)


class Portal:
    """The background loop, and the workers of all threads."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._of_thread = threading.local()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run ``coroutine`` and return its result.

        Raises :class:`~rapyer.errors.ConfigurationError` in a thread that runs an event loop, which would stand still.
        """
        try:
            worker = self.worker()
        except BaseException:
            coroutine.close()
            raise
        if worker.was_stopped:
            worker.was_stopped = False
            coroutine.close()
            raise asyncio.CancelledError("a lock that this thread holds was lost")
        return worker.run(coroutine)

    def worker(self) -> Worker:
        """The worker of the calling thread."""
        if asyncio._get_running_loop() is not None:
            raise ConfigurationError(
                "rapyer.sync waits for the server, and this thread runs an event loop, which would stand still: "
                "use the models of rapyer with 'await' here, or asyncio.to_thread(...)"
            )
        worker: Worker | None = getattr(self._of_thread, "worker", None)
        if worker is None:
            loop = self._running_loop()
            made: concurrent.futures.Future[Worker] = concurrent.futures.Future()
            loop.call_soon_threadsafe(lambda: made.set_result(Worker(loop)))
            worker = self._of_thread.worker = made.result()
            stand_in.task = worker.task
            self._of_thread.ended = _Ended(loop, worker)  # goes with the thread
        return worker

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self.loop.run_forever, name="rapyer.sync", daemon=True
                )
                self._thread.start()
            return self.loop

    def close(self) -> None:
        """End the loop. Connections that are open are closed by the operating system."""
        with self._starting:
            loop, thread, self.loop, self._thread = self.loop, self._thread, None, None
        if loop is not None and thread is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout=1)

    def forget(self) -> None:
        """Begin anew: in a forked process the thread of the loop does not exist."""
        self.__init__()  # type: ignore[misc]
        stand_in.__dict__.clear()


class _Ended:
    """Ends a worker when the thread that holds this has ended."""

    __slots__ = ("__weakref__",)

    def __init__(self, loop: asyncio.AbstractEventLoop, worker: Worker) -> None:
        weakref.finalize(self, _end, loop, worker).atexit = False


def _end(loop: asyncio.AbstractEventLoop, worker: Worker) -> None:
    with suppress(RuntimeError):  # the loop may have ended before
        loop.call_soon_threadsafe(worker.end)


PORTAL = Portal()
atexit.register(PORTAL.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PORTAL.forget)
