"""Random pipelines on a copy that is out of date: each operation has its effect on what the server has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapyer.errors import PathNotFound, PipelineError
from tests.conftest import Stored
from tests.types import test_differential_dict as dicts
from tests.types import test_differential_list as lists
from tests.types.differential import SETTINGS, Outcome, agree, attempt, exactly


def run(plain: Any, done: list[Any]) -> Outcome:
    """All operations on the plain value, up to the first that fails."""
    for step in done:
        outcome = attempt(lambda: step(plain))  # noqa: B023
        if outcome.error is not None:
            return outcome
    return Outcome(None, None)


def _is_path_not_found(failure: Exception | None) -> bool:
    """How a batch reports an item that is to be set and is not there."""
    return failure is not None and isinstance(failure.__cause__, PathNotFound)


async def check(model: Any, field: str, theirs: Any, steps: Any, stored: Stored) -> None:
    before = exactly(getattr(model, field))
    state = exactly(await stored(model))
    done: list[Any] = []
    failure: Exception | None = None
    try:
        async with model.pipeline():
            for _, step in steps:
                if attempt(lambda: step(getattr(model, field))).error is None:  # noqa: B023
                    done.append(step)
    except PipelineError as error:
        failure = error
    expected = run(theirs, done)
    if not isinstance(expected.error, IndexError) or not _is_path_not_found(failure):
        agree(expected, Outcome(None, failure))
    if expected.error is None:
        assert exactly(getattr(await type(model).get(model.key), field)) == exactly(theirs)
        if done:
            assert exactly(getattr(model, field)) == exactly(theirs)
    else:
        assert exactly(await stored(model)) == state
        assert exactly(getattr(model, field)) == before


@pytest.mark.parametrize("kind", lists.KINDS)
@SETTINGS
@given(data=st.data())
async def test_list_pipeline_on_a_stale_copy(
    kind: str, data: st.DataObject, stored: Stored
) -> None:
    cls, item = lists.KINDS[kind]
    start = data.draw(st.lists(item, max_size=6))
    theirs = data.draw(st.lists(item, max_size=6))
    model = await cls(items=start).save()
    other = await cls.get(model.key)
    other.items = theirs
    await other.save()
    steps = data.draw(st.lists(lists.changes(item), max_size=8))
    await check(model, "items", theirs, steps, stored)


@pytest.mark.parametrize("kind", dicts.KINDS)
@SETTINGS
@given(data=st.data())
async def test_dict_pipeline_on_a_stale_copy(
    kind: str, data: st.DataObject, stored: Stored
) -> None:
    cls, key, value = dicts.KINDS[kind]
    start = data.draw(st.dictionaries(key, value, max_size=4))
    theirs = data.draw(st.dictionaries(key, value, max_size=4))
    model = await cls(table=start).save()
    other = await cls.get(model.key)
    other.table = theirs
    await other.save()
    steps = data.draw(st.lists(dicts.changes(key, value), max_size=8))
    await check(model, "table", theirs, steps, stored)
