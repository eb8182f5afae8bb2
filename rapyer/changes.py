"""One operation on one value, as data: what to send, what it does locally, how to read the answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from rapyer.links import Document, Node
from rapyer.operations import Effect
from rapyer.paths import Path, field_path
from rapyer.script import Primitive

T = TypeVar("T")


def nothing(answers: Sequence[Any]) -> Any:
    """The result of an operation that has none."""
    return None


@dataclass(slots=True, eq=False)
class Change:
    """One operation on one value.

    ``owner`` is the value whose place it changes, ``touched`` the container whose content it changes
    locally. ``primitives`` gives the script's steps for the owner's path, ``local`` applies the change
    to the local value and returns the local result, ``decode`` turns the steps' answers into the
    operation's result, ``settle`` brings the local value in line with the answers; after ``local`` it
    leaves alone what was changed once more since. ``growth`` is by how much the length of a list or dict
    changes, None where only the server knows. ``texts`` are the fields of a model that are set, in their
    stored form.
    """

    verb: str
    owner: Any
    touched: Node | None
    primitives: Callable[[Path], Sequence[Primitive]]
    local: Callable[[], Any]
    decode: Callable[[Sequence[Any]], Any] = nothing
    settle: Callable[[Sequence[Any], int], None] | None = None
    growth: int | None = None
    texts: Mapping[str, bytes] | None = None
    effect: Effect = "write"


class Queued(Generic[T]):
    """The result of an asynchronous operation inside a pipeline; readable when the block has ended.

    :meth:`result` returns it. Awaiting it, or reading it early, raises ``RuntimeError``.
    """

    __slots__ = ("_outcome", "verb")

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self._outcome: tuple[T] | None = None

    def result(self) -> T:
        """The operation's result; raises ``RuntimeError`` before the block has ended successfully."""
        if self._outcome is None:
            raise RuntimeError(
                f"{self.verb} is queued: its result can be read after the pipeline has ended"
            )
        return self._outcome[0]

    def __await__(self) -> Generator[Any, None, T]:
        return self.result()
        yield  # pragma: no cover - makes this a generator

    def __repr__(self) -> str:
        state = "pending" if self._outcome is None else repr(self._outcome[0])
        return f"<Queued {self.verb}: {state}>"


@dataclass(slots=True, eq=False)
class QueuedOperation:
    """One queued operation: the document, its key, the path, the script's steps, and who waits for the result."""

    document: Document
    key: str
    path: Path
    change: Change
    steps: Sequence[Primitive]
    answer: Queued[Any] | None = field(default=None, repr=False)

    def describe(self) -> str:
        """``increase Counter:1/count``."""
        place = f"/{field_path(self.path)}" if self.path else ""
        return f"{self.change.verb} {self.key}{place}"
