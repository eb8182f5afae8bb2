"""``export``: documents as JSON lines, streamed and exact. Each line: ``key``, ``ttl`` and ``value``.

The stored text goes into the line as it is, so that no number changes on the way.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapyer_cli.exits import Exit
from rapyer_cli.failures import CliError
from rapyer_cli.language.addresses import Address
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Option, Verb
from rapyer_cli.render.text import counted
from rapyer_cli.verbs.arguments import LOOK_EXITS

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session

_CHUNK = 200


async def export(session: Session, invocation: Invocation) -> None:
    """Write documents as JSON lines to a file or standard output."""
    from rapyer_cli.render.progress import progress
    from rapyer_cli.verbs.export_files import export_files, is_for_files

    if is_for_files(invocation.texts("targets"), invocation.text("to")):
        await export_files(session, invocation, documents_of)
        return

    names = invocation.texts("targets")
    addresses = [session.address(name) for name in names] or [Address()]
    path = invocation.text("to")
    known: set[str] = set()
    if path is not None and invocation.flag("resume"):
        known = _keys_in(session.environment.cwd / path)
    there = len(known)
    number = 0
    client = await session.client()
    total = await client.dbsize() if addresses == [Address()] else None
    with progress(session.environment, "exporting", total) as advance:
        write, close = _sink(session, path, resume=invocation.flag("resume"))
        try:
            async for line in _lines(session, addresses, known):
                write(line)
                number += 1
                advance(1)
        finally:
            close()
    more = f" ({there:,} were there already)" if there else ""
    session.environment.note(f"exported {counted(number, 'document')}{more}")


async def _lines(session: Session, addresses: list[Address], known: set[str]) -> AsyncIterator[str]:
    chunk: list[tuple[str, bytes]] = []
    async for key, text in documents_of(session, addresses):
        if key in known:
            continue
        known.add(key)
        chunk.append((key, text))
        if len(chunk) == _CHUNK:
            async for line in _with_ttls(session, chunk):
                yield line
            chunk = []
    async for line in _with_ttls(session, chunk):
        yield line


async def documents_of(
    session: Session, addresses: list[Address]
) -> AsyncIterator[tuple[str, bytes]]:
    """Key and stored text of the documents of models, and of single ones."""
    from rapyer.errors import KeyNotFound
    from rapyer_cli.reading.many import stored_texts, texts_of
    from rapyer_cli.session.resolve import require_known

    client = await session.client()
    for address in addresses:
        if address.pointer:
            raise CliError(
                f"export takes models and documents, and {address} is a place inside one"
            )
        if address.key is not None:
            found = [pair async for pair in texts_of(client, [address.key])]
            if not found:
                raise KeyNotFound(f"{address.key} does not exist", key=address.key)
            yield found[0]
            continue
        if address.name:
            await require_known(session, address.name)
        async for pair in stored_texts(client, address.name):
            yield pair


async def _with_ttls(session: Session, chunk: list[tuple[str, bytes]]) -> AsyncIterator[str]:
    from rapyer_cli.reading.many import ttls_of

    ttls = await ttls_of(await session.client(), [key for key, _ in chunk])
    for key, text in chunk:
        head = json.dumps(key, ensure_ascii=key.isprintable() is False)
        yield f'{{"key":{head},"ttl":{json.dumps(ttls[key])},"value":{text.decode("utf-8")}}}\n'


def _sink(
    session: Session, path: str | None, *, resume: bool
) -> tuple[Callable[[str], Any], Callable[[], Any]]:
    if path is None:
        stream = session.environment.stdout
        return session.environment.write, stream.flush
    target = session.environment.cwd / path
    try:
        if target.exists() and not resume:
            raise CliError(f"{target} exists already: --resume adds what is missing in it")
        file = target.open("a", encoding="utf-8")
    except OSError as error:
        raise CliError(f"cannot write {target}: {error.strerror}") from error
    return file.write, file.close


def _keys_in(path: Path) -> set[str]:
    """The keys of the whole lines of a file; a torn last line is cut off."""
    if not path.exists():
        return set()
    keys: set[str] = set()
    whole = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                keys.add(json.loads(line)["key"])
            except (ValueError, KeyError, TypeError) as error:
                raise CliError(
                    f"{path} is no export: byte {whole} begins a line without a key"
                ) from error
            whole += len(line)
    with path.open("rb+") as file:
        file.truncate(whole)
    return keys


VERBS = (
    Verb(
        "export",
        "write documents as JSON lines, CSV or Parquet",
        "many",
        export,
        arguments=(
            Argument(
                "targets",
                Kind.TARGET,
                "models or documents; everything without; or MODEL where EXPRESSION",
                False,
                many=True,
            ),
        ),
        options=(
            Option(
                "to",
                ("--to",),
                "write to this file instead of standard output",
                Kind.FILE,
                metavar="FILE",
            ),
            Option("resume", ("--resume",), "add to the file what is missing in it"),
        ),
        examples=(
            "export BlogPost > posts.jsonl",
            "export --to all.jsonl --resume",
            "export BlogPost where \"status == 'live'\" --to live.csv",
        ),
        exits=(*LOOK_EXITS, Exit.FAILED),
        details='Each line is {"key": …, "ttl": seconds or null, "value": the document}, exactly as stored. '
        "MODEL where EXPRESSION writes what fulfils the condition. A FILE that ends in .csv or .parquet gets a row "
        "for each document of one model: its key and its fields, what is nested as JSON; .gz packs it. Parquet "
        "needs pyarrow (the extra rapyer[parquet]).",
        clauses=("where",),
    ),
)
