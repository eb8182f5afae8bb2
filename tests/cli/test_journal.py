"""The journal: read by every process, bounded, private, whole after a crash; and ``history`` and ``undo`` from it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapyer_cli.render.differences import MISSING, same
from rapyer_cli.session import journal as journal_module
from rapyer_cli.session.delta import before_of, delta, digest_of
from rapyer_cli.session.journal import Journal
from tests.cli.conftest import Cli, Store

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([1.0, "a", "b" * 70, "b" * 90]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner),
    max_leaves=12,
)


@given(JSON_VALUES | st.just(MISSING), JSON_VALUES | st.just(MISSING))
def test_a_delta_leads_back_exactly(before: Any, after: Any) -> None:
    change = json.loads(json.dumps(delta(before, after)))
    back = before_of(change, after)
    assert (back is MISSING) if before is MISSING else same(back, before)
    assert json.dumps(back, default=str) == json.dumps(before, default=str), "in the same order"
    assert (digest_of(before) == digest_of(after)) == (
        before is after or (before is not MISSING and after is not MISSING and same(before, after))
    )


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (("set", "title", "Other"), "title"),
        (("increase", "views", "5"), "views"),
        (("append", "tags", "d"), "tags"),
        (("pop", "tags", "0", "--yes"), "tags"),
        (("del", "settings/theme", "--yes"), "settings"),
        (("update", "settings", "theme=dark", "font=serif"), "settings"),
        (("set", "born", "2020-01-01T00:00:00"), "born"),
        (("clear", "tags", "--yes"), "tags"),
    ],
)
def test_a_one_shot_undoes_what_another_process_changed(
    cli: Cli, store: Store, post: str, words: tuple[str, ...], place: str
) -> None:
    before = store.text(post)
    verb, inside, *rest = words
    assert cli(verb, f"{post}/{inside}", *rest).code == 0
    assert store.text(post) != before
    ran = cli("undo")
    assert ran.code == 0, ran.err
    assert place in ran.err
    assert store.text(post) == before


def test_undo_goes_back_step_by_step_and_names_entries(cli: Cli, store: Store, post: str) -> None:
    before = store.text(post)
    for amount in ("1", "10", "100"):
        assert cli("increase", f"{post}/views", amount).code == 0
    entries = cli("history", f"{post}/views").lines
    assert [entry["changes"] for entry in entries[1:]] == [
        [f"{post}/views: 0 → 1"],
        [f"{post}/views: 1 → 11"],
        [f"{post}/views: 11 → 111"],
    ]
    first = str(entries[1]["entry"])
    ran = cli("undo", first)
    assert ran.code == 6, "somebody changed it since"
    assert "changed by somebody else" in ran.err
    for _ in range(3):
        assert cli("undo").code == 0
    assert store.text(post) == before
    assert cli("undo", first).code == 1
    assert cli("history", f"{post}/views").lines[1]["outcome"].startswith("undone by")
    assert cli("undo").code == 0, "the post itself"
    assert store.json(post) is None


@pytest.mark.usefixtures("post")
def test_undo_by_a_number_that_is_not_there_or_of_another_server(cli: Cli) -> None:
    assert cli("undo", "999").code == 3
    assert cli("undo", "x").code == 2
    number = cli("history").lines[-1]["entry"]
    cli.environ["RAPYER_URL"] += "?idle=500"
    ran = cli("undo", str(number))
    assert ran.code == 6
    assert "was made on" in ran.err
    assert cli("undo").code == 1


def test_a_dry_run_of_undo_changes_nothing_and_a_read_only_session_refuses_it(
    cli: Cli, store: Store, post: str
) -> None:
    cli("set", f"{post}/title", "Other")
    ran = cli("undo", "-n")
    assert "JSON.SET" in ran.out
    assert store.json(post, "$.title") == "Other"
    assert cli("undo", "--read-only").code == 6
    assert store.json(post, "$.title") == "Other"


def test_ttl_and_new_are_undone_by_one_shots(cli: Cli, store: Store, post: str) -> None:
    assert cli("ttl", post, "500").code == 0
    assert store.call("TTL", post) > 0
    assert cli("undo").code == 0
    assert store.call("TTL", post) == -1
    assert cli("undo").code == 0
    assert store.json(post) is None


def test_a_ten_megabyte_value_is_kept_as_what_changed(cli: Cli, store: Store) -> None:
    text = "x" * 10_000_000
    store.put("BlogPost:big", {"title": text, "tags": ["a"] * 1000, "views": 1})
    before = store.text("BlogPost:big")
    assert cli("append", "BlogPost:big/tags", "b").code == 0
    assert cli("set", "BlogPost:big/title", text[:5_000_000] + "y" + text[5_000_000:]).code == 0
    state = Path(cli.environ["XDG_STATE_HOME"]) / "rapyer"
    assert sum(path.stat().st_size for path in state.rglob("*") if path.is_file()) < 20_000
    assert cli("undo").code == 0
    assert cli("undo").code == 0
    assert store.text("BlogPost:big") == before


def test_a_torn_last_line_costs_one_entry_and_spoils_no_other(
    cli: Cli, store: Store, post: str
) -> None:
    path = Path(cli.environ["XDG_STATE_HOME"]) / "rapyer" / "journal.jsonl"
    assert cli("increase", f"{post}/views", "1").code == 0
    with path.open("ab") as file:
        file.write(b'{"time":"2020","verb":"incr')
    assert cli("increase", f"{post}/views", "2").code == 0
    assert [entry["verb"] for entry in cli("history").lines] == ["new", "increase", "increase"]
    assert cli("undo").code == 0
    assert store.json(post, "$.views") == 1


def test_the_files_are_private_and_bounded(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_KEEP_BYTES", 2000)
    monkeypatch.setattr(journal_module, "_KEEP_ASIDE_BYTES", 300_000)
    journal = Journal(cli.environment())
    for number in range(200):
        journal.write({"verb": "set", "outcome": "done", "text": "t" * 100}, [["k", [], {}, ""]])
        if number % 10 == 0:
            noise = [str(hash((number, i)) * 12345678901234567) for i in range(4000)]
            journal.write({"verb": "big", "outcome": "done"}, noise)
    files = [path for path in journal.path.parent.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 500_000
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.parent.stat().st_mode) for path in files} == {0o700}
    entries = journal.entries()
    numbers = [entry["entry"] for entry in entries]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 220
    last = [entry for entry in entries if entry["verb"] == "big"][-1]
    assert journal.undo_of(last) is not None


def test_processes_that_write_at_once_lose_nothing_and_share_no_number(cli: Cli) -> None:
    program = (
        "import sys; from tests.cli.conftest import Cli; from pathlib import Path\n"
        "from rapyer_cli.session.journal import Journal\n"
        "cli = Cli(Path('.'), {'XDG_STATE_HOME': sys.argv[1]})\n"
        "journal = Journal(cli.environment())\n"
        "for _ in range(100): journal.write({'verb': 'set', 'outcome': 'done'}, [])\n"
    )
    state = cli.environ["XDG_STATE_HOME"]
    running = [
        subprocess.Popen([sys.executable, "-c", program, state], cwd=Path(__file__).parents[2])
        for _ in range(4)
    ]
    assert [process.wait() for process in running] == [0] * 4
    entries = Journal(cli.environment()).entries()
    assert [entry["entry"] for entry in entries] == list(range(1, 401))


def test_an_import_is_one_entry_and_one_undo_takes_back_what_it_stored_and_replaced(
    cli: Cli, store: Store
) -> None:
    for number in range(300):
        store.put(f"BlogPost:{number}", {"title": f"new {number}", "views": number})
    assert cli("export", "--to", "x.jsonl").code == 0
    store.call("FLUSHALL")
    store.put("BlogPost:7", {"title": "mine", "views": 7})
    before = {"BlogPost:7": store.json("BlogPost:7")}
    assert cli("import", "x.jsonl").code == 1
    entries = cli("history").lines
    assert [(entry["verb"], entry["changes"]) for entry in entries] == [
        ("import", ["import of 299 documents"])
    ]
    assert cli("history", "BlogPost:8").lines[0]["entry"] == entries[0]["entry"]
    store.call("JSON.SET", "BlogPost:9", "$.title", '"changed since"')
    ran = cli("undo", "--yes")
    assert (ran.json["changed"], ran.json["left"]) == (298, 1)
    assert store.json("BlogPost:7") == before["BlogPost:7"]
    assert store.call("DBSIZE") == 2
    assert cli("import", "x.jsonl", "--replace", "--yes").code == 0
    assert store.json("BlogPost:7", "$.title") == "new 7"
    assert cli("undo", "--yes").json["changed"] == 300
    assert store.json("BlogPost:7") == before["BlogPost:7"]
    assert store.json("BlogPost:9", "$.title") == "changed since"
    assert store.call("DBSIZE") == 2
