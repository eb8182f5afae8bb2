"""The verbs for many documents and for the session: find count check export import run doctor …"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rapyer.config import use_client
from rapyer.connections import client_from_url
from rapyer.search.index import create_index, index_name
from tests.cli.blog_models import Book
from tests.cli.conftest import MODELS, Cli, Configure, Store
from tests.cli.test_safety import monitored


@pytest.fixture
def posts(store: Store) -> None:
    """30 posts with 0 to 29 views."""
    for number in range(30):
        tags = ["even"] if number % 2 == 0 else ["odd"]
        store.put(
            f"BlogPost:{number:02}", {"title": f"Post {number}", "views": number, "tags": tags}
        )


@pytest.mark.usefixtures("posts")
def test_find_takes_conditions_as_in_python(cli: Cli) -> None:
    ran = cli(
        "find",
        "BlogPost",
        "views >= 26 and 'even' in tags",
        "--sort",
        "views",
        "--fields",
        "title,views",
    )
    assert ran.lines == [
        {"key": "BlogPost:26", "title": "Post 26", "views": 26},
        {"key": "BlogPost:28", "title": "Post 28", "views": 28},
    ]


@pytest.mark.usefixtures("posts")
def test_find_gives_every_match_and_the_stored_document(cli: Cli, store: Store) -> None:
    lines = cli("find", "BlogPost").lines
    assert len(lines) == 30
    assert all(line["document"] == store.json(line["key"]) for line in lines)


@pytest.mark.usefixtures("posts")
def test_find_sorts_and_limits(cli: Cli) -> None:
    ran = cli("find", "BlogPost", "--sort=-views", "--limit", "3", "-o", "raw")
    assert ran.out.split() == ["BlogPost:29", "BlogPost:28", "BlogPost:27"]


@pytest.mark.usefixtures("posts")
def test_count_counts(cli: Cli, untyped: Cli) -> None:
    assert cli("count", "BlogPost").json == 30
    assert cli("count", "BlogPost", "'odd' in tags").json == 15
    assert untyped("count", "BlogPost", "views < 5").json == 5


@pytest.mark.usefixtures("posts")
@pytest.mark.parametrize(
    ("expression", "code", "says"),
    [
        ("vews > 1", 4, "no field 'vews'"),
        ("views >", 4, "ends too early"),
        ("__import__('os').system('true')", 4, ""),
        ("views > 'x'", 4, "views"),
        ("", 4, "empty"),
    ],
)
def test_a_bad_condition_is_one_line_and_never_run(
    cli: Cli, expression: str, code: int, says: str
) -> None:
    ran = cli("find", "BlogPost", expression)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert says in ran.err


def test_find_asks_an_index_where_the_model_has_one(cli: Cli, store: Store) -> None:
    for number in range(50):
        store.put(f"Book:{number}", {"isbn": str(number), "shelf": number % 5})
    words = ("find", "Book", "shelf == 3", "-o", "raw")
    by_scan = sorted(cli(*words).out.split())
    assert len(by_scan) == 10

    async def create() -> None:
        client = client_from_url(cli.environ["RAPYER_URL"])
        with use_client(client):
            await create_index(Book)
        await client.aclose()

    asyncio.run(create())
    try:
        with monitored(store) as seen:
            assert sorted(cli(*words).out.split()) == by_scan
            assert sorted(cli(*words, "--read-only").out.split()) == by_scan
        assert "FT.AGGREGATE" in [command[0] for command in seen]
    finally:
        store.call("FT.DROPINDEX", index_name(Book))


def test_find_says_which_documents_it_left_out(cli: Cli, store: Store) -> None:
    store.put("BlogPost:bad", {"title": 5})
    store.put("BlogPost:good", {"title": "x"})
    ran = cli("find", "BlogPost", "title == 'x'")
    assert [line["key"] for line in ran.lines] == ["BlogPost:good"]
    assert "BlogPost:bad" in ran.err


def test_check_lists_drifted_keys_and_fields(cli: Cli, store: Store, post: str) -> None:
    assert cli("check").code == 0
    store.put("BlogPost:bad", {"title": "x", "views": "many", "tags": [1]})
    ran = cli("check", "BlogPost")
    assert ran.code == 1
    assert [line["key"] for line in ran.lines] == ["BlogPost:bad"]
    assert set(ran.lines[0]["fields"]) == {"views", "tags.0"}
    assert "checked 2 documents: 1 document with drift" in ran.err
    table = cli("check", "BlogPost", terminal=True)
    assert table.code == 1
    assert "tags.0" in table.out


def test_export_and_import_keep_every_number_and_ttl(cli: Cli, untyped: Cli, store: Store) -> None:
    text = '{"big":9007199254740993,"one":1.0,"tiny":1e-7,"empty":[],"none":null,"text":"a\\u0001\\"é😀"}'
    store.put("Thing:1", text)
    store.put("Thing:a/b c", text)
    store.call("PEXPIRE", "Thing:1", 500_000)
    stored = store.text("Thing:1")
    assert untyped("export", "Thing", "--to", "out.jsonl").code == 0
    store.call("FLUSHALL")
    ran = untyped("import", "out.jsonl")
    assert (ran.code, ran.err) == (0, "imported 2 documents\n")
    assert store.text("Thing:1") == store.text("Thing:a/b c") == stored
    assert 400_000 < store.call("PTTL", "Thing:1") <= 500_000
    assert store.call("PTTL", "Thing:a/b c") == -1


def test_export_streams_to_standard_output(untyped: Cli, store: Store) -> None:
    for number in range(450):
        store.put(f"Thing:{number}", {"n": number})
    lines = untyped("export", "Thing").lines
    assert sorted(line["value"]["n"] for line in lines) == list(range(450))


def test_export_resumes_after_a_torn_line(untyped: Cli, store: Store) -> None:
    for number in range(10):
        store.put(f"Thing:{number}", {"n": number})
    assert untyped("export", "--to", "out.jsonl").code == 0
    path = untyped.cwd / "out.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:6]) + lines[6][:9])
    assert untyped("export", "--to", "out.jsonl").code == 1
    assert untyped("export", "--to", "out.jsonl", "--resume").code == 0
    keys = [json.loads(line)["key"] for line in path.read_text().splitlines()]
    assert sorted(keys) == [f"Thing:{number}" for number in range(10)]


BAD_LINES = [
    "not json",
    '{"key": "BlogPost:2"}',
    '{"key": 5, "value": {}}',
    '{"key": "BlogPost:3", "value": {"title": 5}}',
    '{"key": "BlogPost:4", "value": {"title": "x", "views": 99999999999999999999}}',
    '{"key": "BlogPost:5", "value": {"title": "x", "rating": NaN}}',
    '{"key": "BlogPost:6", "ttl": -1, "value": {"title": "x"}}',
]


def test_import_reports_bad_lines_by_number_and_loses_nothing(cli: Cli, store: Store) -> None:
    good = [f'{{"key": "BlogPost:g{n}", "value": {{"title": "good"}}}}' for n in range(250)]
    lines = [*good[:100], *BAD_LINES, "", *good[100:]]
    (cli.cwd / "in.jsonl").write_text("\n".join(lines) + "\n")
    ran = cli("import", "in.jsonl", "--rejects", "bad.jsonl")
    assert ran.code == 1
    for number in range(101, 101 + len(BAD_LINES)):
        assert f"in.jsonl:{number}: " in ran.err
    assert "imported 250 documents, 7 lines not" in ran.err
    assert store.call("DBSIZE") == 250
    assert (cli.cwd / "bad.jsonl").read_text().splitlines() == BAD_LINES


def test_import_never_overwrites_unless_told_to(cli: Cli, store: Store, post: str) -> None:
    (cli.cwd / "in.jsonl").write_text('{"key": "BlogPost:1", "value": {"title": "other"}}\n')
    ran = cli("import", "in.jsonl")
    assert (ran.code, store.json(post, "$.title")) == (1, "Hello")
    assert "exists already" in ran.err
    ran = cli("import", "in.jsonl", "--replace")
    assert (ran.code, store.json(post, "$.title")) == (6, "Hello")
    assert "import 1 line of in.jsonl; 1 of the first 1 replace" in ran.err, (
        "the count and a sample"
    )
    assert "BlogPost:1" in ran.err
    assert cli("import", "in.jsonl", "--replace", "--yes").code == 0
    assert store.json(post, "$.title") == "other"


def test_import_goes_on_where_it_was_interrupted(cli: Cli, store: Store, tmp_path: Path) -> None:
    lines = [f'{{"key": "BlogPost:{n}", "value": {{"title": "x"}}}}\n' for n in range(500)]
    (cli.cwd / "in.jsonl").write_text("".join(lines))
    assert cli("import", "in.jsonl").code == 0
    store.call("FLUSHALL")
    store.call("CONFIG", "SET", "maxmemory", "1")  # the server refuses writes from here on
    try:
        ran = cli("import", "in.jsonl")
    finally:
        store.call("CONFIG", "SET", "maxmemory", "0")
    assert (ran.code, store.call("DBSIZE")) == (1, 0)
    assert "maxmemory" in ran.err
    ran = cli("import", "in.jsonl", "--resume")
    assert (ran.code, ran.err) == (0, "imported 500 documents\n")
    assert store.call("DBSIZE") == 500
    ran = cli("import", "in.jsonl")
    assert (ran.code, ran.err) == (0, "imported 0 documents, 500 were there already\n")


def test_run_does_the_lines_of_a_file(cli: Cli, store: Store, post: str) -> None:
    (cli.cwd / "fix.txt").write_text(
        "# a comment\n\nincrease BlogPost:1/views 2\ncd BlogPost:1\nset title 'From a file'\nget views\n"
    )
    ran = cli("run", "fix.txt")
    assert ran.code == 0, ran.err
    assert ran.out == "2\n2\n"
    assert store.json(post, "$.title") == "From a file"


def test_run_stops_at_the_first_line_that_fails(cli: Cli, store: Store, post: str) -> None:
    (cli.cwd / "fix.txt").write_text(
        "increase BlogPost:1/views\nset BlogPost:1/views many\nincrease BlogPost:1/views\n"
    )
    ran = cli("run", "fix.txt")
    assert (ran.code, store.json(post, "$.views")) == (4, 1)
    assert "fix.txt:2: " in ran.err
    assert cli("run", "fix.txt", "--keep-going").code == 4
    assert store.json(post, "$.views") == 3


def test_run_parses_all_lines_before_the_first_is_run(cli: Cli, store: Store, post: str) -> None:
    (cli.cwd / "fix.txt").write_text("increase BlogPost:1/views\nincraese BlogPost:1/views\n")
    ran = cli("run", "fix.txt")
    assert (ran.code, store.json(post, "$.views")) == (2, 0)
    assert "fix.txt:2: " in ran.err


def test_run_atomic_applies_all_or_nothing(cli: Cli, store: Store, post: str) -> None:
    (cli.cwd / "good.txt").write_text("increase BlogPost:1/views\nappend BlogPost:1/tags d\n")
    assert cli("run", "good.txt", "--atomic").code == 0
    assert store.json(post, "$.tags") == ["a", "b", "c", "d"]
    before = store.text(post)
    (cli.cwd / "bad.txt").write_text("increase BlogPost:1/views\nincrease BlogPost:404/views\n")
    ran = cli("run", "bad.txt", "--atomic")
    assert (ran.code, store.text(post)) == (3, before)
    # refused by the server, after all lines were queued
    store.put("Product:tea", {"name": "tea", "stock": 1})
    (cli.cwd / "late.txt").write_text("increase BlogPost:1/views\nincrease Product:tea/stock -5\n")
    ran = cli("run", "late.txt", "--atomic")
    assert (ran.code, store.text(post)) == (4, before)


def test_run_atomic_dry_run_shows_everything_and_sends_nothing(
    cli: Cli, store: Store, post: str
) -> None:
    (cli.cwd / "good.txt").write_text("increase BlogPost:1/views\nappend BlogPost:1/tags d\n")
    before = store.text(post)
    ran = cli("run", "good.txt", "--atomic", "--dry-run")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "JSON.NUMINCRBY BlogPost:1 $.views 1",
        "JSON.ARRAPPEND BlogPost:1 $.tags '\"d\"'",
    ]
    assert store.text(post) == before


def test_ttl_shows_and_sets(cli: Cli, store: Store, post: str) -> None:
    assert cli("ttl", post).json is None
    assert cli("ttl", post, "100").code == 0
    assert 90 < cli("ttl", post).json <= 100
    assert cli("ttl", post, "never").code == 0
    assert store.call("PTTL", post) == -1
    assert cli("ttl", post, "0").code == 4
    assert cli("ttl", "BlogPost:404").code == 3
    assert cli("ttl", "BlogPost:404", "5").code == 3


def test_diff_shows_what_differs_and_says_so_by_its_code(cli: Cli, store: Store, post: str) -> None:
    assert (cli("diff", post, post).code, cli("diff", post, post).out) == (0, "")
    store.put("BlogPost:2", {**store.json(post), "views": 7})
    ran = cli("diff", post, "BlogPost:2")
    assert (ran.code, ran.lines) == (
        1,
        [{"path": "views", "change": "changed", "before": 0, "after": 7}],
    )
    (cli.cwd / "copy.json").write_text(store.text(post) or "")
    assert cli("diff", post, "@copy.json").code == 0
    assert cli("diff", f"{post}/tags", "-", stdin='["a","b"]').code == 1


def test_doctor_goes_through_everything(cli: Cli, store: Store, post: str) -> None:
    rows = {row["check"]: row for row in cli("doctor").lines}
    assert {"rapyer", "models", "server", "latency", "version", "modules", "persistence"} <= set(
        rows
    )
    assert "ReJSON" in rows["modules"]["detail"]
    assert cli("doctor").code == 0
    store.put("BlogPost:bad", {"title": 5})
    assert cli("doctor").code == 1


def test_doctor_says_what_is_broken_and_goes_on(cli: Cli) -> None:
    (cli.cwd / "wrong.py").write_text("import nothing_of_this_name\n")
    ran = cli("doctor", "-m", "wrong.py", "-m", MODELS)
    assert ran.code == 7
    assert "ModuleNotFoundError" in ran.err
    assert {row["check"]: row["state"] for row in ran.lines}["server"] == "ok"
    ran = cli("doctor", "--url", "redis://127.0.0.1:1")
    assert ran.code == 5
    assert {row["check"]: row["state"] for row in ran.lines}["server"] == "broken"


def test_config_says_what_is_in_force_and_where_from(cli: Cli, configure: Configure) -> None:
    configure('[profiles.live]\nurl = "redis://user:pw@h/0"\nenvironment = "prod"\n')
    rows = {row["setting"]: row for row in cli("config").lines}
    assert rows["server"]["source"] == "RAPYER_URL"
    assert rows["models"]["source"] == "RAPYER_MODELS"
    rows = {row["setting"]: row for row in cli("config", "--profile", "live").lines}
    assert rows["server"] == {
        "setting": "server",
        "value": "redis://user:***@h/0",
        "source": "--profile live",
    }
    assert rows["changes"]["value"] == "refused"


def test_watch_shows_each_change(cli: Cli, store: Store, post: str) -> None:
    import threading

    changed = threading.Event()

    def change() -> None:
        while not changed.wait(0.01):
            store.call("JSON.NUMINCRBY", post, "$.views", 1)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        ran = cli("watch", f"{post}/views", "--count", "2", "--interval", "0.02")
    finally:
        changed.set()
        thread.join()
    values = ran.lines
    assert len(values) == 3
    assert values == sorted(set(values))


def test_watch_uses_notifications_where_the_server_sends_them(
    cli: Cli, store: Store, post: str
) -> None:
    import threading

    store.call("CONFIG", "SET", "notify-keyspace-events", "KEA")
    stop = threading.Event()

    def change() -> None:
        while not stop.wait(0.01):
            store.call("JSON.NUMINCRBY", post, "$.views", 1)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        # polling alone would take an hour
        ran = cli("watch", f"{post}/views", "--count", "1", "--interval", "3600")
    finally:
        stop.set()
        thread.join()
        store.call("CONFIG", "SET", "notify-keyspace-events", "")
    assert len(ran.lines) == 2


def editor(cli: Cli, script: str) -> None:
    path = cli.cwd / "editor.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    cli.environ["EDITOR"] = str(path)


def test_edit_validates_what_the_editor_saved(cli: Cli, store: Store, post: str) -> None:
    editor(cli, """echo '["x", "y"]' > "$1" """)
    assert cli("edit", f"{post}/tags").code == 0
    assert store.json(post, "$.tags") == ["x", "y"]
    editor(cli, """echo 'nonsense' > "$1" """)
    ran = cli("edit", f"{post}/scores", terminal=True, stdin="n\n")
    assert (ran.code, store.json(post, "$.scores")) == (6, [])
    editor(cli, "true")
    ran = cli("edit", f"{post}/title")
    assert (ran.code, "unchanged" in ran.err) == (0, True)
    editor(cli, "exit 3")
    assert cli("edit", f"{post}/title").code == 6


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_writes_the_script_of_a_shell(cli: Cli, shell: str) -> None:
    ran = cli("completion", shell)
    assert ran.code == 0
    assert "rapyer __complete" in ran.out


def complete(cli: Cli, *words: str) -> list[str]:
    *line, partial = words
    return cli("__complete", "bash", *line, "--", partial).out.splitlines()


def test_shells_complete_models_fields_and_keys_without_user_code(cli: Cli, post: str) -> None:
    module = cli.cwd / "own_models.py"
    source = Path(MODELS).read_text()
    module.write_text(source)
    cli.environ["RAPYER_MODELS"] = "own_models.py"
    assert cli("models").code == 0
    module.write_text("raise SystemExit('user code was imported')\n")
    assert complete(cli, "get", "Bl") == ["BlogPost:"]
    assert complete(cli, "get", "BlogPost:") == ["BlogPost:1"]
    assert complete(cli, "increase", "BlogPost:1/v") == ["BlogPost:1/views"]
    assert complete(cli, "get", "BlogPost:1/settings/") == ["BlogPost:1/settings/theme"]
    assert complete(cli, "set", "BlogPost:1/status", "") == ["draft", "live"]
    assert complete(cli, "incr") == ["increase"]


@pytest.mark.parametrize(
    ("line", "replies"),
    [
        ("rapyer get Bl", ["BlogPost:"]),
        ("rapyer get BlogPost:", ["1"]),
        ("rapyer increase BlogPost:1/v", ["1/views"]),
        ("rapyer update BlogPost:1 status=l", ["live"]),
        ("rapyer get BlogPost:1 -o js", ["json", "jsonl"]),
        ("rapyer incr", ["increase"]),
    ],
)
def test_bash_replaces_only_what_follows_its_own_word_break(
    cli: Cli, post: str, line: str, replies: list[str]
) -> None:
    assert cli("models").code == 0
    script = cli("completion", "bash").out
    command = f"{sys.executable} -m rapyer_cli"
    done = subprocess.run(
        [
            "bash",
            "--norc",
            "-c",
            f'rapyer() {{ {command} "$@"; }}; {script}\n_rapyer; printf "%s\\n" "${{COMPREPLY[@]}}"',
        ],
        env={
            **cli.environ,
            "PATH": os.environ["PATH"],
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "COMP_WORDBREAKS": " :=",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        cwd=cli.cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == replies


def test_completing_is_silent_when_nothing_can_be_known(cli: Cli, configure: Configure) -> None:
    cli.environ["RAPYER_URL"] = "redis://127.0.0.1:1"
    ran = cli("__complete", "bash", "get", "--", "BlogPost:")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    configure("broken [")
    assert cli("__complete", "bash", "get", "--", "Bl").code == 0


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
