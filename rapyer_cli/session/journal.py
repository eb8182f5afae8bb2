"""The local journal of changes: one JSON line each, in a file that only the user can read.

It holds what is needed to see afterwards what was done and to put it back by hand. It never stops a
change: when it cannot be written, one line says so.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rapyer_cli.environment import Environment
from rapyer_cli.render.text import json_text

_KEEP_BYTES = 10 * 1024 * 1024


class Journal:
    """Appends entries to ``journal.jsonl`` in the state directory."""

    def __init__(self, environment: Environment) -> None:
        self.path: Path = environment.state_directory / "journal.jsonl"
        self._environment = environment
        self._complained = False

    def write(self, entry: dict[str, Any]) -> None:
        """Append one entry with the time of day; failures are reported once and change nothing."""
        moment = datetime.fromtimestamp(self._environment.clock(), UTC)
        line = json_text({"time": moment.isoformat(timespec="milliseconds"), **entry}) + "\n"
        try:
            self._append(line.encode("utf-8", "backslashreplace"))
        except OSError as error:
            if not self._complained:
                self._environment.note(
                    f"rapyer: the journal {self.path} cannot be written ({error.strerror}); "
                    "changes are made all the same"
                )
            self._complained = True

    def _append(self, data: bytes) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.path.exists() and self.path.stat().st_size > _KEEP_BYTES:
            self.path.replace(self.path.with_suffix(".old.jsonl"))
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            written = os.write(descriptor, data)
            if written != len(data):
                raise OSError(28, "No space left on device")
        finally:
            os.close(descriptor)
