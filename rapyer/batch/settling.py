"""After a batch was applied: its answers are taken over by every instance that took part, and handed out.

Nothing is taken back here whatever happens: the server has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from rapyer.batch.arrival import Arrival, is_stored_as, is_told, tell
from rapyer.batch.change import QueuedOperation
from rapyer.batch.fate import applied_error, fate_is_unknown, lose
from rapyer.batch.part import Part
from rapyer.batch.reading_again import read_again
from rapyer.batch.touched import Touched
from rapyer.errors import AppliedError
from rapyer.paths import Path
from rapyer.state.document import bared, document_state
from rapyer.state.node import find

_SAVING = ("set", "save")


class Settling:
    """The instances of all parts of a batch, from when it is sent until its answers are settled."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._states = {
            id(document): document_state(document)
            for part in parts
            for document in part.documents()
        }
        self._departed = [(state, state.depart()) for state in self._states.values()]

    def fail(self, error: BaseException) -> None:
        """The batch was not applied, or nobody knows whether it was."""
        for part in self._parts:
            for _, operation in part.operations:
                state = self._states[id(operation.document)]
                if fate_is_unknown(error):
                    lose(state, operation.change.places(operation.path))
        self._land()

    def _land(self) -> None:
        for state, departed in self._departed:
            state.land(departed)

    async def settle(self, scope: Any, containers: Mapping[int, Touched]) -> None:
        """Bring local values in line with the answers to what the block ``scope`` did.

        Sends EVALSHA where a list or dict has to be read again.
        """
        problems: list[AppliedError] = []
        try:
            for part in self._parts:
                for arrival in _PartSettling(part, scope, containers, problems).settle():
                    if arrival.stale:
                        await read_again(arrival.document, arrival.state, arrival.stale)
        finally:
            self._land()
        if problems:
            raise problems[0]


def _saved_over(operations: Sequence[tuple[int, QueuedOperation]]) -> set[int]:
    """The operations on places that are written as a whole later on: their answers are outdated."""
    found: set[int] = set()
    if all(operation.change.touched is not None for _, operation in operations):
        return found
    saved: set[tuple[str, Path]] = set()
    for index, operation in reversed(operations):
        change, key, path = operation.change, operation.key, operation.path
        if saved and any((key, path[:end]) in saved for end in range(len(path) + 1)):
            found.add(index)
        if change.touched is None:
            saved.update((key, step.path) for step in operation.steps if step.code in _SAVING)
    return found


def _by_key(operations: Sequence[tuple[int, QueuedOperation]]) -> dict[str, list[Any]]:
    """The instances of documents of which there are several, by key."""
    keys: dict[str, list[Any]] = {}
    for _, operation in operations:
        instances = keys.setdefault(operation.key, [])
        if all(instance is not operation.document for instance in instances):
            instances.append(operation.document)
    return {key: several for key, several in keys.items() if len(several) > 1}


def _add(said: list[tuple[Any, Path, Any]], document: Any, path: Path, text: Any) -> None:
    said.append((document, path, text))


def _covers(place: Path, path: Path) -> bool:
    """Whether what was said of ``place`` says it of ``path``, too."""
    return path[: len(place)] == place


class _PartSettling:
    """The answers of one server."""

    def __init__(
        self,
        part: Part,
        scope: Any,
        containers: Mapping[int, Touched],
        problems: list[AppliedError],
    ) -> None:
        self._part, self._scope, self._containers = part, scope, containers
        self._problems = problems
        self._position = part.first
        self._outdated = _saved_over(part.operations)
        documents = part.documents()
        self._arrivals = {id(document): self._arrival(document) for document in documents}
        self._shared = _by_key(part.operations) if len(documents) > 1 else {}
        self._said: dict[str, list[tuple[Any, Path, Any]]] = {}
        for key, several in self._shared.items():
            said = self._said[key] = []
            for document in several:
                self._arrivals[id(document)].said = partial(_add, said, document)

    def _arrival(self, document: Any) -> Arrival:
        state = document_state(document)
        return Arrival(document, state, self._part.answer.stamp, applied=True)

    def settle(self) -> list[Arrival]:
        """Take over all answers; the lists and dicts that have to be read again are in what is returned."""
        edited = self._edited()
        rest = []
        for arrival in self._arrivals.values():
            work = arrival.state.work
            if work is not None and work.settle(self._scope):
                rest.append(work)
        for index, operation in self._part.operations:
            self._settle_operation(index, operation)
        self._settle_echoes(edited)
        self._settle_reads()
        self._tell_the_other_instances()
        for arrival in self._arrivals.values():
            arrival.catch_up(arrival.state.newer(arrival.stamp))
        for work in rest:
            work.rebase()
            work.replay()
        return list(self._arrivals.values())

    def _settle_operation(self, index: int, operation: QueuedOperation) -> None:
        start = self._position
        self._position += len(operation.steps)
        answers = self._part.answer.values[start : self._position]
        change = operation.change
        waiting = operation.answer
        try:
            if waiting is not None:
                waiting.answered(change.decode(answers))
            if change.echoes:
                self._apply_to_known(operation)
            elif change.is_as_foreseen(answers) and self._arrivals[
                id(operation.document)
            ].is_nobodys_news(change.places(operation.path)):
                return
            elif index not in self._part.reads:
                self._settle_change(operation, answers, outdated=index in self._outdated)
        except Exception as error:
            self._failed(operation, answers, error)

    def _settle_change(
        self, operation: QueuedOperation, answers: Sequence[Any], *, outdated: bool = False
    ) -> None:
        arrival = self._arrivals[id(operation.document)]
        arrival.path, arrival.answers, arrival.outdated = operation.path, answers, outdated
        operation.change.settle(arrival)

    def _apply_to_known(self, operation: QueuedOperation) -> None:
        """What is left of the change of a list or dict that is not there any more when the batch ends."""
        owner = operation.change.owner
        known = self._arrivals[id(operation.document)].state.known
        if known is None or any(echoed is owner for _, echoed, _ in self._part.echoes):
            return
        place = known.covering(operation.path)
        if place is None:
            return
        noted = known.places[place]
        for step in operation.steps:
            if step.rewrite is None:
                noted.applied(step.code, step.path[len(place) :], step.args)
            else:
                noted.unknown = True

    def _edited(self) -> dict[int, Any]:
        """What was known of the lists and dicts that had unsaved edits below what the block did to them."""
        found: dict[int, Any] = {}
        echoes = self._part.answer.values[self._part.last :]
        for (document, owner, path), echo in zip(self._part.echoes, echoes, strict=False):
            state = self._arrivals[id(document)].state
            was = None if state.known is None else state.known.text(path)
            is_alone = state.work is None or state.work.is_only_of(self._scope)
            if was is None or (is_alone and is_told(owner, echo)):
                continue  # in the second case nothing local has to follow, whatever was edited
            with bared(state):
                if not is_stored_as(owner, was):
                    found[id(owner)] = was
        return found

    def _settle_echoes(self, edited: Mapping[int, Any]) -> None:
        self._position = self._part.last
        for document, owner, path in self._part.echoes:
            arrival = self._arrivals[id(document)]
            arrival.path, arrival.echo = path, self._part.answer.values[self._position]
            self._position += 1
            touched = self._containers.get(id(owner))
            arrival.was = edited.get(id(owner))
            keys = None if touched is None else touched.keys
            try:
                arrival.settle_container(owner, None, keys)
            except Exception as error:
                lose(arrival.state, [path])
                self._problems.append(
                    applied_error(arrival.document, "the pipeline", [arrival.echo], error)
                )

    def _settle_reads(self) -> None:
        operations = dict(self._part.operations)
        for index in self._part.reads:
            text = self._part.answer.values[self._position]
            self._position += 1
            operation = operations[index]
            place = find(operation.change.owner)
            if text is None or place is None:
                continue
            operation.path = place[1]
            try:
                self._settle_change(operation, [text])
            except Exception as error:
                self._failed(operation, [text], error)

    def _tell_the_other_instances(self) -> None:
        for key, several in self._shared.items():
            said = self._said[key]
            for position, (document, path, text) in enumerate(said):
                later = said[position + 1 :]
                for other in several:
                    if other is not document and not any(
                        teller is other and _covers(place, path) for teller, place, _ in later
                    ):
                        tell(other, document_state(other), path, text)

    def _failed(self, operation: QueuedOperation, answers: Sequence[Any], error: Exception) -> None:
        problem = applied_error(operation.document, operation.change.verb, answers, error)
        problem.__cause__ = error
        if operation.answer is not None:
            operation.answer.failed(problem)
        if operation.change.effect != "read":
            lose(
                self._arrivals[id(operation.document)].state,
                operation.change.places(operation.path),
            )
            if operation.answer is None:
                self._problems.append(problem)
