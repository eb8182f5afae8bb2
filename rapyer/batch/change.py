"""One operation on one value, as data: what to send, what it does locally, how to read the answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from rapyer.operations import Effect
from rapyer.paths import Path, field_path
from rapyer.script.call import Primitive
from rapyer.state.links import Document, EchoedNode, Node

T = TypeVar("T")


class Change:
    """One operation on one value.

    ``owner`` is the value whose place it changes, ``touched`` the container whose content it changes
    locally. ``growth`` is by how much the length of a list or dict changes, None where only the server
    knows. ``texts`` are the fields of a model that are set, in their stored form. ``settles`` says
    whether :meth:`settle` does anything, ``echoes`` whether the owner is a list or dict, which the server
    sends back afterwards (to ask a model whether it is one takes longer than to answer).
    """

    __slots__ = ()

    verb: str
    owner: Any
    touched: Node | None
    growth: int | None = None
    texts: Mapping[str, bytes] | None = None
    effect: Effect = "write"
    settles: bool = False
    echoes: bool = False
    overtaken: tuple[Any] | None = None
    """The server's value, where :meth:`settle` found that another has taken its place here since."""

    def primitives(self, path: Path) -> Sequence[Primitive]:
        """The script's steps, where the owner is at ``path``."""
        raise NotImplementedError

    def local(self) -> Any:
        """Apply the change to the local value; returns the local result."""
        raise NotImplementedError

    def decode(self, answers: Sequence[Any]) -> Any:
        """The operation's result, from the steps' answers."""
        return None

    def settle(self, answers: Sequence[Any], stamp: int) -> None:
        """Bring the local value in line with the answers.

        After :meth:`local` it leaves alone what was changed once more since.
        """


def _no_change() -> None:
    return None


class ComposedChange(Change):
    """A change that is put together from functions."""

    __slots__ = (
        *("_decode", "_local", "_primitives", "_settle"),
        *("echoes", "effect", "growth", "owner", "settles", "texts", "touched", "verb"),
    )

    def __init__(
        self,
        verb: str,
        owner: Any,
        touched: Node | None,
        primitives: Callable[[Path], Sequence[Primitive]],
        local: Callable[[], Any] = _no_change,
        decode: Callable[[Sequence[Any]], Any] | None = None,
        settle: Callable[[Sequence[Any], int], None] | None = None,
        growth: int | None = None,
        texts: Mapping[str, bytes] | None = None,
        effect: Effect = "write",
    ) -> None:
        self.verb, self.owner, self.touched = verb, owner, touched
        self.growth, self.texts, self.effect = growth, texts, effect
        self._primitives, self._local, self._decode = primitives, local, decode
        self._settle, self.settles = settle, settle is not None
        self.echoes = isinstance(owner, EchoedNode)

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return self._primitives(path)

    def local(self) -> Any:
        return self._local()

    def decode(self, answers: Sequence[Any]) -> Any:
        return None if self._decode is None else self._decode(answers)

    def settle(self, answers: Sequence[Any], stamp: int) -> None:
        if self._settle is not None:
            self._settle(answers, stamp)


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
