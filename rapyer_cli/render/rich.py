"""Rich output of every shape: hands each to the module of its shape."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from rapyer_cli.environment import Environment
from rapyer_cli.render.console import console_for
from rapyer_cli.render.pager import show_in_pager
from rapyer_cli.render.shapes import Changed, Compared, Lines, Shape, Shown, Table, Tree


async def render_rich(
    shape: Shape, environment: Environment, form: str, *, everything: bool = False
) -> None:
    """Write ``shape`` for people. ``form`` is ``rich``, ``table`` or ``tree``.

    What is shown whole and does not fit the screen goes through the user's pager.
    """
    if everything and environment.owns_terminal:
        buffer = StringIO()
        await _render(shape, console_for(environment, buffer), environment, form, everything=True)
        show_in_pager(buffer.getvalue(), environment)
        return
    await _render(shape, console_for(environment), environment, form, everything=everything)


async def _render(
    shape: Shape, console: Console, environment: Environment, form: str, *, everything: bool
) -> None:
    if isinstance(shape, Table):
        from rapyer_cli.render.table import render_table

        await render_table(shape, console, environment, everything=everything)
    elif isinstance(shape, Shown):
        if form == "tree":
            from rapyer_cli.render.tree import node_of, render_tree

            render_tree(
                node_of(shape.title, shape.data), console, environment, everything=everything
            )
        else:
            from rapyer_cli.render.document import render_document

            render_document(shape, console, environment, everything=everything)
    elif isinstance(shape, Tree):
        from rapyer_cli.render.tree import render_tree

        render_tree(shape.root, console, environment, everything=everything)
    elif isinstance(shape, Changed):
        from rapyer_cli.render.diff import render_changed

        render_changed(shape, console, environment, everything=everything)
    elif isinstance(shape, Compared):
        from rapyer_cli.render.diff import render_compared

        render_compared(shape, console, environment, everything=everything)
    elif isinstance(shape, Lines):
        for line in shape.lines:
            console.print(line, soft_wrap=True)
