"""Where ``Key``, ``Index`` and ``SafeLoad`` stand in an annotation: they work there, or the class is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Optional, Union

import pytest
from pydantic import Field, create_model
from redis.asyncio import Redis

from rapyer import AtomicRedisModel, Index, Key, SafeLoad
from rapyer.errors import ModelDefinitionError
from rapyer.fields import IndexMark, KeyMark, SafeLoadMark
from rapyer.search.index_fields import index_schema

Placement = Callable[[Any, Any], Any]

AROUND: dict[str, Placement] = {
    "Mark[T]": lambda mark, of: mark[of],
    "Mark(T)": lambda mark, of: mark(of),
    "Annotated[T, Mark]": lambda mark, of: Annotated[of, mark],
    "Annotated[T, Mark()]": lambda mark, of: Annotated[of, mark()],
    "Annotated[T, Mark(T)]": lambda mark, of: Annotated[of, mark(of)],
    "Annotated[T, Field(), Mark]": lambda mark, of: Annotated[of, Field(title="t"), mark],
    "Annotated[Mark[T], Field()]": lambda mark, of: Annotated[mark[of], Field(title="t")],
    "Mark[T | None]": lambda mark, of: mark[of | None],
    "Mark[T] | None": lambda mark, of: mark[of] | None,
    "None | Mark[T]": lambda mark, of: None | mark[of],
    "Optional[Mark[T]]": lambda mark, of: Optional[mark[of]],  # noqa: UP045
    "Union[None, Mark[T]]": lambda mark, of: Union[None, mark[of]],  # noqa: UP007
    "Annotated[Mark[T] | None, Field()]": lambda mark, of: Annotated[
        mark[of] | None, Field(title="t")
    ],
}
INSIDE: dict[str, Placement] = {
    "list[Mark[T]]": lambda mark, of: list[mark[of]],
    "list[Mark[T] | None]": lambda mark, of: list[mark[of] | None],
    "list[Mark[T]] | None": lambda mark, of: list[mark[of]] | None,
    "dict[str, Mark[T]]": lambda mark, of: dict[str, mark[of]],
    "dict[Mark[T], str]": lambda mark, of: dict[mark[of], str],
    "tuple[Mark[T], int]": lambda mark, of: tuple[mark[of], int],
    "set[Annotated[T, Mark]]": lambda mark, of: set[Annotated[of, mark]],
    "list[list[Mark[T]]]": lambda mark, of: list[list[mark[of]]],
    "Annotated[list[Mark[T]], Field()]": lambda mark, of: Annotated[
        list[mark[of]], Field(title="t")
    ],
}
MARKS: list[tuple[Any, type]] = [
    (Key, KeyMark),
    (Index, IndexMark),
    (SafeLoad, SafeLoadMark),
]


def marked(annotation: Any) -> Any:
    return create_model("Marked", __base__=AtomicRedisModel, value=(annotation, ...))


@pytest.mark.parametrize("placement", AROUND)
async def test_safe_load_works_wherever_it_may_stand(placement: str, redis: Redis) -> None:
    model = marked(AROUND[placement](SafeLoad, int))
    await redis.execute_command("JSON.SET", "Marked:1", "$", '{"value":"no number"}')
    read = await model.get("1")
    assert read.value is None
    assert read.failed_fields == ("value",)
    assert (await model.find()) == [read]


@pytest.mark.parametrize("placement", AROUND)
async def test_key_works_wherever_it_may_stand(placement: str, redis: Redis) -> None:
    model = marked(AROUND[placement](Key, int))
    assert (await model(value=7).save()).key == "Marked:7"
    assert (await model.get(7)).value == 7


@pytest.mark.parametrize("placement", AROUND)
def test_index_works_wherever_it_may_stand(placement: str) -> None:
    schema = index_schema(marked(AROUND[placement](Index, int)))
    assert list(schema.fields) == [("value",)]


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark[0].__name__)
@pytest.mark.parametrize("placement", INSIDE)
def test_a_mark_inside_of_a_field_is_refused_with_its_class(
    placement: str, mark: tuple[Any, type]
) -> None:
    word, _ = mark
    with pytest.raises(ModelDefinitionError, match=rf"Marked.value: {word.__name__} marks fields"):
        marked(INSIDE[placement](word, int))


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark[0].__name__)
def test_a_mark_inside_of_a_field_is_refused_when_what_it_mentions_is_defined_later(
    mark: tuple[Any, type],
) -> None:
    word, _ = mark
    model = create_model("Marked", __base__=AtomicRedisModel, value=("list[Late]", ...))
    with pytest.raises(ModelDefinitionError, match="marks fields"):
        model.model_rebuild(_types_namespace={"Late": word[int]})


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark[0].__name__)
def test_a_mark_in_place_of_a_default_or_of_a_type_is_refused(mark: tuple[Any, type]) -> None:
    word, _ = mark
    for default in (word, word()):
        with pytest.raises(ModelDefinitionError, match=rf"write value: {word.__name__}\["):
            create_model("Marked", __base__=AtomicRedisModel, value=(str, default))
    for annotation in (word, word | None, list[word]):
        with pytest.raises(ModelDefinitionError, match=rf"{word.__name__} alone is no type"):
            create_model("Marked", __base__=AtomicRedisModel, value=(annotation, ...))
