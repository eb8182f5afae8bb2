"""One broken line as data: which text of which file becomes what."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


class StaleMutantError(ValueError):
    """The code has no such text (any more), or has it more than once."""


@dataclass(frozen=True)
class Mutant:
    """The text from byte ``start`` to ``end`` of a file (a path from the root), replaced by another."""

    room: str
    file: str
    start: int
    end: int
    replacement: str
    line: int
    text: str
    """The line, or the first of its lines, as it is in the code."""
    effect: str

    def applied(self, source: bytes) -> bytes:
        """``source`` of the file, broken."""
        return source[: self.start] + self.replacement.encode() + source[self.end :]

    def rank(self, seed: int) -> str:
        """Orders mutants at random, and alike for as long as their own lines stay as they are."""
        identity = (seed, self.file, self.text, self.effect, self.replacement)
        return sha256(repr(identity).encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.effect}: {self.text}"


def written(root: Path, room: str, file: str, text: str, replacement: str, effect: str) -> Mutant:
    """The mutant that replaces ``text``, which the file must have exactly once.

    Raises :class:`StaleMutantError`.
    """
    path = root / file
    source = path.read_bytes() if path.exists() else b""
    wanted = text.encode()
    if source.count(wanted) != 1:
        raise StaleMutantError(f"{file} has {source.count(wanted)} times: {text}")
    start = source.index(wanted)
    line = source.count(b"\n", 0, start) + 1
    return Mutant(room, file, start, start + len(wanted), replacement, line, text.strip(), effect)
