"""The keys of the REPL beyond those of emacs and vi."""

from __future__ import annotations

from collections.abc import Callable

from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Condition, completion_is_selected, has_completions
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from rapyer_cli.language.lines import is_open, lines_of

KEYS = """\
Tab        complete; the arrows choose, Enter accepts without running
Enter      run; an open quote goes on in the next line
→, Ctrl-E  take the suggestion from history      Ctrl-R  search the history
Ctrl-C     cancel the command or the line        Ctrl-D  leave
Ctrl-Z     suspend                               F4      vi keys, or emacs keys again
Ctrl-X Ctrl-E  edit the line in $EDITOR          Ctrl-L  clear the screen"""


@Condition
def _quote_is_open() -> bool:
    return is_open(get_app().current_buffer.text)


@Condition
def _only_one() -> bool:
    state = get_app().current_buffer.complete_state
    return state is not None and len(state.completions) == 1


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

    @bindings.add("enter", filter=_quote_is_open & ~completion_is_selected)
    def go_on(event: KeyPressEvent) -> None:
        event.current_buffer.cancel_completion()
        event.current_buffer.insert_text("\n")

    @bindings.add("tab", filter=_only_one)
    def complete(event: KeyPressEvent) -> None:
        state = event.current_buffer.complete_state
        assert state is not None
        event.current_buffer.apply_completion(state.completions[0])

    @bindings.add("f1")
    def keys(event: KeyPressEvent) -> None:
        run_in_terminal(lambda: print(KEYS))

    @bindings.add("escape", filter=has_completions)  # not at once: it also begins what Alt types
    def close(event: KeyPressEvent) -> None:
        event.current_buffer.cancel_completion()

    @bindings.add("f4")
    def change_mode(event: KeyPressEvent) -> None:
        app = get_app()
        vi = app.editing_mode == EditingMode.VI
        app.editing_mode = EditingMode.EMACS if vi else EditingMode.VI

    return bindings
