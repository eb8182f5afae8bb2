"""``import``: documents from JSON lines as ``export`` writes them, streamed and validated.

A bad line is reported by its number and never stops the others; nothing is lost silently. An existing
document is never overwritten unless ``--replace`` says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from rapyer.keyspace.spelling import as_sent
from rapyer_cli.exits import Exit
from rapyer_cli.failures import CliError, NotFound, Refused, UsageError, one_line
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Option, Verb
from rapyer_cli.render.differences import same
from rapyer_cli.render.shapes import Ended
from rapyer_cli.render.text import counted, cut
from rapyer_cli.verbs.arguments import CHANGE_EXITS

_CHUNK = 200
_SHOWN = 20
_SAMPLED = 1000
_LONGEST = (1 << 62) / 1000
"""The longest time to live, in seconds."""
# Errors that say something of the server, not of the line: the import stops and can be resumed.
_NOT_OF_THE_LINE = (
    *("OutOfMemoryError", "ReadOnlyError", "NoPermissionError", "BusyLoadingError"),
    *("ClusterDownError", "MasterDownError", "MissingModuleError"),
)

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session


class Entry(NamedTuple):
    """One good line: its number, the key, the text to store, and the seconds to live."""

    number: int
    key: str
    text: bytes
    ttl: float | None


@dataclass(slots=True)
class Tally:
    """How the import goes. ``problems`` are the first bad lines, by number; ``bad`` counts all of them."""

    written: int = 0
    there: int = 0
    bad: int = 0
    problems: dict[int, str] = field(default_factory=dict)
    rejected: list[int] = field(default_factory=list)
    """The bad lines of the chunk at hand."""
    done_bytes: int = 0
    number: int = 0

    def reject(self, number: int, why: str) -> None:
        """A line is bad."""
        self.bad += 1
        self.rejected.append(number)
        if len(self.problems) < _SHOWN:
            self.problems[number] = why


class Chunk(NamedTuple):
    """Lines that are done together: the good ones, all of them as they are, and where they end."""

    entries: list[Entry]
    lines: dict[int, bytes]
    end: int


async def import_(session: Session, invocation: Invocation) -> Any:
    """Store the documents of a file; exit code 1 when some lines were bad."""
    from rapyer_cli.change.execute import confirm_bulk, refuse_if_read_only
    from rapyer_cli.render.progress import progress

    if session.transaction is not None:
        raise CliError("import does not go into a transaction: 'commit' or 'discard' first")
    dry = invocation.flag("dry_run")
    if not dry:
        refuse_if_read_only(session)
    name = invocation.text("file") or ""
    mark = _Mark(session, name)
    tally = Tally()
    if invocation.flag("resume"):
        tally.done_bytes, tally.number, tally.bad = mark.read()
    rejects = _rejects(session, invocation, name)
    file, size = _opened(session, name)
    try:
        if not dry and invocation.flag("replace"):
            await confirm_bulk(session, invocation, await _question(session, name, file))
        with progress(session.environment, "importing (bytes)", size) as advance:
            advance(tally.done_bytes)
            for chunk in _chunks(session, file, tally):
                if not dry:
                    await _store(session, chunk.entries, tally, replace=invocation.flag("replace"))
                else:
                    tally.written += len(chunk.entries)
                if rejects is not None:
                    _write_rejects(rejects, chunk, tally)
                tally.rejected.clear()
                if not dry:
                    mark.write(chunk.end, tally)
                advance(chunk.end - tally.done_bytes)
                tally.done_bytes = chunk.end
    finally:
        if name != "-":
            file.close()
        if rejects is not None:
            rejects.close()
    if not dry:
        mark.remove()
    return _ended(session, invocation, tally, name, dry=dry)


async def _question(session: Session, name: str, file: IO[bytes]) -> str:
    """What ``--replace`` would do: how many lines there are, and some keys that exist."""
    if name == "-":
        return "import standard input, replacing documents that exist"
    from rapyer_cli.reading.many import texts_of

    start = file.tell()
    keys: list[str] = []
    lines = 0
    for line in file:
        lines += 1
        if lines <= _SAMPLED:
            key = _record(line).get("key")
            keys += [key] if isinstance(key, str) and _is_text(key) else []
    file.seek(start)
    found = [key async for key, _ in texts_of(await session.client(), keys)]
    sample = f", such as {', '.join(found[:3])}" if found else ""
    among = f"of the first {lines:,}" if lines <= _SAMPLED else f"of the first {_SAMPLED:,}"
    return (
        f"import {counted(lines, 'line')} of {name}; {len(found):,} {among} replace documents that "
        f"exist{sample}"
    )


def _is_text(key: str) -> bool:
    """Whether a key can be sent: what a lone surrogate is part of is no text."""
    try:
        as_sent(key)
    except UnicodeEncodeError:
        return False
    return True


def _record(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _chunks(session: Session, file: IO[bytes], tally: Tally) -> Iterator[Chunk]:
    position = tally.done_bytes
    if position:
        file.seek(position)
    chunk = Chunk([], {}, position)
    for line in file:
        tally.number += 1
        chunk.lines[tally.number] = line
        chunk = chunk._replace(end=chunk.end + len(line))
        if line.strip():
            try:
                chunk.entries.append(_entry(session, line, tally.number))
            except RecursionError:
                tally.reject(tally.number, "it is nested too deeply")
            except ValueError as error:
                tally.reject(tally.number, one_line(str(error)))
        if len(chunk.lines) == _CHUNK:
            yield chunk
            chunk = Chunk([], {}, chunk.end)
    if chunk.lines:
        yield chunk


def _entry(session: Session, line: bytes, number: int) -> Entry:
    """One line, checked. Raises ``ValueError`` that says what is wrong with it."""
    from pydantic import ValidationError

    from rapyer.models.loading import load_document
    from rapyer.schema.spec import any_spec
    from rapyer_cli.failures import validation_lines
    from rapyer_cli.reading.drift import in_words, key_problem

    try:
        record = json.loads(line)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from error
    if not isinstance(record, dict) or not {"key", "value"} <= record.keys():
        raise ValueError('it is not {"key": …, "value": …}')
    key, ttl = record["key"], record.get("ttl")
    if not isinstance(key, str) or not key:
        raise ValueError("its key is not a text")
    as_sent(key)  # raises for what is no text of Unicode
    if ttl is not None and (
        isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not 0 < ttl < _LONGEST
    ):
        raise ValueError(f"its ttl is {ttl!r}; seconds or null are expected")
    text = any_spec().to_json(record["value"])
    model = session.models.of_key(key)
    if model is not None:
        try:
            document = load_document(model, key, text)
        except ValidationError as error:
            raise ValueError("; ".join(validation_lines(error))) from error
        problems = key_problem(model, document, key)
        if problems:
            raise ValueError(f"{key}: {in_words(problems)}")
    return Entry(number, key, text, ttl)


async def _store(session: Session, chunk: list[Entry], tally: Tally, *, replace: bool) -> None:
    from rapyer_cli.change.storing import Stored, store_many
    from rapyer_cli.reading.many import texts_of

    documents = [Stored(entry.key, entry.text, entry.ttl, replace) for entry in chunk]
    replies = await store_many(session, "import", documents)
    taken: list[Entry] = []
    for entry, reply in zip(chunk, replies, strict=True):
        if isinstance(reply, Exception):
            if type(reply).__name__ in _NOT_OF_THE_LINE or "MISCONF" in str(reply):
                raise reply
            tally.reject(entry.number, one_line(str(reply)))
        elif reply is None:
            taken.append(entry)
        else:
            tally.written += 1
    stored = dict([pair async for pair in texts_of(await session.client(), [e.key for e in taken])])
    for entry in taken:
        if same(json.loads(stored.get(entry.key, b"null")), json.loads(entry.text)):
            tally.there += 1
        else:
            tally.reject(entry.number, f"{entry.key} exists already (--replace overwrites it)")


def _ended(
    session: Session, invocation: Invocation, tally: Tally, name: str, *, dry: bool
) -> Ended:
    environment = session.environment
    for number, problem in list(tally.problems.items())[:_SHOWN]:
        environment.note(f"rapyer: {name}:{number}: {cut(problem, 300)}")
    if tally.bad > len(tally.problems):
        more = counted(tally.bad - len(tally.problems), "more line")
        environment.note(f"rapyer: … and {more}")
    rejects = invocation.text("rejects")
    if rejects is not None and tally.bad:
        environment.note(f"the bad lines are in {rejects}")
    verb = "would import" if dry else "imported"
    there = f", {tally.there:,} were there already" if tally.there else ""
    bad = f", {counted(tally.bad, 'line')} not" if tally.bad else ""
    environment.note(f"{verb} {counted(tally.written, 'document')}{there}{bad}")
    return Ended(None, Exit.FAILED if tally.bad else Exit.DONE)


def _rejects(session: Session, invocation: Invocation, name: str) -> IO[bytes] | None:
    """The file for bad lines; going on, it is added to."""
    given = invocation.text("rejects")
    if given is None:
        return None
    source, target = session.environment.cwd / name, session.environment.cwd / given
    if name != "-" and target.exists() and target.samefile(source):
        raise UsageError(f"--rejects {given} is the file that is imported: it would be emptied")
    try:
        return target.open("ab" if invocation.flag("resume") else "wb")
    except OSError as error:
        raise CliError(f"cannot write {target}: {error.strerror}") from error


def _write_rejects(file: IO[bytes], chunk: Chunk, tally: Tally) -> None:
    """Write the bad lines of ``chunk``, before its end is remembered as done."""
    for number in sorted(tally.rejected):
        file.write(chunk.lines[number].rstrip(b"\n") + b"\n")
    file.flush()


def _opened(session: Session, name: str) -> tuple[IO[bytes], int | None]:
    if name == "-":
        buffer = getattr(session.environment.stdin, "buffer", None)
        if buffer is None:
            import io

            return io.BytesIO(session.environment.stdin.read().encode()), None
        return buffer, None
    path = session.environment.cwd / name
    try:
        return path.open("rb"), path.stat().st_size
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}") from error


class _Mark:
    """How far an import came, in the state directory, so that ``--resume`` can go on there."""

    def __init__(self, session: Session, name: str) -> None:
        from hashlib import sha256

        self._file = session.environment.cwd / name
        self._used = name != "-"
        digest = sha256(f"{self._file.absolute()}\n{session.server.url}".encode()).hexdigest()[:16]
        self.path = session.environment.state_directory / "imports" / f"{digest}.json"

    def read(self) -> tuple[int, int, int]:
        """The bytes and lines that are done, and how many of those were bad. Raises :class:`Refused` when the file is another one now."""
        if not self._used:
            raise Refused("standard input cannot be resumed")
        try:
            state = json.loads(self.path.read_text())
        except FileNotFoundError:
            return 0, 0, 0
        except (OSError, ValueError) as error:
            raise CliError(f"cannot read {self.path}: {error}") from error
        if state["size"] != self._file.stat().st_size:
            raise Refused(f"{self._file} has changed since the import was interrupted")
        return int(state["bytes"]), int(state["lines"]), int(state.get("bad", 0))

    def write(self, done: int, tally: Tally) -> None:
        """Remember how far it came; failing to is no reason to stop."""
        if not self._used:
            return
        state = {"bytes": done, "lines": tally.number, "bad": tally.bad}
        state["size"] = self._file.stat().st_size
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self.path.with_suffix(".new")
            temporary.write_text(json.dumps(state))
            temporary.replace(self.path)
        except OSError:
            return

    def remove(self) -> None:
        """Forget it: the import is complete."""
        self.path.unlink(missing_ok=True)


VERBS = (
    Verb(
        "import",
        "store the documents of JSON lines, as export writes them",
        "many",
        import_,
        arguments=(Argument("file", Kind.FILE, "a file of JSON lines, or -"),),
        options=(
            Option("replace", ("--replace",), "overwrite documents that exist"),
            Option("resume", ("--resume",), "go on where an interrupted import stopped"),
            Option(
                "rejects",
                ("--rejects",),
                "copy the bad lines to this file",
                Kind.FILE,
                metavar="FILE",
            ),
        ),
        examples=(
            "import posts.jsonl",
            "import posts.jsonl --rejects bad.jsonl",
            "import - < posts.jsonl",
        ),
        effect="write",
        exits=CHANGE_EXITS,
        details="Every document is validated by its model before it is sent. A bad line is reported by its "
        "number and the others are stored; the exit code is then 1.",
    ),
)
