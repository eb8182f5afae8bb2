"""The prompt through real key presses on a pipe input: completion, Enter, history, leaving."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.output import DummyOutput

import rapyer_cli.repl.prompt as prompt_module
from rapyer_cli.knowledge.knowledge import Knowledge
from rapyer_cli.repl.completer import ReplCompleter
from rapyer_cli.repl.highlighting import fragments
from rapyer_cli.repl.loop import knowledge_for, run_repl
from rapyer_cli.repl.status import Status, prompt_fragments, toolbar_fragments
from rapyer_cli.session.history import append_line
from rapyer_cli.session.session import Choices, Session
from rapyer_cli.verbs import all_verbs
from tests.cli.conftest import Cli, Store
from tests.servers import until


class Screen(DummyOutput):
    def get_size(self) -> Size:
        return Size(rows=40, columns=100)


class Keyboard:
    """The keys, and the line as it stands."""

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self.prompt: Any = None

    def type(self, text: str) -> None:
        self.pipe.send_text(text)

    @property
    def buffer(self) -> Any:
        return self.prompt.default_buffer

    def candidates(self) -> list[str]:
        state = self.buffer.complete_state
        return [completion.text for completion in state.completions] if state is not None else []


async def type_keys(
    cli: Cli, keys: Callable[[Keyboard], Awaitable[None]]
) -> tuple[str, str, Session]:
    """Open the REPL and press keys; what it wrote, its errors, and its session."""
    environment = cli.environment(terminal=True)
    environment.stdout_is_terminal = False
    out, err = environment.stdout, environment.stderr
    assert isinstance(out, io.StringIO)
    assert isinstance(err, io.StringIO)
    session = Session(environment, all_verbs, Choices())
    make_prompt = prompt_module.make_prompt
    with create_pipe_input() as pipe, pytest.MonkeyPatch.context() as patch:
        keyboard = Keyboard(pipe)

        def remember(*args: Any, **kwargs: Any) -> Any:
            keyboard.prompt = make_prompt(*args, **kwargs)
            return keyboard.prompt

        async def press() -> None:
            await until(lambda: keyboard.prompt is not None and keyboard.prompt.app.is_running)
            await keys(keyboard)

        patch.setattr(prompt_module, "make_prompt", remember)
        typing = asyncio.ensure_future(press())
        async with asyncio.timeout(30):
            await run_repl(session, input=pipe, output=Screen())
        await typing
    await session.close()
    return out.getvalue(), err.getvalue(), session


@pytest.fixture
def stored(store: Store) -> None:
    store.put(
        "BlogPost:1", {"title": "Hello", "views": 5, "tags": ["a", "b"], "settings": {"theme": "x"}}
    )


@pytest.mark.usefixtures("stored")
async def test_lines_are_run_and_ctrl_d_leaves(cli: Cli, store: Store) -> None:
    async def keys(keyboard: Keyboard) -> None:
        keyboard.type("cd BlogPost:1\rincrease views 5\rapop tags\r\x04")

    out, _, _ = await type_keys(cli, keys)
    assert out == '10\n"b"\n'
    assert store.json("BlogPost:1", "$.views") == 10


@pytest.mark.usefixtures("stored")
async def test_enter_accepts_a_completion_and_does_not_run_it(cli: Cli, store: Store) -> None:
    async def keys(keyboard: Keyboard) -> None:
        keyboard.type("increase BlogPost:1/vi")
        await until(lambda: "BlogPost:1/views" in keyboard.candidates())
        keyboard.type("\x1b[B")  # down
        await until(lambda: keyboard.buffer.text == "increase BlogPost:1/views")
        keyboard.type("\r")
        await until(lambda: keyboard.buffer.complete_state is None)
        assert store.json("BlogPost:1", "$.views") == 5, "accepted, not run"
        keyboard.type(" 2\r\x04")

    out, _, _ = await type_keys(cli, keys)
    assert out == "7\n"


@pytest.mark.usefixtures("stored")
async def test_tab_completes_a_sole_candidate_and_a_single_enter_runs(cli: Cli) -> None:
    async def keys(keyboard: Keyboard) -> None:
        keyboard.type("increase BlogPost:1/vi")
        await until(lambda: keyboard.candidates() == ["BlogPost:1/views"])
        keyboard.type("\t")
        await until(lambda: keyboard.buffer.text == "increase BlogPost:1/views")
        assert keyboard.buffer.complete_state is None
        keyboard.type("\r\x04")

    out, _, _ = await type_keys(cli, keys)
    assert out == "6\n"


@pytest.mark.usefixtures("stored")
async def test_an_open_quote_goes_on_in_the_next_line(cli: Cli, store: Store) -> None:
    async def keys(keyboard: Keyboard) -> None:
        keyboard.type("set BlogPost:1/title 'one\r")
        await until(lambda: keyboard.buffer.text.endswith("\n"))
        keyboard.type("two'\r")
        keyboard.type("set BlogPost:1/title 'dropped\r\x03\x04")

    await type_keys(cli, keys)
    assert store.json("BlogPost:1", "$.title") == "one\ntwo"


@pytest.mark.usefixtures("stored")
async def test_f1_shows_the_keys(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    async def keys(keyboard: Keyboard) -> None:
        keyboard.type("\x1bOP")
        await until(lambda: "Ctrl-R" in capsys.readouterr().out)
        keyboard.type("\x04")

    await type_keys(cli, keys)


@pytest.mark.usefixtures("stored")
async def test_ctrl_c_clears_the_line_and_not_the_sitting(cli: Cli) -> None:
    async def keys(keyboard: Keyboard) -> None:
        keyboard.type("increase BlogPost:1/views 1000\x03get BlogPost:1/views\r\x04")

    out, _, _ = await type_keys(cli, keys)
    assert out == "5\n"


@pytest.mark.usefixtures("stored")
async def test_history_comes_back_in_the_next_sitting(cli: Cli) -> None:
    append_line(cli.environment(), "get BlogPost:1/views")

    async def keys(keyboard: Keyboard) -> None:
        await until(lambda: len(keyboard.buffer._working_lines) == 2)
        keyboard.type("\x1b[A")  # up
        await until(lambda: keyboard.buffer.text == "get BlogPost:1/views")
        keyboard.type("\r")
        await until(lambda: keyboard.buffer.text == "" and len(keyboard.buffer._working_lines) > 1)
        keyboard.type("\x12views\r")  # a search
        await until(lambda: keyboard.buffer.text == "get BlogPost:1/views")
        keyboard.type("\r\x04")

    out, _, _ = await type_keys(cli, keys)
    assert out == "5\n5\n"


@pytest.mark.usefixtures("stored")
async def test_leaving_with_a_queue_says_that_it_is_dropped(cli: Cli, store: Store) -> None:
    async def keys(keyboard: Keyboard) -> None:
        keyboard.type("begin\rincrease BlogPost:1/views\r\x04y\r")

    _, err, _ = await type_keys(cli, keys)
    assert "1 queued change is dropped" in err
    assert store.json("BlogPost:1", "$.views") == 5


@pytest.mark.usefixtures("stored")
async def test_a_queue_is_not_dropped_by_mistake(cli: Cli, store: Store) -> None:
    async def keys(keyboard: Keyboard) -> None:
        keyboard.type("begin\rincrease BlogPost:1/views\r\x04n\rexit\rn\rcommit\r\x04")

    _, err, _ = await type_keys(cli, keys)
    assert "not confirmed" in err
    assert store.json("BlogPost:1", "$.views") == 6


async def test_the_vi_keys_can_be_chosen(cli: Cli, store: Store, tmp_path: Path) -> None:
    store.put("BlogPost:1", {"title": "Hello"})
    directory = tmp_path / "config" / "rapyer"
    directory.mkdir(parents=True)
    (directory / "config.toml").write_text('editing_mode = "vi"\n')

    async def keys(keyboard: Keyboard) -> None:
        keyboard.type("xget BlogPost:1/title")
        keyboard.type("\x1b")
        await until(lambda: keyboard.prompt.app.vi_state.input_mode == InputMode.NAVIGATION)
        keyboard.type("0x")
        await until(lambda: keyboard.buffer.text == "get BlogPost:1/title")
        keyboard.type("\r\x04")

    out, _, _ = await type_keys(cli, keys)
    assert out == '"Hello"\n'


async def completed(session: Session, text: str) -> list[str]:
    completer = ReplCompleter(session, all_verbs(), knowledge_for(session))
    document = Document(text)
    return [
        completion.text
        async for completion in completer.get_completions_async(document, CompleteEvent())
    ]


@pytest.mark.usefixtures("stored")
async def test_keys_and_dict_entries_are_read_in_the_background(cli: Cli) -> None:
    session = Session(cli.environment(), all_verbs)
    assert await completed(session, "get BlogPost:") == ["BlogPost:1"]
    assert await completed(session, "get BlogPost:1/settings/") == ["BlogPost:1/settings/theme"]
    assert await completed(session, "pop BlogPost:1/tags ") == ["0", "1", "-1"]
    await session.close()


async def test_completion_of_a_server_that_is_gone_is_empty_and_silent(cli: Cli) -> None:
    session = Session(cli.environment(), all_verbs, Choices(url="redis://127.0.0.1:1"))
    assert await completed(session, "get BlogPost:") == []
    assert await completed(session, "get BlogPost:1/ti") == ["BlogPost:1/title"]
    assert session.environment.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_a_line_is_coloured_by_what_its_words_are() -> None:
    line = "increase BlogPost:1/views -5 --yes 'a b' {\"x\": 1} # why"
    pieces = fragments(line, all_verbs())
    assert "".join(text for _, text in pieces) == line
    assert [style for style, text in pieces if text.strip()] == [
        "class:verb",
        "class:target",
        "class:number",
        "class:option",
        "class:text",
        "class:json",
        "class:comment",
    ]
    assert fragments("nonsense", all_verbs()) == [("class:unknown", "nonsense")]


def test_the_prompt_says_prod_place_and_queue() -> None:
    status = Status("live", "BlogPost:42/tags", prod=True, queued=2)
    pieces = prompt_fragments(status)
    assert "".join(text for _, text in pieces) == " PROD  BlogPost:42/tags (2 queued)> "
    assert ("class:prod", " PROD ") in pieces


def test_the_toolbar_shows_the_operation_and_the_type_under_the_cursor(cli: Cli) -> None:
    session = Session(cli.environment(), all_verbs)
    knowledge: Knowledge = knowledge_for(session)
    status = Status("local", "/", latency=0.0021)

    def toolbar(line: str) -> str:
        pieces = toolbar_fragments(status, line, len(line), all_verbs(), knowledge, 120)
        return "".join(text for _, text in pieces)

    assert toolbar("pop BlogPost:1/tags ").startswith(" local · 2 ms │ pop TARGET [INDEX]")
    assert "BlogPost:1/tags: list[str]" in toolbar("pop BlogPost:1/tags ")
    assert "pop TARGET KEY" in toolbar("pop BlogPost:1/settings ")
    assert toolbar("") == " local · 2 ms "
