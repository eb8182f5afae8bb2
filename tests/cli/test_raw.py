"""``raw``: reads by the server's flags, the rest only with ``--write``; and keys of other types in ``get`` and ``ls``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, Configure, Store
from tests.cli.test_safety import monitored


@pytest.fixture
def keys(store: Store) -> None:
    store.call("SET", "counter", "5")
    store.call("SET", "bin:1", b"a\xff\x1b[31m")
    store.call("HSET", "session:1", "user", "ada", "a/b", "x")
    store.call("RPUSH", "queue:1", "a", "b", "c")
    store.call("SADD", "set:1", "y", "x")
    store.call("ZADD", "board:1", 2, "two", 1.5, "one")
    store.call("XADD", "events:1", "1-1", "kind", "new", "n", "1")


OTHERS: list[tuple[str, Any]] = [
    ("counter", "5"),
    ("session:1", {"user": "ada", "a/b": "x"}),
    ("queue:1", ["a", "b", "c"]),
    ("set:1", ["x", "y"]),
    ("board:1", {"one": 1.5, "two": 2.0}),
    ("events:1", [{"id": "1-1", "kind": "new", "n": "1"}]),
    ("session:1/user", "ada"),
    ("session:1/a~1b", "x"),
    ("queue:1/-1", "c"),
    ("set:1/x", True),
    ("board:1/one", 1.5),
    ("events:1/1-1", {"id": "1-1", "kind": "new", "n": "1"}),
]


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(("target", "value"), OTHERS)
def test_get_shows_every_redis_type_as_json_and_looking_only_reads(
    cli: Cli, untyped: Cli, store: Store, target: str, value: Any
) -> None:
    for run in (cli, untyped):
        with monitored(store) as seen:
            ran = run("get", target)
        assert (ran.code, ran.json if ran.out else None) == (0, value), ran.err
        assert not {command[0] for command in seen} & {"EVALSHA", "EVAL", "HSET", "SET"}
        assert run("get", target, terminal=True).code == 0
    assert cli("get", target, "--read-only").json == value


@pytest.mark.usefixtures("keys")
def test_ls_shows_the_entries_of_a_key_and_the_keys_of_a_prefix(cli: Cli, untyped: Cli) -> None:
    assert cli("ls", "session:1").lines == [
        {"name": "user", "value": "ada"},
        {"name": "a/b", "value": "x"},
    ]
    assert untyped("ls", "session").lines == [{"key": "session:1", "type": "hash"}]
    shown = cli("get", "session:1", terminal=True)
    assert "ada" in shown.out
    assert "hash" in shown.out
    cli.environ["NO_COLOR"] = "1"
    assert "\x1b[31m" not in cli("get", "bin:1", terminal=True).out


@pytest.mark.usefixtures("keys")
def test_what_is_not_there_is_still_not_found(cli: Cli) -> None:
    for target in ("session:2", "session:1/nobody", "queue:1/9", "nothing", "session:1/user/x"):
        assert cli("get", target).code == 3, target
    assert cli("increase", "counter").code == 1, "only its own commands change it"


def test_a_large_key_is_cut_for_people_and_whole_in_a_pipe(cli: Cli, store: Store) -> None:
    for start in range(0, 5000, 500):
        store.call("RPUSH", "big:1", *range(start, start + 500))
    assert len(cli("get", "big:1").json) == 5000
    shown = cli("get", "big:1", terminal=True)
    assert "5,000 in all" in shown.out


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("words", "reply"),
    [
        (("GET", "counter"), "5"),
        (("lrange", "queue:1", "0", "-1"), ["a", "b", "c"]),
        (("STRLEN", "nothing"), 0),
        (("GET", "nothing"), None),
        (("PING",), "PONG"),
        (("OBJECT", "ENCODING", "counter"), "int"),
        (("HGETALL", "session:1"), {"user": "ada", "a/b": "x"}),
    ],
)
def test_reads_are_sent_as_they_are(cli: Cli, words: tuple[str, ...], reply: Any) -> None:
    ran = cli("raw", *words)
    found = ran.json
    if isinstance(reply, dict) and isinstance(found, list):
        found = dict(zip(found[::2], found[1::2], strict=True))
    assert (ran.code, found) == (0, reply), ran.err
    assert cli("raw", *words, "--read-only").code in (0, 6)


@pytest.mark.parametrize(
    "words",
    [
        ("SET", "x", "1"),
        ("EVAL", "return redis.call('SET', 'x', '1')", "0"),
        ("FLUSHALL",),
        ("CONFIG", "SET", "maxmemory", "1"),
        ("JSON.SET", "x", "$", "1"),
        ("SUBSCRIBE", "x"),
        ("MULTI",),
        ("SELECT", "1"),
        ("SORT", "queue:1", "STORE", "x"),
    ],
)
def test_anything_else_is_refused_and_not_sent(
    cli: Cli, store: Store, words: tuple[str, ...]
) -> None:
    with monitored(store) as seen:
        ran = cli("raw", *words)
    assert (ran.code, ran.out) == (6, ""), ran.err
    assert words[0] not in {command[0].upper() for command in seen}
    assert store.call("EXISTS", "x") == 0


def test_write_sends_it_journals_it_and_says_that_it_cannot_be_undone(
    cli: Cli, store: Store, configure: Configure
) -> None:
    assert cli("raw", "SET", "x", "1 2", "--write", "-n").out == "SET x '1 2'\n"
    assert store.call("EXISTS", "x") == 0
    assert cli("raw", "SET", "x", "1 2", "--write").json == "OK"
    assert store.call("GET", "x") == b"1 2"
    entry = cli("history").lines[-1]
    assert (entry["verb"], entry["changes"], entry["outcome"]) == ("raw", ["SET x '1 2'"], "done")
    ran = cli("undo", "--yes")
    assert ran.code == 1
    assert "cannot be undone" in ran.err
    ran = cli("raw", "LPUSH", "x", "1", "--write")
    assert ran.code == 1
    assert "WRONGTYPE" in ran.err
    assert cli("raw", "FLUSHALL", "--write").code == 6, "dangerous: --yes besides"
    assert cli("raw", "SET", "x", "2", "--write", "--read-only").code == 6
    configure(f'[profiles.p]\nurl = "{cli.environ["RAPYER_URL"]}"\nread_only = true\n')
    assert cli("raw", "SET", "x", "2", "--write", "--profile", "p").code == 6
    assert store.call("GET", "x") == b"1 2"
    assert cli("raw", "FLUSHALL", "--write", "--yes").code == 0
    assert store.call("DBSIZE") == 0


def test_no_password_of_a_command_is_journalled(cli: Cli, store: Store) -> None:
    cli("raw", "ACL", "SETUSER", "bob", "on", ">s3cret", "--write", "--yes")
    store.call("ACL", "DELUSER", "bob")
    path = Path(cli.environ["XDG_STATE_HOME"]) / "rapyer" / "journal.jsonl"
    assert "ACL SETUSER" in path.read_text()
    assert "s3cret" not in path.read_text()


def test_an_unknown_command_and_none(cli: Cli) -> None:
    assert cli("raw", "NOSUCH", "x").code == 1
    assert cli("raw").code == 2
