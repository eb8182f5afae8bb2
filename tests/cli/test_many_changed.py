"""``update MODEL where``, ``del MODEL where``: shown, asked, each compared and set, interrupted, taken back as one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rapyer_cli.change import many
from tests.cli.conftest import MODELS, Cli, Store
from tests.cli.test_safety import monitored

COUNT = 30


@pytest.fixture
def posts(store: Store) -> dict[str, Any]:
    """30 posts with 0 to 29 views, as they are stored."""
    for number in range(COUNT):
        tags = ["even", "x"] if number % 2 == 0 else ["odd"]
        store.put(
            f"BlogPost:{number:02}", {"title": f"Post {number}", "views": number, "tags": tags}
        )
    return stored(store)


def stored(store: Store) -> dict[str, Any]:
    keys = sorted(key.decode() for key in store.call("KEYS", "*"))
    return {key: store.json(key) for key in keys}


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        (["status=live"], {"status": "live"}),
        (["views+=5"], {"views": 33}),
        (["views-=1", "tags+=new"], {"views": 27, "tags": ["even", "x", "new"]}),
        (["tags-=x"], {"tags": ["even"]}),
        (['tags+:=["a","b"]'], {"tags": ["even", "x", "a", "b"]}),
        (["tags:=[]", "title+=!"], {"tags": [], "title": "Post 28!"}),
        (["settings/theme=dark"], {"settings": {"theme": "dark"}}),
        (['counts+={"a":1}'], {"counts": {"a": 1}}),
        (["price+=0.25"], {"price": "1.75"}),
        (["mood=loud"], {"mood": "loud"}),
        (["settings/a-b+c:d=x"], {"settings": {"a-b+c:d": "x"}}),
        (["address/city=Oslo"], {"address": {"city": "Oslo", "zip_code": "00100"}}),
    ],
)
def test_each_assignment_is_typed_and_changes_what_is_found_and_nothing_else(
    cli: Cli, store: Store, posts: dict[str, Any], settings: list[str], changes: dict[str, Any]
) -> None:
    ran = cli("update", "BlogPost", "where", "views == 28", "set", *settings, "--yes")
    assert (ran.code, ran.json["changed"]) == (0, 1), ran.err
    expected = {**posts, "BlogPost:28": {**posts["BlogPost:28"], **changes}}
    assert stored(store) == expected
    assert cli("undo", "--yes").code == 0
    assert stored(store) == posts


def test_many_are_taken_back_by_one_undo_by_number(
    cli: Cli, store: Store, posts: dict[str, Any]
) -> None:
    ran = cli("update", "BlogPost", "where", "'even'", "in", "tags", "set", "views+=100", "--yes")
    assert ran.json["changed"] == COUNT // 2
    entry = ran.json["entry"]
    assert store.json("BlogPost:04", "$.views") == 104
    assert cli("history", "BlogPost:04").lines[-1]["entry"] == entry
    assert cli("history", "BlogPost:03").lines == []
    back = cli("undo", str(entry), "--yes")
    assert (back.code, back.json["changed"]) == (0, COUNT // 2), back.err
    assert stored(store) == posts
    assert "undone already" in cli("undo", str(entry), "--yes").err


def test_undo_leaves_what_somebody_changed_since_and_counts_it(
    cli: Cli, store: Store, posts: dict[str, Any]
) -> None:
    cli("update", "BlogPost", "where", "views >= 20", "set", "views=1", "--yes")
    store.call("JSON.SET", "BlogPost:20", "$.title", '"mine"')
    ran = cli("undo", "--yes")
    assert (ran.code, ran.json["changed"], ran.json["left"]) == (0, 9, 1)
    assert store.json("BlogPost:20", "$.views") == 1
    assert store.json("BlogPost:21") == posts["BlogPost:21"]


def test_del_where_deletes_them_and_undo_brings_them_and_their_ttl_back(
    cli: Cli, store: Store, posts: dict[str, Any]
) -> None:
    store.call("PEXPIRE", "BlogPost:05", 500_000)
    ran = cli("del", "BlogPost", "where", "views < 10", "--yes")
    assert (ran.code, ran.json["changed"]) == (0, 10)
    assert len(stored(store)) == COUNT - 10
    assert cli("undo", "--yes").code == 0
    assert stored(store) == posts
    assert 400_000 < store.call("PTTL", "BlogPost:05") <= 500_000
    assert store.call("PTTL", "BlogPost:06") == -1


@pytest.mark.parametrize(
    "words",
    [
        ("update", "BlogPost", "where", "views > 1", "set", "views=0"),
        ("del", "BlogPost", "where", "True"),
    ],
)
def test_nothing_is_sent_without_yes_where_nobody_can_be_asked(
    cli: Cli, store: Store, posts: dict[str, Any], words: tuple[str, ...]
) -> None:
    ran = cli(*words)
    assert (ran.code, ran.out) == (6, "")
    assert "--yes" in ran.err
    assert stored(store) == posts


def test_a_person_sees_a_sample_and_the_number_before_being_asked(
    cli: Cli, store: Store, posts: dict[str, Any]
) -> None:
    ran = cli(
        "update", "BlogPost", "where", "views > 4", "set", "views=0", terminal=True, stdin="n\n"
    )
    assert ran.code == 6
    assert "update 25 documents of BlogPost" in ran.err
    assert ran.err.count(" → 0") == 3
    assert stored(store) == posts
    ran = cli(
        "update", "BlogPost", "where", "views > 4", "set", "views=0", terminal=True, stdin="y\n"
    )
    assert ran.code == 0
    assert {post["views"] for post in stored(store).values()} == {0, 1, 2, 3, 4}


def test_a_dry_run_counts_shows_samples_and_sends_only_reads(
    cli: Cli, store: Store, posts: dict[str, Any]
) -> None:
    with monitored(store) as seen:
        ran = cli("update", "BlogPost", "where", "views > 4", "set", "views+=1", "-n")
    assert ran.code == 0
    assert "would update 25 documents" in ran.err
    assert ran.out.count("JSON.SET") == 3
    assert {command[0] for command in seen} <= {
        "SCAN",
        "JSON.GET",
        "JSON.MGET",
        "CLIENT",
        "HELLO",
        "PING",
    }
    assert stored(store) == posts


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("where", "views > 1", "set", "vews=1"), 2, "no field 'vews'"),
        (("where", "views > 1", "set", "views=many"), 4, "views"),
        (("where", "views > 1", "set", "views+=x"), 4, "whole number"),
        (("where", "vews > 1", "set", "views=1"), 4, "no field 'vews'"),
        (("where", "views > 1"), 2, "set"),
        (("where", "set", "views=1"), 2, "condition"),
        (("where", "views > 1", "set", "views=1", "oops"), 2, "oops"),
        (("where", "views > 1", "set", "published+=1"), 2, "+="),
    ],
)
def test_what_no_document_could_take_is_refused_before_anything_is_read(
    cli: Cli, store: Store, posts: dict[str, Any], words: tuple[str, ...], code: int, says: str
) -> None:
    ran = cli("update", "BlogPost", *words, "--yes")
    assert (ran.code, ran.out) == (code, ""), ran.err
    assert says in ran.err
    assert stored(store) == posts


def test_what_a_bound_forbids_is_left_and_named_and_the_others_are_changed(
    cli: Cli, store: Store
) -> None:
    for number in range(5):
        store.put(f"Product:{number}", {"name": str(number), "stock": number})
    ran = cli("update", "Product", "where", "True", "set", "stock-=2", "--yes")
    assert (ran.code, ran.json["changed"], ran.json["failed"]) == (1, 3, 2)
    assert "Product:0" in ran.err
    assert [store.json(f"Product:{n}", "$.stock") for n in range(5)] == [0, 1, 0, 1, 2]
    assert cli("update", "Product", "where", "True", "set", "name=x", "--yes").code == 2


def test_documents_without_a_model_are_changed_by_their_json(untyped: Cli, store: Store) -> None:
    store.put("Thing:1", {"n": 1, "tags": ["a"]})
    store.put("Thing:2", {"n": 5})
    assert untyped("update", "Thing", "where", "n < 3", "set", "n+=1", "tags+=b", "--yes").code == 0
    assert stored(store) == {"Thing:1": {"n": 2, "tags": ["a", "b"]}, "Thing:2": {"n": 5}}


def test_a_document_that_somebody_changes_meanwhile_is_skipped_and_counted(
    cli: Cli, store: Store, posts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    send = many._send

    async def slow(session: Any, plan: Any, chunk: Any, *rest: Any) -> None:
        store.call("JSON.SET", "BlogPost:07", "$.views", "1000")
        await send(session, plan, chunk, *rest)

    monkeypatch.setattr(many, "_send", slow)
    ran = cli("update", "BlogPost", "where", "views < 100", "set", "status=live", "--yes")
    assert (ran.code, ran.json["changed"], ran.json["skipped"]) == (0, COUNT - 1, 1)
    assert store.json("BlogPost:07") == {**posts["BlogPost:07"], "views": 1000}


@pytest.mark.parametrize("how", ["cancelled", "killed"])
def test_interrupted_the_same_line_goes_on_and_one_undo_takes_all_of_it_back(
    cli: Cli, store: Store, posts: dict[str, Any], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(many, "_CHUNK", 4)
    words = ("update", "BlogPost", "where", "True", "set", "views+=1000", "--yes")
    chunks = 0
    send = many._send

    async def stopping(session: Any, plan: Any, chunk: Any, tally: Any, record: Any) -> None:
        nonlocal chunks
        chunks += 1
        if chunks == 3 and how == "killed":  # the server has it, the journal does not know
            real = type(record).step
            await send(session, plan, chunk, tally, _Deaf(record, real))
            raise asyncio.CancelledError
        await send(session, plan, chunk, tally, record)
        if chunks == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(many, "_send", stopping)
    ran = cli(*words)
    assert ran.code == 130
    assert "goes on" in ran.err
    assert sum(post["views"] >= 1000 for post in stored(store).values()) == 12
    monkeypatch.setattr(many, "_send", send)
    again = cli(*words)
    assert (again.code, again.json["changed"]) == (0, COUNT), again.err
    assert {post["views"] for post in stored(store).values()} == set(range(1000, 1000 + COUNT))
    assert cli("undo", "--yes").json["changed"] == COUNT
    assert stored(store) == posts


class _Deaf:
    """A record that loses what is written after a chunk was sent, as if the process were killed there."""

    def __init__(self, record: Any, step: Any) -> None:
        self._record, self._step = record, step

    def step(self, line: dict[str, Any]) -> None:
        if "documents" in line:
            self._step(self._record, line)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_process_that_is_stopped_or_killed_is_gone_on_with_by_the_repeat(
    cli: Cli, store: Store, sent: signal.Signals, code: int
) -> None:
    amount = 6000
    for number in range(amount):
        store.put(f"BlogPost:{number}", {"title": "x", "views": 0})
    command = [sys.executable, "-m", "rapyer_cli", "update", "BlogPost"]
    command += ["where", "True", "set", "views+=1", "--yes"]
    environ = {**os.environ, **cli.environ, "RAPYER_MODELS": MODELS}
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    state = Path(cli.environ["XDG_STATE_HOME"]) / "rapyer" / "journal"
    while process.poll() is None and not list(state.glob("*.jsonl")):
        pass
    process.send_signal(sent)
    _, err = process.communicate()
    assert process.returncode == code, err
    ran = cli("update", "BlogPost", "where", "True", "set", "views+=1", "--yes")
    assert ran.code == 0
    assert ran.json["changed"] == amount
    assert [post["views"] for post in stored(store).values()] == [1] * amount
    assert json.loads(cli("history").out.splitlines()[-1])["outcome"] == "done"


def test_the_time_to_live_is_refreshed_where_the_model_asks_for_it_and_left_otherwise(
    cli: Cli, store: Store, posts: dict[str, Any]
) -> None:
    store.put("Short:1", {"n": 1})
    store.call("PEXPIRE", "Short:1", 50_000)
    store.call("PEXPIRE", "BlogPost:01", 50_000)
    assert cli("update", "Short", "where", "n == 1", "set", "n+=1", "-n").code == 0
    assert store.call("PTTL", "Short:1") <= 50_000
    assert cli("update", "Short", "where", "n == 1", "set", "n+=1", "--yes").code == 0
    assert store.call("PTTL", "Short:1") > 50_000
    assert cli("update", "BlogPost", "where", "True", "set", "views+=1", "--yes").code == 0
    assert 0 < store.call("PTTL", "BlogPost:01") <= 50_000


def test_a_read_only_session_changes_nothing_and_lets_a_dry_run_look(
    cli: Cli, store: Store, posts: dict[str, Any]
) -> None:
    words = ("update", "BlogPost", "where", "views > 1", "set", "views=0", "--read-only")
    assert cli(*words, "--yes").code == 6
    assert cli(*words, "-n").code == 0
    assert cli("repair", "BlogPost", "--read-only", "--yes").code == 6
    assert stored(store) == posts


async def test_in_the_repl_one_undo_takes_back_a_change_of_many(cli: Cli, store: Store) -> None:
    from tests.cli.test_repl_lines import sitting_for

    for number in range(3):
        store.put(f"BlogPost:{number}", {"title": "x", "views": number})
    before = stored(store)
    sitting = await sitting_for(cli)
    try:
        await sitting("update BlogPost where 'views > 0' set views+=10 --yes")
        await sitting("increase BlogPost:0/views 5")
        assert [store.json(f"BlogPost:{n}", "$.views") for n in range(3)] == [5, 11, 12]
        await sitting("undo")
        await sitting("undo --yes")
        assert stored(store) == before
        await sitting("begin")
        assert await sitting.fails("update BlogPost where True set views=0 --yes") == 1
        await sitting("discard")
        assert "increase" in await sitting("history BlogPost:0")
        assert "undo of update" in await sitting("history /")
    finally:
        await sitting.repl.session.close()


def test_where_true_deletes_documents_that_do_not_fit_too_and_none_of_a_longer_prefix(
    cli: Cli, store: Store
) -> None:
    (cli.cwd / "more.py").write_text(
        "from rapyer import AtomicRedisModel\n"
        "class Other(AtomicRedisModel):\n"
        "    @classmethod\n"
        "    def class_key_initials(cls): return 'BlogPost:Other'\n"
    )
    store.put("BlogPost:1", {"title": 5})
    store.put("BlogPost:2", {"title": "x"})
    store.put("BlogPost:Other:1", {})
    before = stored(store)
    ran = cli("del", "BlogPost", "where", "True", "--yes", "-m", "more.py", "-m", MODELS)
    assert (ran.code, ran.json["changed"]) == (0, 2), ran.err
    assert stored(store).keys() == {"BlogPost:Other:1"}
    assert cli("undo", "--yes").code == 0
    assert stored(store) == before
