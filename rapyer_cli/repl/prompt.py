"""The prompt: a prompt-toolkit session with completion, history, highlighting and a toolbar."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.document import Document
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

from rapyer_cli.environment import Environment
from rapyer_cli.language.grammar import Verbs
from rapyer_cli.repl.completer import ReplCompleter
from rapyer_cli.repl.highlighting import fragments
from rapyer_cli.repl.keys import key_bindings
from rapyer_cli.repl.status import Status, prompt_fragments, toolbar_fragments
from rapyer_cli.session.history import append_line, load_lines

_STYLE = Style.from_dict(
    {
        "prod": "bg:ansired ansiwhite bold",
        "place": "ansicyan bold",
        "queued": "ansiyellow",
        "sign": "bold",
        "verb": "ansigreen bold",
        "unknown": "ansired",
        "option": "ansimagenta",
        "text": "ansiyellow",
        "json": "ansiyellow",
        "number": "ansicyan",
        "assignment": "ansiblue",
        "target": "",
        "comment": "ansibrightblack",
        "bottom-toolbar": "noreverse bg:ansibrightblack ansiwhite",
        "toolbar.left": "bold",
        "toolbar.hint": "",
        "toolbar.trouble": "ansired",
    }
)


class KeptHistory(History):
    """History in the user's file, without passwords."""

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self._environment = environment

    async def load(self) -> AsyncGenerator[str, None]:
        """All lines, newest first, as prompt-toolkit wants them."""
        if not self._loaded:
            self._loaded_strings = list(self.load_history_strings())
            self._loaded = True
        for line in self._loaded_strings:
            yield line

    def load_history_strings(self) -> list[str]:
        """The lines of the file, newest first."""
        return load_lines(self._environment)[::-1]

    def store_string(self, string: str) -> None:
        """Keep one line."""
        append_line(self._environment, string)


class LineLexer(Lexer):
    """Colours of the line."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """The fragments of each line of the input."""
        lines = document.lines
        return lambda number: list(fragments(lines[number], self._verbs))


def make_prompt(
    environment: Environment,
    verbs: Verbs,
    completer: ReplCompleter,
    status: Callable[[], Status],
    *,
    vi: bool = False,
    wait: Callable[[list[str]], None] = lambda lines: None,
    **streams: Any,
) -> PromptSession[str]:
    """The prompt session. ``streams`` (input, output) replace the terminal in tests.

    ``wait`` is given the lines of a paste that have to wait for those before.
    """

    def toolbar() -> StyleAndTextTuples:
        app = get_app()
        buffer = app.current_buffer
        width = app.output.get_size().columns
        return list(
            toolbar_fragments(
                status(), buffer.text, buffer.cursor_position, verbs, completer.knowledge, width
            )
        )

    return PromptSession(
        message=lambda: list(prompt_fragments(status())),
        completer=completer,
        complete_while_typing=True,
        auto_suggest=AutoSuggestFromHistory(),
        history=KeptHistory(environment),
        lexer=LineLexer(verbs),
        bottom_toolbar=toolbar,
        key_bindings=key_bindings(wait),
        style=_STYLE,
        editing_mode=EditingMode.VI if vi else EditingMode.EMACS,
        color_depth=ColorDepth.DEPTH_1_BIT if environment.environ.get("NO_COLOR") else None,
        reserve_space_for_menu=6,
        enable_open_in_editor=True,
        enable_suspend=True,
        tempfile_suffix=".rapyer",
        **streams,
    )
