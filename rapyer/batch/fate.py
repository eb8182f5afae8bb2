"""What is known of a write that failed: refused, applied all the same, or nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rapyer import errors
from rapyer.errors import AppliedError
from rapyer.paths import Path
from rapyer.state.document import DocumentState
from rapyer.state.node import key_of


def applied_error(
    document: Any, verb: str, answers: Sequence[Any], error: Exception
) -> AppliedError:
    """The error for what failed after the server had applied it."""
    return AppliedError(
        f"{key_of(document)}: {verb} was applied, but the answer could not be taken over: {error}",
        answer=list(answers),
    )


def fate_is_unknown(error: BaseException) -> bool:
    """Whether what failed with ``error`` may have been applied all the same."""
    if isinstance(error, AppliedError):
        return False  # it was, and that is settled
    if isinstance(error, errors.RapyerError):
        return isinstance(error, errors.OutcomeUnknownError)
    return True


def lose(state: DocumentState, places: Sequence[Path]) -> None:
    """Nobody knows what the server has at ``places`` now."""
    for path in places:
        if not path:
            state.known = None
        elif state.known is not None:
            state.known.lose(path)
