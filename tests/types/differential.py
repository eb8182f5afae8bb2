"""What the differential tests share: settings, and one step done to a plain value and to a live one.

``RAPYER_EXAMPLES`` in the environment is how many random examples each test tries.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings

from rapyer.errors import PipelineError

SETTINGS = settings(
    deadline=None,
    max_examples=int(os.environ.get("RAPYER_EXAMPLES", "60")),
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


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
