"""What lines of the REPL do: navigation, transactions, undo, reconnecting. No terminal, real server."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from rapyer_cli.exits import Exit
from rapyer_cli.repl.loop import Repl
from rapyer_cli.session.history import append_line, history_path, last_lines
from rapyer_cli.session.session import Choices, Leave, Session
from rapyer_cli.verbs import all_verbs
from tests.cli.conftest import Cli, Configure, Store
from tests.conftest import StartServer


@dataclass
class Sitting:
    """A REPL whose lines are typed by the test."""

    repl: Repl
    out: io.StringIO
    err: io.StringIO
    answer: str = "y"

    async def __call__(self, line: str) -> str:
        """Run a line that works; its standard output."""
        code = await self.fails(line)
        assert code == 0, self.err.getvalue()
        return self.out.getvalue()

    async def fails(self, line: str) -> int:
        for stream in (self.out, self.err):
            stream.seek(0)
            stream.truncate()
        return await self.repl.run_line(line)

    async def json(self, line: str) -> Any:
        return json.loads(await self(line))

    @property
    def here(self) -> str:
        return str(self.repl.session.here)


async def sitting_for(cli: Cli, **choices: Any) -> Sitting:
    environment = cli.environment()
    session = Session(environment, all_verbs, Choices(**choices))
    session.in_repl = True
    assert isinstance(environment.stdout, io.StringIO)
    assert isinstance(environment.stderr, io.StringIO)
    sitting = Sitting(Repl(session), environment.stdout, environment.stderr)

    async def ask(question: str) -> str:
        return sitting.answer

    session.ask = ask
    return sitting


@pytest.fixture
async def repl(cli: Cli, store: Store) -> AsyncIterator[Sitting]:
    store.put(
        "BlogPost:1",
        {
            "title": "Hello",
            "views": 5,
            "tags": ["a", "b", "c"],
            "settings": {"theme": "light"},
            "address": {"city": "Rome", "zip_code": "1"},
        },
    )
    sitting = await sitting_for(cli)
    yield sitting
    await sitting.repl.session.close()


POST = "BlogPost:1"


async def test_cd_ls_pwd_and_relative_targets(repl: Sitting) -> None:
    await repl("cd BlogPost")
    assert (await repl("ls -o raw")).split() == [POST]
    await repl("cd 1")
    assert (await repl("pwd")).strip() == POST
    assert await repl.json("get title") == "Hello"
    await repl("cd settings")
    assert repl.here == "BlogPost:1/settings"
    assert await repl.json("get theme") == "light"
    assert await repl.json("get ../title") == "Hello"
    await repl("cd -")
    assert repl.here == POST
    await repl("cd tags/-1")
    await repl("cd ../..")
    assert repl.here == POST
    await repl("cd /")
    assert repl.here == "/"
    await repl("cd")
    assert json.loads((await repl("ls")).splitlines()[0])["name"] == "BlogPost"


@pytest.mark.parametrize(
    "target", ["BlogPost:404", "BlogPost:1/nope", "BlogPost:1/tags/9", "Nothing"]
)
async def test_cd_goes_only_where_something_is(repl: Sitting, target: str) -> None:
    assert await repl.fails(f"cd {target}") == Exit.NOT_FOUND
    assert repl.here == "/"


async def test_operations_take_relative_targets_and_both_spellings(
    repl: Sitting, store: Store
) -> None:
    await repl(f"cd {POST}")
    assert await repl.json("increase views 5") == 10
    assert await repl.json("aincrease views -1") == 9
    assert await repl.json("apop tags") == "c"
    assert await repl.json("pop tags 0") == "a"
    await repl("aappend tags 'x y'")
    await repl('set address {"city": "Oslo", "zip_code": "2"}')
    assert store.json(POST, "$.tags") == ["b", "x y"]
    assert store.json(POST, "$.address") == {"city": "Oslo", "zip_code": "2"}
    await repl("cd tags")
    await repl("append . z")
    assert store.json(POST, "$.tags") == ["b", "x y", "z"]


async def test_find_needs_no_quotes_around_the_condition(repl: Sitting) -> None:
    line = "find BlogPost views >= 5 and 'a' in tags --fields title -o jsonl"
    assert await repl.json(line) == {"key": POST, "title": "Hello"}
    assert await repl("find BlogPost title=='nope'") == ""
    assert await repl.json("count BlogPost \"title == 'Hello'\"") == 1


async def test_begin_queues_and_commit_applies_all_in_one_step(repl: Sitting, store: Store) -> None:
    before = store.text(POST)
    await repl(f"cd {POST}")
    await repl("begin")
    await repl("increase views 5")
    await repl("append tags d")
    await repl("set title New")
    assert repl.repl.status().queued == 3
    assert store.text(POST) == before
    assert await repl.json("get views") == 10, "one sees what one queued"
    await repl("commit")
    assert (store.json(POST, "$.views"), store.json(POST, "$.title")) == (10, "New")
    assert store.json(POST, "$.tags") == ["a", "b", "c", "d"]
    assert repl.repl.status().queued is None


async def test_a_commit_that_cannot_apply_applies_nothing(repl: Sitting, store: Store) -> None:
    await repl(f"cd {POST}")
    await repl("begin")
    await repl("increase views 5")
    await repl("append tags d")
    store.call("JSON.DEL", POST, "$.tags")
    before = store.text(POST)
    assert await repl.fails("commit") == Exit.NOT_FOUND
    assert store.text(POST) == before
    assert repl.repl.status().queued is None
    assert await repl.json("get views") == 5


async def test_discard_drops_what_was_queued(repl: Sitting, store: Store) -> None:
    await repl("begin")
    await repl("increase BlogPost:1/views 5")
    await repl("discard")
    assert await repl.json("get BlogPost:1/views") == 5
    assert store.json(POST, "$.views") == 5
    assert await repl.fails("commit") == Exit.FAILED
    assert await repl.fails("discard") == Exit.FAILED


async def test_a_queued_document_can_be_changed_before_it_exists(
    repl: Sitting, store: Store
) -> None:
    await repl("begin")
    await repl("new BlogPost:9 title=Nine")
    await repl("increase BlogPost:9/views 3")
    await repl("append BlogPost:9/tags x")
    assert store.json("BlogPost:9") is None
    await repl("commit")
    assert (store.json("BlogPost:9", "$.views"), store.json("BlogPost:9", "$.tags")) == (3, ["x"])


@pytest.mark.parametrize(
    "lines",
    [
        ["increase views 5"],
        ["set title New"],
        ["pop tags 0"],
        ["clear tags"],
        ["insert tags 1 x"],
        ["set settings/lang en"],
        ["set settings/theme dark"],
        ["del settings/theme"],
        ["del tags/1"],
        ["update . title=a views:=9"],
        ["toggle published"],
        ["del ."],
        ["popitem settings"],
        [
            "begin",
            "set settings/theme dark",
            "clear settings",
            "insert tags 0 x",
            "set tags/0 y",
            "commit",
        ],
    ],
    ids=" | ".join,
)
async def test_undo_restores_exactly_what_was_replaced(
    repl: Sitting, store: Store, lines: list[str]
) -> None:
    store.put(POST, {**store.json(POST), "published": False})
    before = store.json(POST)
    await repl(f"cd {POST}")
    for line in lines:
        await repl(line)
    assert store.json(POST) != before
    await repl("undo")
    assert store.json(POST) == before
    assert await repl.fails("undo") == Exit.FAILED, "each change is undone once"


async def test_undo_of_a_new_document_removes_it(repl: Sitting, store: Store) -> None:
    await repl("new BlogPost:9 title=x")
    await repl("undo")
    assert store.json("BlogPost:9") is None


async def test_undo_of_a_deletion_brings_the_ttl_back(repl: Sitting, store: Store) -> None:
    store.call("PEXPIRE", POST, 500_000)
    before = store.json(POST)
    await repl(f"del {POST}")
    await repl("undo")
    assert store.json(POST) == before
    assert 400_000 < store.call("PTTL", POST) <= 500_000


async def test_undo_restores_a_time_to_live(repl: Sitting, store: Store) -> None:
    await repl(f"ttl {POST} 100")
    assert "lives for ever → 100 seconds" in repl.err.getvalue()
    await repl("undo")
    assert store.call("PTTL", POST) == -1
    await repl(f"ttl {POST} 100")
    store.call("EXPIRE", POST, 5000)
    assert await repl.fails("undo") == Exit.REFUSED
    assert store.call("PTTL", POST) > 1_000_000


async def test_undo_goes_back_several_changes(repl: Sitting, store: Store) -> None:
    await repl("increase BlogPost:1/views")
    await repl("increase BlogPost:1/views 10")
    await repl("undo")
    assert store.json(POST, "$.views") == 6
    await repl("undo")
    assert store.json(POST, "$.views") == 5


async def test_undo_refuses_when_somebody_else_changed_it_since(
    repl: Sitting, store: Store
) -> None:
    await repl("increase BlogPost:1/views")
    store.call("JSON.SET", POST, "$.views", "100")
    assert await repl.fails("undo") == Exit.REFUSED
    assert store.json(POST, "$.views") == 100


async def test_undo_does_not_mind_changes_elsewhere_in_the_document(
    repl: Sitting, store: Store
) -> None:
    await repl("increase BlogPost:1/views")
    store.call("JSON.SET", POST, "$.title", '"theirs"')
    await repl("undo")
    assert (store.json(POST, "$.views"), store.json(POST, "$.title")) == (5, "theirs")


async def test_destruction_is_asked_about(repl: Sitting, store: Store) -> None:
    repl.answer = "n"
    assert await repl.fails("clear BlogPost:1/tags") == Exit.REFUSED
    assert store.json(POST, "$.tags") == ["a", "b", "c"]


async def test_an_error_is_one_line_and_the_sitting_goes_on(repl: Sitting) -> None:
    await repl(f"cd {POST}")
    for line, code in [
        ("nonsense", Exit.USAGE),
        ("get 'open", Exit.USAGE),
        ("increase title", Exit.FAILED),
        ("set views many", Exit.INVALID),
        ("get nope", Exit.NOT_FOUND),
        ("get --url redis://elsewhere x", Exit.FAILED),
    ]:
        assert await repl.fails(line) == code
        assert repl.err.getvalue().count("\n") == 1
    assert repl.here == POST


async def test_empty_lines_and_comments_do_nothing(repl: Sitting) -> None:
    assert await repl("") == await repl("   ") == await repl("# a comment") == ""


async def test_help_and_exit(repl: Sitting) -> None:
    assert "increase" in await repl("help")
    assert "Usage: increase TARGET" in await repl("help aincrease")
    assert "Usage: cd" in await repl("cd --help")
    with pytest.raises(Leave):
        await repl("exit")


async def test_prod_is_read_only_until_writable(
    cli: Cli, store: Store, configure: Configure
) -> None:
    store.put(POST, {"title": "x", "views": 1})
    configure(f'[profiles.live]\nurl = "{cli.environ["RAPYER_URL"]}"\nenvironment = "prod"\n')
    repl = await sitting_for(cli, profile="live")
    assert (repl.repl.status().prod, repl.repl.status().read_only) == (True, True)
    assert await repl.fails("increase BlogPost:1/views") == Exit.REFUSED
    assert await repl.fails("begin") == Exit.REFUSED
    await repl("writable")
    assert await repl.json("increase BlogPost:1/views") == 2
    assert repl.repl.status().read_only is False
    await repl.repl.session.close()


async def test_use_goes_to_another_server(
    repl: Sitting, start_server: StartServer, configure: Configure
) -> None:
    other = start_server()
    other.call("JSON.SET", "BlogPost:7", "$", '{"title": "other"}')
    configure(f'[profiles.other]\nurl = "unix://{other.socket}"\n')
    await repl(f"cd {POST}")
    await repl("use other")
    assert repl.here == "/"
    assert await repl.json("get BlogPost:7/title") == "other"
    assert await repl.fails("use nowhere") == Exit.NOT_FOUND
    assert await repl.json("get BlogPost:7/title") == "other"


async def test_a_lost_server_is_said_and_one_goes_on_at_the_same_place(
    cli: Cli, start_server: StartServer
) -> None:
    server = start_server("--appendonly", "yes")
    server.call("JSON.SET", POST, "$", '{"title": "x", "views": 1}')
    repl = await sitting_for(cli, url=f"unix://{server.socket}")
    await repl(f"cd {POST}")
    await repl("begin")
    await repl("increase views")
    server.stop()
    assert await repl.fails("commit") == Exit.CONNECTION
    assert repl.repl.status().trouble
    assert repl.repl.status().queued is None
    assert repl.here == POST
    server.start()
    assert await repl.json("get views") == 1
    assert not repl.repl.status().trouble
    await repl("begin")
    await repl("increase views")
    server.stop()
    assert await repl.fails("get title") == Exit.DONE, "what was read is still there"
    assert await repl.fails("get BlogPost:2") == Exit.CONNECTION
    assert "dropped" in repl.err.getvalue()
    await repl.repl.session.close()


async def test_what_was_queued_for_a_server_that_was_restarted_since_is_dropped_and_said(
    cli: Cli, start_server: StartServer
) -> None:
    server = start_server("--appendonly", "yes")
    server.call("JSON.SET", POST, "$", '{"title": "x", "views": 1}')
    repl = await sitting_for(cli, url=f"unix://{server.socket}")
    await repl(f"cd {POST}")
    await repl("begin")
    await repl("increase views")
    server.stop()
    server.start()
    assert await repl.fails("commit") == Exit.CONNECTION
    assert "1 queued change is dropped" in repl.err.getvalue()
    assert repl.repl.status().queued is None
    assert await repl.json("get views") == 1
    await repl("increase views")
    assert await repl.json("get views") == 2
    await repl.repl.session.close()


async def test_ctrl_c_cancels_the_line_and_not_the_sitting(repl: Sitting, store: Store) -> None:
    for moment in range(10):
        task = asyncio.ensure_future(repl.fails("watch BlogPost:1/views"))
        while "5" not in repl.out.getvalue():  # noqa: ASYNC110 - exactly then, not a little later
            await asyncio.sleep(0)
        for _ in range(moment):
            await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(10):
            assert await task == Exit.INTERRUPTED
    assert await repl.json("get BlogPost:1/views") == 5


async def test_history_keeps_no_password_and_no_line_with_a_leading_blank(repl: Sitting) -> None:
    environment = repl.repl.session.environment
    append_line(environment, "use redis://user:s3cret@host/0")
    append_line(environment, " secret line")
    append_line(environment, "set a 'two\nlines \\n'")
    assert last_lines(environment, 5) == ["use redis://user:***@host/0", "set a 'two\nlines \\n'"]
    assert history_path(environment).stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in history_path(environment).read_text()


async def test_without_a_terminal_lines_come_from_standard_input(
    cli: Cli, store: Store, repl: Sitting
) -> None:
    ran = await asyncio.to_thread(
        cli,
        "repl",
        stdin="cd BlogPost:1\nincrease views 2\nset views x\nget views\nexit\nget title\n",
    )
    assert ran.out == "7\n7\n"
    assert ran.code == Exit.INVALID
