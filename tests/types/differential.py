"""The engine of the differential tests: what is done to a plain value and to a live one must come to the same.

:class:`Pair` is a container of Python's and the live one that is compared with it. Which steps there are is for the
tests of each type to say.

``RAPYER_EXAMPLES`` in the environment is how many random examples each test tries.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias

from hypothesis import HealthCheck, settings

from rapyer.errors import PathNotFound, PipelineError
from rapyer.types import RedisDict, RedisList
from tests.conftest import Stored

SETTINGS = settings(
    deadline=None,
    max_examples=int(os.environ.get("RAPYER_EXAMPLES", "60")),
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)

Step: TypeAlias = tuple[str, Callable[[Any], Any]]
"""What is done to both alike, and its name."""

Operation: TypeAlias = tuple[str, Callable[[Any], Any], Callable[[Any], Awaitable[Any]]]
"""A name, what is done to the plain value, and the asynchronous method that does so to the live one."""


class Outcome(NamedTuple):
    """What a call gave: its result, or the error it raised."""

    result: Any
    error: Exception | None


def attempt(call: Callable[[], Any]) -> Outcome:
    try:
        return Outcome(call(), None)
    except Exception as error:
        return Outcome(None, error)


async def attempt_async(call: Callable[[], Awaitable[Any]]) -> Outcome:
    try:
        return Outcome(await call(), None)
    except Exception as error:
        return Outcome(None, error)


def exactly(value: Any) -> Any:
    """``value`` in a form in which 1, 1.0 and True differ, as do two zones at one moment."""
    if isinstance(value, list | tuple):
        return (type(value).__name__ if type(value) is tuple else "list", [*map(exactly, value)])
    if isinstance(value, dict):
        return {key: exactly(entry) for key, entry in value.items()}
    if isinstance(value, bool | None):
        return value
    for builtin in (int, float, str, bytes):
        if isinstance(value, builtin):
            return (builtin.__name__, builtin.__repr__(value))
    return repr(value)


def agree(plain: Outcome, live: Outcome) -> None:
    """Same result exactly; an error of the same type or of a subclass, a refused value included."""
    if plain.error is None:
        assert live.error is None, f"{live.error!r}, but Python gives {plain.result!r}"
        assert exactly(live.result) == exactly(plain.result)
    else:
        assert live.error is not None, f"{live.result!r}, but Python raises {plain.error!r}"
        cause = live.error.__cause__ if isinstance(live.error, PipelineError) else live.error
        assert isinstance(cause, type(plain.error)), (live.error, plain.error)


class Pair:
    """A ``plain`` list or dict, and the ``field`` of a ``model`` that is compared with it."""

    def __init__(self, model: Any, field: str, plain: Any, stored: Stored) -> None:
        self.model, self.field, self.plain, self._stored = model, field, plain, stored

    def of(self, model: Any) -> Any:
        """The live value of ``model``."""
        return getattr(model, self.field)

    def check_local(self, model: Any) -> None:
        """The live value of ``model`` is the plain one, entries in the same order."""
        live = self.of(model)
        assert live == self.plain
        self.check_content(model)
        assert [*live] == [*self.plain]

    def check_content(self, model: Any) -> None:
        """The live value of ``model`` is the plain one in whatever order."""
        live = self.of(model)
        assert type(live) in (RedisList, RedisDict)
        assert exactly(live) == exactly(self.plain)

    async def check_stored(self) -> None:
        """What the server has is the plain value, and is read as such."""
        document = await self._stored(self.model)
        expected = exactly(self.plain)
        if isinstance(expected, dict):
            expected = {str(key): value for key, value in expected.items()}
        assert exactly(document[self.field]) == expected
        self.check_content(await type(self.model).get(self.model.key))

    def run(self, steps: list[Step]) -> None:
        """Do ``steps`` to both, and compare after each."""
        for _, step in steps:
            agree(attempt(lambda: step(self.plain)), attempt(lambda: step(self.of(self.model))))  # noqa: B023
            self.check_local(self.model)

    async def run_outside(self, steps: list[Step]) -> None:
        """Steps are local until the field is saved."""
        self.run(steps)
        await self.of(self.model).save()
        await self.check_stored()

    async def run_inside(self, steps: list[Step]) -> None:
        """Steps in a pipeline are on the server when it has ended."""
        async with self.model.pipeline():
            self.run(steps)
        self.check_content(self.model)
        await self.check_stored()

    async def run_at_once(
        self, operations: list[Operation], writer: Callable[[], Any] | None = None
    ) -> None:
        """Operations are on the server when they were awaited, whoever of the writers did them.

        Which item ``apopitem`` takes is arbitrary where there are several: the one that it answers is gone.
        """
        for name, on_plain, on_live in operations:
            model = self.model if writer is None else writer()
            live = await attempt_async(lambda: on_live(self.of(model)))  # noqa: B023
            if name == "apopitem" and self.plain and writer is not None:
                assert live.error is None
                taken, taken_value = live.result
                assert exactly(self.plain.pop(taken)) == exactly(taken_value)
            else:
                agree(attempt(lambda: on_plain(self.plain)), live)  # noqa: B023
            if live.error is None:
                check = self.check_local if writer is None else self.check_content
                check(model)
            await self.check_stored()

    async def run_queued(self, operations: list[Operation]) -> None:
        """Operations in a pipeline give their results when it has ended."""
        queued = []
        async with self.model.pipeline():
            for _, on_plain, on_live in operations:
                expected = attempt(lambda: on_plain(self.plain))  # noqa: B023
                outcome = await attempt_async(lambda: on_live(self.of(self.model)))  # noqa: B023
                if expected.error is None:
                    assert outcome.error is None
                    queued.append((outcome.result, expected.result))
                else:
                    assert isinstance(outcome.error, type(expected.error))
        for answer, result in queued:
            assert exactly(answer.result()) == exactly(result)
        self.check_content(self.model)
        await self.check_stored()

    async def run_stale(self, steps: list[Step]) -> None:
        """Steps in a pipeline have their effect on what the server has, which is the plain value here."""
        before, state = exactly(self.of(self.model)), exactly(await self._stored(self.model))
        done: list[Any] = []
        failure: Exception | None = None
        try:
            async with self.model.pipeline():
                for _, step in steps:
                    if attempt(lambda: step(self.of(self.model))).error is None:  # noqa: B023
                        done.append(step)
        except PipelineError as error:
            failure = error
        expected = _up_to_the_first_error(self.plain, done)
        if not isinstance(expected.error, IndexError) or not _is_path_not_found(failure):
            agree(expected, Outcome(None, failure))
        if expected.error is None:
            self.check_content(await type(self.model).get(self.model.key))
            if done:
                self.check_content(self.model)
        else:
            assert exactly(await self._stored(self.model)) == state
            assert exactly(self.of(self.model)) == before


def _up_to_the_first_error(plain: Any, steps: list[Callable[[Any], Any]]) -> Outcome:
    for step in steps:
        outcome = attempt(lambda: step(plain))  # noqa: B023
        if outcome.error is not None:
            return outcome
    return Outcome(None, None)


def _is_path_not_found(failure: Exception | None) -> bool:
    """How a batch reports an item that is to be set and is not there."""
    return failure is not None and isinstance(failure.__cause__, PathNotFound)
