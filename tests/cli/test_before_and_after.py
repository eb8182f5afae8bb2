"""Every change is shown before it is made and after; what will be refused is said before."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.cli.conftest import Cli, Store
from tests.cli.test_repl_lines import Sitting, sitting_for


@pytest.fixture
async def repl(cli: Cli) -> AsyncIterator[Sitting]:
    sitting = await sitting_for(cli)
    yield sitting
    await sitting.repl.session.close()


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
