"""The local journal of changes: one JSON line each, in files that only the user can read.

``journal.jsonl`` has a line for each entry, with a number that no other entry of any process has. What takes much room
(many documents, a large value) is in a file of its own beside it, ``journal/NUMBER.jsonl``, whose lines are written
before anything is sent: a process that is killed leaves what it was about to do. Old files are dropped, so that the
whole stays bounded. The journal never stops a change: when it cannot be written, one line says so.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rapyer_cli.environment import Environment
from rapyer_cli.render.text import json_text

_KEEP_BYTES = 4 * 1024 * 1024
_GENERATIONS = 3
_KEEP_ASIDE_BYTES = 512 * 1024 * 1024
_LONG_LINE = 16 * 1024
_MOST_IN_LINE = 64 * 1024

Entry = dict[str, Any]


class Journal:
    """Reads and appends entries in the state directory, which several processes may do at once."""

    def __init__(self, environment: Environment) -> None:
        self.path: Path = environment.state_directory / "journal.jsonl"
        self.aside: Path = environment.state_directory / "journal"
        self._environment = environment
        self._complained = False

    # -- writing ---------------------------------------------------------------------------------

    def write(self, entry: Entry, undo: list[Any] | None = None) -> int | None:
        """Append one entry with the time of day; its number, or None when it cannot be written.

        ``undo`` is what takes it back. Failures are reported once and change nothing.
        """
        try:
            with self._locked():
                number = self._next_number()
                line = {"time": self._moment(), **entry, "entry": number}
                if undo is not None:
                    line["undo"] = undo
                data = _encoded(line)
                if undo is not None and len(data) > _MOST_IN_LINE:
                    _append(self._file_of(number), _encoded({"undo": undo}))
                    self._drop_old_files(number)
                    data = _encoded({**line, "undo": None, "aside": True})
                self._rotate()
                _append(self.path, data)
                return number
        except OSError as error:
            self._complain(error)
            return None

    def begin(self, header: Entry) -> Record | None:
        """A record in a file of its own, for what is done in many steps; None when it cannot be written."""
        try:
            with self._locked():
                number = self._next_number()
                line = {"time": self._moment(), **header, "entry": number, "pid": os.getpid()}
                _append(self._file_of(number), _encoded(line))
                self._drop_old_files(number)
            return Record(self, number, line)
        except OSError as error:
            self._complain(error)
            return None

    def resume(self, entry: Entry) -> Record:
        """Go on with a record that was interrupted."""
        return Record(self, int(entry["entry"]), entry)

    def _end(self, number: int, entry: Entry) -> None:
        """The line of a record in the journal itself."""
        with self._locked():
            self._rotate()
            _append(self.path, _encoded({**entry, "entry": number, "aside": True}))

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._environment.note(
                f"rapyer: the journal {self.path} cannot be written ({error.strerror}); "
                "changes are made all the same"
            )
        self._complained = True

    def _moment(self) -> str:
        moment = datetime.fromtimestamp(self._environment.clock(), UTC)
        return moment.isoformat(timespec="milliseconds")

    def _file_of(self, number: int) -> Path:
        return self.aside / f"{number}.jsonl"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".number"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
            self._counter = descriptor
            yield
        finally:
            os.close(descriptor)

    def _next_number(self) -> int:
        text = os.read(self._counter, 20).strip()
        last = int(text) if text.isdigit() else max((e["entry"] for e in self.entries()), default=0)
        os.lseek(self._counter, 0, os.SEEK_SET)
        os.write(self._counter, b"%-20d" % (last + 1))
        return last + 1

    def _rotate(self) -> None:
        if not self.path.exists() or self.path.stat().st_size <= _KEEP_BYTES:
            return
        for generation in range(_GENERATIONS, 0, -1):
            older = self._generation(generation)
            if generation == _GENERATIONS:
                older.unlink(missing_ok=True)
            elif older.exists():
                older.replace(self._generation(generation + 1))
        self.path.replace(self._generation(1))

    def _generation(self, number: int) -> Path:
        return self.path.with_name(f"journal.{number}.jsonl")

    def _drop_old_files(self, number: int) -> None:
        """Drop the oldest files once they take too much room; never the one being written."""
        files = sorted(self._files())
        room = sum(path.stat().st_size for _, path in files)
        for one, path in files:
            if room <= _KEEP_ASIDE_BYTES or one == number:
                break
            room -= path.stat().st_size
            path.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[int, Path]]:
        for path in self.aside.glob("*.jsonl"):
            if path.stem.isdigit():
                yield int(path.stem), path

    # -- reading ---------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """All entries, oldest first, those of other processes too; unfinished ones have no ``outcome``.

        A line that was torn by a crash is left out.
        """
        found: dict[int, Entry] = {}
        for number in (*range(_GENERATIONS, 0, -1), 0):
            path = self._generation(number) if number else self.path
            for entry in _lines(path):
                if isinstance(entry.get("entry"), int) and "verb" in entry:
                    found[entry["entry"]] = entry
        for number, path in self._files():
            if number not in found:
                header = next(_lines(path), {})
                if header.get("entry") == number and "verb" in header:
                    found[number] = {**header, "aside": True}
        return [found[number] for number in sorted(found)]

    def steps(self, entry: Entry) -> Iterator[Entry]:
        """The lines of the file of an entry, after its first."""
        yield from _lines(self._file_of(int(entry["entry"])))

    def undo_of(self, entry: Entry) -> list[Any] | None:
        """What takes back an entry of one step; None when it is not known (any more)."""
        if not entry.get("aside"):
            undo: list[Any] | None = entry.get("undo")
            return undo
        return next((line["undo"] for line in self.steps(entry) if "undo" in line), None)


class Record:
    """An entry that is written in steps, each before it is carried out."""

    def __init__(self, journal: Journal, number: int, header: Entry) -> None:
        self.number, self.header = number, header
        self._journal = journal
        self._lost = False

    def step(self, line: Entry) -> None:
        """Write one step."""
        if self._lost:
            return
        try:
            _append(self._journal._file_of(self.number), _encoded(line))
        except OSError as error:
            self._lost = True
            self._journal._complain(error)

    def end(self, outcome: str, **facts: Any) -> None:
        """Write how it ended."""
        try:
            self._journal._end(self.number, {**self.header, "outcome": outcome, **facts})
        except OSError as error:
            self._journal._complain(error)

    @property
    def is_lost(self) -> bool:
        """Whether a step could not be written, so that not all of it can be taken back."""
        return self._lost


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: lines are appended as a whole there too
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def _encoded(line: Entry) -> bytes:
    data = json_text(line).encode("utf-8", "backslashreplace")
    if len(data) > _LONG_LINE:
        packed = base64.b64encode(zlib.compress(data, 6)).decode()
        # What lists look at stays readable.
        plain = {
            n: v for n, v in line.items() if n in ("entry", "verb") and not isinstance(v, list)
        }
        return json_text({**plain, "packed": packed}).encode() + b"\n"
    return data + b"\n"


def _append(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)
        size = os.fstat(descriptor).st_size
        if size:
            os.lseek(descriptor, size - 1, os.SEEK_SET)
            if os.read(descriptor, 1) != b"\n":
                data = b"\n" + data  # somebody was killed in the middle of a line
        written = os.write(descriptor, data)
        if written != len(data):
            raise OSError(28, "No space left on device")
    finally:
        os.close(descriptor)


def _lines(path: Path) -> Iterator[Entry]:
    if not path.is_file():  # a device has no end
        return
    try:
        file = path.open("rb")
    except OSError:
        return
    with file:
        for line in file:
            try:
                entry = json.loads(line)
                if isinstance(entry, dict) and "packed" in entry:
                    entry = json.loads(zlib.decompress(base64.b64decode(entry["packed"])))
            except (ValueError, zlib.error):
                continue
            if isinstance(entry, dict):
                yield entry
