"""The keys of the REPL beyond those of emacs and vi."""

from __future__ import annotations

from prompt_toolkit.application import get_app
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import completion_is_selected, has_completions
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent


def key_bindings() -> KeyBindings:
    """Enter accepts a selected completion and does not run it; F4 changes between emacs and vi."""
    bindings = KeyBindings()

    @bindings.add("enter", filter=has_completions & completion_is_selected)
    def accept(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None

    @bindings.add("escape", filter=has_completions, eager=True)
    def close(event: KeyPressEvent) -> None:
        event.current_buffer.cancel_completion()

    @bindings.add("f4")
    def change_mode(event: KeyPressEvent) -> None:
        app = get_app()
        vi = app.editing_mode == EditingMode.VI
        app.editing_mode = EditingMode.EMACS if vi else EditingMode.VI

    return bindings
