"""Rendering: one module per shape, with a plain-JSON twin for pipes.

``render`` chooses between them. Rich is imported only where a terminal (or ``-o table|tree``) asks for it.
"""

from __future__ import annotations

from rapyer_cli.environment import Environment
from rapyer_cli.render.shapes import Changed, Shape

RICH_FORMS = ("table", "tree")


def chosen_form(asked: str | None, environment: Environment) -> str:
    """``auto`` resolved: ``rich`` on a terminal, ``jsonl`` in a pipe."""
    if asked and asked != "auto":
        return asked
    return "rich" if environment.stdout_is_terminal else "pipe"


async def render(
    shape: Shape | None,
    environment: Environment,
    asked: str | None = None,
    *,
    everything: bool = False,
) -> None:
    """Write ``shape`` to standard output in the form that was asked for.

    ``everything`` shows large values whole. A change writes its result as data and, in a pipe, its
    before → after to standard error.
    """
    if shape is None:
        return
    form = chosen_form(asked, environment)
    if form == "rich" or form in RICH_FORMS:
        from rapyer_cli.render.rich import render_rich

        await render_rich(shape, environment, form, everything=everything)
        return
    from rapyer_cli.render.plain import change_lines, render_plain

    await render_plain(shape, environment, form)
    if isinstance(shape, Changed):
        for line in change_lines(shape):
            environment.note(line)
