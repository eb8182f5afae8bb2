"""``repair`` and ``migrate``: what each drifted place should be, as one change that can be taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, Store
from tests.cli.test_many_changed import stored
from tests.cli.test_safety import monitored

ITEMS = """
from datetime import datetime
from typing import Literal
from pydantic import BaseModel
from rapyer import AtomicRedisModel, Key, SafeLoad

class Part(BaseModel):
    size: int

class Item(AtomicRedisModel):
    name: str
    stock: int = 0
    price: float = 1.5
    on: bool = False
    status: Literal["new", "old"] = "new"
    seen: datetime | None = None
    first_seen: datetime | None = None
    tags: list[str] = []
    counts: dict[str, int] = {}
    parts: list[Part] = []
    lost: SafeLoad[int] = None

class Named(AtomicRedisModel):
    name: Key[str]
    n: int = 0

class Strict(AtomicRedisModel, extra="forbid"):
    title: str
"""


@pytest.fixture
def items(cli: Cli) -> Cli:
    path = cli.cwd / "items.py"
    path.write_text(ITEMS)
    cli.environ["RAPYER_MODELS"] = str(path)
    return cli


REPAIRS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Item:1", {"stock": "3"}, {"stock": 3}),
    ("Item:1", {"stock": 3.0}, {"stock": 3}),
    ("Item:1", {"stock": " 3 "}, {"stock": 3}),
    ("Item:1", {"stock": "many"}, {"stock": 0}),
    ("Item:1", {"stock": None}, {"stock": 0}),
    ("Item:1", {"price": "2.5"}, {"price": 2.5}),
    ("Item:1", {"price": 2}, {"price": 2.0}),
    ("Item:1", {"name": 5}, {"name": "5"}),
    ("Item:1", {"on": "true"}, {"on": True}),
    ("Item:1", {"on": 1}, {"on": True}),
    ("Item:1", {"status": "gone"}, {"status": "new"}),
    ("Item:1", {"seen": "never"}, {"seen": None}),
    ("Item:1", {"seen": "2020-01-01"}, {"seen": "2020-01-01T00:00:00"}),
    ("Item:1", {"tags": ["a", 1]}, {"tags": ["a", "1"]}),
    ("Item:1", {"tags": '["a"]'}, {"tags": ["a"]}),
    ("Item:1", {"counts": {"a": "1", "b": 2}}, {"counts": {"a": 1, "b": 2}}),
    ("Item:1", {"parts": [{"size": "4"}]}, {"parts": [{"size": 4}]}),
    ("Item:1", {"parts": [{"Size": "4"}]}, {"parts": [{"size": 4}]}),
    ("Item:1", {"stock": "1", "price": 3}, {"stock": 1, "price": 3.0}),
    ("Named:a", {"name": "b", "n": 1}, {"name": "a", "n": 1}),
    ("Strict:1", {"Title": "x"}, {"title": "x"}),
]


@pytest.mark.parametrize(("key", "change", "becomes"), REPAIRS)
def test_each_drifted_place_becomes_what_it_should_be_and_comes_back(
    items: Cli, store: Store, key: str, change: dict[str, Any], becomes: dict[str, Any]
) -> None:
    whole = {"name": "x"} if key.startswith("Item") else {}
    store.put(key, {**whole, **change})
    model = key.partition(":")[0]
    assert items("check", model).code == 1
    ran = items("repair", model, "--yes")
    assert (ran.code, ran.json["changed"]) == (0, 1), ran.err
    assert store.json(key) == {**whole, **becomes}
    assert str(store.json(key)) == str({**whole, **becomes}), "types and order"
    assert items("check", model).code == 0
    assert items("undo", "--yes").code == 0
    assert store.json(key) == {**whole, **change}


def test_what_has_no_proposal_is_named_and_left_and_the_others_are_repaired(
    items: Cli, store: Store
) -> None:
    store.put("Item:1", {"stock": "many"})
    store.put("Item:2", {"name": "x", "stock": "3"})
    ran = items("repair", "Item", "--yes")
    assert store.json("Item:2") == {"name": "x", "stock": 3}
    assert store.json("Item:1") == {"stock": 0}, "the missing name is left"
    assert ran.json["changed"] == 2
    assert items("repair", "Item", "--yes").code == 1
    assert "name" in items("repair", "Item", "--yes").err


def test_proposals_are_counted_by_kind_and_one_field_can_be_chosen(
    items: Cli, store: Store
) -> None:
    for number in range(5):
        store.put(f"Item:{number}", {"name": "x", "stock": str(number), "price": 1})
    store.put("Item:9", {"name": "x", "stock": "none"})
    before = stored(store)
    with monitored(store) as seen:
        ran = items("repair", "Item", "-n")
    assert ran.code == 0
    assert "5 documents: stock: text → int" in ran.err
    assert "1 document: stock: the default" in ran.err
    assert "would repair 6 documents" in ran.err
    assert not {"EVALSHA", "JSON.SET"} & {command[0] for command in seen}
    assert stored(store) == before
    assert items("repair", "Item", "--only", "price", "--yes").json["changed"] == 5
    assert store.json("Item:1") == {"name": "x", "stock": "1", "price": 1.0}
    assert items("repair", "Item", "--only", "prize").code == 2


@pytest.fixture
def steps(items: Cli) -> Path:
    path = items.cwd / "steps.txt"
    path.write_text(
        "# the new names\n"
        "rename Item amount stock\n"
        "convert Item stock\n"
        "remove Item old\n"
        "\n"
        "add Item tags:='[\"imported\"]'\n"
        'set Item status=old where "stock > 10"\n'
        "del Item where \"name == 'gone'\"\n"
    )
    return path


@pytest.mark.usefixtures("steps")
def test_a_migration_takes_each_document_through_all_steps_at_once(
    items: Cli, store: Store
) -> None:
    store.put("Item:1", {"name": "a", "amount": "12", "old": {"x": 1}})
    store.put("Item:2", {"name": "gone", "amount": 1})
    store.put("Item:3", {"name": "b", "stock": 1, "tags": []})
    before = stored(store)
    ran = items("migrate", "steps.txt", "-n")
    assert "would migrate 2 documents" in ran.err
    assert "1 document: rename Item amount stock" in ran.err or "2 documents: rename" in ran.err
    assert stored(store) == before
    assert items("migrate", "steps.txt").code == 6
    ran = items("migrate", "steps.txt", "--yes")
    assert (ran.code, ran.json["changed"]) == (0, 2), ran.err
    assert stored(store) == {
        "Item:1": {"name": "a", "stock": 12, "tags": ["imported"], "status": "old"},
        "Item:3": before["Item:3"],
    }
    assert items("migrate", "steps.txt", "--yes").json["changed"] == 0
    assert items("undo", "--yes").code == 0
    assert stored(store) == before


def test_a_document_that_would_not_fit_afterwards_is_left(items: Cli, store: Store) -> None:
    store.put("Item:1", {"name": "a"})
    store.put("Item:2", {"name": "a", "label": "b"})
    (items.cwd / "m.txt").write_text("remove Item name\nrename Item label name\n")
    ran = items("migrate", "m.txt", "--yes")
    assert (ran.code, ran.json["changed"], ran.json["failed"]) == (1, 1, 1)
    assert "Item:1 is left as it is" in ran.err
    assert stored(store) == {"Item:1": {"name": "a"}, "Item:2": {"name": "b"}}


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("frobnicate Item a", 2, "no step"),
        ("rename Item a", 2, "usage"),
        ("set Item stock=many", 4, "stock"),
        ("del Item", 2, "usage"),
        ("set Item stock=1 where 'stock >'", 4, "too early"),
        ("rename 'Item", 2, "not closed"),
    ],
)
def test_a_bad_step_stops_everything_with_its_line(
    items: Cli, store: Store, line: str, code: int, says: str
) -> None:
    store.put("Item:1", {"name": "a", "b": 1})
    (items.cwd / "m.txt").write_text(f"rename Item b c\n{line}\n")
    ran = items("migrate", "m.txt", "--yes")
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert says in ran.err
    if code == 2:
        assert "m.txt:2" in ran.err
    assert store.json("Item:1") == {"name": "a", "b": 1}
