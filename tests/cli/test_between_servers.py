"""``diff --with`` and ``copy --to`` between two servers, ``export`` to files, ``new MODEL -``."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, Configure, Store
from tests.cli.test_many_changed import stored
from tests.conftest import StartServer


@pytest.fixture
def there(start_server: StartServer, configure: Configure) -> Store:
    """Another server, which is called ``b``; ``live`` is the same one in production."""
    server = start_server()
    url = f"unix://{server.socket}"
    configure(
        f'[profiles.b]\nurl = "{url}"\n[profiles.live]\nurl = "{url}"\nenvironment = "prod"\n'
    )
    return Store(str(server.socket))


@pytest.fixture
def posts(store: Store, there: Store) -> None:
    for number in range(5):
        store.put(f"BlogPost:{number}", {"title": f"Post {number}", "views": number})
    for number in range(3, 7):
        there.put(
            f"BlogPost:{number}", {"title": f"Post {number}", "views": number * (number != 4)}
        )


@pytest.mark.usefixtures("posts")
def test_diff_of_a_model_names_what_is_on_one_server_and_what_differs(cli: Cli) -> None:
    ran = cli("diff", "BlogPost", "--with", "b")
    assert ran.code == 1
    assert {line["key"]: line["state"] for line in ran.lines} == {
        **{f"BlogPost:{n}": "here only" for n in range(3)},
        "BlogPost:4": "differs",
        **{f"BlogPost:{n}": "there only" for n in (5, 6)},
    }
    differs = next(line for line in ran.lines if line["state"] == "differs")
    assert differs["differences"] == [
        {"path": "views", "change": "changed", "before": 4, "after": 0}
    ]
    assert "1 the same, 6 not" in ran.err
    assert "views: 4 → 0" in cli("diff", "BlogPost", "--with", "b", terminal=True).out


@pytest.mark.usefixtures("posts")
def test_diff_of_a_document_and_a_place(cli: Cli) -> None:
    assert cli("diff", "BlogPost:3", "--with", "b").code == 0
    ran = cli("diff", "BlogPost:4", "--with", "b")
    assert (ran.code, ran.json["path"]) == (1, "views")
    assert cli("diff", "BlogPost:4/title", "--with", "b").code == 0
    assert cli("diff", "BlogPost:9", "--with", "b").code == 3
    assert cli("diff", "BlogPost:4", "BlogPost:3", "--with", "b").code == 2
    assert cli("diff", "BlogPost:4").code == 2
    assert cli("diff", "BlogPost:4", "--with", "nowhere").code == 3


@pytest.mark.usefixtures("posts")
def test_copy_creates_what_is_missing_and_leaves_what_differs_until_replace(
    cli: Cli, store: Store, there: Store
) -> None:
    before = stored(there)
    store.call("PEXPIRE", "BlogPost:1", 500_000)
    assert cli("copy", "BlogPost", "--to", "b").code == 6
    assert "would copy 3 documents" in cli("copy", "BlogPost", "--to", "b", "-n").err
    assert stored(there) == before
    ran = cli("copy", "BlogPost", "--to", "b", "--yes")
    assert (ran.code, ran.json["changed"], ran.json["left"]) == (0, 3, 1), ran.err
    assert stored(there) == {**stored(store), **before}
    assert 400_000 < there.call("PTTL", "BlogPost:1") <= 500_000
    assert there.call("PTTL", "BlogPost:2") == -1
    ran = cli("copy", "BlogPost", "--to", "b", "--replace", "--yes")
    assert ran.json["changed"] == 1
    assert there.json("BlogPost:4") == store.json("BlogPost:4")
    for _ in range(2):
        assert cli("undo", "--profile", "b", "--yes").code == 0
    assert stored(there) == before


@pytest.mark.usefixtures("posts")
def test_copy_takes_conditions_documents_and_the_rules_of_where_it_writes(
    cli: Cli, store: Store, there: Store
) -> None:
    before = stored(store)
    assert cli("copy", "BlogPost", "where", "views == 1", "--to", "b", "--yes").json["changed"] == 1
    assert cli("copy", "BlogPost:2", "--to", "b", "--yes").json["changed"] == 1
    assert there.json("BlogPost:0") is None
    there_now = stored(there)
    assert cli("copy", "BlogPost:0", "--to", "live", "--yes").code == 6
    assert cli("copy", "BlogPost:9", "--to", "b", "--yes").code == 3
    assert cli("copy", "BlogPost:0/title", "--to", "b", "--yes").code == 2
    assert cli("copy", "BlogPost:0", "--to", "b", "--yes", "--read-only").code == 6
    assert stored(there) == there_now
    url = cli.environ["RAPYER_URL"]
    ran = cli("copy", "BlogPost:6", "--to", url, "--profile", "live", "--yes")
    assert ran.code == 0, "what is read may be production"
    assert stored(store) == {**before, "BlogPost:6": there.json("BlogPost:6")}


DOCUMENTS: dict[str, dict[str, Any]] = {
    "BlogPost:1": {"title": 'a "q", é\n=1+1', "views": 5, "tags": ["x", "y"], "rating": 0.5},
    "BlogPost:2": {"title": "b", "views": 7, "published": True, "settings": {"k": "v"}},
    "BlogPost:3": {"title": "c", "views": 0},
}


@pytest.fixture
def few(store: Store) -> None:
    for key, value in DOCUMENTS.items():
        store.put(key, value)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz"])
def test_csv_has_a_row_for_each_document_that_was_asked_for(cli: Cli, name: str) -> None:
    ran = cli("export", "BlogPost", "where", "views >= 5", "--to", name)
    assert (ran.code, ran.err) == (0, "exported 2 documents\n")
    opened: Any = gzip.open if name.endswith(".gz") else open
    with opened(cli.cwd / name, "rt", encoding="utf-8", newline="") as file:
        rows = {row["key"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"BlogPost:1", "BlogPost:2"}
    assert rows["BlogPost:1"]["title"] == 'a "q", é\n=1+1'
    assert rows["BlogPost:1"]["tags"] == '["x","y"]'
    assert rows["BlogPost:1"]["published"] == ""
    assert rows["BlogPost:2"]["published"] == "true"
    assert cli("export", "BlogPost", "--to", name).code == 1, "it exists already"
    assert [path.name for path in cli.cwd.glob("out*")] == [name]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("typed", [True, False])
def test_parquet_has_typed_columns(cli: Cli, untyped: Cli, typed: bool) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    run = cli if typed else untyped
    assert run("export", "BlogPost", "--to", "out.parquet").code == 0
    table = parquet.read_table(cli.cwd / "out.parquet")
    assert str(table.schema.field("views").type) == "int64"
    assert str(table.schema.field("rating").type) == "double"
    assert str(table.schema.field("published").type) == "bool"
    rows = {row["key"]: row for row in table.to_pylist()}
    assert rows["BlogPost:1"]["views"] == 5
    assert rows["BlogPost:1"]["title"] == 'a "q", é\n=1+1'
    assert json.loads(rows["BlogPost:2"]["settings"]) == {"k": "v"}
    assert rows["BlogPost:3"]["rating"] is None


def test_a_value_that_does_not_fit_its_column_is_named_and_no_file_is_left(
    cli: Cli, store: Store
) -> None:
    store.put("BlogPost:1", {"title": "a", "views": "many"})
    ran = cli("export", "BlogPost", "--to", "out.parquet")
    assert ran.code == 4
    assert "BlogPost:1/views" in ran.err
    assert list(cli.cwd.glob("out*")) == []


@pytest.mark.usefixtures("few")
def test_json_lines_are_packed_and_come_back_through_import(cli: Cli, store: Store) -> None:
    assert cli("export", "--to", "all.jsonl.gz").code == 0
    lines = gzip.decompress((cli.cwd / "all.jsonl.gz").read_bytes()).decode()
    (cli.cwd / "all.jsonl").write_text(lines)
    store.call("FLUSHALL")
    assert cli("import", "all.jsonl").code == 0
    assert stored(store) == DOCUMENTS
    ran = cli("export", "BlogPost", "where", "'x' in tags")
    assert [line["key"] for line in ran.lines] == ["BlogPost:1"]


@pytest.mark.parametrize(
    "words",
    [
        ("export", "BlogPost:1", "--to", "x.csv"),
        ("export", "--to", "x.csv"),
        ("export", "BlogPost", "--to", "x.parquet.gz"),
        ("export", "BlogPost", "--to", "x.csv", "--resume"),
        ("export", "BlogPost", "where"),
    ],
)
@pytest.mark.usefixtures("few")
def test_what_a_file_cannot_be_is_a_usage_error(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli(*words).code == 2
    assert list(Path(cli.cwd).glob("x*")) == []


def test_new_takes_a_json_object_from_standard_input_or_a_file(cli: Cli, store: Store) -> None:
    document = {
        "title": "5",
        "views": 3,
        "tags": ["a"],
        "born": "2020-01-01T00:00:00",
        "price": "2",
    }
    assert cli("new", "BlogPost:1", "-", stdin=json.dumps(document)).code == 0
    assert {name: store.json("BlogPost:1")[name] for name in document} == document
    (cli.cwd / "post.json").write_text(json.dumps(document))
    assert cli("new", "BlogPost:2", "@post.json", "views=9").code == 0
    assert store.json("BlogPost:2", "$.views") == 9
    for text, code in [
        ("{", 4),
        ("[1]", 4),
        ('{"title": "x", "views": "many"}', 4),
        ('{"title": "x", "vews": 1}', 2),
        ("{}", 4),
    ]:
        ran = cli("new", "BlogPost:3", "-", stdin=text)
        assert (ran.code, ran.err.count("\n")) == (code, 1), ran.err
    assert store.json("BlogPost:3") is None
