"""What people are used to from shells: pipes, files, ``!``, ``_``, ``time``, aliases, a start-up file, reload, Python."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rapyer_cli.failures import UsageError
from rapyer_cli.language.lines import commands_in
from rapyer_cli.language.redirecting import Typed, parted, with_last
from rapyer_cli.render.text import lifetime_in_words
from rapyer_cli.repl.loop import run_repl
from rapyer_cli.session.session import Choices, Session
from rapyer_cli.verbs import all_verbs
from tests.cli.conftest import Cli, Configure, Store
from tests.cli.test_repl_lines import Sitting, sitting_for

POST = "BlogPost:1"


@pytest.fixture
async def repl(cli: Cli, store: Store) -> AsyncIterator[Sitting]:
    store.put(POST, {"title": "Hello", "views": 5, "tags": ["a", "b"]})
    store.put("BlogPost:2", {"title": "Other", "views": 50, "tags": []})
    sitting = await sitting_for(cli)
    yield sitting
    await sitting.repl.session.close()


# -- what a line is made of ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        ("get K:1", Typed("get K:1")),
        ("get K:1 | jq . | head", Typed("get K:1 ", command="jq . | head")),
        ("get K:1 > out.json", Typed("get K:1 ", file="out.json")),
        ("get K:1 >> 'a b'", Typed("get K:1 ", file="a b", append=True)),
        ("set K:1/t '|'", Typed("set K:1/t '|'")),
        ('set K:1/t "a > b"', Typed('set K:1/t "a > b"')),
        ("set K:1/t a>b|c", Typed("set K:1/t a>b|c")),
        ("find Post views > 10", Typed("find Post views > 10")),
        ("find Post views > 10 >> f", Typed("find Post views > 10 ", file="f", append=True)),
        ("count Post views > 10 | cat", Typed("count Post views > 10 ", command="cat")),
        ("update Post where views > 10 set a=1", Typed("update Post where views > 10 set a=1")),
        ("get K:1 # | not > this", Typed("get K:1 # | not > this")),
    ],
)
def test_only_signs_that_stand_alone_lead_elsewhere_and_a_condition_keeps_its_own(
    line: str, typed: Typed
) -> None:
    assert parted(line, all_verbs()) == typed


@pytest.mark.parametrize("line", ["get K:1 |", "get K:1 >", "get K:1 > a b", "find P a >> b c"])
def test_half_of_that_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="has to follow"):
        parted(line, all_verbs())


def test_the_last_result_stands_where_an_underscore_stands_alone() -> None:
    assert with_last("get _", "K:1", None) == "get K:1"
    assert with_last("append K:1/tags _ '_' a_b", None, "it's") == (
        "append K:1/tags \"it's\" '_' a_b"
    )
    for line in ("get _", "append K:1/tags _"):
        with pytest.raises(UsageError, match="the last line gave"):
            with_last(line, None, None)


def test_a_quote_that_is_open_goes_on_in_the_next_line() -> None:
    assert commands_in("a 'b\nc' d\ne\r\nf") == ["a 'b\nc' d", "e", "f"]


# -- where output goes ---------------------------------------------------------------------------------


async def test_a_command_gets_what_a_pipe_gets(repl: Sitting, cli: Cli) -> None:
    assert await repl(f"get {POST} | tr a-z A-Z") == (
        '{"TITLE":"HELLO","VIEWS":5,"TAGS":["A","B"]}\n'
    )
    assert (await repl("find BlogPost views > 5 -o raw | wc -l")).strip() == "1"
    assert await repl("ls BlogPost | head -1") in (
        f'{{"key":"{POST}"}}\n',
        '{"key":"BlogPost:2"}\n',
    )
    assert await repl(f"get {POST}/views") == "5\n", "the next line is shown as ever"


async def test_a_file_gets_it_once_it_is_there_and_keeps_what_it_had_otherwise(
    repl: Sitting, cli: Cli
) -> None:
    file = cli.cwd / "out.json"
    assert await repl(f"get {POST}/views > out.json") == ""
    await repl("get BlogPost:2/views >> out.json")
    assert file.read_text() == "5\n50\n"
    assert await repl.fails("get BlogPost:404 > out.json") == 3
    assert await repl.fails("get BlogPost:404 > new.json") == 3
    assert file.read_text() == "5\n50\n"
    assert not (cli.cwd / "new.json").exists()
    await repl(f"get {POST}/title > out.json")
    assert file.read_text() == '"Hello"\n'


async def test_what_cannot_be_written_is_said_before_anything_is_done(
    repl: Sitting, store: Store
) -> None:
    assert await repl.fails(f"increase {POST}/views > nowhere/out.json") == 1
    assert "nothing was done" in repl.err.getvalue()
    assert store.json(POST, "$.views") == 5


async def test_commands_of_the_shell_run_and_say_how_they_ended(repl: Sitting, cli: Cli) -> None:
    (cli.cwd / "here").write_text("")
    assert await repl("!ls here; echo $((1 + 2))") == "here\n3\n"
    assert await repl.fails("!exit 7") == 1
    assert "ended with 7" in repl.err.getvalue()
    assert await repl.fails("!") == 1


async def test_the_last_result_is_a_target_or_a_value(repl: Sitting, store: Store) -> None:
    await repl("find BlogPost views > 5")
    assert await repl.json("get _") == {
        "title": "Other",
        "views": 50,
        "tags": [],
    }
    assert await repl.json(f"get {POST}/tags/0") == "a"
    await repl("append BlogPost:2/tags _")
    assert store.json("BlogPost:2", "$.tags") == ["a"]
    await repl("new BlogPost:3 title=New")
    assert (await repl.json("get _"))["title"] == "New"
    await repl("find BlogPost views >= 0")
    assert await repl.fails("get _") == 2
    assert "that was not one document" in repl.err.getvalue()


async def test_a_line_is_timed(repl: Sitting) -> None:
    assert await repl.json(f"time get {POST}/views") == 5
    assert " ms, " in repl.err.getvalue()
    assert await repl.fails("time get BlogPost:404") == 3


# -- the user's own ------------------------------------------------------------------------------------


ALIASES = '[aliases]\ntop = "find BlogPost views > 5 -o raw"\nzap = "del BlogPost:2"\n'


async def test_aliases_stand_for_lines_at_the_prompt(repl: Sitting, configure: Configure) -> None:
    configure(ALIASES)
    assert await repl("top") == "BlogPost:2\n"
    assert (await repl("top | wc -l")).strip() == "1"


def test_aliases_stand_for_lines_in_the_shell(cli: Cli, configure: Configure, store: Store) -> None:
    store.put(POST, {"title": "Hello", "views": 5})
    store.put("BlogPost:2", {"title": "Other", "views": 50})
    configure(ALIASES)
    assert cli("top").out == "BlogPost:2\n"
    assert cli("top", "--sort", "views").out == "BlogPost:2\n"
    assert cli("zap").code == 6, "an alias asks like what it stands for"
    assert store.text("BlogPost:2") is not None
    assert cli("nothing").code == 2
    configure('[aliases]\nget = "find BlogPost"\n')
    ran = cli("nothing")
    assert (ran.code, "get is a verb" in ran.err) == (2, True)


async def test_the_start_up_file_is_run_as_if_it_was_typed(cli: Cli, store: Store) -> None:
    directory = cli.environment().config_directory
    directory.mkdir(parents=True)
    file = directory / "startup"
    file.write_text("# mine\nnew BlogPost:s title='two\nlines'\nget BlogPost:404\nexit\n")
    environment = cli.environment(terminal=True)
    environment.stdout_is_terminal = False
    session = Session(environment, all_verbs, Choices())
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    with create_pipe_input() as pipe:
        await run_repl(session, input=pipe, output=DummyOutput())
    await session.close()
    assert store.json("BlogPost:s", "$.title") == "two\nlines"
    assert isinstance(environment.stderr, io.StringIO)
    assert "BlogPost:404 does not exist" in environment.stderr.getvalue()


async def test_models_are_reloaded_and_kept_where_that_fails(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    source = (
        "from rapyer import AtomicRedisModel\nclass Reloaded(AtomicRedisModel):\n    n: int = 0\n"
    )
    module = tmp_path / "reloaded_models.py"
    module.write_text(source)
    cli.environ["RAPYER_MODELS"] = str(module)
    sitting = await sitting_for(cli)
    await sitting("new Reloaded:1 n=1")
    module.write_text(source + "    more: str = 'new'\n")
    await sitting("reload")
    assert await sitting.json("get Reloaded:1") == {"n": 1}
    await sitting("set Reloaded:1/more x")
    assert store.json("Reloaded:1") == {"n": 1, "more": "x"}
    module.write_text("this is no Python\n")
    assert await sitting.fails("reload") == 7
    await sitting("set Reloaded:1/more y")
    assert await sitting.fails("set Reloaded:1/n text") == 4
    await sitting.repl.session.close()


# -- Python --------------------------------------------------------------------------------------------


def test_python_has_the_models_and_awaits(cli: Cli, store: Store) -> None:
    store.put(POST, {"title": "Hello", "views": 5})
    script = (
        f"post = await BlogPost.get('{POST}')\n"
        "async with post.pipeline():\n    post.views += 1\n"
        "print(await post.views.increase())\n"
        "async for found in BlogPost.find():\n    print(found.title)\n"
    )
    ran = cli("python", stdin=script)
    assert (ran.code, ran.out) == (0, "7\nHello\n"), ran.err
    assert store.json(POST, "$.views") == 7
    ran = Cli(cli.cwd, cli.environ)(
        "python", "--read-only", stdin=f"await BlogPost.delete_by_key('{POST}')"
    )
    assert (ran.code, "read-only" in ran.err) == (1, True)
    assert store.json(POST, "$.views") == 7
    assert cli("python", stdin="1 +").code == 1


# -- what is seen --------------------------------------------------------------------------------------


def test_documents_are_listed_with_fields_life_and_size(cli: Cli, store: Store) -> None:
    store.put(POST, {"title": "Hello", "views": 5, "tags": ["a"]})
    store.call("PEXPIRE", POST, 90_000)
    cli.width, cli.environ["NO_COLOR"] = 120, "1"
    shown = cli("ls", "BlogPost", terminal=True).out
    heading, _, row, *_ = shown.splitlines()
    assert heading.split() == ["document", "title", "views", "expires", "in", "size"]
    assert row.split()[:3] == [POST, "Hello", "5"]
    assert row.split()[-1] == "B"
    assert [json.loads(line) for line in cli("ls", "BlogPost").out.splitlines()] == [{"key": POST}]


@pytest.mark.parametrize("width", [40, 80, 200])
async def test_the_first_lines_say_where_one_is_and_never_wrap(
    cli: Cli, store: Store, configure: Configure, rapyer_url: str, width: int
) -> None:
    from rapyer_cli.repl.greeting import greet

    store.put(POST, {"title": "Hello"})
    configure(f'[profiles.live]\nurl = "{rapyer_url}"\nenvironment = "prod"\n')
    cli.width = width
    said = {}
    for write in (False, True):
        environment = cli.environment(terminal=True)
        session = Session(environment, all_verbs, Choices(profile="live", write=write))
        session.in_repl = True
        await greet(session)
        await session.close()
        assert isinstance(environment.stderr, io.StringIO)
        said[write] = environment.stderr.getvalue()
        assert all(len(line) < width for line in said[write].splitlines())
    assert "PRODUCTION, read-only" in said[False]
    assert "PRODUCTION, writable" in said[True]
    assert "BlogPost 1" in said[True]
    if width > 40:
        assert "Redis 8." in said[True]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *(
            (None, "for ever"),
            (0.5, "0.5 seconds"),
            (119, "119 seconds"),
            (125, "2 minutes 5 seconds"),
        ),
        *(
            (3605, "1 hour"),
            (7199.6, "2 hours"),
            (90_061, "1 day 1 hour"),
            (86_400 * 400, "400 days"),
        ),
    ],
)
def test_a_time_to_live_is_said_in_units_that_one_can_picture(
    seconds: float | None, words: str
) -> None:
    assert lifetime_in_words(seconds) == words
