"""What a model's configuration says of texts holds for typed dicts and dataclasses in it, and not for models in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter
from typing_extensions import TypedDict

from rapyer import AtomicRedisModel
from rapyer.errors import PipelineError
from tests.conftest import Stored


class Entry(TypedDict):
    name: str


@dataclass
class Data:
    name: str = "a"


class Inner(BaseModel):
    name: str = "a"


class Short(AtomicRedisModel):
    model_config = ConfigDict(str_max_length=4)

    entry: Entry = {"name": "a"}
    entries: list[Entry] = [{"name": "a"}]
    named: dict[str, str] = {"name": "a"}
    data: Data = Data()
    inner: Inner = Inner()
    name: str = "a"


HOLDERS: dict[str, Callable[[Any], Any]] = {
    "entry": lambda short: short.entry,
    "entries": lambda short: short.entries[0],
    "named": lambda short: short.named,
    "inner": lambda short: short.inner,
    "data": lambda short: short.data,
}


def _is_allowed(name: str) -> bool:
    content: Any = {"name": "abcde"}
    try:
        TypeAdapter(Short).validate_python({name: [content] if name == "entries" else content})
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", HOLDERS)
async def test_texts_are_as_long_as_pydantic_allows(stored: Stored, name: str) -> None:
    short = await Short().save()
    before = await stored(short)

    async def lengthen() -> None:
        async with short.pipeline():
            short.name = "b"
            holder = HOLDERS[name](short)
            if isinstance(holder, dict):
                holder["name"] += "bcde"
            else:
                holder.name += "bcde"

    if _is_allowed(name):
        await lengthen()
        assert (await stored(short))[name] == {"name": "abcde"}
    else:
        with pytest.raises((ValueError, PipelineError)):
            await lengthen()
        assert await stored(short) == before
        assert short.model_dump() == Short().model_dump()


def test_what_is_allowed_differs() -> None:
    assert {name for name in HOLDERS if _is_allowed(name)} == {"inner"}
