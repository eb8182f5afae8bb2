"""Random pipelines on a copy that is out of date: each operation has its effect on what the server has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Stored
from tests.types import test_differential_dict as dicts
from tests.types import test_differential_list as lists
from tests.types.differential import SETTINGS, Pair


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
    await Pair(model, "items", theirs, stored).run_stale(steps)


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
    await Pair(model, "table", theirs, stored).run_stale(steps)
