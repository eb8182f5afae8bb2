"""The plain twin of every shape: JSON for pipes, raw text for shell variables. No Rich here."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from rapyer_cli.environment import Environment
from rapyer_cli.render.differences import Difference
from rapyer_cli.render.shapes import Changed, Compared, Lines, Shape, Shown, Table, Tree
from rapyer_cli.render.text import json_text, printable, raw_text, readable


async def render_plain(shape: Shape, environment: Environment, form: str) -> None:
    """Write ``shape`` as ``json``, ``jsonl``, ``raw`` or in the default form of a pipe."""
    ascii_only = not _takes_unicode(environment)

    def write(data: Any, indent: int | None = None) -> None:
        environment.write(_text(data, form, indent, ascii_only=ascii_only) + "\n")

    if isinstance(shape, Table):
        await _render_table(shape, environment, form, write)
    elif isinstance(shape, Lines):
        if form in ("json", "jsonl"):
            write(shape.data if shape.data is not None else list(shape.lines))
        else:
            for line in shape.lines:
                environment.write(line + "\n")
    elif isinstance(shape, Changed):
        if shape.commands:
            _render_commands(shape, environment, form, write)
        elif shape.has_result:
            write(shape.result)
    elif isinstance(shape, Compared):
        records = [difference_record(difference) for difference in shape.differences]
        if form == "json":
            write(records, indent=2)
        else:
            for record in records:
                write(record)
    elif isinstance(shape, (Shown, Tree)):
        environment.write(plain_text(shape.data, environment, form) + "\n")
    environment.stdout.flush()


def plain_text(data: Any, environment: Environment, form: str) -> str:
    """One value as a pipe gets it, without the end of its last line."""
    indent = 2 if form == "json" else None
    return _text(data, form, indent, ascii_only=not _takes_unicode(environment))


def _text(data: Any, form: str, indent: int | None, *, ascii_only: bool) -> str:
    if form == "raw":
        return raw_text(data)
    return json_text(data, indent=indent, ascii_only=ascii_only)


def change_lines(changed: Changed) -> list[str]:
    """``BlogPost:42/views: 5 → 10``, one line per place."""
    prefix = {"dry": "would change ", "queued": "queued: "}.get(changed.state, "")
    lines = []
    for document in changed.documents:
        if not document.differences:
            lines.append(f"{prefix}{document.key}: no change")
        lines.extend(
            f"{prefix}{target_of(document.key, difference)}: {arrow(difference)}"
            for difference in document.differences[:20]
        )
        if len(document.differences) > 20:
            lines.append(
                f"{prefix}{document.key}: … and {len(document.differences) - 20:,} more places"
            )
    return lines


def arrow(difference: Difference, limit: int = 200) -> str:
    """``5 → 10``, ``+ "x"`` or ``- "x"``."""
    if difference.change == "added":
        return f"+ {readable(difference.after, limit)}"
    if difference.change == "removed":
        return f"- {readable(difference.before, limit)}"
    return f"{readable(difference.before, limit)} → {readable(difference.after, limit)}"


def target_of(key: str, difference: Difference) -> str:
    """The target of a difference."""
    from rapyer.paths import format_target

    return printable(format_target(key, difference.path))


def difference_record(difference: Difference) -> dict[str, Any]:
    """A difference as JSON."""
    from rapyer.paths import escape_pointer

    record: dict[str, Any] = {
        "path": "/".join(escape_pointer(str(segment)) for segment in difference.path),
        "change": difference.change,
    }
    if difference.change != "added":
        record["before"] = difference.before
    if difference.change != "removed":
        record["after"] = difference.after
    return record


async def _render_table(table: Table, environment: Environment, form: str, write: Any) -> None:
    async with aclosing(records_of(table)) as records:
        if form == "json":
            write([record async for record in records], indent=2)
        else:
            await _render_records(records, table, environment, form, write)


async def _render_records(
    records: AsyncGenerator[dict[str, Any], None],
    table: Table,
    environment: Environment,
    form: str,
    write: Any,
) -> None:
    async for record in records:
        if form == "raw":
            columns = [table.raw] if table.raw else [column.key for column in table.columns]
            cells = [raw_text(record.get(key)) for key in columns]
            environment.write("\t".join(cells) + "\n")
        else:
            write(record)


async def records_of(table: Table) -> AsyncGenerator[dict[str, Any], None]:
    """The records of a table, streamed or not. Close it: the stream behind it is closed then as well."""
    if isinstance(table.rows, AsyncGenerator):
        async with aclosing(table.rows) as records:
            async for record in records:
                yield record
    else:
        for record in table.rows:
            yield record


def _render_commands(changed: Changed, environment: Environment, form: str, write: Any) -> None:
    if form in ("json", "jsonl"):
        write(
            {
                "commands": list(changed.commands),
                "changes": [
                    {"key": document.key, **difference_record(difference)}
                    for document in changed.documents
                    for difference in document.differences
                ],
            }
        )
        return
    for command in changed.commands:
        environment.write(command + "\n")


def _takes_unicode(environment: Environment) -> bool:
    encoding = getattr(environment.stdout, "encoding", None) or "utf-8"
    return encoding.lower().replace("-", "") in ("utf8", "utf16", "utf32")
