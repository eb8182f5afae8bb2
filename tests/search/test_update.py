"""find(...).update(...): each document in one step, only while it matches, and what was done is reported."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import Field, ValidationError, field_validator, model_validator
from redis.asyncio import Redis

from rapyer import AtomicRedisModel, Key, RedisConfig, SafeLoad
from rapyer.connections import Session
from rapyer.errors import (
    BulkError,
    ConstraintError,
    DocumentError,
    InvalidValueError,
    KeyNotFound,
    OutcomeUnknownError,
    RapyerError,
    UnknownFieldError,
)


class Job(AtomicRedisModel):
    id: Key[str]
    state: str = "new"
    tries: int = Field(default=0, ge=0)
    low: int = 0
    high: int = 10
    tags: list[str] = []
    note: SafeLoad[int] = 0
    serial: int = Field(default=0, frozen=True)

    @field_validator("state")
    @classmethod
    def _lower(cls, value: str) -> str:
        return value.lower()

    @model_validator(mode="after")
    def _in_order(self) -> Job:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


async def raw(client: Redis, key: str) -> Any:
    return json.loads(await client.execute_command("JSON.GET", key))


async def test_all_that_match_are_changed_and_counted(client: Redis) -> None:
    await Job.insert(*(Job(id=str(n), tries=n % 3) for n in range(500)))
    changed = await Job.find(Job.tries == 1).update(state="DONE", tags=["x"])
    assert changed == await Job.find(Job.state == "done").count() == 167
    assert await raw(client, "Job:1") == {
        **json.loads(Job(id="1", tries=1).model_dump_json()),
        "state": "done",
        "tags": ["x"],
    }
    assert await Job.find().aupdate({"state": "x"}) == 500
    assert await Job.find(Job.tries == 99).update(state="y") == 0


async def test_only_the_named_fields_are_written(client: Redis) -> None:
    await Job(id="1").save()
    await client.execute_command("JSON.SET", "Job:1", "$.unknown", '"kept"')
    await client.execute_command("JSON.SET", "Job:1", "$.note", '"no number"')
    assert await Job.find("1").update(state="x") == 1
    stored = await raw(client, "Job:1")
    assert (stored["unknown"], stored["note"], stored["state"]) == ("kept", "no number", "x")


async def test_ttl_stays_or_is_refreshed_where_the_model_asks_for_it(client: Redis) -> None:
    class Kept(AtomicRedisModel):
        Meta = RedisConfig(redis=client, ttl=100)
        n: int = 0

    class Fresh(AtomicRedisModel):
        Meta = RedisConfig(redis=client, ttl=100, refresh_ttl=True)
        n: int = 0

    kept, fresh = await Kept().save(), await Fresh().save()
    for document in (kept, fresh):
        await client.expire(document.key, 50)
    assert await Kept.find().update(n=1) == await Fresh.find().update(n=1) == 1
    assert 0 < await client.ttl(kept.key) <= 50
    assert await client.ttl(fresh.key) > 50


async def test_each_document_is_claimed_by_exactly_one_of_many_callers() -> None:
    await Job.insert(*(Job(id=str(n)) for n in range(60)))
    counts = await asyncio.gather(
        *(Job.find(Job.state == "new").update(state=f"taken{n}") for n in range(6))
    )
    assert sum(counts) == 60
    for number, count in enumerate(counts):
        assert await Job.find(Job.state == f"taken{number}").count() == count


async def test_what_somebody_else_changes_meanwhile_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await Job.insert(Job(id="still"), Job(id="gone"), Job(id="deleted"))
    original, interfered = Session.evalsha, False

    async def interfering(self: Any, *args: Any, **options: Any) -> Any:
        nonlocal interfered
        if not interfered:
            interfered = True
            await (await Job.get("still")).tags.aappend("theirs")  # type: ignore[attr-defined]
            await (await Job.get("gone")).aupdate(state="done")
            await Job.delete_by_key("deleted")
        return await original(self, *args, **options)

    monkeypatch.setattr(Session, "evalsha", interfering)
    assert await Job.find(Job.state == "new").update(tries=7) == 1
    still, gone = await Job.get("still"), await Job.get("gone")
    assert (still.tries, still.tags) == (7, ["theirs"])
    assert (gone.tries, gone.state) == (0, "done")
    assert not await Job.exists("deleted")


async def test_page_of_a_sorted_search_is_all_that_is_changed() -> None:
    await Job.insert(*(Job(id=str(n), tries=n) for n in range(6)))
    assert await Job.find(sort="-tries", limit=2, offset=1).update(state="chosen") == 2
    assert sorted([job.tries for job in await Job.find(Job.state == "chosen")]) == [3, 4]


async def test_given_keys_that_are_missing_are_reported_after_the_rest_was_changed() -> None:
    await Job(id="1").save()
    with pytest.raises(BulkError, match="1 documents were updated, 1 failed") as caught:
        await Job.find("1", "none").update(state="x")
    assert isinstance(caught.value.failures["Job:none"], KeyNotFound)
    assert (await Job.get("1")).state == "x"
    assert await Job.find("1", "none", missing_ok=True).update(state="y") == 1


async def test_document_whose_validators_refuse_the_result_stays_as_it_is(client: Redis) -> None:
    await Job.insert(Job(id="a", high=10), Job(id="b", high=3))
    with pytest.raises(BulkError, match="1 documents were updated") as caught:
        await Job.find().update(low=5)
    assert isinstance(caught.value.failures["Job:b"], ConstraintError)
    assert (await Job.get("a")).low == 5
    assert (await raw(client, "Job:b"))["low"] == 0


async def test_document_that_does_not_fit_its_model_is_reported_and_left_alone(
    client: Redis,
) -> None:
    await Job(id="a").save()
    await client.execute_command("JSON.SET", "Job:b", "$", '{"id": "b", "tries": "many"}')
    with pytest.raises(BulkError) as caught:
        await Job.find().update(state="x")
    assert isinstance(caught.value.failures["Job:b"], DocumentError)
    assert await raw(client, "Job:b") == {"id": "b", "tries": "many"}
    assert (await Job.get("a")).state == "x"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"tries": -1}, ValidationError),
        ({"tries": "x"}, ValidationError),
        ({"stat": "x"}, UnknownFieldError),
        ({"id": "x"}, InvalidValueError),
        ({"serial": 1}, InvalidValueError),
        ({"tries": 2**63}, (ValidationError, InvalidValueError)),
    ],
)
async def test_change_that_cannot_be_is_refused_before_anything_is_read(
    client: Redis, changes: dict[str, Any], error: Any
) -> None:
    await Job(id="1").save()
    await client.config_resetstat()
    with pytest.raises(error):
        await Job.find().update(changes)
    info: Any = await client.info("commandstats")
    assert not any("scan" in name.lower() or "json" in name.lower() for name in info)


async def test_update_is_no_part_of_a_pipeline() -> None:
    job = await Job(id="1").save()
    async with job.pipeline():
        with pytest.raises(RapyerError, match="cannot be part of a pipeline"):
            await Job.find().update(state="x")
    assert (await Job.get("1")).state == "new"


async def test_after_a_lost_reply_nothing_more_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    await Job.insert(*(Job(id=str(n)) for n in range(450)))
    calls = 0

    async def losing(self: Any, *args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        raise OutcomeUnknownError("the reply was lost")

    monkeypatch.setattr(Session, "evalsha", losing)
    with pytest.raises(BulkError, match="0 documents were updated") as caught:
        await Job.find().update(state="x")
    assert calls <= 200, "no further chunk was begun"
    assert len(caught.value.failures) == 200, "and none was looked at"
    assert any(isinstance(e, OutcomeUnknownError) for e in caught.value.failures.values())
    monkeypatch.undo()
    assert await Job.find(Job.state == "new").count() == 450
