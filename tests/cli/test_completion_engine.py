"""Completion as a pure function: no terminal, no database, no user code."""

from __future__ import annotations

import pytest

from rapyer_cli.completion.engine import complete_line
from rapyer_cli.knowledge.gathering import operation_infos, types_of
from rapyer_cli.knowledge.knowledge import Knowledge, Want
from rapyer_cli.language.addresses import Address
from rapyer_cli.verbs import all_verbs
from tests.cli.blog_models import BlogPost, Product

POST = Address("BlogPost", "BlogPost:1")


@pytest.fixture
def knowledge() -> Knowledge:
    return Knowledge(
        models=("BlogPost", "Product"),
        types=types_of([BlogPost, Product]),
        keys={"BlogPost": ["BlogPost:1", "BlogPost:12", "BlogPost:a/b", "BlogPost:x y"]},
        children={
            Address("BlogPost", "BlogPost:1", ("settings",)): ["theme", "time/zone", "it's"],
            Address("BlogPost", "BlogPost:1", ("tags",)): 3,
            Address("BlogPost", "BlogPost:1", ("places",)): 1,
        },
        operations=operation_infos(),
        profiles=("live", "local"),
    )


def texts(line: str, knowledge: Knowledge) -> list[str]:
    found = complete_line(line, len(line), all_verbs(), knowledge)
    return [candidate.text for candidate in found.candidates]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("incr", ["increase"]),
        ("aapp", ["aappend"]),
        ("get Blog", ["BlogPost:"]),
        ("get BlogPost:1", ["BlogPost:1", "BlogPost:12"]),
        ("get BlogPost:a", ["BlogPost:a%2Fb"]),
        ("get BlogPost:x", ["'BlogPost:x y'"]),
        ("get BlogPost:1/ti", ["BlogPost:1/title"]),
        ("get BlogPost:1/address/", ["BlogPost:1/address/city", "BlogPost:1/address/zip_code"]),
        ("get BlogPost:1/settings/ti", ["BlogPost:1/settings/time~1zone"]),
        ("get BlogPost:1/settings/th", ["BlogPost:1/settings/theme"]),
        ("get BlogPost:1/tags/", [f"BlogPost:1/tags/{i}" for i in ("0", "1", "2", "-1")]),
        ("get BlogPost:1/places/0/ci", ["BlogPost:1/places/0/city"]),
        ("set BlogPost:1/status ", ["draft", "live"]),
        ("set BlogPost:1/published t", ["true"]),
        ("set BlogPost:1/mood ", ["calm", "loud"]),
        ("pop BlogPost:1/settings the", ["theme"]),
        ("pop BlogPost:1/tags ", ["0", "1", "2", "-1"]),
        ("update BlogPost:1 ti", ["title="]),
        ("update BlogPost:1 status=l", ["status=live"]),
        ("new Prod", ["Product"]),
        ("new BlogPost sta", ["status="]),
        ("find BlogPost vie", ["views"]),
        ("find BlogPost --sort -vie", ["-views"]),
        ("find BlogPost --fields title,vie", ["title,views"]),
        ("get --out", ["--output"]),
        ("get --prof", []),
        ("get --profile l", ["live", "local"]),
        ("get BlogPost:1 -o js", ["json", "jsonl"]),
        ("server st", ["start", "stop", "status"]),
        ("help incr", ["increase"]),
        ("use li", ["live"]),
        ("update BlogPost ", ["where"]),
        ("del BlogPost wh", ["where"]),
        ("watch BlogPost w", ["where"]),
        ("update BlogPost where vie", ["views"]),
        ("del BlogPost where vie", ["views"]),
        ("update BlogPost where views se", ["set", "settings"]),
        ("update BlogPost where views set sta", ["status="]),
        ("update BlogPost where views set status=l", ["status=live"]),
        ("copy BlogPost --to l", ["live", "local"]),
        ("# incr", []),
    ],
)
def test_what_could_come_here(line: str, expected: list[str], knowledge: Knowledge) -> None:
    assert texts(line, knowledge) == expected


def test_an_operation_is_offered_the_fields_that_have_it(knowledge: Knowledge) -> None:
    found = texts("increase BlogPost:1/", knowledge)
    assert {"BlogPost:1/views", "BlogPost:1/rating", "BlogPost:1/counts"} <= set(found)
    assert not {"BlogPost:1/title", "BlogPost:1/tags", "BlogPost:1/settings"} & set(found)


def test_where_one_is_decides_which_operations_are_offered(knowledge: Knowledge) -> None:
    knowledge.here = Address("BlogPost", "BlogPost:1", ("tags",))
    found = set(texts("", knowledge))
    assert {"append", "pop", "get", "cd"} <= found
    assert not {"increase", "set_item"} & found


def test_targets_are_relative_to_where_one_is(knowledge: Knowledge) -> None:
    knowledge.here = POST
    assert texts("get tit", knowledge) == ["title"]
    assert texts("get settings/th", knowledge) == ["settings/theme"]
    knowledge.here = Address("BlogPost")
    assert texts("cd 1", knowledge) == ["1", "12"]
    assert texts("cd /Prod", knowledge) == ["/Product:"]


def test_what_is_not_known_is_wanted_and_not_waited_for(knowledge: Knowledge) -> None:
    line = "get Product:te"
    found = complete_line(line, len(line), all_verbs(), knowledge)
    assert found.candidates == []
    assert found.wants == [Want("keys", Address("Product"), "te")]
    line = "get BlogPost:7/settings/"
    found = complete_line(line, len(line), all_verbs(), knowledge)
    assert found.wants == [Want("children", Address("BlogPost", "BlogPost:7", ("settings",)))]


def test_a_completed_word_is_quoted_so_that_it_reads_back(knowledge: Knowledge) -> None:
    assert texts('get "BlogPost:1/settings/it', knowledge) == ['"BlogPost:1/settings/it\'s"']


def test_the_word_at_the_cursor_is_completed_whatever_follows(knowledge: Knowledge) -> None:
    found = complete_line(
        "get BlogPost:1/ti --all", len("get BlogPost:1/ti"), all_verbs(), knowledge
    )
    assert [c.text for c in found.candidates] == ["BlogPost:1/title"]
    assert found.start == 4


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
