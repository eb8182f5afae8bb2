"""Before → after on a terminal: of a change that was made or only tried, or between two documents."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from rapyer.paths import escape_pointer
from rapyer_cli.environment import Environment
from rapyer_cli.render.console import STYLES, style_of
from rapyer_cli.render.differences import Difference
from rapyer_cli.render.shapes import Changed, Compared
from rapyer_cli.render.text import counted, cut, printable, readable

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def render_changed(
    changed: Changed, console: Console, environment: Environment, *, everything: bool
) -> None:
    """The exact commands of a dry run, each document's before → after, and the result."""
    if changed.commands:
        for command in changed.commands:
            console.print(Text(f"  {printable(command)}", style="cyan"), soft_wrap=True)
    for document in changed.documents:
        heading = Text.assemble((printable(document.key), "bold"))
        if changed.state == "dry":
            heading.append("  dry run: nothing was changed", style="dim")
        elif changed.state == "queued":
            heading.append("  queued", style="dim")
        elif not document.differences:
            heading.append("  no change", style="dim")
        console.print(heading)
        _render_differences(
            fields_of(document.differences), console, environment, everything=everything
        )
    if changed.has_result:
        limit = 0 if everything else environment.width * 4
        text = Text.assemble(("→ ", "dim"))
        text.append(readable(changed.result, limit), style=style_of(changed.result))
        console.print(text, soft_wrap=True)


def fields_of(differences: Sequence[Difference]) -> Sequence[Difference]:
    """A whole document that came or went as one difference for each of its fields."""
    if len(differences) != 1 or differences[0].path:
        return differences
    whole = differences[0]
    value = whole.after if whole.change == "added" else whole.before
    if whole.change == "changed" or not isinstance(value, dict) or not value:
        return differences
    return [Difference((name,), whole.change, before=one, after=one) for name, one in value.items()]


def render_compared(
    compared: Compared, console: Console, environment: Environment, *, everything: bool
) -> None:
    """What differs between two values."""
    if not compared.differences:
        console.print(Text(f"{compared.left} and {compared.right} are the same", style="dim"))
        return
    console.print(Text(f"- {printable(compared.left)}", style=STYLES["removed"]))
    console.print(Text(f"+ {printable(compared.right)}", style=STYLES["added"]))
    _render_differences(compared.differences, console, environment, everything=everything)


def _render_differences(
    differences: Sequence[Difference],
    console: Console,
    environment: Environment,
    *,
    everything: bool,
) -> None:
    fitting = len(differences) if everything else max(environment.height - 4, 5)
    shown = differences if len(differences) <= fitting else differences[: fitting - 1]
    names = ["/".join(escape_pointer(str(part)) for part in found.path) for found in shown]
    width = min(max((len(name) for name in names), default=0), environment.width // 3)
    for name, difference in zip(names, shown, strict=True):
        line = Text.assemble((f"  {_SIGNS[difference.change]} ", STYLES[difference.change]))
        line.append(cut(printable(name), width).ljust(width) + "  ", style="bold")
        room = max(environment.width - width - 8, 20)
        if difference.change == "changed":
            room = room // 2 - 2
            line.append(readable(difference.before, 0 if everything else room), STYLES["removed"])
            line.append(" → ", style="dim")
            line.append(readable(difference.after, 0 if everything else room), STYLES["added"])
        elif difference.change == "added":
            line.append(readable(difference.after, 0 if everything else room), STYLES["added"])
        else:
            line.append(readable(difference.before, 0 if everything else room), STYLES["removed"])
        console.print(line, soft_wrap=everything)
    if len(shown) < len(differences):
        more = counted(len(differences) - len(shown), "more place")
        console.print(Text(f"  … {more}; --all shows everything", style="dim"))
