"""A model that its maker put into a document, however deep, is changed there in a pipeline through the maker's own handle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from rapyer import AtomicRedisModel
from tests.conftest import Stored


class Leaf(BaseModel):
    size: int = 0


class Branch(BaseModel):
    leaf: Leaf = Leaf()
    leaves: list[Leaf] = []


class Tree(AtomicRedisModel):
    branch: Branch = Branch()
    branches: list[Branch] = []
    rows: list[list[Leaf]] = []
    table: dict[str, Leaf] = {}
    deep: dict[str, dict[str, list[Leaf]]] = {}
    name: str = ""


PLACED: list[Callable[[], Tree]] = [
    lambda: Tree(branch=Branch()),
    lambda: Tree(branch=Branch(leaves=[Leaf()])),
    lambda: Tree(branches=[Branch(), Branch(leaves=[Leaf(), Leaf()])]),
    lambda: Tree(rows=[[Leaf()], [Leaf(), Leaf()]]),
    lambda: Tree(table={"a": Leaf(), "b": Leaf()}),
    lambda: Tree(deep={"a": {"b": [Leaf(), Leaf()]}}),
]


def leaves_in(value: Any) -> list[Any]:
    """The innermost models, as they are held: read past the document's own ways."""
    if isinstance(value, Leaf):
        return [value]
    if isinstance(value, BaseModel):
        value = list(value.__dict__.values())
    if isinstance(value, dict):
        value = list(dict.values(value))
    return (
        [leaf for item in list.__iter__(value) for leaf in leaves_in(item)]
        if isinstance(value, list)
        else []
    )


@pytest.mark.parametrize("make", PLACED)
@pytest.mark.parametrize("aborted", [False, True])
async def test_changes_through_a_handle_are_queued_and_taken_back(
    stored: Stored, make: Callable[[], Tree], aborted: bool
) -> None:
    tree = await make().save()
    before = await stored(tree)

    async def changed() -> None:
        async with tree.pipeline():
            for number, leaf in enumerate(leaves_in(tree)):
                leaf.size = number + 1
            if aborted:
                raise NotImplementedError("the block is left")

    if aborted:
        with pytest.raises(NotImplementedError):
            await changed()
        assert await stored(tree) == before
        assert [leaf.size for leaf in leaves_in(tree)] == [0] * len(leaves_in(tree))
    else:
        await changed()
        again = leaves_in(await Tree.get(tree.key))
        assert [leaf.size for leaf in again] == [*range(1, len(again) + 1)]
