"""Safety: what is refused, what is asked, what a dry run sends, what looking sends, what is journalled."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Configure, Store
from tests.conftest import StartServer
from tests.servers import wait_until

PROD = """
[profiles.live]
url = "{url}"
environment = "prod"
[profiles.frozen]
url = "{url}"
read_only = true
"""


@pytest.fixture
def live(cli: Cli, configure: Configure) -> Cli:
    """The command line with a profile for production."""
    configure(PROD.format(url=cli.environ.pop("RAPYER_URL")))
    cli.words = ["--profile", "live"]
    return cli


def test_prod_is_read_only_until_write_is_given(
    cli: Cli, post: str, live: Cli, store: Store
) -> None:
    before = store.text(post)
    ran = live("set", f"{post}/title", "x")
    assert ran.code == 6
    assert "profile live is prod; --write allows changes" in ran.err
    assert store.text(post) == before
    assert live("get", f"{post}/title").json == "Hello"
    assert live("set", f"{post}/title", "x", "--write").code == 0
    assert store.json(post, "$.title") == "x"


def test_a_read_only_profile_stays_so_even_with_write(
    cli: Cli, post: str, live: Cli, store: Store
) -> None:
    live.words = ["--profile", "frozen", "--write"]
    assert live("set", f"{post}/title", "x").code == 6
    assert store.json(post, "$.title") == "Hello"


@pytest.mark.parametrize(
    "words",
    [
        ("new", "BlogPost", "title=x"),
        ("set", "BlogPost:1/title", "x"),
        ("update", "BlogPost:1", "title=x"),
        ("del", "BlogPost:1", "--yes"),
        ("increase", "BlogPost:1/views"),
        ("pop", "BlogPost:1/tags"),
        ("toggle", "BlogPost:1/published"),
        ("ttl", "BlogPost:1", "100"),
        ("import", "file.jsonl", "--yes"),
        ("run", "file.rapyer", "--yes"),
        ("run", "file.rapyer", "--atomic", "--yes"),
    ],
    ids=lambda words: words[0],
)
def test_read_only_refuses_every_changing_verb(
    cli: Cli, store: Store, post: str, words: tuple[str, ...]
) -> None:
    (cli.cwd / "file.jsonl").write_text(
        '{"key": "BlogPost:9", "ttl": null, "value": {"title": "x"}}\n'
    )
    (cli.cwd / "file.rapyer").write_text("set BlogPost:1/title x\n")
    before = store.text(post)
    ran = cli(*words, "--read-only")
    assert ran.code == 6, ran.err
    assert store.text(post) == before
    assert store.call("DBSIZE") == 1


def test_read_only_trusts_only_the_flags_of_the_server(cli: Cli, start_server: StartServer) -> None:
    # On a server where COMMAND is not allowed nothing can be known, so nothing leaves.
    server = start_server()
    server.call("JSON.SET", "BlogPost:1", "$", '{"title": "x"}')
    server.call("ACL", "SETUSER", "ada", "on", ">pw", "~*", "&*", "+@all", "-command")
    url = f"unix://ada:pw@{server.socket}"
    assert cli("get", "BlogPost:1/title", "--url", url).code == 0
    ran = cli("get", "BlogPost:1/title", "--url", url, "--read-only")
    assert ran.code == 6
    assert "was not sent" in ran.err


def test_destructive_verbs_ask_on_a_terminal(cli: Cli, store: Store, post: str) -> None:
    ran = cli("clear", f"{post}/tags", terminal=True, stdin="n\n")
    assert (ran.code, store.json(post, "$.tags")) == (6, ["a", "b", "c"])
    assert "[y/N]" in ran.err
    ran = cli("clear", f"{post}/tags", terminal=True, stdin="")
    assert (ran.code, store.json(post, "$.tags")) == (6, ["a", "b", "c"])
    ran = cli("clear", f"{post}/tags", terminal=True, stdin="y\n")
    assert (ran.code, store.json(post, "$.tags")) == (0, [])


def test_a_dry_run_shows_the_exact_commands_and_the_effect(
    cli: Cli, store: Store, post: str
) -> None:
    before = store.text(post)
    ran = cli("increase", f"{post}/views", "5", "--dry-run")
    assert ran.code == 0
    assert ran.out == "JSON.NUMINCRBY BlogPost:1 $.views 5\n"
    assert ran.err == "would change BlogPost:1/views: 0 → 5\n"
    assert store.text(post) == before
    shown = cli("del", post, "--dry-run", "-o", "json").json
    assert shown["commands"] == ["DEL BlogPost:1"]
    assert shown["changes"][0]["change"] == "removed"
    assert store.text(post) == before


@contextmanager
def monitored(store: Store) -> Iterator[list[list[str]]]:
    """The commands that reach the server during the block."""
    seen: list[list[str]] = []
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(store.address)
        monitor.sendall(b"MONITOR\r\n")
        assert monitor.recv(100) == b"+OK\r\n"
        yield seen
        store.call("PING", "the end of it")
        text = b""
        monitor.settimeout(10)
        while b"the end of it" not in text:
            text += monitor.recv(65536)
    for line in text.decode("utf-8", "replace").splitlines():
        words = line.partition("] ")[2].split('" "')
        if words and words[0] and "the end of it" not in line:
            seen.append([word.strip('"').upper() for word in words])


READING = {
    "JSON.GET", "JSON.MGET", "JSON.TYPE", "JSON.OBJKEYS", "JSON.ARRLEN", "SCAN", "EXISTS", "PTTL",
    "TTL", "TYPE", "COMMAND", "HELLO", "CLIENT", "AUTH", "PING", "INFO", "MODULE", "DBSIZE", "CONFIG",
    "FT._LIST", "SUBSCRIBE", "UNSUBSCRIBE", "SELECT", "MULTI", "EXEC", "FT.SEARCH", "FT.INFO",
}  # fmt: skip

LOOKS = [
    ("models",),
    ("schema", "BlogPost"),
    ("ls",),
    ("ls", "BlogPost"),
    ("ls", "BlogPost:1"),
    ("tree",),
    ("tree", "BlogPost"),
    ("tree", "BlogPost:1"),
    ("get", "BlogPost:1"),
    ("get", "Short:1"),
    ("get", "BlogPost:1/tags/0"),
    ("get", "raw:1"),
    ("find", "BlogPost", "views >= 0"),
    ("count", "BlogPost"),
    ("count", "BlogPost", "title == 'Hello'"),
    ("ttl", "BlogPost:1"),
    ("diff", "BlogPost:1", "BlogPost:1"),
    ("ops", "BlogPost:1/tags"),
    ("check",),
    ("export",),
    ("doctor",),
    ("config",),
    ("__complete", "bash", "get", "--", "BlogPost:1"),
    ("__complete", "bash", "get", "--", "BlogPost:1/settings/"),
    ("set", "BlogPost:1/title", "x", "--dry-run"),
    ("new", "BlogPost", "title=x", "--dry-run"),
    ("new", "Short", "n=1", "--dry-run"),
    ("increase", "BlogPost:1/views", "-n"),
    ("pop", "BlogPost:1/tags", "-n"),
    ("del", "BlogPost:1", "-n"),
    ("ttl", "BlogPost:1", "5", "-n"),
    ("toggle", "BlogPost:1/published", "-n"),
    ("import", "file.jsonl", "-n"),
    ("run", "file.rapyer", "-n"),
    ("run", "file.rapyer", "--atomic", "-n"),
    ("set", "BlogPost:1/views", "x"),
    ("del", "BlogPost:1"),
    ("set", "BlogPost:1/title", "x", "--read-only"),
    ("increase", "BlogPost:1/title"),
]


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
@pytest.mark.parametrize("mode", ["", "--read-only"])
def test_looking_and_refused_and_tried_changes_send_no_write_and_no_keys(
    cli: Cli, store: Store, post: str, words: tuple[str, ...], mode: str
) -> None:
    store.put("raw:1", {"a": 1})
    store.put("Short:1", {"n": 1})
    store.call("EXPIRE", "Short:1", 100)
    (cli.cwd / "file.jsonl").write_text(
        '{"key": "BlogPost:9", "ttl": null, "value": {"title": "x"}}\n'
    )
    (cli.cwd / "file.rapyer").write_text("set BlogPost:1/title x\nincrease BlogPost:1/views\n")
    before = store.text(post)
    with monitored(store) as seen:
        cli(*words, *([mode] if mode and words[0] != "__complete" else []))
    assert {command[0] for command in seen} <= READING, seen
    assert all(command[:2] != ["CONFIG", "SET"] for command in seen)
    assert store.text(post) == before


def test_looking_leaves_a_ttl_alone_that_the_model_would_refresh(cli: Cli, store: Store) -> None:
    store.put("Short:1", {"n": 1})
    store.call("PEXPIRE", "Short:1", 50_000)
    assert cli("get", "Short:1/n").json == 1
    assert store.call("PTTL", "Short:1") <= 50_000
    assert cli("increase", "Short:1/n").json == 2
    assert store.call("PTTL", "Short:1") > 50_000


def test_every_change_is_journalled_for_the_user_alone(cli: Cli, post: str) -> None:
    assert cli("increase", f"{post}/views", "5").code == 0
    path = Path(cli.environ["XDG_STATE_HOME"]) / "rapyer" / "journal.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    increase = next(entry for entry in entries if entry["verb"] == "increase")
    assert increase["commands"] == ["JSON.NUMINCRBY BlogPost:1 $.views 5"]
    assert increase["places"] == [{"key": post, "path": ["views"], "before": 0}]
    assert increase["outcome"] == "done"


def test_a_journal_that_cannot_be_written_is_said_and_stops_nothing(
    cli: Cli, store: Store, post: str
) -> None:
    state = Path(cli.environ["XDG_STATE_HOME"])
    cli.environ["XDG_STATE_HOME"] = str(cli.cwd / "full")
    (cli.cwd / "full").mkdir()
    (cli.cwd / "full" / "rapyer").mkdir()
    (cli.cwd / "full" / "rapyer" / "journal.jsonl").symlink_to("/dev/full")
    ran = cli("increase", f"{post}/views", "5")
    assert (ran.code, store.json(post, "$.views")) == (0, 5)
    assert "journal" in ran.err
    assert "No space left" in ran.err
    assert state.exists()


def test_no_password_reaches_output_journal_or_errors(
    cli: Cli, configure: Configure, start_server: StartServer
) -> None:
    server = start_server()
    server.call("CONFIG", "SET", "requirepass", "s3cret")
    server_up = cli("get", "x", "--url", f"unix://:s3cret@{server.socket}")
    assert server_up.code == 3
    cli.environ["PW"] = "s3cret"
    configure(f'[profiles.p]\nurl = "unix://{server.socket}"\npassword_env = "PW"\n')
    for words in (
        ("new", "BlogPost:1", "title=x"),
        ("get", "BlogPost:1"),
        ("doctor",),
        ("config",),
        ("get", "BlogPost:2", "--debug"),
    ):
        for where in (("--profile", "p"), ("--url", f"unix://:s3cret@{server.socket}")):
            ran = cli(*words, *where)
            assert "s3cret" not in ran.out + ran.err
    written = [path for path in Path(cli.environ["XDG_STATE_HOME"]).rglob("*") if path.is_file()]
    assert written
    assert all("s3cret" not in path.read_text() for path in written)


def test_a_lost_reply_to_a_write_is_never_repeated(cli: Cli, start_server: StartServer) -> None:
    server = start_server()
    server.call("JSON.SET", "BlogPost:1", "$", '{"title": "x", "views": 0}')
    server.call("CLIENT", "NO-EVICT", "on")
    url = f"unix://{server.socket}?socket_timeout=0.3"
    assert cli("get", "BlogPost:1/views", "--url", url).json == 0
    # The server is too busy to answer in time: it executes the write, the reply comes too late.
    with socket.socket(socket.AF_UNIX) as blocker:
        blocker.connect(str(server.socket))
        blocker.sendall(b"CLIENT PAUSE 1500 WRITE\r\n")
        assert blocker.recv(100) == b"+OK\r\n"
        ran = cli("increase", "BlogPost:1/views", "--url", url)
    assert ran.code == 5
    assert "once or not at all" in ran.err
    wait_until(lambda: server.call("SET", "x", "1") is not None)
    assert server.call("JSON.GET", "BlogPost:1", "$.views") in (b"[0]", b"[1]")
