"""Values without a Redis type of their own, changed in place inside a pipeline; and what others did meanwhile."""
# ruff: noqa: PT012 - a pipeline is raised by its block

import asyncio
import dataclasses

import pytest
from redis.asyncio import Redis

from rapyer import AtomicRedisModel, SafeLoad
from rapyer.errors import PipelineError, WrongTypeError
from tests.conftest import Stored


@dataclasses.dataclass
class Point:
    x: int = 0


class Drawing(AtomicRedisModel):
    roles: set[str] = {"reader"}
    point: Point = Point()
    points: list[Point] = []
    named: dict[str, Point] = {}
    count: int = 0
    tags: list[int] = []
    size: SafeLoad[int] = 0


async def test_a_set_or_dataclass_changed_in_place_in_a_pipeline_is_queued(stored: Stored) -> None:
    drawing = await Drawing(points=[Point(1)], named={"a": Point(2)}).save()
    async with drawing.pipeline():
        drawing.roles.add("admin")
        drawing.point.x = 5
        drawing.points[0].x = 6
        drawing.named["a"].x = 7
        drawing.count += 1
    document = await stored(drawing)
    assert sorted(document["roles"]) == ["admin", "reader"]
    assert (document["point"], document["points"], document["named"]) == (
        {"x": 5},
        [{"x": 6}],
        {"a": {"x": 7}},
    )
    assert await Drawing.get(drawing.key) == drawing


async def test_what_was_changed_in_place_is_rolled_back_with_the_rest(
    stored: Stored, redis: Redis
) -> None:
    drawing = await Drawing(points=[Point(1)]).save()
    with pytest.raises(ZeroDivisionError):
        async with drawing.pipeline():
            drawing.roles.add("admin")
            drawing.points[0].x = 6
            raise ZeroDivisionError
    assert (drawing.roles, drawing.points) == ({"reader"}, [Point(1)])

    await redis.execute_command("JSON.SET", drawing.key, "$.count", '"text"')
    before = await stored(drawing)
    with pytest.raises(PipelineError):
        async with drawing.pipeline():
            drawing.roles.add("admin")
            drawing.points[0].x = 6
            drawing.count += 1
    assert (drawing.roles, drawing.points) == ({"reader"}, [Point(1)])
    assert await stored(drawing) == before


async def test_a_rollback_leaves_what_another_task_did_to_the_same_instance() -> None:
    drawing = await Drawing().save()

    async def fails() -> None:
        async with drawing.pipeline():
            drawing.count += 1
            await asyncio.sleep(0)
            raise ZeroDivisionError

    async def works() -> None:
        async with drawing.pipeline():
            drawing.tags.append(1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    results = await asyncio.gather(fails(), works(), return_exceptions=True)
    assert isinstance(results[0], ZeroDivisionError)
    assert (drawing.count, drawing.tags) == (0, [1])
    assert await Drawing.get(drawing.key) == drawing


async def test_saving_keeps_what_a_safe_field_could_not_read_until_it_is_assigned(
    stored: Stored, redis: Redis
) -> None:
    drawing = await Drawing().save()
    await redis.execute_command("JSON.SET", drawing.key, "$.size", '"not a number"')
    read = await Drawing.get(drawing.key)
    assert (read.size, read.failed_fields) == (None, ("size",))
    read.count = 3
    await read.save()
    assert (await stored(drawing))["size"] == "not a number"
    read.size = 4
    await read.save()
    assert (await stored(drawing))["size"] == 4
    assert read.failed_fields == ()


async def test_inserting_again_keeps_what_a_safe_field_could_not_read(
    stored: Stored, redis: Redis
) -> None:
    drawing = await Drawing().save()
    await redis.execute_command("JSON.SET", drawing.key, "$.size", '"not a number"')
    read = await Drawing.get(drawing.key)
    await read.delete()
    await Drawing.insert(read)
    assert (await stored(drawing))["size"] == "not a number"


async def test_an_extra_list_changed_in_place_in_a_pipeline_is_queued_and_rolled_back(
    stored: Stored, redis: Redis
) -> None:
    class Open(AtomicRedisModel, extra="allow"):
        count: int = 0

    model = await Open(notes=["a"]).save()  # type: ignore[call-arg]
    async with model.pipeline():
        model.notes.append("b")  # type: ignore[attr-defined]
        model.count += 1
    assert (await stored(model)) == {"count": 1, "notes": ["a", "b"]}

    await redis.execute_command("JSON.SET", model.key, "$.count", '"text"')
    with pytest.raises(PipelineError):
        async with model.pipeline():
            model.notes.append("c")  # type: ignore[attr-defined]
            model.count += 1
    assert model.notes == ["a", "b"]  # type: ignore[attr-defined]
    assert (await stored(model))["notes"] == ["a", "b"]


async def test_deleting_by_key_leaves_keys_of_other_redis_types(redis: Redis) -> None:
    await redis.set("Drawing:text", "not a document")
    with pytest.raises(WrongTypeError):
        await Drawing.delete_by_key("Drawing:text")
    assert await redis.exists("Drawing:text") == 1
