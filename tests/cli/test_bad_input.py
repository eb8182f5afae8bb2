"""Mistakes: each has its exit code, one line that says what to do, and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from rapyer_cli.language.grammar import Kind, Verb
from rapyer_cli.verbs import all_verbs
from tests.cli.conftest import Cli, Configure, Store
from tests.conftest import StartServer

POST = "BlogPost:1"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("frobnicate", POST), 2, "no verb 'frobnicate'"),
        (("incraese", f"{POST}/views"), 2, "did you mean increase?"),
        (("get", POST, "--frob"), 2, "--frob"),
        (("set", f"{POST}/title"), 2, "VALUE is missing"),
        (("append", f"{POST}/tags"), 2, "ITEM is missing"),
        (("increase", f"{POST}/views", "1", "2"), 2, "usage: increase TARGET [AMOUNT]"),
        (("get", POST, "-o", "yaml"), 2, "auto, table, tree, json, jsonl, raw"),
        (("new", "BlogPost", "titel=x"), 2, "no field 'titel'"),
        (("new", "BlogPost", "title"), 2, "field=value"),
        (("new", "BlogPost", "title=a", "title=b"), 2, "title is given twice"),
        (("update", POST, "title=a", "title=b"), 2, "title is given twice"),
        (("set", f"{POST}/title", "-x"), 2, "-- comes before values"),
        (("ls", "BlogPots"), 3, "did you mean BlogPost?"),
        (("popitem", f"{POST}/counts"), 1, "BlogPost:1/counts: popitem(): dictionary is empty"),
        (("get", "BlogPost"), 2, "is a model"),
        (("schema", "BlogPots"), 3, "did you mean BlogPost?"),
        (("get", "BlogPots:1"), 3, "did you mean BlogPost?"),
        (("new", "BlogPots", "title=x"), 3, "did you mean BlogPost?"),
        (("get", "BlogPost:404"), 3, "BlogPost:404 does not exist"),
        (("increase", "BlogPost:404/views"), 3, "BlogPost:404 does not exist"),
        (("get", f"{POST}/nope"), 3, "no field 'nope'"),
        (("get", f"{POST}/tags/9"), 3, "no index 9"),
        (("get", f"{POST}/tags/x"), 3, "not an index"),
        (("get", f"{POST}/settings/nope"), 3, "not there"),
        (("get", f"{POST}/title/x"), 3, "nothing inside"),
        (("pop", f"{POST}/tags", "9"), 1, "out of range"),
        (("append", f"{POST}/views", "1"), 1, "it has increase and set"),
        (("increase", f"{POST}/title"), 1, "has no increase"),
        (("toggle", f"{POST}/views"), 1, "only a bool"),
        (("increase", f"{POST}/views", "many"), 4, "a whole number such as 5"),
        (("increase", f"{POST}/views", "1.5"), 4, "a whole number such as 5"),
        (("set", f"{POST}/views", "many"), 4, "expects int"),
        (("set", f"{POST}/status", "gone"), 4, "expects 'draft' | 'live'"),
        (("set", f"{POST}/tags", "a,b"), 4, "for example"),
        (("set", f"{POST}/tags", '["a"', "--json"), 4, "for example"),
        (("set", f"{POST}/scores", '["x"]'), 4, "for example"),
        (("set", f"{POST}/born", "yesterday"), 4, "expects datetime | None"),
        (("append", f"{POST}/scores", "x"), 4, "expects int"),
        (("set", f"{POST}/views", "9223372036854775808"), 4, ""),
        (("increase", f"{POST}/views", "9223372036854775808"), 4, ""),
        (("set", f"{POST}/rating", "nan"), 4, ""),
        (("clear", f"{POST}/tags"), 6, "--yes"),
        (("del", POST), 6, "--yes"),
        (("set", f"{POST}/title", "x", "--read-only"), 6, "read-only"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_has_its_code_one_line_and_no_effect(
    cli: Cli, store: Store, post: str, words: tuple[str, ...], code: int, says: str
) -> None:
    before = store.text(post)
    ran = cli(*words)
    assert ran.code == code, ran.err
    assert ran.out == ""
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("rapyer: ")
    assert says in ran.err
    assert store.text(post) == before


def test_a_bound_is_kept_by_the_server(cli: Cli, store: Store) -> None:
    store.put("Product:tea", {"name": "tea", "stock": 3})
    ran = cli("increase", "Product:tea/stock", "-5")
    assert ran.code == 4
    assert "must be" in ran.err
    assert store.json("Product:tea", "$.stock") == 3


def test_an_unreachable_server_is_code_5(cli: Cli) -> None:
    ran = cli("get", POST, "--url", "redis://127.0.0.1:1/0")
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.count("\n") == 1
    assert "127.0.0.1:1" in ran.err
    assert "is it running?" in ran.err


@pytest.mark.parametrize(
    "url", ["nonsense", "http://x", "redis://h:port", "rediss://x?ssl_ca_certs=/nope"]
)
def test_a_bad_url_is_code_5_and_one_line(cli: Cli, url: str) -> None:
    ran = cli("get", POST, "--url", url)
    assert (ran.code, ran.err.count("\n")) == (5, 1)


def test_a_server_without_json_is_said(cli: Cli, start_server: StartServer) -> None:
    server = start_server(json=False)
    ran = cli("get", POST, "--url", f"unix://{server.socket}")
    assert ran.code == 1
    assert "no JSON module" in ran.err
    assert ran.err.count("\n") == 1


def test_a_wrong_password_is_code_5_and_never_shown(cli: Cli, start_server: StartServer) -> None:
    server = start_server()
    server.call("CONFIG", "SET", "requirepass", "right-secret")
    url = f"unix://:wrong-secret@{server.socket}"
    for words in ((), ("--debug",)):
        ran = cli("get", POST, "--url", url, *words)
        assert ran.code == 5
        assert "wrong-secret" not in ran.err + ran.out


def test_a_module_that_fails_to_import_is_reported_and_the_others_go_on(
    cli: Cli, post: str
) -> None:
    (cli.cwd / "broken.py").write_text("import json\n\nraise RuntimeError('no such table')\n")
    models = ("-m", cli.environ["RAPYER_MODELS"], "-m", "broken.py", "-m", "no_such_module")
    ran = cli("get", f"{post}/title", *models)
    assert (ran.code, ran.json) == (0, "Hello")
    assert "broken.py failed to import: RuntimeError: no such table (broken.py:3)" in ran.err
    assert "no_such_module" in ran.err
    assert ran.err.count("\n") == 2


def test_a_model_that_is_unknown_because_of_that_is_code_7(cli: Cli) -> None:
    (cli.cwd / "broken2.py").write_text("1 / 0\n")
    ran = cli("new", "Order", "-m", "broken2.py")
    assert ran.code == 7
    assert ran.err.count("\n") == 2
    assert "broken2.py" in ran.err


def test_what_a_module_prints_does_not_mix_with_the_data(cli: Cli, post: str) -> None:
    (cli.cwd / "chatty.py").write_text("print('hello from the module')\n")
    ran = cli("get", f"{post}/title", "-m", "chatty.py", "-m", cli.environ["RAPYER_MODELS"])
    assert ran.out == '"Hello"\n'
    assert "hello from the module" in ran.err


def test_debug_adds_the_traceback(cli: Cli) -> None:
    ran = cli("get", "BlogPost:404", "--debug")
    assert ran.code == 3
    assert "Traceback" in ran.err


def test_a_broken_configuration_is_a_usage_error(cli: Cli, configure: Configure) -> None:
    configure("[profiles.x\n")
    ran = cli("get", POST)
    assert (ran.code, ran.err.count("\n")) == (2, 1)


def test_a_directory_as_a_model_file_is_one_line(cli: Cli, tmp_path: Path) -> None:
    ran = cli("models", "-m", str(tmp_path / "nope.py"))
    assert ran.code == 7
    assert "nope.py" in ran.err


def test_a_value_with_blanks_is_told_to_stand_in_quotes(cli: Cli, post: str) -> None:
    ran = cli("set", f"{post}/title", "Hello", "World")
    assert ran.code == 2
    assert "quotes" in ran.err


def test_an_empty_url_is_not_taken_for_the_embedded_server(cli: Cli, post: str) -> None:
    for option in ("--url", "--profile"):
        ran = cli("get", post, option, "")
        assert ran.code == 2
        assert f"{option} is empty" in ran.err


def test_a_file_compared_without_its_sign_is_named(cli: Cli, post: str) -> None:
    (cli.cwd / "old.json").write_text("{}")
    ran = cli("diff", post, "old.json")
    assert ran.code == 3
    assert "@old.json" in ran.err
    assert cli("diff", post, "@old.json").code == 1


def test_deleting_what_is_not_there_names_it(cli: Cli, store: Store, post: str) -> None:
    store.put("Unknown:1", {"n": 1})
    for target in ("Unknown:1/nope", f"{post}/settings/nope"):
        ran = cli("del", target, "--yes")
        assert ran.code == 3
        assert target in ran.err
        assert "KeyError" not in ran.err


def test_a_caret_stands_under_what_is_wrong_in_a_condition_on_a_terminal_alone(
    cli: Cli, post: str
) -> None:
    text = "views > 1 and vews > 2"
    ran = cli("find", "BlogPost", text, terminal=True)
    assert ran.err.splitlines()[1:] == [f"  {text}", "  " + " " * 14 + "^"]
    assert cli("find", "BlogPost", text).err.count("\n") == 1
    ran = cli("update", "BlogPost", "where", text, "set", "views=1", terminal=True)
    assert ran.err.splitlines()[2] == "  " + " " * 14 + "^"


AIMING = [
    verb
    for verb in all_verbs()
    if verb.in_shell and verb.arguments and verb.arguments[0].kind in (Kind.TARGET, Kind.MODEL)
]


@pytest.mark.parametrize("verb", AIMING, ids=lambda verb: verb.name)
def test_a_target_never_means_more_than_was_typed(verb: Verb, cli: Cli, store: Store) -> None:
    """As a variable that is not set leaves it."""
    assert cli("new", POST, "title=x", 'tags:=["a"]').code == 0
    before = store.call("JSON.GET", POST)
    values = ["1" for argument in verb.arguments[1:] if argument.required]
    for target in (f"{POST}/", f"{POST}//title"):
        ran = cli(verb.name, target, *values, *(("--yes",) if verb.effect != "read" else ()))
        assert ran.code != 0, (target, ran)
        assert store.call("JSON.GET", POST) == before
