"""Records as a table on a terminal, with bars beside numbers where they say more than digits."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from rapyer_cli.environment import Environment
from rapyer_cli.render.console import value_text
from rapyer_cli.render.plain import records_of
from rapyer_cli.render.shapes import Column, Table
from rapyer_cli.render.text import counted, printable

_BLOCKS = " ▏▎▍▌▋▊▉█"
_BAR_WIDTH = 8
_WIDEST = 60
_NARROWEST = 6


async def render_table(
    table: Table, console: Console, environment: Environment, *, everything: bool
) -> None:
    """Write the records of ``table``; at most a thousand of them unless ``everything``."""
    limit = None if everything else 1000
    records: list[dict[str, Any]] = []
    more = False
    async with aclosing(records_of(table)) as source:
        async for record in source:
            if limit is not None and len(records) >= limit:
                more = True
                break
            records.append(record)
    if not records:
        console.print(Text(table.empty, style="dim"))
        return
    columns = _fitting(
        [
            column
            for column in table.columns
            if any(record.get(column.key) not in (None, "") for record in records)
        ],
        records,
        10**9 if everything else environment.width,
    )
    room = environment.width - sum(_natural_width(column, records) + 3 for column in columns)
    bars: dict[str, list[str]] = {}
    for column in columns:
        found = (
            bars_of([record.get(column.key) for record in records])
            if column.numeric or _all_numbers(column, records)
            else []
        )
        if found and room > _BAR_WIDTH:
            bars[column.key] = found
            room -= _BAR_WIDTH + 1
    grid = _grid(table, columns, records, environment, bars, everything=everything)
    width = max(environment.width // 2, 20)
    for number, record in enumerate(records):
        cells = []
        for column in columns:
            cell = _cell(record.get(column.key), 10_000 if everything else width)
            if column.key in bars:
                cell = Text.assemble(
                    cell, " ", (bars[column.key][number].ljust(_BAR_WIDTH), "blue")
                )
            cells.append(cell)
        grid.add_row(*cells)
    console.print(grid)
    if more:
        console.print(
            Text(f"… more than {counted(len(records), 'row')}; --all shows everything", "dim")
        )
    if table.note:
        console.print(Text(table.note, style="dim"))


def _grid(
    table: Table,
    columns: list[Column],
    records: list[dict[str, Any]],
    environment: Environment,
    bars: dict[str, list[str]],
    *,
    everything: bool,
) -> RichTable:
    grid = RichTable(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        title=table.title or None,
        title_justify="left",
        header_style="dim",
    )
    widths = _widths(columns, records, environment.width, bars)
    for position, column in enumerate(columns):
        grid.add_column(
            column.heading,
            justify="right" if column.numeric or _all_numbers(column, records) else "left",
            style="bold" if position == 0 else "",
            width=None if everything or len(columns) == 1 else widths[position],
            overflow="fold" if len(columns) == 1 or everything else "ellipsis",
            no_wrap=len(columns) > 1 and not everything,
        )
    return grid


def _cell(value: Any, limit: int) -> Text:
    if value is None:
        return Text("")
    return Text(printable(value)) if isinstance(value, str) else value_text(value, limit)


def _fitting(columns: list[Column], records: list[dict[str, Any]], width: int) -> list[Column]:
    """The columns that fit side by side; the last optional ones are left out first."""
    kept = list(columns)
    while sum(_natural_width(column, records) + 3 for column in kept) > width:
        position = next((i for i in reversed(range(len(kept))) if kept[i].optional), None)
        if position is None:
            break
        del kept[position]
    return kept


def _widths(
    columns: list[Column],
    records: list[dict[str, Any]],
    available: int,
    bars: dict[str, list[str]],
) -> list[int]:
    """How wide each column is: as it needs, the widest shortened until all fit side by side."""
    widths = [
        _natural_width(column, records) + (_BAR_WIDTH + 1 if column.key in bars else 0)
        for column in columns
    ]
    room = available - 3 * (len(columns) - 1)
    while sum(widths) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _all_numbers(column: Column, records: list[dict[str, Any]]) -> bool:
    values = [value for record in records if (value := record.get(column.key)) is not None]
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _natural_width(column: Column, records: list[dict[str, Any]]) -> int:
    cells = (len(_cell(record.get(column.key), _WIDEST)) for record in records)
    return min(max(len(column.heading), *cells), _WIDEST)


def bars_of(values: list[Any]) -> list[str]:
    """A small bar for each of several numbers, by their share of the largest; empty if they have none."""
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) < 3 or len(numbers) < len(values) or min(numbers) < 0 or max(numbers) <= 0:
        return []
    if len(set(numbers)) < 3:
        return []
    return [_bar(number / max(numbers)) for number in numbers]


def _bar(share: float) -> str:
    eighths = round(share * _BAR_WIDTH * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_BLOCKS[rest] if rest else "")
