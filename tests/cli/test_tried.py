"""Promises that were kept only almost when a newcomer and somebody on call first tried them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from rapyer_cli.completion.engine import complete_line
from rapyer_cli.knowledge.gathering import types_of
from rapyer_cli.knowledge.knowledge import Knowledge
from rapyer_cli.verbs import all_verbs
from tests.cli.blog_models import BlogPost
from tests.cli.conftest import Cli, Store
from tests.cli.test_repl_lines import Sitting, sitting_for


@pytest.fixture
async def repl(cli: Cli) -> AsyncIterator[Sitting]:
    sitting = await sitting_for(cli)
    yield sitting
    await sitting.repl.session.close()


async def test_a_model_means_itself_inside_a_document(repl: Sitting, post: str) -> None:
    await repl(f"cd {post}")
    assert (await repl.json('find BlogPost "views >= 0"'))["key"] == post
    assert await repl.json("count BlogPost") == 1
    assert await repl("new BlogPost:2 title=Second")
    assert len((await repl("ls BlogPost")).splitlines()) == 2
    await repl("cd BlogPost")
    assert repl.here == "BlogPost"


async def test_a_prefix_without_a_model_means_itself_inside_a_document(
    repl: Sitting, store: Store, post: str
) -> None:
    store.put("Unknown:1", {"n": 1})
    await repl(f"cd {post}/settings")
    assert await repl.json("count Unknown") == 1
    assert await repl.fails("count .") == 2


@pytest.mark.parametrize("place", ["", "/tags", "/tags/0", "/title", "/settings"])
async def test_a_pasted_key_means_itself_wherever_one_is(
    repl: Sitting, store: Store, post: str, place: str
) -> None:
    store.put("Unknown:1", {"a": 7})
    await repl(f"cd {post}{place}")
    assert await repl.json("get Unknown:1/a") == 7
    assert await repl.json(f"get {post}/title") == "Hello"
    await repl("ls BlogPost")


async def test_an_entry_of_the_place_goes_before_a_model(
    repl: Sitting, store: Store, post: str
) -> None:
    await repl(f"cd {post}/settings")
    await repl("set BlogPost inner")
    assert await repl.json("get BlogPost") == "inner"
    assert store.json(post, "$.settings.BlogPost") == "inner"


async def test_an_update_inside_a_document_needs_no_target(
    repl: Sitting, store: Store, post: str
) -> None:
    await repl(f"cd {post}")
    await repl("update title=New views:=7")
    assert (store.json(post, "$.title"), store.json(post, "$.views")) == ("New", 7)
    await repl("cd settings")
    await repl("update theme=dark")
    assert store.json(post, "$.settings") == {"theme": "dark"}


def test_a_dry_run_refuses_what_the_server_would_refuse(cli: Cli, store: Store) -> None:
    store.put("Product:pen", {"name": "pen", "stock": 3})
    ran = cli("increase", "Product:pen/stock", "-5", "--dry-run")
    assert ran.code == 4
    assert "Product:pen/stock would become -2, but it expects int >= 0" in ran.err
    assert cli("increase", "Product:pen/stock", "-3", "--dry-run").code == 0


async def test_what_is_queued_says_that_commit_will_refuse_it(repl: Sitting, store: Store) -> None:
    store.put("Product:pen", {"name": "pen", "stock": 3})
    await repl("begin")
    await repl("increase Product:pen/stock -5")
    assert "commit will refuse this as it is now" in repl.err.getvalue()
    assert await repl.fails("commit") == 4
    assert store.json("Product:pen", "$.stock") == 3


def test_a_new_document_is_shown_field_by_field(cli: Cli, post: str) -> None:
    cli.environ["NO_COLOR"] = "1"
    ran = cli("new", "BlogPost:9", "title=Long", terminal=True)
    lines = [line.split() for line in ran.out.splitlines()]
    assert ["+", "title", '"Long"'] in lines
    assert ["+", "views", "0"] in lines
    gone = cli("del", "BlogPost:9", "--yes", terminal=True)
    assert ["-", "title", '"Long"'] in [line.split() for line in gone.out.splitlines()]


def test_a_change_is_shown_under_the_path_by_which_it_is_called(cli: Cli, post: str) -> None:
    ran = cli("set", f"{post}/settings/a~1b", "x", terminal=True)
    assert "settings/a~1b" in ran.out


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


def test_documents_without_a_model_are_found_beside_those_with_one(cli: Cli, store: Store) -> None:
    for number in range(3):
        store.put(f"Unknown:{number}", {"n": number})
    assert cli("find", "Unknown", "n > 1").json == {"key": "Unknown:2", "document": {"n": 2}}
    assert cli("count", "Unknown").json == 3
    assert len(cli("export", "Unknown").lines) == 3
    assert "did you mean BlogPost" in cli("count", "BlogPots").err


def test_a_batch_that_fails_says_what_was_done(cli: Cli, store: Store, post: str) -> None:
    (cli.cwd / "b").write_text(f"increase {post}/views\nincrease {post}/counts/none\n")
    ran = cli("run", "b", "--atomic")
    assert ran.code == 3
    assert "is not there; 'set' gives it a value; nothing was sent" in ran.err
    assert store.json(post, "$.views") == 0
    ran = cli("run", "b")
    assert ran.code == 3
    assert "the lines before it were run" in ran.err
    assert store.json(post, "$.views") == 1


def test_what_is_cut_can_be_seen_and_says_how(cli: Cli, post: str) -> None:
    cli("set", f"{post}/title", "x" * 500)
    assert "--all shows what is cut" in cli("get", post, terminal=True).out
    assert "--all shows" not in cli("get", post, "--all", terminal=True).out
    cli("set", f"{post}/title", "short")
    assert "--all shows" not in cli("get", f"{post}/address", terminal=True).out


async def test_a_pasted_key_means_itself_where_its_siblings_are(untyped: Cli, store: Store) -> None:
    store.put("Many:1", {"n": 1})
    store.put("Other:1", {"n": 2})
    store.put("Many:Other:2", {"n": 3})
    repl = await sitting_for(untyped)
    await repl("cd Many")
    assert await repl.json("get Many:1/n") == 1
    assert await repl.json("get Other:1/n") == 2
    assert await repl.json("get Other:2/n") == 3, "a pk may have a colon"
    assert await repl.fails("get Other:3") == 3
    await repl.repl.session.close()


def test_a_long_list_is_not_poured_over_the_terminal(cli: Cli, post: str) -> None:
    cli("set", f"{post}/scores", json.dumps(list(range(500))))
    shown = cli("ls", f"{post}/scores", terminal=True)
    assert len(shown.out.splitlines()) < 110
    assert "400 more; --all shows every one" in shown.out
    assert len(cli("ls", f"{post}/scores").lines) == 500
    assert len(cli("ls", f"{post}/scores", "--limit", "3").lines) == 3


def test_help_is_also_a_word(cli: Cli) -> None:
    assert cli("help").out == cli("--help").out
    assert cli("help", "get").out == cli("get", "--help").out
    assert cli("help", "nope").code == 2


def test_deleting_what_is_not_there_names_it(cli: Cli, store: Store, post: str) -> None:
    store.put("Unknown:1", {"n": 1})
    for target in ("Unknown:1/nope", f"{post}/settings/nope"):
        ran = cli("del", target, "--yes")
        assert ran.code == 3
        assert target in ran.err
        assert "KeyError" not in ran.err


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ('find BlogPost "vie', '"views'),
        ("find BlogPost 'vie", "'views"),
        ('find BlogPost "views > 1 and addr', '"views > 1 and address'),
        ("find BlogPost \"status == 'live' and vie", "\"status == 'live' and views"),
        ("find BlogPost vie", "views"),
    ],
)
def test_completion_leaves_the_quote_of_a_condition_open(typed: str, completed: str) -> None:
    knowledge = Knowledge(models=("BlogPost",), types=types_of([BlogPost]))
    found = complete_line(typed, len(typed), all_verbs(), knowledge)
    assert [candidate.text for candidate in found.candidates] == [completed]


def test_documents_without_a_model_are_shown_with_their_fields(untyped: Cli, store: Store) -> None:
    store.put("Many:1", {"n": 1, "name": "one", "list": [1]})
    shown = untyped("find", "Many", terminal=True).out
    assert "name" in shown
    assert "one" in shown
    assert "list" not in shown
