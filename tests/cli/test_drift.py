"""A place that does not fit its model loses its own type and nothing else; ``check`` says what the model would not write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rapyer.schema.of_models import model_spec
from rapyer_cli.reading.drift import drift_of, load_as_far
from tests.cli.blog_models import BlogPost
from tests.cli.conftest import Cli, Store
from tests.cli.test_repl_lines import sitting_for

MODELS = """
from pydantic import BaseModel, ConfigDict, Field, model_validator
from rapyer import AtomicRedisModel, Key

class Spot(BaseModel):
    city: str = "x"
    number: int = 0

class Item(AtomicRedisModel):
    id: Key[str]
    stock: int = 0
    limit: int = Field(default=0, ge=0)
    scores: dict[str, int] = {}
    tags: list[str] = []
    spot: Spot = Spot()
    spots: list[Spot] = []
    kinds: set[str] = set()
    on: bool = False

class Narrow(AtomicRedisModel):
    model_config = ConfigDict(extra="forbid")
    need: str
    n: int = 0

class Paired(AtomicRedisModel):
    low: int = 0
    high: int = 0

    @model_validator(mode="after")
    def in_order(self):
        if self.low > self.high:
            raise ValueError("low is above high")
        return self

class Numbered(AtomicRedisModel):
    id: Key[int]
    n: int = 0
"""
DRIFTED: dict[str, Any] = {
    "id": "1",
    "stock": "three",
    "limit": 5,
    "scores": {"a": 1, "b": "x"},
    "tags": ["a", 5],
    "spot": {"city": "R", "number": "no"},
    "spots": [{"city": "A", "number": 1}, {"city": 7, "number": 2}],
    "on": True,
}


@pytest.fixture
def items(cli: Cli, store: Store, tmp_path: Path) -> Cli:
    (tmp_path / "drifting.py").write_text(MODELS)
    cli.environ["RAPYER_MODELS"] = str(tmp_path / "drifting.py")
    store.put("Item:1", DRIFTED)
    return cli


@pytest.mark.parametrize(
    ("words", "path", "after"),
    [
        (("increase", "Item:1/limit", "2"), "$.limit", 7),
        (("increase", "Item:1/scores/a"), "$.scores.a", 2),
        (("increase", "Item:1/spots/0/number"), "$.spots[0].number", 2),
        (("increase", "Item:1/spots/1/number"), "$.spots[1].number", 3),
        (("append", "Item:1/tags", "6"), "$.tags", ["a", 5, "6"]),
        (("toggle", "Item:1/on"), "$.on", False),
        (("set", "Item:1/stock", "3"), "$.stock", 3),
        (("set", "Item:1/scores/b", "3"), "$.scores.b", 3),
        (("set", "Item:1/tags/1", "5"), "$.tags[1]", "5"),
        (("set", "Item:1/spot/number", "3"), "$.spot.number", 3),
        (("set", "Item:1/spots/1/city", "7"), "$.spots[1].city", "7"),
        (("update", "Item:1", "stock=3", "limit=1"), "$.stock", 3),
        (("pop", "Item:1/tags", "1"), "$.tags", ["a"]),
    ],
)
def test_every_place_of_a_drifted_document_is_typed_by_its_annotation(
    items: Cli, store: Store, words: tuple[str, ...], path: str, after: Any
) -> None:
    ran = items(*words)
    assert ran.code == 0, ran.err
    assert "stock: " in ran.err
    assert "the rest of it has its types" in ran.err
    stored = store.json("Item:1", path)
    assert (stored, type(stored)) == (after, type(after))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("increase", "Item:1/limit", "-9"), 4),
        (("set", "Item:1/limit", "-1"), 4),
        (("set", "Item:1/stock", "many"), 4),
        (("append", "Item:1/spots", "x"), 4),
        (("increase", "Item:1/stock"), 1),
        (("set", "Item:1/id", "2"), 4),
        (("set", "Item:1/nothing", "2"), 3),
    ],
)
def test_bounds_and_types_hold_in_a_drifted_document(
    items: Cli, store: Store, words: tuple[str, ...], code: int
) -> None:
    ran = items(*words)
    assert ran.code == code, ran.err
    assert store.json("Item:1") == DRIFTED


def test_an_operation_on_the_drifted_place_says_how_to_repair_it(items: Cli) -> None:
    ran = items("increase", "Item:1/stock")
    assert "is stored as \"three\", which does not fit int; 'set' gives it a value" in ran.err


def test_a_repaired_document_checks_as_it_is(items: Cli, store: Store) -> None:
    assert set(items("check").lines[0]["fields"]) == {
        *("stock", "scores.b", "tags.1", "spot.number", "spots.1.city"),
    }
    for place, value in (
        *(("stock", "3"), ("scores/b", "1"), ("tags/1", "b"), ("spot/number", "0")),
        ("spots/1/city", "B"),
    ):
        assert items("set", f"Item:1/{place}", value).code == 0
    ran = items("check")
    assert (ran.code, ran.out) == (0, "")
    assert items("increase", "Item:1/stock").json == 4


def test_what_does_not_fit_is_marked_where_it_is_shown(items: Cli) -> None:
    items.environ["NO_COLOR"] = "1"
    shown = items("get", "Item:1", terminal=True).out
    assert '! stock   "three"' in shown
    assert "! limit" not in shown
    assert "! tags" in shown
    assert "does not fit" in items("get", "Item:1/stock", terminal=True).out
    assert "does not fit" in items("tree", "Item:1", terminal=True).out
    assert "does not fit" in items("ls", "Item:1", terminal=True).out
    assert items("get", "Item:1").json == DRIFTED


async def test_queued_changes_and_undo_work_on_drifted_documents(items: Cli, store: Store) -> None:
    repl = await sitting_for(items)
    for line in (
        "begin",
        "set Item:1/stock 3",
        "increase Item:1/stock",
        "set Item:1/tags/1 x",
        "commit",
    ):
        await repl(line)
    assert (store.json("Item:1", "$.stock"), store.json("Item:1", "$.tags")) == (4, ["a", "x"])
    await repl("undo")
    assert store.json("Item:1") == DRIFTED
    await repl.repl.session.close()


def test_missing_and_unknown_fields_are_reported_and_can_be_repaired(
    items: Cli, store: Store
) -> None:
    store.put("Narrow:1", {"n": 1, "old": 2})
    ran = items("check", "Narrow")
    assert set(ran.lines[0]["fields"]) == {"need", "old"}
    assert items("increase", "Narrow:1/n").json == 2
    assert items("del", "Narrow:1/old", "--yes").code == 0
    assert items("set", "Narrow:1/need", "5").code == 0
    assert store.json("Narrow:1") == {"n": 2, "need": "5"}
    assert items("check", "Narrow").code == 0


def test_a_document_that_only_its_validator_refuses_keeps_all_types(
    items: Cli, store: Store
) -> None:
    store.put("Paired:1", {"low": 5, "high": 1})
    assert "low is above high" in json.dumps(items("check", "Paired").lines[0]["fields"])
    assert items("set", "Paired:1/high", "x").code == 4
    assert items("set", "Paired:1/high", "9").code == 0
    assert items("check", "Paired").code == 0


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ({"stock": "5"}, {"stock"}),
        ({"stock": 5.0}, {"stock"}),
        ({"on": "yes"}, {"on"}),
        ({"scores": {"a": "1"}}, {"scores.a"}),
        ({"spots": [{"number": "1"}]}, {"spots.0.number"}),
        ({"kinds": ["b", "a", "c"]}, set()),
        ({"stock": 5, "legacy": "kept"}, set()),
        ({}, set()),
    ],
)
def test_check_reports_what_the_model_would_not_write_itself(
    items: Cli, store: Store, value: dict[str, Any], fields: set[str]
) -> None:
    store.put("Item:1", {"id": "1", **value})
    ran = items("check", "Item")
    assert ran.code == (1 if fields else 0)
    assert {field for line in ran.lines for field in line["fields"]} == fields


def test_what_the_library_and_the_shell_write_is_no_drift(cli: Cli, store: Store) -> None:
    cli(
        *("new", "BlogPost:1", "title=x", "rating=1", "born=2024-01-01T00:00:00Z", "price=2.50"),
        *("data=eA==", "token=00000000-0000-4000-8000-000000000000", 'by_number:={"1":"a"}'),
    )
    cli("increase", "BlogPost:1/rating", "0.5")
    cli("increase", "BlogPost:1/rating", "0.5")
    cli("set", "BlogPost:1/rating", "3")
    ran = cli("check")
    assert (ran.code, ran.out) == (0, ""), store.text("BlogPost:1")


@pytest.mark.parametrize(
    "words",
    [
        ("set", "Item:copy/stock", "9"),
        ("increase", "Item:copy/limit"),
        ("ttl", "Item:copy", "100"),
        ("set", "Item:copy/id", "copy"),
        ("del", "Item:copy", "--yes"),
    ],
)
def test_a_document_whose_key_field_differs_from_its_key_can_be_changed_and_deleted(
    items: Cli, store: Store, words: tuple[str, ...]
) -> None:
    store.put("Item:1", {"id": "1", "limit": 1})
    store.call("COPY", "Item:1", "Item:copy")
    assert items("check").lines == [
        {"key": "Item:copy", "fields": {"id": "differs from the key, which says 'copy'"}}
    ]
    ran = items(*words)
    assert ran.code == 0, ran.err
    assert store.json("Item:1") == {"id": "1", "limit": 1}, "the other one is left alone"
    assert store.call("TTL", "Item:1") == -1
    if words[0] == "del":
        assert store.json("Item:copy") is None
    if words[1] == "Item:copy/id":
        assert items("check").code == 0


def test_a_key_that_its_field_cannot_be_is_reported(items: Cli, store: Store) -> None:
    store.put("Numbered:x", {"id": 1, "n": 1})
    store.put("Numbered:7", {"id": "7", "n": 1})
    lines = items("check", "Numbered").lines
    fields = {line["key"]: line["fields"] for line in lines}
    assert "the key says 'x'" in fields["Numbered:x"]["id"]
    assert fields["Numbered:7"] == {"id": 'is stored as "7"; the model writes 7'}


def test_import_refuses_a_key_field_that_differs_from_the_key(items: Cli, store: Store) -> None:
    (items.cwd / "in.jsonl").write_text('{"key":"Item:b","value":{"id":"a"}}\n')
    ran = items("import", "in.jsonl")
    assert ran.code == 1
    assert "differs from the key" in ran.err
    assert store.json("Item:b") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*BlogPost.model_fields]), JSON))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_object_is_read_as_far_as_it_fits(data: dict[str, Any]) -> None:
    text = json.dumps(data).encode()
    document, problems = load_as_far(BlogPost, "BlogPost:1", text)
    assert document.key == "BlogPost:1"
    for path in problems:
        assert path == () or path[0] in BlogPost.model_fields
    fine = {
        name: value for name, value in data.items() if not any(p[:1] == (name,) for p in problems)
    }
    for name, value in fine.items():
        field = model_spec(BlogPost).field(name)
        assert getattr(document, name) == field.validate_json(json.dumps(value))
    assert drift_of(BlogPost, "BlogPost:1", text).keys() >= problems.keys()
