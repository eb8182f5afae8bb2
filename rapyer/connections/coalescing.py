"""The commands of tasks that run at the same time, sent together: one write and one read for many.

A command that comes while another one is under way waits until the event loop has run the other tasks
that are ready, and leaves with theirs; where they are many, some leave before, so that the server works on
them while the rest are being made. Each gets its own replies or its own error. Script calls can go one step
further and leave as a single command. Which connection is taken, and what an error means, is the lane's
business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from rapyer.connections.exchange import Command, pack

SMALL = 16 * 1024
"""Larger commands go alone, so that nobody waits for their transfer."""
MOST_COMMANDS = 128
MOST_BYTES = 128 * 1024
EARLY_COMMANDS = 24
"""So many commands leave without waiting for more, unless enough batches are under way already."""
EARLY_BATCHES = 6
MOST_MERGED = 64
"""So many parts are merged into one command at most, so that it keeps the server for a millisecond or so."""


class Broken(Exception):  # noqa: N818 - an outcome, which becomes an error for each command
    """An exchange that failed, before (``sent`` is False) or after its commands were sent."""

    def __init__(self, cause: BaseException, sent: bool) -> None:
        super().__init__(cause)
        self.cause, self.sent = cause, sent


class Part(Protocol):
    """What one task contributes to a merged command."""

    def size(self) -> int:
        """About how many bytes it takes."""


class Merge(Protocol):
    """How parts of many tasks become one command, whose reply is a list: something for all, then one each."""

    def __call__(self, parts: Sequence[Any], /) -> Command:
        """The command for these parts."""


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


class _Waiting(NamedTuple):
    """A part, and the task that waits for its reply."""

    part: Part
    future: asyncio.Future[Any]


class _Merged(NamedTuple):
    """One command that several tasks wait for."""

    payload: bytes
    parts: list[_Waiting]
    replies: int = 1

    def is_wanted(self) -> bool:
        return True

    def answer(self, replies: list[Any]) -> None:
        (reply,) = replies
        failed = isinstance(reply, Exception)
        for number, part in enumerate(self.parts, 1):
            if not part.future.done():
                part.future.set_result(reply if failed else [reply[0], reply[number]])

    def fail(self, error: Callable[[], Exception]) -> None:
        for part in self.parts:
            if not part.future.done():
                part.future.set_exception(error())

    def cancel(self) -> None:
        for part in self.parts:
            part.future.cancel()


def _made(merge: Merge, group: list[_Waiting]) -> Iterator[_Merged]:
    """One command for ``group``, or, where some part cannot be sent at all, one for each of the others."""
    try:
        payload = pack([merge([part.part for part in group])])
    except Exception as error:
        if len(group) == 1:
            group[0].future.set_exception(error)
            return
        for part in group:
            yield from _made(merge, [part])
    else:
        yield _Merged(payload, group)


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
        self._parts: dict[Merge, list[_Waiting]] = {}
        self._commands = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def exchange(self, payload: bytes, count: int) -> asyncio.Future[list[Any]]:
        """The replies to a payload of ``count`` commands, to be awaited. They may be :class:`Broken`."""
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        self._waiting.append(_Entry(payload, count, future))
        self._count(count)
        return future

    def exchange_merged(self, part: Part, merge: Merge) -> asyncio.Future[Any]:
        """The reply to a command made of ``part`` and those of other tasks, to be awaited.

        It is a list of what the reply has for all and of what it has for this part, or an error reply.
        May raise :class:`Broken`.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        self._parts.setdefault(merge, []).append(_Waiting(part, future))
        self._count(1)
        return future

    def _count(self, commands: int) -> None:
        if not self._commands:
            self._loop.call_soon(self._flush)
        self._commands += commands
        if self._commands >= EARLY_COMMANDS and len(self._tasks) < EARLY_BATCHES:
            self._flush()

    def _merged(self) -> Iterator[_Merged]:
        parts, self._parts = self._parts, {}
        for merge, found in parts.items():
            wanted = [part for part in found if not part.future.done()]
            while wanted:
                count = size = 0
                for part in wanted[:MOST_MERGED]:
                    size += part.part.size()
                    if count and size > MOST_BYTES:
                        break
                    count += 1
                group, wanted = wanted[:count], wanted[count:]
                yield from _made(merge, group)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._commands = 0
        entries: list[_Entry | _Merged] = [*waiting, *self._merged()]
        batch: list[_Entry | _Merged] = []
        commands = size = 0
        for entry in entries:
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

    def _start(self, batch: list[_Entry | _Merged]) -> None:
        payload = b"".join([entry.payload for entry in batch])
        finish = None if self._begin is None else self._begin(payload)
        task = self._loop.create_task(self._run(batch, payload, finish))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(
        self,
        batch: list[_Entry | _Merged],
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
