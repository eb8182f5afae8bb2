"""What a target means depends on where one is; a model or a pasted key means itself everywhere."""

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
