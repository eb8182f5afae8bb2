"""The exit codes of ``rapyer``: documented, stable, and meant for scripts."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended. The meanings never change; new ones get new numbers."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    INVALID = 4
    CONNECTION = 5
    REFUSED = 6
    MODELS = 7
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One line for ``--help``."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.DONE: "done",
    Exit.FAILED: "the operation or the server reported an error",
    Exit.USAGE: "the command line could not be understood",
    Exit.NOT_FOUND: "the key or the path does not exist",
    Exit.INVALID: "a value was refused by validation",
    Exit.CONNECTION: "no connection, or authentication failed",
    Exit.REFUSED: "refused by a safety rule; nothing was sent",
    Exit.MODELS: "the models could not be loaded",
    Exit.INTERRUPTED: "interrupted",
}
