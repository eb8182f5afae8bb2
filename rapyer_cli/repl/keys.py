"""The keys of the REPL beyond those of emacs and vi."""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.application import get_app
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import completion_is_selected, has_completions
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from rapyer_cli.language.lines import lines_of


def key_bindings(wait: Callable[[list[str]], None] = lambda lines: None) -> KeyBindings:
    """Enter accepts a selected completion and does not run it; F4 changes between emacs and vi.

    A paste is as many commands as it has lines, each run as if Enter followed it: ``wait`` is given those after
    the first, the last one without the end of a line.
    """
    bindings = KeyBindings()

    @bindings.add(Keys.BracketedPaste)
    def paste(event: KeyPressEvent) -> None:
        first, *others = lines_of(event.data.replace("\r\n", "\n").replace("\r", "\n"))
        event.current_buffer.insert_text(first)
        if others:
            wait(others)
            event.current_buffer.validate_and_handle()

    @bindings.add("enter", filter=has_completions & completion_is_selected)
    def accept(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None

    @bindings.add("escape", filter=has_completions)  # not at once: it also begins what Alt types
    def close(event: KeyPressEvent) -> None:
        event.current_buffer.cancel_completion()

    @bindings.add("f4")
    def change_mode(event: KeyPressEvent) -> None:
        app = get_app()
        vi = app.editing_mode == EditingMode.VI
        app.editing_mode = EditingMode.EMACS if vi else EditingMode.VI

    return bindings
