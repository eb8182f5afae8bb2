"""A commit shows what each place held before its first change and after its last, and undo restores all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.cli.conftest import Cli, Store
from tests.cli.test_repl_lines import POST, Sitting, sitting_for


@pytest.fixture
async def repl(cli: Cli, store: Store) -> AsyncIterator[Sitting]:
    store.put(
        POST, {"title": "Hello", "views": 5, "tags": ["a", "b"], "settings": {"theme": "light"}}
    )
    sitting = await sitting_for(cli)
    yield sitting
    await sitting.repl.session.close()


QUEUED = [
    "begin",
    f"increase {POST}/views 1",
    f"set {POST}/title Once",
    f"increase {POST}/views 2",
    f"append {POST}/tags c",
    f"set {POST}/title Twice",
    f"set {POST}/settings/theme dark",
    f"set {POST}/settings/font serif",
]


async def test_commit_shows_each_place_once_from_before_the_first_to_after_the_last_change(
    repl: Sitting, store: Store
) -> None:
    for line in QUEUED:
        await repl(line)
    lines = (await repl("commit") + repl.err.getvalue()).splitlines()
    assert sorted(line for line in lines if line) == [
        f'{POST}/settings/font: + "serif"',
        f'{POST}/settings/theme: "light" → "dark"',
        f'{POST}/tags/2: + "c"',
        f'{POST}/title: "Hello" → "Twice"',
        f"{POST}/views: 5 → 8",
    ]


async def test_undo_after_a_commit_restores_every_place_and_says_what_it_was(
    repl: Sitting, store: Store
) -> None:
    before = store.text(POST)
    for line in [*QUEUED, "commit"]:
        await repl(line)
    assert store.json(POST, "$.views") == 8
    lines = (await repl("undo") + repl.err.getvalue()).splitlines()
    assert sorted(line for line in lines if line) == [
        f'{POST}/settings/font: - "serif"',
        f'{POST}/settings/theme: "dark" → "light"',
        f'{POST}/tags/2: - "c"',
        f'{POST}/title: "Twice" → "Hello"',
        f"{POST}/views: 8 → 5",
    ]
    assert store.text(POST) == before


async def test_commit_shows_what_the_server_made_of_it(repl: Sitting, store: Store) -> None:
    await repl("begin")
    await repl(f"increase {POST}/views 1")
    store.call("JSON.SET", POST, "$.views", "50")
    await repl("commit")
    assert "→ 51" in repl.err.getvalue() + repl.out.getvalue()
    assert store.json(POST, "$.views") == 51


@pytest.mark.parametrize("slash", ["%2F", "%2f"])
async def test_an_escaped_slash_is_read_in_either_spelling(
    repl: Sitting, store: Store, slash: str
) -> None:
    store.put("BlogPost:a/b", {"title": "slashed"})
    assert await repl.json(f"get BlogPost:a{slash}b/title") == "slashed"
    await repl(f"set BlogPost:a{slash}b/title New")
    assert store.json("BlogPost:a/b", "$.title") == "New"
    assert store.call("DBSIZE") == 2
