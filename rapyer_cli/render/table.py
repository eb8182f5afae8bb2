"""Records as a table on a terminal, with bars beside numbers where they say more than digits."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from rapyer_cli.environment import Environment
from rapyer_cli.render.console import value_text
from rapyer_cli.render.plain import records_of
from rapyer_cli.render.text import counted, printable
from rapyer_cli.shapes import Table

_BLOCKS = " ▏▎▍▌▋▊▉█"
_BAR_WIDTH = 8


async def render_table(
    table: Table, console: Console, environment: Environment, *, everything: bool
) -> None:
    """Write the records of ``table``; at most a thousand of them unless ``everything``."""
    limit = None if everything else 1000
    records: list[dict[str, Any]] = []
    more = False
    async for record in records_of(table):
        if limit is not None and len(records) >= limit:
            more = True
            break
        records.append(record)
    if not records:
        console.print(Text(table.empty, style="dim"))
        return
    grid = RichTable(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        title=table.title or None,
        title_justify="left",
        header_style="dim",
    )
    columns = [
        column
        for column in table.columns
        if any(record.get(column.key) not in (None, "") for record in records)
    ]
    bars = {
        column.key: bars_of([record.get(column.key) for record in records]) for column in columns
    }
    for position, column in enumerate(columns):
        texts = [record.get(column.key) for record in records] if position == 0 else []
        longest = max((len(text) for text in texts if isinstance(text, str)), default=0)
        grid.add_column(
            column.heading,
            justify="right" if column.numeric and not bars[column.key] else "left",
            style="bold" if position == 0 else "",
            min_width=min(longest, environment.width // 2) if position == 0 else None,
            overflow="fold" if len(columns) == 1 or everything else "ellipsis",
            no_wrap=len(columns) > 1 and not everything,
        )
    width = max(environment.width // 2, 20)
    for number, record in enumerate(records):
        cells = []
        for column in columns:
            value = record.get(column.key)
            if value is None:
                cell = Text("")
            elif isinstance(value, str):
                cell = Text(printable(value))
            else:
                cell = value_text(value, 10_000 if everything else width)
            if bars[column.key]:
                cell = Text.assemble(cell, " ", (bars[column.key][number], "blue"))
            cells.append(cell)
        grid.add_row(*cells)
    console.print(grid)
    if more:
        console.print(
            Text(f"… more than {counted(len(records), 'row')}; --all shows everything", "dim")
        )
    if table.note:
        console.print(Text(table.note, style="dim"))


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
