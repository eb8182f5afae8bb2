"""Whether a history could have come about if every operation was one step, done once or not at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.histories.documents import Ledger


@dataclass
class Event:
    """One operation. ``outcome`` is ``ok``, ``no`` (nothing was done) or ``unknown``."""

    kind: str
    number: str
    began: float
    given: Any
    ended: float = float("inf")
    outcome: str = "unknown"
    value: Any = None


def events_of(output: bytes) -> list[Event]:
    """What one process wrote; the last line may be cut off."""
    events: dict[str, Event] = {}
    for line in output.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if "kind" in said:
            events[said["number"]] = Event(**said)
        elif "number" in said:
            event = events[said["number"]]
            event.ended, event.outcome, event.value = said["ended"], said["outcome"], said["value"]
    return list(events.values())


class History:
    """All events of all processes, and the document when they had ended."""

    def __init__(self, events: Iterable[Event], start: Ledger, end: Ledger) -> None:
        self.events, self.start, self.end = list(events), start, end

    def of(self, kind: str, *outcomes: str) -> list[Event]:
        return [e for e in self.events if e.kind == kind and e.outcome in (outcomes or ("ok",))]

    def faults(self) -> Iterator[str]:
        """Everything that cannot be."""
        yield from self._increases()
        yield from self._appends()
        yield from self._pops()
        yield from self._batches()
        yield from self._counted("watch", self.end.watched)
        yield from self._locks()
        for event in self.of("compare"):
            local, stored = event.value
            if local != stored:
                yield f"{event.number}: local {local} is not what is stored, {stored}"

    def _increases(self) -> Iterator[str]:
        done = sorted(self.of("increase"), key=lambda event: event.value)
        at = 0
        for event in done:  # each took the counter over a stretch of its own
            if event.value - event.given < at:
                yield f"{event.number}: the counter went twice over {event.value}"
            at = event.value
        amounts = [event.given for event in self.of("increase", "unknown")]
        left = int(self.end.counter) - sum(event.given for event in done)
        sums = {0}
        for amount in amounts:
            sums |= {one + amount for one in sums}
        if left not in sums:
            yield f"the counter is {left} off, with {amounts} unknown"
        highest, ended = 0, sorted(done, key=lambda event: event.ended)
        waiting = iter(ended)
        following = next(waiting, None)
        for event in sorted(done, key=lambda event: event.began):
            while following is not None and following.ended < event.began:
                highest = max(highest, following.value)
                following = next(waiting, None)
            if event.value < highest:
                yield f"{event.number}: got {event.value} after somebody had got {highest}"

    def _appends(self) -> Iterator[str]:
        there = Counter(str(token) for token in self.end.appended)
        yield from (f"{token} was appended {n} times" for token, n in there.items() if n > 1)
        yield from (f"{e.given} is lost" for e in self.of("append") if e.given not in there)
        refused = {event.given for event in self.of("append", "no")}
        yield from (f"{token} was appended though refused" for token in refused & set(there))

    def _pops(self) -> Iterator[str]:
        popped = Counter(e.value for e in self.of("pop") if e.value is not None)
        yield from (f"{item} was popped {n} times" for item, n in popped.items() if n > 1)
        left = [int(item) for item in self.end.queue]
        yield from (f"{item} was popped and is there" for item in set(left) & set(popped))
        lost = len(self.start.queue) - len(left) - len(popped)
        if not 0 <= lost <= len(self.of("pop", "unknown")):
            yield f"{lost} items are gone"
        if left != sorted(left):
            yield "the queue is out of order"

    def _batches(self) -> Iterator[str]:
        end = self.end
        if not end.left == end.right == len(end.entries):
            yield f"a batch is torn: {end.left}, {end.right}, {len(end.entries)}"
        yield from (f"{e.given} is lost" for e in self.of("batch") if e.given not in end.entries)
        refused = {event.given for event in self.of("batch", "no")}
        yield from (f"{token} was applied though refused" for token in refused & set(end.entries))
        for event in self.of("read"):
            if len(set(event.value)) > 1:
                yield f"{event.number} saw half a batch: {event.value}"

    def _counted(self, kind: str, value: int) -> Iterator[str]:
        done, unknown = len(self.of(kind)), len(self.of(kind, "unknown"))
        if not done <= value <= done + unknown:
            yield f"{kind}: {value} is stored, {done} were done and {unknown} are unknown"

    def _locks(self) -> Iterator[str]:
        held = sorted((event.value, event.number) for event in self.of("lock"))
        for ((_, end), one), ((begin, _), other) in pairwise(held):
            if begin < end:
                yield f"{one} and {other} held the lock at the same time"
        yield from self._counted("lock", self.end.locked)
