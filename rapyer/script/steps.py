"""What a batch is made of, and what comes back: primitives with their place, answers, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from rapyer.paths import Path

Rewrite: TypeAlias = Callable[[bytes], tuple[bytes, Any]]
"""From the stored text of a value to its new text and the operation's answer; may raise."""


class Rewriting:
    """A :data:`Rewrite` in three parts, so that several can follow one another on the value itself.

    ``form`` is the same for all that read and write a value alike.
    """

    form: Any

    def read(self, text: bytes) -> Any:
        """The value that is stored as ``text``."""
        raise NotImplementedError

    def change(self, value: Any) -> tuple[Any, Any]:
        """What becomes of ``value``, which may be changed in place, and the operation's answer."""
        raise NotImplementedError

    def write(self, value: Any) -> bytes:
        """The text of ``value``; raises what says that it may not be stored."""
        raise NotImplementedError

    def __call__(self, text: bytes) -> tuple[bytes, Any]:
        value, answer = self.change(self.read(text))
        return self.write(value), answer


ECHO_LIMIT = 256
"""A list or dict of up to so many items is sent back with the answer, so that the local one is exact."""


class Primitive(NamedTuple):
    """One step of the script: ``code`` of :data:`~rapyer.script.primitives.PRIMITIVES` at ``path`` of a document.

    With ``rewrite`` it is a compare-and-set; ``guess`` is what the stored text is believed to be.
    """

    code: str
    path: Path
    args: tuple[bytes, ...] = ()
    rewrite: Rewrite | None = None
    guess: bytes | None = None


Step: TypeAlias = tuple[str, Primitive]
"""The key of a document, and what is done to it."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What ``echo`` answers of a list or dict that is too large to be sent: the SHA-1 of its stored text.

    In hexadecimal digits; the text is that of ``JSON.GET``, without the brackets around it.
    """

    sha1: bytes


class Answer(NamedTuple):
    """What the server said: a stamp that is greater the later it was said, and one answer a primitive."""

    stamp: int
    values: list[Any]


class Refused(Exception):  # noqa: N818 - an answer, not a failure of the program
    """The batch was refused as a whole because of the primitive at ``position``."""

    def __init__(self, position: int, error: Exception) -> None:
        super().__init__(position, error)
        self.position, self.error = position, error
