"""What a search gives: the documents that match, in columns, and what it could not give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rapyer.errors import BulkError, KeyNotFound
from rapyer.keyspace.texts import Entry

_NAMED = 10


@dataclass(frozen=True, slots=True)
class Found:
    """Documents that match, in columns of one length: a list of 200 costs less than 200 objects."""

    entries: list[Entry]
    documents: list[Any]
    texts: list[bytes]

    def __len__(self) -> int:
        return len(self.entries)

    @classmethod
    def joined(cls, parts: list[Found]) -> Found:
        """The documents of all ``parts``."""
        return cls(
            [entry for part in parts for entry in part.entries],
            [document for part in parts for document in part.documents],
            [text for part in parts for text in part.texts],
        )

    def __getitem__(self, part: slice) -> Found:
        return Found(self.entries[part], self.documents[part], self.texts[part])


class Problems:
    """What a search could not give."""

    def __init__(self, missing_ok: bool) -> None:
        self.failures: dict[str, Exception] = {}
        self._missing_ok = missing_ok

    def missing(self, key: str) -> None:
        if not self._missing_ok:
            self.failures[key] = KeyNotFound(f"{key} does not exist", key=key)

    def report_done(self, done: int, verb: str) -> None:
        """Raise what failed of a change of many documents, of which ``done`` were ``verb``."""
        if not self.failures:
            return
        first_key, first = next(iter(self.failures.items()))
        raise BulkError(
            f"{done} documents were {verb}, {len(self.failures)} failed, {first_key} first: {first}",
            failures=self.failures,
        ) from first

    def report(self) -> None:
        if not self.failures:
            return
        keys = list(self.failures)
        named = ", ".join(keys[:_NAMED]) + (
            f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
        )
        if all(isinstance(failure, KeyNotFound) for failure in self.failures.values()):
            verb = "does" if len(keys) == 1 else "do"
            raise KeyNotFound(f"{named} {verb} not exist", key=keys[0])
        noun = "document" if len(keys) == 1 else "documents"
        raise BulkError(f"{len(keys)} {noun} failed: {named}", failures=self.failures)
