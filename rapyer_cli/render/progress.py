"""A progress bar on standard error, where a person is watching; nothing anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rapyer_cli.environment import Environment

Advance = Callable[[int], None]


@contextmanager
def progress(environment: Environment, what: str, total: int | None) -> Iterator[Advance]:
    """Show how far ``what`` got. The block calls what it gets with the number of steps just done."""
    if not environment.stderr_is_terminal or environment.environ.get("TERM") == "dumb":
        yield lambda steps: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from rapyer_cli.render.console import console_for

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console_for(environment, environment.stderr),
        transient=True,
        refresh_per_second=8,
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.update(task, advance=steps)
