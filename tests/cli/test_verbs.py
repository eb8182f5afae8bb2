"""The verbs that look and change, in process on a real server: output, exit code, what is stored."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, Store


def test_models_lists_what_was_loaded(cli: Cli) -> None:
    ran = cli("models")
    assert ran.code == 0
    assert {line["name"] for line in ran.lines} >= {"BlogPost", "Product"}


def test_schema_says_types_defaults_and_operations(cli: Cli) -> None:
    fields = {line["field"]: line for line in cli("schema", "BlogPost").lines}
    assert fields["title"] == {"field": "title", "type": "str", "required": True, "operations": []}
    assert fields["views"]["default"] == 0
    assert fields["views"]["operations"] == ["increase"]
    assert fields["address/city"]["type"] == "str"


def test_new_stores_a_document_and_prints_its_key(cli: Cli, store: Store) -> None:
    ran = cli("new", "BlogPost", "title=Hello", "views=3", 'tags:=["a"]', "-o", "raw")
    key = ran.out.strip()
    assert (ran.code, key.partition(":")[0]) == (0, "BlogPost")
    assert uuid.UUID(key.partition(":")[2]).version == 4
    assert store.json(key, "$.title") == "Hello"
    assert store.json(key, "$.views") == 3
    assert store.json(key, "$.tags") == ["a"]


def test_new_refuses_to_overwrite(cli: Cli, store: Store, post: str) -> None:
    before = store.text(post)
    ran = cli("new", post, "title=Other")
    assert ran.code == 1
    assert "exists" in ran.err
    assert store.text(post) == before


def test_new_uses_the_key_field(cli: Cli, store: Store) -> None:
    assert cli("new", "Product:tea", "stock=3").json == "Product:tea"
    assert cli("new", "Product", "name=a/b").json == "Product:a/b"
    assert cli("get", "Product:a%2Fb/name", "-o", "raw").out == "a/b\n"
    assert store.json("Product:tea") == {"name": "tea", "stock": 3}


def test_new_says_which_fields_are_missing_with_an_example(cli: Cli) -> None:
    ran = cli("new", "BlogPost")
    assert ran.code == 4
    assert ran.err == "rapyer: BlogPost needs title (str); for example: new BlogPost title=text\n"


def test_get_shows_the_document_as_one_json_line(cli: Cli, store: Store, post: str) -> None:
    ran = cli("get", post)
    assert ran.json == store.json(post)
    assert ran.out.count("\n") == 1


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("title", "Hello"),
        ("tags/0", "a"),
        ("tags/-1", "c"),
        ("settings/theme", "light"),
        ("address/city", "Rome"),
    ],
)
def test_get_shows_a_place(cli: Cli, post: str, pointer: str, value: Any) -> None:
    assert cli("get", f"{post}/{pointer}").json == value


def test_raw_output_has_no_quotes(cli: Cli, post: str) -> None:
    assert cli("get", f"{post}/title", "-o", "raw").out == "Hello\n"


@pytest.mark.parametrize(
    "text", ["9007199254740993", "1.0", "1e-07", "-9223372036854775808", "[]", "{}"]
)
def test_numbers_and_empty_containers_are_shown_exactly(
    untyped: Cli, store: Store, text: str
) -> None:
    store.put("raw:1", '{"v":' + text + "}")
    assert untyped("get", "raw:1").out == '{"v":' + text + "}\n"


def test_a_redis_key_pasted_from_a_log_works_as_it_is(cli: Cli, store: Store) -> None:
    store.put("some:old:key", {"a": 1})
    store.put("nocolon", {"b": 2})
    assert cli("get", "some:old:key").json == {"a": 1}
    assert cli("get", "nocolon/b").json == 2


def test_ls_lists_models_documents_and_entries(cli: Cli, post: str) -> None:
    assert {"name": "BlogPost", "documents": 1, "model": True} in cli("ls").lines
    assert cli("ls", "BlogPost").lines == [{"key": post}]
    assert cli("ls", f"{post}/settings").lines == [
        {"name": "theme", "type": "str", "value": "light"}
    ]
    assert cli("ls", "BlogPost", "-o", "raw").out == "BlogPost:1\n"


def test_tree_is_json_in_a_pipe(cli: Cli, store: Store, post: str) -> None:
    assert cli("tree", post).json == store.json(post)


@pytest.mark.parametrize(
    ("words", "path", "stored"),
    [
        (("set", "title", "42"), "$.title", "42"),
        (("set", "views", "42"), "$.views", 42),
        (("set", "rating", "3"), "$.rating", 3.0),
        (("set", "published", "true"), "$.published", True),
        (("set", "mood", "loud"), "$.mood", "loud"),
        (("set", "born", "2024-05-01T12:00:00+00:00"), "$.born", "2024-05-01T12:00:00+00:00"),
        (("set", "tags", '["x", "y"]'), "$.tags", ["x", "y"]),
        (
            ("set", "address", '{"city": "Paris"}'),
            "$.address",
            {"city": "Paris", "zip_code": "00100"},
        ),
        (("set", "address/city", "Oslo"), "$.address.city", "Oslo"),
        (("set", "tags/0", "z"), "$.tags[0]", "z"),
        (("set", "tags/-1", "z"), "$.tags[2]", "z"),
        (("set", "settings/lang", "en"), "$.settings.lang", "en"),
        (("set", "title", "--json", '"q"'), "$.title", "q"),
        (("increase", "views", "5"), "$.views", 5),
        (("increase", "views"), "$.views", 1),
        (("aincrease", "views", "-5"), "$.views", -5),
        (("increase", "rating", "-.5"), "$.rating", -0.5),
        (("append", "tags", "d"), "$.tags", ["a", "b", "c", "d"]),
        (("aappend", "tags", "d"), "$.tags", ["a", "b", "c", "d"]),
        (("append", "tags", "--", "--yes"), "$.tags", ["a", "b", "c", "--yes"]),
        (
            ("append", "places", '{"city": "Oslo"}'),
            "$.places",
            [{"city": "Oslo", "zip_code": "00100"}],
        ),
        (("extend", "tags", "d", "e"), "$.tags", ["a", "b", "c", "d", "e"]),
        (("insert", "tags", "0", "z"), "$.tags", ["z", "a", "b", "c"]),
        (("insert", "tags", "-1", "z"), "$.tags", ["a", "b", "z", "c"]),
        (("pop", "tags"), "$.tags", ["a", "b"]),
        (("apop", "tags", "-3"), "$.tags", ["b", "c"]),
        (("clear", "tags", "--yes"), "$.tags", []),
        (("set_item", "settings", "lang", "en"), "$.settings", {"theme": "light", "lang": "en"}),
        (
            ("update", "settings", "lang=en", "a=b"),
            "$.settings",
            {"theme": "light", "lang": "en", "a": "b"},
        ),
        (("pop", "settings", "theme"), "$.settings", {}),
        (("popitem", "settings"), "$.settings", {}),
        (("del_item", "settings", "theme", "-y"), "$.settings", {}),
        (("del", "settings/theme", "-y"), "$.settings", {}),
        (("del", "tags/1", "-y"), "$.tags", ["a", "c"]),
        (("set_item", "by_number", "7", "seven"), "$.by_number", {"7": "seven"}),
        (("toggle", "published"), "$.published", True),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_change_is_stored_exactly(
    cli: Cli, store: Store, post: str, words: tuple[str, ...], path: str, stored: Any
) -> None:
    verb, place, *rest = words
    ran = (
        cli(verb, f"{post}/{place}", *rest)
        if "--" not in rest
        else run_literally(cli, verb, f"{post}/{place}", rest)
    )
    assert ran.code == 0, ran.err
    assert store.json(post, path) == stored
    assert type(store.json(post, path)) is type(stored)


def run_literally(cli: Cli, verb: str, target: str, rest: list[str]) -> Any:
    return cli(verb, target, *rest)


def test_update_sets_several_fields_in_one_step(cli: Cli, store: Store, post: str) -> None:
    assert cli("update", post, "title=New", "views:=7", "address/city=Oslo").code == 0
    assert (store.json(post, "$.title"), store.json(post, "$.views")) == ("New", 7)
    assert store.json(post, "$.address.city") == "Oslo"


def test_update_changes_nothing_when_one_value_is_refused(
    cli: Cli, store: Store, post: str
) -> None:
    before = store.text(post)
    assert cli("update", post, "title=New", "views=many").code == 4
    assert store.text(post) == before


def test_del_removes_the_document(cli: Cli, store: Store, post: str) -> None:
    assert cli("del", post, "--yes").code == 0
    assert store.json(post) is None


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (("increase", "views", "5"), "5\n"),
        (("pop", "tags"), '"c"\n'),
        (("pop", "settings", "theme"), '"light"\n'),
        (("popitem", "settings"), '["theme","light"]\n'),
        (("pop", "scores"), "null\n"),
        (("toggle", "published"), "true\n"),
        (("append", "tags", "x"), ""),
        (("set", "title", "x"), ""),
    ],
)
def test_what_an_operation_returns_is_the_only_data(
    cli: Cli, post: str, words: tuple[str, ...], out: str
) -> None:
    verb, place, *rest = words
    assert cli(verb, f"{post}/{place}", *rest).out == out


def test_every_change_says_before_and_after(cli: Cli, post: str) -> None:
    assert cli("increase", f"{post}/views", "5").err == "BlogPost:1/views: 0 → 5\n"
    cli.environ["NO_COLOR"] = "1"
    assert "~ views  5 → 6" in cli("increase", f"{post}/views", terminal=True).out


def test_values_come_from_files_and_standard_input(
    cli: Cli, store: Store, post: str, tmp_path: Path
) -> None:
    (tmp_path / "tags.json").write_text('["from", "file"]\n')
    assert cli("set", f"{post}/tags", "@tags.json").code == 0
    assert store.json(post, "$.tags") == ["from", "file"]
    assert cli("set", f"{post}/title", "-", stdin="from stdin\n").code == 0
    assert store.json(post, "$.title") == "from stdin"
    assert cli("set", f"{post}/title", "@@literal").code == 0
    assert store.json(post, "$.title") == "@literal"
    assert cli("set", f"{post}/title", "@missing").code == 3


def test_ops_lists_what_fits_a_target(cli: Cli, post: str) -> None:
    assert {line["operation"] for line in cli("ops", f"{post}/tags").lines} == {
        "append",
        "extend",
        "insert",
        "pop",
        "clear",
    }
    assert {line["operation"] for line in cli("ops").lines} >= {"increase", "set_item"}


def test_the_same_verbs_work_without_models(untyped: Cli, store: Store) -> None:
    store.put("Thing:1", {"n": 1, "s": "42", "l": [1, "a"], "d": {"k": 1}, "b": False})
    assert untyped("increase", "Thing:1/n", "2").json == 3
    assert untyped("append", "Thing:1/l", '{"x": 1}').code == 0
    assert untyped("set", "Thing:1/s", "43").code == 0
    assert untyped("set", "Thing:1/d/new", "5").code == 0
    assert untyped("pop", "Thing:1/d", "k").json == 1
    assert untyped("toggle", "Thing:1/b").json is True
    assert store.json("Thing:1") == {
        "n": 3,
        "s": "43",
        "l": [1, "a", {"x": 1}],
        "d": {"new": 5},
        "b": True,
    }
    assert untyped("new", "Thing:2", "a=1", 'b:="1"').json == "Thing:2"
    assert store.json("Thing:2") == {"a": 1, "b": "1"}
    assert untyped("ls").lines == [{"name": "Thing", "documents": 2, "model": False}]


def test_a_document_that_does_not_fit_its_model_can_be_seen_and_repaired(
    cli: Cli, store: Store
) -> None:
    store.put("BlogPost:bad", {"title": "x", "views": "many"})
    ran = cli("get", "BlogPost:bad")
    assert (ran.code, ran.json) == (0, {"title": "x", "views": "many"})
    assert "views" in ran.err
    assert cli("set", "BlogPost:bad/views", "5", "--json").code == 0
    assert store.json("BlogPost:bad", "$.views") == 5
    assert cli("get", "BlogPost:bad").err == ""


def test_json_output_is_indented_and_a_list_for_collections(cli: Cli, post: str) -> None:
    assert json.loads(cli("get", post, "-o", "json").out)["title"] == "Hello"
    assert cli("get", post, "-o", "json").out.count("\n") > 5
    assert cli("ls", "BlogPost", "-o", "json").json == [{"key": post}]
