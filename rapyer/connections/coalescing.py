"""The commands of tasks that run at the same time, sent together: one write and one read for many.

A command that comes while another one is under way waits until the event loop has run the other tasks
that are ready, and leaves with theirs; where they are many, some leave before, so that the server works on
them while the rest are being made. Each gets its own replies or its own error. Which connection is taken, and
what an error means, is the lane's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

SMALL = 16 * 1024
"""Larger commands go alone, so that nobody waits for their transfer."""
MOST_COMMANDS = 128
MOST_BYTES = 128 * 1024
EARLY_COMMANDS = 24
"""So many commands leave without waiting for more, unless enough batches are under way already."""
EARLY_BATCHES = 6


class Broken(Exception):  # noqa: N818 - an outcome, which becomes an error for each command
    """An exchange that failed, before (``sent`` is False) or after its commands were sent."""

    def __init__(self, cause: BaseException, sent: bool) -> None:
        super().__init__(cause)
        self.cause, self.sent = cause, sent


class _Entry(NamedTuple):
    """Commands that one task waits for."""

    payload: bytes
    replies: int
    future: asyncio.Future[Any]

    def is_wanted(self) -> bool:
        return not self.future.done()

    def answer(self, replies: list[Any]) -> None:
        if not self.future.done():
            self.future.set_result(replies)

    def fail(self, error: Callable[[], Exception]) -> None:
        if not self.future.done():
            self.future.set_exception(error())

    def cancel(self) -> None:
        self.future.cancel()


class Together:
    """Collects commands and exchanges them in batches of bounded size.

    :param converse: sends a payload and reads so many replies, or raises :class:`Broken`.
    :param begin: sends a payload without waiting, and returns what reads so many replies; None where
        only ``converse`` can send it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        converse: Callable[[bytes, int], Awaitable[list[Any]]],
        begin: Callable[[bytes], Callable[[int], Awaitable[list[Any]]] | None] | None = None,
    ) -> None:
        self._loop = loop
        self._converse = converse
        self._begin = begin
        self._waiting: list[_Entry] = []
        self._commands = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def exchange(self, payload: bytes, count: int) -> asyncio.Future[list[Any]]:
        """The replies to a payload of ``count`` commands, to be awaited. They may be :class:`Broken`."""
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        self._waiting.append(_Entry(payload, count, future))
        if not self._commands:
            self._loop.call_soon(self._flush)
        self._commands += count
        if self._commands >= EARLY_COMMANDS and len(self._tasks) < EARLY_BATCHES:
            self._flush()
        return future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._commands = 0
        batch: list[_Entry] = []
        commands = size = 0
        for entry in waiting:
            if not entry.is_wanted():
                continue  # cancelled before it left
            if batch and (
                commands + entry.replies > MOST_COMMANDS or size + len(entry.payload) > MOST_BYTES
            ):
                self._start(batch)
                batch, commands, size = [], 0, 0
            batch.append(entry)
            commands += entry.replies
            size += len(entry.payload)
        if batch:
            self._start(batch)

    def _start(self, batch: list[_Entry]) -> None:
        payload = b"".join([entry.payload for entry in batch])
        finish = None if self._begin is None else self._begin(payload)
        task = self._loop.create_task(self._run(batch, payload, finish))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(
        self,
        batch: list[_Entry],
        payload: bytes,
        finish: Callable[[int], Awaitable[list[Any]]] | None,
    ) -> None:
        count = sum([entry.replies for entry in batch])
        try:
            replies = await (self._converse(payload, count) if finish is None else finish(count))
            position = 0
            for entry in batch:
                entry.answer(replies[position : position + entry.replies])
                position += entry.replies
        except Broken as broken:
            cause, sent = broken.cause, broken.sent
            for entry in batch:
                entry.fail(lambda: Broken(cause, sent))
        except asyncio.CancelledError:
            for entry in batch:
                entry.cancel()
            raise
        except Exception as error:
            failure = error
            for entry in batch:
                entry.fail(lambda: failure)
