"""What ``export`` writes besides plain JSON lines of whole models: chosen documents, CSV, Parquet, gzip.

A file is written beside its name and gets it when it is complete. CSV and Parquet have a row for each document: its key,
and a column for each field; what is nested is JSON in it.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from rapyer_cli.failures import CliError, UsageError, ValueRefused, one_line
from rapyer_cli.language.grammar import Invocation
from rapyer_cli.render.text import counted, json_text, printable, readable

if TYPE_CHECKING:
    from rapyer_cli.language.addresses import Address
    from rapyer_cli.session.session import Session

_CHUNK = 200
_ROWS = 5000
_KINDS: dict[type, str] = {bool: "bool", int: "int", float: "float", str: "text"}


class Column(NamedTuple):
    """A column: the field, and what its values are: ``bool int float text json``."""

    name: str
    kind: str


Source: TypeAlias = "Callable[[Session, list[Address]], AsyncIterator[tuple[str, bytes]]]"


class Sink(Protocol):
    """Takes documents in chunks: key, seconds to live, stored text."""

    def write(self, chunk: Sequence[tuple[str, float | None, bytes]]) -> None:
        """Write these documents."""

    def finish(self, *, complete: bool) -> None:
        """Write what is left, if all were written; let go of the file, which is closed by who opened it."""


def is_for_files(words: Sequence[str], path: str | None) -> bool:
    """Whether a line of ``export`` is one of these."""
    return "where" in words or _form(path or "") != ("jsonl", False)


async def export_files(session: Session, invocation: Invocation, documents_of: Source) -> None:
    """Write the documents that were asked for in the form that the file's name asks for.

    ``documents_of`` gives key and stored text of the documents of addresses.
    """
    from rapyer_cli.render.progress import progress

    path = invocation.text("to")
    form, packed = _form(path or "")
    if invocation.flag("resume"):
        raise UsageError("--resume goes on with plain .jsonl files of whole models alone")
    words = invocation.texts("targets")
    targets, condition = _split(words)
    name, model = await _model(session, targets, needed=bool(condition) or form != "jsonl")
    columns: list[Column] = []
    if form != "jsonl":
        columns = await _columns(session, name, model, condition, documents_of)
    number = 0
    with (
        progress(session.environment, "exporting", None) as advance,
        _opened(session, path, packed=packed) as file,
    ):
        sink = _sink(form, file, columns)
        complete = False
        try:
            async for chunk in _chunks(session, targets, name, model, condition, documents_of):
                sink.write(chunk)
                number += len(chunk)
                advance(len(chunk))
            complete = True
        finally:
            sink.finish(complete=complete)
    session.environment.note(f"exported {counted(number, 'document')}")


def _form(path: str) -> tuple[str, bool]:
    """``jsonl csv parquet`` by the name of the file, and whether it is packed."""
    name = path.lower()
    packed = name.endswith(".gz")
    name = name.removesuffix(".gz")
    for form in ("csv", "parquet"):
        if name.endswith(f".{form}"):
            if packed and form == "parquet":
                raise UsageError("Parquet is compressed already: name the file .parquet")
            return form, packed
    return "jsonl", packed


def _split(words: list[str]) -> tuple[list[str], str | None]:
    if "where" not in words:
        return words, None
    from rapyer_cli.language.conditions import condition_of

    place = words.index("where")
    return words[:place], condition_of(words[place:], "export MODEL where EXPRESSION --to FILE")


async def _model(session: Session, targets: list[str], *, needed: bool) -> tuple[str, Any]:
    if not needed:
        return "", None
    if len(targets) != 1 or not session.model_address(targets[0]).is_model:
        raise UsageError("a condition, CSV and Parquet take one model, such as BlogPost")
    from rapyer_cli.session.resolve import require_known

    name = session.model_address(targets[0]).name
    await require_known(session, name)
    return name, session.models.named(name)


async def _columns(
    session: Session, name: str, model: Any, condition: str | None, documents_of: Source
) -> list[Column]:
    """The fields of the model; without one, those of all the documents, which are read once more for that."""
    if model is not None:
        from rapyer.schema.of_models import model_spec

        spec = model_spec(model)
        kinds = {field: spec.child(field).python_type for field in spec.field_names()}
        return [Column(field, _KINDS.get(kind, "json")) for field, kind in kinds.items()]
    found: dict[str, str] = {}
    async for chunk in _chunks(session, [name], name, None, condition, documents_of):
        for _, _, text in chunk:
            for field, value in _fields(text).items():
                kind = _KINDS.get(type(value), "json")
                known = found.get(field)
                if value is None:
                    found.setdefault(field, "")
                elif not known:
                    found[field] = kind
                elif known != kind:
                    found[field] = "float" if {known, kind} == {"int", "float"} else "json"
    return [Column(field, kind or "text") for field, kind in found.items()]


def _fields(text: bytes) -> dict[str, Any]:
    data = json.loads(text)
    return data if isinstance(data, dict) else {"value": data}


async def _chunks(
    session: Session,
    targets: list[str],
    name: str,
    model: Any,
    condition: str | None,
    documents_of: Source,
) -> AsyncIterator[list[tuple[str, float | None, bytes]]]:
    from rapyer_cli.reading.many import ttls_of

    client = await session.client()
    chunk: list[tuple[str, bytes]] = []

    async def full() -> list[tuple[str, float | None, bytes]]:
        ttls = await ttls_of(client, [key for key, _ in chunk])
        return [(key, ttls[key], text) for key, text in chunk]

    async for pair in _pairs(session, targets, name, model, condition, documents_of):
        chunk.append(pair)
        if len(chunk) == _CHUNK:
            yield await full()
            chunk.clear()
    if chunk:
        yield await full()


async def _pairs(
    session: Session,
    targets: list[str],
    name: str,
    model: Any,
    condition: str | None,
    documents_of: Source,
) -> AsyncIterator[tuple[str, bytes]]:
    if condition is None:
        seen: set[str] = set()
        addresses = [session.address(target) for target in targets] or [session.address("/")]
        async for key, text in documents_of(session, addresses):
            if key not in seen:
                seen.add(key)
                yield key, text
        return
    from rapyer_cli.reading.matching import Misfit, condition_from, matches_of

    client = await session.client()
    async for found in matches_of(client, name, model, condition_from(model, condition)):
        if isinstance(found, Misfit):
            session.environment.note(f"rapyer: left out: {one_line(found.reason)}")
        else:
            yield found.key, found.text


@contextmanager
def _opened(session: Session, path: str | None, *, packed: bool) -> Iterator[IO[bytes]]:
    """The file, which has its name once the block ended well; standard output without a name."""
    if path is None:
        buffer = _Stdout(session)
        yield buffer
        buffer.flush()
        return
    target = session.environment.cwd / path
    if target.exists():
        raise CliError(f"{target} exists already")
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as plain:
            if packed:
                with gzip.GzipFile(filename="", fileobj=plain, mode="wb") as file:
                    yield file  # type: ignore[misc]
            else:
                yield plain
        os.replace(part, target)  # noqa: PTH105 - as in the standard library's own advice
    except OSError as error:
        raise CliError(f"cannot write {target}: {error.strerror}") from error
    finally:
        Path(part).unlink(missing_ok=True)


class _Stdout(io.BytesIO):
    """Standard output of the command, which is a stream of text."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._stream = session.environment.stdout

    def write(self, data: Any) -> int:
        self._stream.write(bytes(data).decode("utf-8"))
        return len(data)

    def flush(self) -> None:
        self._stream.flush()


def _sink(form: str, file: IO[bytes], columns: list[Column]) -> Sink:
    if form == "csv":
        return _Csv(file, columns)
    if form == "parquet":
        return _Parquet(file, columns)
    return _Lines(file)


class _Lines:
    """JSON lines, as ``import`` reads them; the stored text goes into the line as it is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, chunk: Sequence[tuple[str, float | None, bytes]]) -> None:
        for key, ttl, text in chunk:
            head = json.dumps(key, ensure_ascii=key.isprintable() is False)
            line = f'{{"key":{head},"ttl":{json.dumps(ttl)},"value":{text.decode("utf-8")}}}\n'
            self._file.write(line.encode("utf-8", "backslashreplace"))

    def finish(self, *, complete: bool) -> None:
        """Nothing is left."""


class _Csv:
    """A row for each document; what is not there and null are empty cells."""

    def __init__(self, file: IO[bytes], columns: list[Column]) -> None:
        self._columns = columns
        self._text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
        self._writer = csv.writer(self._text)
        self._writer.writerow([_KEY, *(column.name for column in columns)])

    def write(self, chunk: Sequence[tuple[str, float | None, bytes]]) -> None:
        for key, _, text in chunk:
            fields = _fields(text)
            self._writer.writerow([key, *(_cell(fields.get(c.name)) for c in self._columns)])

    def finish(self, *, complete: bool) -> None:
        self._text.flush()
        self._text.detach()


_KEY = "key"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json_text(value)


class _Parquet:
    """A row for each document, in groups; needs pyarrow, which the extra ``parquet`` brings."""

    def __init__(self, file: IO[bytes], columns: list[Column]) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise CliError(
                "Parquet needs pyarrow: pip install 'rapyer[parquet]' (CSV needs nothing)"
            ) from None
        self._arrow = pyarrow
        self._columns = columns
        types = {
            "bool": pyarrow.bool_(),
            "int": pyarrow.int64(),
            "float": pyarrow.float64(),
        }
        fields = [(_KEY, pyarrow.string())]
        fields += [(column.name, types.get(column.kind, pyarrow.string())) for column in columns]
        self._schema = pyarrow.schema(fields)
        self._writer = pyarrow.parquet.ParquetWriter(file, self._schema)
        self._rows: list[list[Any]] = []

    def write(self, chunk: Sequence[tuple[str, float | None, bytes]]) -> None:
        for key, _, text in chunk:
            fields = _fields(text)
            values = [_typed(key, column, fields.get(column.name)) for column in self._columns]
            self._rows.append([key, *values])
        if len(self._rows) >= _ROWS:
            self._write_rows()

    def _write_rows(self) -> None:
        columns: Iterable[Sequence[Any]] = zip(*self._rows, strict=True)
        arrays = [
            self._arrow.array(values, type=field.type)
            for values, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []

    def finish(self, *, complete: bool) -> None:
        if self._rows and complete:
            self._write_rows()
        self._writer.close()


def _typed(key: str, column: Column, value: Any) -> Any:
    """A value as its column takes it. Raises :class:`ValueRefused` for one that does not fit its model."""
    if value is None:
        return None
    if column.kind == "json":
        return value if isinstance(value, str) else json_text(value)
    kind = type(value)
    if column.kind == "float" and kind is int:
        return float(value)
    if _KINDS.get(kind) != column.kind:
        raise ValueRefused(
            f"{printable(key)}/{column.name} is stored as {readable(value, 40)}, which does not fit the "
            f"column of type {column.kind}; 'check' lists such documents, 'repair' repairs them"
        )
    return value
