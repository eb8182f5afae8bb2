"""A plain read is answered at once, and says what the ordinary way says; in doubt the ordinary way does."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from rapyer.embedded import EmbeddedServer
from rapyer.embedded.wire import Wire
from rapyer_cli.failures import CliError
from rapyer_cli.language.grammar import Verbs
from rapyer_cli.oneshot import run_thoroughly
from rapyer_cli.session.session import Choices, Session
from rapyer_cli.shortcut import _reply, answer
from tests.cli.conftest import Cli, Configure, Ran, Store
from tests.cli.test_safety import READING, monitored
from tests.servers import RedisProcess, free_port, running


def both(cli: Cli, *words: str) -> tuple[Ran | None, Ran]:
    """What the quick way answers, if it does, and what the ordinary one says."""
    ran: list[Ran | None] = []
    for way in (answer, run_thoroughly):
        environment = cli.environment()
        code = way(words, environment)
        out, err = environment.stdout, environment.stderr
        assert isinstance(out, io.StringIO)
        assert isinstance(err, io.StringIO)
        said = out.getvalue(), err.getvalue()
        assert code is not None or said == ("", ""), "who does not answer has written nothing"
        ran.append(None if code is None else Ran(int(code), *said))
    assert ran[1] is not None
    return ran[0], ran[1]


WHOLE = {
    "title": "Hallå “welt”\n\t\u2028",
    "views": 2**53,
    "rating": 1e22,
    "published": True,
    "status": "live",
    "mood": "loud",
    "tags": ["a", 'b"', "~/"],
    "scores": [1, -2],
    "settings": {"theme": "light", "0": "zero", "a.b": "dotted", "a/b": "slash"},
    "counts": {"x": 1},
    "by_number": {},
    "address": {"city": "Rom", "zip_code": "1"},
    "places": [{"city": "Oslo", "zip_code": "2"}],
    "born": "2024-02-29T12:30:00.5+02:00",
    "price": "1.50",
    "token": "00000000-0000-4000-8000-000000000000",
    "data": "aGVs",
}
DOCUMENTS: dict[str, Any] = {
    "BlogPost:1": WHOLE,
    "BlogPost:small": {"title": "x"},
    "BlogPost:float": {"title": "1.0", "rating": 1.0, "extra": [1.0, 1e300, 10**18, None]},
    "BlogPost:a%2Fb": {"title": "percent"},
    "BlogPost:a/b": {"title": "slash"},
    "BlogPost:drifted": {"title": 5, "views": "many", "tags": "none"},
    "BlogPost:half": {"views": 1},
    "BlogPost:odd": {**WHOLE, "born": "yesterday"},
    "BlogPost:numbers": {**WHOLE, "by_number": {"1": "one"}},
    "Product:low": {"name": "low", "stock": -1},
    "Product:good": {"name": "good", "stock": 1},
    "Short:1": {"n": 1},
    "Book:1": {"isbn": "x", "shelf": 3},
    "Nobody:1": {"list": [1, [2]], "dict": {"0": "zero"}},
    "Nobody:big": {"id": 2**64 - 1, "list": [2**63]},
    "plain": {"a": 1},
    "BlogPost:list": [1, 2],
    "BlogPost:text": '"text"',
}
POINTERS = [
    "", "/", "/title", "/views", "/rating", "/published", "/tags", "/tags/0", "/tags/-1", "/tags/-3", "/tags/-4", "/tags/9", "/list/-2", "/list/-3",
    "/settings", "/settings/theme", "/settings/0", "/settings/a.b", "/settings/a~1b", "/counts/x",
    "/address/city", "/places/0/city", "/places/0", "/born", "/born/0", "/nope", "/extra", "/extra/0",
    "/list/0", "/list/1/0", "/dict/0", "/title/0", "/by_number/1", "/stock", "/n", "/..", "/./title",
    "/settings//", "/a\\b", "/ x", "/--1", "/a",
]  # fmt: skip


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("options", [(), ("-o", "json"), ("--output", "raw"), ("-o", "jsonl")])
def test_both_ways_print_the_same(
    cli: Cli, untyped: Cli, store: Store, options: tuple[str, ...], typed: bool
) -> None:
    for key, value in DOCUMENTS.items():
        store.put(key, value)
    store.call("HSET", "BlogPost:hash", "a", "b")
    answered = set()
    targets = [
        key.replace("b/b", "b%2Fb") for key in [*DOCUMENTS, "BlogPost:hash", "BlogPost:gone"]
    ]
    for target in [
        *targets,
        "BlogPost:a%252Fb",
        "BlogPost:a%2Fb",
        "BlogPost",
        "",
        "/",
        "/BlogPost:1",
    ]:
        for pointer in POINTERS if not options else POINTERS[:6]:
            quick, ordinary = both(cli if typed else untyped, "get", target + pointer, *options)
            assert quick is None or quick == ordinary, (target, pointer)
            if quick is not None:
                assert quick.code == 0
                answered.add(target + pointer)
    whole = {
        "BlogPost:1",
        "BlogPost:small",
        "Short:1",
        "Nobody:1",
        "Nobody:big",
        "BlogPost:drifted",
    }
    assert not answered & whole if typed else answered >= whole, (
        "what fits is for the models to say"
    )
    assert answered >= {"BlogPost:1/title", "BlogPost:drifted/views"}
    assert not answered & {"BlogPost:hash", "BlogPost:gone", "BlogPost:1/nope", "BlogPost", "plain"}
    if not options:
        assert answered >= {
            "BlogPost:1/tags/0", "BlogPost:1/tags/-1", "BlogPost:1/settings/0", "BlogPost:1/places/0/city",
            "BlogPost:1/settings/a~1b", "BlogPost:1/address/city", "Nobody:1/list/1/0", "Nobody:1/dict/0",
            "Product:low/stock",
        }  # fmt: skip


@pytest.mark.parametrize("target", ["/n", "/n/0", ""])
def test_models_that_fail_or_talk_say_so_in_both_ways_or_in_none(
    cli: Cli, store: Store, tmp_path: Path, target: str
) -> None:
    path = tmp_path / "loud.py"
    path.write_text("print('hello')\nimport no_such_module_of_mine\n")
    cli.environ["RAPYER_MODELS"] = str(path)
    store.put("Thing:1", {"n": [1]})
    quick, ordinary = both(cli, "get", f"Thing:1{target}")
    assert quick is None or quick == ordinary
    assert ordinary.err == "" if target else "hello" in ordinary.err


def test_an_index_out_of_range_is_no_place(cli: Cli, untyped: Cli, store: Store) -> None:
    store.put("BlogPost:1", WHOLE)
    for index in (3, -4, -(2**63), 2**63, -(2**63) - 1, 10**30):
        for one in (cli, untyped):
            quick, ordinary = both(one, "get", f"BlogPost:1/tags/{index}")
            assert quick is None
            assert (ordinary.code, ordinary.out) == (3, ""), index
            assert f"there is no index {index}" in ordinary.err
    assert both(cli, "get", "BlogPost:1/tags/-3") == (Ran(0, '"a"\n', ""), Ran(0, '"a"\n', ""))
    assert store.json("BlogPost:1") == WHOLE, "the server still answers"


def test_a_document_too_deep_for_python_is_left_to_the_ordinary_way(
    untyped: Cli, store: Store
) -> None:
    store.put("Nobody:1", {})
    for depth in range(0, 3000, 100):
        inner = json.loads('{"a":' * 100 + "{}" + "}" * 100)
        store.call("JSON.SET", "Nobody:1", "$" + ".a" * depth, json.dumps(inner))
    quick, ordinary = both(untyped, "get", "Nobody:1")
    assert quick is None
    assert ordinary.code == 1


def test_the_time_to_live_is_told_by_both(cli: Cli, store: Store) -> None:
    store.put("BlogPost:1", {"title": "x"})
    quick, ordinary = both(cli, "ttl", "BlogPost:1")
    assert quick == ordinary == Ran(0, "null\n", "")
    store.call("PEXPIRE", "BlogPost:1", 10_000_000)
    quick, ordinary = both(cli, "ttl", "BlogPost:1", "-o", "raw")
    assert quick is not None
    assert 9_000 < float(quick.out) <= 10_000
    assert 9_000 < float(ordinary.out) <= 10_000
    for words in (
        ("ttl", "BlogPost:gone"),
        ("ttl", "BlogPost:1/title"),
        ("ttl", "BlogPost:1", "5"),
    ):
        assert both(cli, *words)[0] is None


@pytest.mark.parametrize(
    "words",
    [
        ("get",),
        ("get", "BlogPost:1", "BlogPost:1"),
        ("get", "BlogPost:1", "--nope"),
        ("get", "BlogPost:1", "-o", "table"),
        ("get", "BlogPost:1", "-o", "xml"),
        ("get", "BlogPost:1", "-o", "json", "-o", "raw"),
        ("get", "BlogPost:1", "-o"),
        ("get", "BlogPost:1", "--url", ""),
        ("get", "BlogPost:1", "--profile", "nobody"),
        ("get", "BlogPost:1", "--help"),
        ("get", "--", "BlogPost:1"),
        ("get", "BlogPost:1", "--output=json"),
        ("set", "BlogPost:1/title", "x"),
        ("ls", "BlogPost:1"),
        ("help", "get"),
        (),
    ],
)
def test_unusual_words_are_left_to_the_parser(
    cli: Cli, store: Store, words: tuple[str, ...]
) -> None:
    store.put("BlogPost:1", {"title": "x"})
    environment = cli.environment()
    assert answer(words, environment) is None
    assert environment.stdout.getvalue() == environment.stderr.getvalue() == ""  # type: ignore[attr-defined]


def test_a_terminal_gets_the_ordinary_answer_unless_it_asks_for_data(
    cli: Cli, store: Store
) -> None:
    store.put("BlogPost:1", {"title": "x"})
    assert answer(["get", "BlogPost:1"], cli.environment(terminal=True)) is None
    environment = cli.environment(terminal=True)
    assert answer(["get", "BlogPost:1/title", "-o", "raw"], environment) == 0
    assert environment.stdout.getvalue() == "x\n"  # type: ignore[attr-defined]


def test_options_may_stand_anywhere(cli: Cli, store: Store) -> None:
    store.put("BlogPost:1", {"title": "x"})
    url, models = cli.environ["RAPYER_URL"], cli.environ["RAPYER_MODELS"]
    for words in (
        ("--url", url, "get", "-o", "raw", "BlogPost:1/title"),
        ("get", "BlogPost:1/title", "--all", "--debug", "--write"),
    ):
        quick, ordinary = both(cli, *words)
        assert quick == ordinary
    for words in (
        ("get", "BlogPost:1/title", "-m", models),
        ("-m", models, "--models", models, "get", "BlogPost:1/title"),
    ):
        quick, ordinary = both(cli, *words)
        assert quick is None, "what the line names is imported"
        assert ordinary.out == '"x"\n'


def test_without_models_the_stored_json_is_the_answer(untyped: Cli, store: Store) -> None:
    store.put("BlogPost:1", {"title": 5})
    for target in ("BlogPost:1", "BlogPost:1/title"):
        quick, ordinary = both(untyped, "get", target)
        assert quick == ordinary
    assert both(untyped, "get", "BlogPost:1/title/0")[0] is None


def test_what_standard_output_cannot_take_is_left_to_the_ordinary_way(
    cli: Cli, store: Store
) -> None:
    store.put("BlogPost:1", {"title": "ä\u2028"})
    for encoding, quickly in (("ascii", False), ("utf-8", True)):
        environment = cli.environment()
        environment.stdout = io.TextIOWrapper(io.BytesIO(), encoding)
        code = answer(["get", "BlogPost:1/title", "-o", "raw"], environment)
        assert (code == 0) is quickly
    for way in (answer, run_thoroughly):
        environment = cli.environment()
        environment.stdout = io.TextIOWrapper(io.BytesIO(), "latin-1")
        assert way(["get", "BlogPost:1/title"], environment) == 0
        assert environment.stdout.buffer.getvalue() == b'"\\u00e4\\u2028"\n'  # type: ignore[attr-defined]


# -- what is sent ---------------------------------------------------------------------------------


def test_it_sends_one_read_and_nothing_else(cli: Cli, store: Store) -> None:
    store.put("BlogPost:1", {"title": "x"})
    with monitored(store) as seen:
        assert answer(["get", "BlogPost:1/title"], cli.environment()) == 0
        assert answer(["ttl", "BlogPost:1"], cli.environment()) == 0
    assert seen == [["JSON.GET", "BLOGPOST:1", "$.TITLE"], ["PTTL", "BLOGPOST:1"]]
    assert {words[0] for words in seen} <= READING


def test_read_only_asks_the_server_before_it_reads(
    cli: Cli, store: Store, configure: Configure
) -> None:
    store.put("BlogPost:1", {"title": "x"})
    url = cli.environ["RAPYER_URL"]
    configure(f'[profiles.live]\nurl = "{url}"\nenvironment = "prod"\n')
    for option in (("--read-only",), ("--profile", "live")):
        with monitored(store) as seen:
            assert answer(["get", "BlogPost:1/title", *option], cli.environment()) == 0
        assert [words[0] for words in seen] == ["COMMAND", "JSON.GET"]
        quick, ordinary = both(cli, "get", "BlogPost:1/title", *option)
        assert quick == ordinary
    assert (
        answer(["get", "BlogPost:1/title", "--profile", "live", "--write"], cli.environment()) == 0
    )


def test_read_only_refuses_what_the_server_does_not_call_a_read(cli: Cli, store: Store) -> None:
    store.put("BlogPost:1", {"title": "x"})
    url = cli.environ["RAPYER_URL"]
    directory = url.removeprefix("embedded://")
    address = EmbeddedServer(directory).address
    store.call("ACL", "SETUSER", "blind", "on", ">pw", "~*", "+json.get")
    try:
        words = ["get", "BlogPost:1/title", "--url", f"unix://blind:pw@{address}"]
        assert answer(words, cli.environment()) == 0
        assert answer([*words, "--read-only"], cli.environment()) is None
    finally:
        store.call("ACL", "DELUSER", "blind")
    session = Session(cli.environment(), Verbs, Choices(read_only=True))
    with Wire(store.address) as wire, pytest.raises(CliError):
        _reply(wire, session, "DEL", "BlogPost:1")
    assert store.json("BlogPost:1") == {"title": "x"}


# -- which servers --------------------------------------------------------------------------------


def test_it_logs_in_over_tcp_and_chooses_the_database(untyped: Cli, tmp_path: Path) -> None:
    port = free_port()
    process = RedisProcess(tmp_path / "tcp", "--port", str(port), "--bind", "127.0.0.1")
    with running(process):
        process.call("JSON.SET", "Nobody:1", "$", "3")
        process.call("COPY", "Nobody:1", "Nobody:1", "DB", 3)
        process.call("JSON.SET", "Nobody:1", "$", "0")
        process.call("ACL", "SETUSER", "eve", "on", ">p@ss", "~*", "+@all")
        process.call("CONFIG", "SET", "requirepass", "secret")
        place = f"127.0.0.1:{port}"
        for url, shown in (
            (f"redis://:secret@{place}", "0\n"),
            (f"redis://eve:p%40ss@{place}/", "0\n"),
            (f"redis://eve:p%40ss@{place}/3", "3\n"),
            (f"unix://eve:p%40ss@{process.socket}", "0\n"),
            (f"redis://{place}", None),
            (f"redis://:wrong@{place}", None),
            (f"redis://eve:p%40ss@{place}?db=3", None),
            (f"redis://eve:p%40ss@{place}/99", None),
            (f"redis+cluster://{place}", None),
        ):
            quick, ordinary = both(untyped, "get", "Nobody:1", "--url", url)
            assert (quick and quick.out) == shown, url
            assert quick is None or quick == ordinary


def test_the_password_of_a_profile_is_used(
    untyped: Cli, tmp_path: Path, configure: Configure
) -> None:
    port = free_port()
    process = RedisProcess(tmp_path / "tcp", "--port", str(port))
    with running(process):
        process.call("JSON.SET", "Nobody:1", "$", "0")
        process.call("CONFIG", "SET", "requirepass", "50% off")
        url = f"redis://:wrong@127.0.0.1:{port}"
        configure(f'[profiles.p]\nurl = "{url}"\npassword_env = "PW"\n')
        untyped.environ["PW"] = "50% off"
        quick, ordinary = both(untyped, "get", "Nobody:1", "-p", "p")
        assert quick == ordinary == Ran(0, "0\n", "")
        untyped.environ["PW"] = ""
        assert both(untyped, "get", "Nobody:1", "-p", "p")[1].code == 5
        configure(f'[profiles.p]\nurl = "{url}"\npassword_command = "echo 50% off"\n')
        quick, ordinary = both(untyped, "get", "Nobody:1", "-p", "p")
        assert quick is None
        assert ordinary.out == "0\n"


def test_nobody_starts_a_server_to_be_quick(untyped: Cli, tmp_path: Path) -> None:
    url = f"embedded://{tmp_path / 'other'}"
    assert answer(["get", "BlogPost:1", "--url", url], untyped.environment()) is None
    assert not (tmp_path / "other").exists()


def test_that_no_server_is_configured_is_said_as_ever(
    untyped: Cli, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del untyped.environ["RAPYER_URL"]
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("RAPYER_EMBEDDED_IDLE", "10")
    try:
        Store(EmbeddedServer().ensure_running()).put("Nobody:1", {})
        quick, ordinary = both(untyped, "get", "Nobody:1")
        assert quick == ordinary
        assert quick is not None
        assert "no server is configured" in quick.err
    finally:
        EmbeddedServer().stop()
