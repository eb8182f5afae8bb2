"""One operation on one value, as data: what to send, what it does locally, what its answer means.

A change never looks for its place: it is told the path when it is sent, and what arrived when the server
answered (:class:`~rapyer.batch.arrival.Arrival`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rapyer.operations import Effect
from rapyer.paths import Path, field_path
from rapyer.script.call import Primitive
from rapyer.state.node import Node

if TYPE_CHECKING:
    from rapyer.batch.arrival import Arrival

T = TypeVar("T")


class Change:
    """One operation on one value.

    ``owner`` is the value whose place it changes, ``touched`` the container whose content it changes
    locally. ``texts`` are the fields of a model that are set, in their stored form. ``echoes`` says
    whether the owner is a list or dict, which the server sends back afterwards, ``keys`` which entries of
    a dict are its own (None: all); the others keep what was edited there.
    """

    __slots__ = ()

    verb: str
    owner: Any
    touched: Node | None
    texts: Mapping[str, bytes] | None = None
    effect: Effect = "write"
    echoes: bool = False
    keys: Collection[str] | None = None

    def primitives(self, path: Path) -> Sequence[Primitive]:
        """The script's steps, where the owner is at ``path``."""
        raise NotImplementedError

    def depart(self) -> None:
        """It is sent now: whatever it finds changed when the answer arrives was changed since."""

    def local(self) -> Any:
        """Apply the change to the local value as it is now; returns the local result.

        Called again when what was there before has changed (see :mod:`rapyer.state.document`).
        """
        return None

    def decode(self, answers: Sequence[Any]) -> Any:
        """The operation's result, from the steps' answers."""
        return None

    def is_as_foreseen(self, answers: Sequence[Any]) -> bool:
        """Whether the server did what :meth:`local` did: then nothing local has to follow. False says nothing."""
        return False

    def settle(self, arrival: Arrival) -> None:
        """Bring the local value in line with what the server answered."""
        arrival.settle_container(self.owner, self.local, self.keys)

    def places(self, path: Path) -> Sequence[Path]:
        """What may have been written when no answer came."""
        if self.effect == "read":
            return ()
        return [path] if self.texts is None else [(*path, name) for name in self.texts]


class ComposedChange(Change):
    """A change that is put together from functions."""

    __slots__ = (
        *("_decode", "_local", "_primitives"),
        *("echoes", "effect", "keys", "owner", "texts", "touched", "verb"),
    )

    def __init__(
        self,
        verb: str,
        owner: Any,
        primitives: Callable[[Path], Sequence[Primitive]],
        local: Callable[[], Any],
        decode: Callable[[Sequence[Any]], Any] | None = None,
        *,
        keys: Collection[str] | None = None,
        effect: Effect = "write",
    ) -> None:
        self.verb, self.owner, self.touched = verb, owner, owner
        self.texts, self.effect, self.keys, self.echoes = None, effect, keys, True
        self._primitives, self._local, self._decode = primitives, local, decode

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return self._primitives(path)

    def local(self) -> Any:
        return self._local()

    def decode(self, answers: Sequence[Any]) -> Any:
        return None if self._decode is None else self._decode(answers)


class Queued(Generic[T]):
    """The result of an asynchronous operation inside a pipeline; readable when the block has ended.

    :meth:`result` returns it. Awaiting it, or reading it early, raises ``RuntimeError``.
    """

    __slots__ = ("_error", "_outcome", "verb")

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self._outcome: tuple[T] | None = None
        self._error: Exception | None = None

    def result(self) -> T:
        """The operation's result; raises ``RuntimeError`` before the block has ended successfully.

        Raises :class:`~rapyer.errors.AppliedError` when the batch was applied and this answer is none that
        the model accepts.
        """
        if self._error is not None:
            raise self._error
        if self._outcome is None:
            raise RuntimeError(
                f"{self.verb} is queued: its result can be read after the pipeline has ended"
            )
        return self._outcome[0]

    def answered(self, outcome: T) -> None:
        """The block has ended with this result."""
        self._outcome = (outcome,)

    def failed(self, error: Exception) -> None:
        """The block has ended, and this is why there is no result."""
        self._error = error

    def __await__(self) -> Generator[Any, None, T]:
        return self.result()
        yield  # pragma: no cover - makes this a generator

    def __repr__(self) -> str:
        if self._error is not None:
            state = f"failed: {self._error}"
        else:
            state = "pending" if self._outcome is None else repr(self._outcome[0])
        return f"<Queued {self.verb}: {state}>"


class QueuedOperation:
    """One queued operation: the document, its key, the path, the script's steps, who waits for the result."""

    __slots__ = ("answer", "change", "document", "key", "path", "steps")

    def __init__(
        self,
        document: Any,
        key: str,
        path: Path,
        change: Change,
        steps: Sequence[Primitive],
        answer: Queued[Any] | None = None,
    ) -> None:
        self.document, self.key, self.path = document, key, path
        self.change, self.steps, self.answer = change, steps, answer

    def describe(self) -> str:
        """``increase Counter:1/count``."""
        place = f"/{field_path(self.path)}" if self.path else ""
        return f"{self.change.verb} {self.key}{place}"
