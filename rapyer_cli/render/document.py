"""A document, container or scalar on a terminal: names, values and types side by side."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from rapyer_cli.environment import Environment
from rapyer_cli.render.console import STYLES, style_of, value_text
from rapyer_cli.render.shapes import FieldRow, Shown
from rapyer_cli.render.text import counted, cut, printable, readable


def render_document(
    shown: Shown, console: Console, environment: Environment, *, everything: bool
) -> None:
    """Write one value. What does not fit the screen is cut and counted, unless ``everything``."""
    if isinstance(shown.data, (dict, list)):
        heading = Text.assemble((printable(shown.title), "bold"))
        if shown.type:
            heading.append(f"  {shown.type}", style=STYLES["type"])
        console.print(heading)
        _render_rows(shown, console, environment, everything=everything)
    else:
        limit = 0 if everything else environment.width * max(environment.height - 4, 4)
        text = readable(shown.data, limit)
        console.print(Text(text, style=style_of(shown.data)), soft_wrap=True)
    if shown.note:
        console.print(Text(shown.note, style="dim"))


def rows_of(shown: Shown) -> tuple[FieldRow, ...]:
    """The entries of a container, with the types that the verb found for them."""
    if shown.rows:
        return shown.rows
    if isinstance(shown.data, dict):
        return tuple(FieldRow(name, value) for name, value in shown.data.items())
    return tuple(FieldRow(str(index), value) for index, value in enumerate(shown.data))


def _render_rows(
    shown: Shown, console: Console, environment: Environment, *, everything: bool
) -> None:
    rows = rows_of(shown)
    if not rows:
        console.print(Text("  (empty)", style="dim"))
        return
    fitting = len(rows) if everything else max(environment.height - 4, 5)
    visible = rows if len(rows) <= fitting else rows[: fitting - 1]
    typed = any(row.type for row in visible)
    name_width = min(max(len(printable(row.name)) for row in visible), environment.width // 3)
    type_width = min(max((len(row.type) for row in visible), default=0), environment.width // 3)
    value_width = environment.width - name_width - 4 - (type_width + 2 if typed else 0)
    grid = RichTable.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=not everything, overflow="fold" if everything else "ellipsis")
    if typed:
        grid.add_column(no_wrap=True)
    is_cut = False
    for row in visible:
        is_cut = is_cut or (
            not everything and len(readable(row.value, value_width + 1)) > max(value_width, 10)
        )
        value = (
            Text(readable(row.value), style=style_of(row.value))
            if everything
            else value_text(row.value, max(value_width, 10))
        )
        mark = ("! ", STYLES["removed"]) if row.problem else "  "
        name = (cut(printable(row.name), name_width), STYLES["name"])
        cells = [Text.assemble(mark, name), value]
        if typed:
            cells.append(Text(cut(row.type, type_width), style=STYLES["type"]))
        grid.add_row(*cells)
    console.print(grid)
    for row in visible:
        if row.problem:
            text = f"! {printable(row.name)} does not fit: {printable(row.problem)}"
            console.print(Text(text, style=STYLES["removed"]), soft_wrap=True)
    if len(visible) < len(rows):
        missing = counted(len(rows) - len(visible), "more entry")
        console.print(Text(f"  … {missing}; --all shows everything", style="dim"))
    elif is_cut:
        console.print(Text("  … --all shows what is cut", style="dim"))
