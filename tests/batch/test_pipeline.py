"""Pipelines: all or nothing, in program order, and what becomes of local values."""
# ruff: noqa: PT012 - builtin errors are the promise; a pipeline is raised by its block

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel
from rapyer.batch.batch import Batch
from rapyer.connections import client_from_url
from rapyer.errors import (
    ConflictError,
    ConstraintError,
    EmptyContainerError,
    IntegerOverflowError,
    ItemIndexError,
    KeyNotFound,
    PathNotFound,
    PipelineError,
    WrongTypeError,
)
from tests.conftest import Stored

MAX = 2**63 - 1


class Address(BaseModel):
    city: str = "Rome"
    lines: list[str] = []
    visits: int = 0


class Account(AtomicRedisModel):
    name: str = "n"
    count: int = 0
    stock: Annotated[int, Field(ge=0, le=100)] = 10
    ratio: float = 0.5
    tags: list[str] = []
    numbers: list[int] = [1, 2, 3]
    short: Annotated[list[int], Field(max_length=3, min_length=1)] = [1]
    table: dict[str, int] = {"a": 1}
    address: Address = Address()
    addresses: list[Address] = []
    by_name: dict[str, Address] = {}
    maybe: str | None = None
    flag: bool = True


class Other(AtomicRedisModel):
    count: int = 0
    items: list[int] = []


# -- all or nothing ----------------------------------------------------------------------------------

REFUSALS: dict[str, tuple[str, Callable[[Account], Any], type[Exception]]] = {
    "missing_path": ('DEL $.table["a"]', lambda m: m.table.__delitem__("a"), PathNotFound),
    "missing_item": (
        'SET $.table {"a":5}',
        lambda m: m.numbers.__setitem__(2, 5),
        IndexError,
    ),
    "wrong_type": ('SET $.count "text"', lambda m: setattr(m, "count", m.count), WrongTypeError),
    "bound": ("SET $.stock 1", lambda m: setattr(m, "stock", m.stock), ConstraintError),
    "overflow": (
        f"SET $.count {MAX}",
        lambda m: setattr(m, "count", m.count),
        IntegerOverflowError,
    ),
    "pop_range": ("SET $.numbers []", lambda m: m.numbers.pop(), ItemIndexError),
    "length": ("SET $.short [1,2,3]", lambda m: m.short.append(4), ConstraintError),
    "min_length": ("SET $.short [1]", lambda m: m.short.pop(), ConstraintError),
    "empty": ("SET $.table {}", lambda m: m.table.popitem(), EmptyContainerError),
    "remove": ("SET $.numbers [1]", lambda m: m.numbers.remove(3), ValueError),
    "append_to_number": ("SET $.tags 5", lambda m: m.tags.append("x"), WrongTypeError),
    "text_to_number": ("SET $.name 5", lambda m: setattr(m, "name", m.name), WrongTypeError),
    "nested_gone": (
        "SET $.address null",
        lambda m: setattr(m.address, "city", "Paris"),
        PathNotFound,
    ),
}


def provoke(model: Account, name: str, change: Callable[[Account], Any]) -> None:
    """The change that the server will refuse; increments cannot be written as lambdas."""
    if name in ("wrong_type", "overflow"):
        model.count += 1
    elif name == "bound":
        model.stock -= 5
    elif name == "text_to_number":
        model.name += "x"
    else:
        change(model)


async def tampered(redis: Redis, key: str, command: str) -> None:
    verb, path, *rest = command.split(" ", 2)
    await redis.execute_command(f"JSON.{verb}", key, path, *rest)


@pytest.mark.parametrize("position", ["first", "middle", "last"])
@pytest.mark.parametrize("name", REFUSALS)
async def test_an_operation_that_cannot_apply_applies_none(
    name: str, position: str, redis: Redis, stored: Stored
) -> None:
    command, change, cause = REFUSALS[name]
    account = await Account(table={"a": 1}, short=[1, 2], addresses=[Address()]).save()
    local = account.model_dump()
    await tampered(redis, account.key, command)
    if name == "missing_item":
        await redis.execute_command("JSON.SET", account.key, "$.numbers", "[1]")
    before = await stored(account)

    def others() -> None:
        account.ratio += 1
        account.maybe = "changed"
        account.addresses[0].visits += 1
        account.addresses.append(Address(city="Oslo"))
        account.by_name["x"] = Address()
        account.addresses[0].lines.extend(["l1", "l2"])
        account.addresses[0].lines.sort(reverse=True)
        account.by_name.clear()

    with pytest.raises(PipelineError) as caught:
        async with account.pipeline():
            if position != "first":
                others()
            provoke(account, name, change)
            if position != "last":
                others()
    assert isinstance(caught.value.__cause__, cause)
    assert account.key in caught.value.operation
    assert caught.value.operation in str(caught.value)
    assert caught.value.index == (0 if position == "first" else 8)
    assert await stored(account) == before
    assert account.model_dump() == local


async def test_a_batch_on_a_missing_document_raises_and_creates_nothing(
    redis: Redis, stored: Stored
) -> None:
    account, other = Account(), await Other().save()
    with pytest.raises(PipelineError) as caught:
        async with rapyer.pipeline(account, other):
            other.count += 1
            account.count += 1
    assert isinstance(caught.value.__cause__, KeyNotFound)
    assert caught.value.index == 1
    assert await redis.keys("*") in ([other.key], [other.key.encode()])
    assert (account.count, other.count) == (0, 0)
    assert await stored(other) == {"count": 0, "items": []}


async def test_ttl_and_whole_document_operations_are_undone_too(
    redis: Redis, stored: Stored
) -> None:
    account = await Account(stock=3).save()
    other = await Other(count=1).save()
    third = Other(count=3)
    await redis.pexpire(account.key, 500_000)
    with pytest.raises(PipelineError):
        async with rapyer.pipeline(account, other, third):
            await third.save()
            await account.set_ttl(5)
            await other.set_ttl(5)
            account.name = "changed"
            await account.save()
            await other.delete()
            account.stock -= 4
    assert await stored(third) is None
    assert await stored(other) == {"count": 1, "items": []}
    assert await redis.pttl(other.key) == -1
    assert 400_000 < await redis.pttl(account.key) <= 500_000
    assert (await stored(account))["name"] == "n"


# -- program order -----------------------------------------------------------------------------------


async def test_operations_are_applied_in_program_order(stored: Stored) -> None:
    account = await Account().save()
    async with account.pipeline():
        account.tags.append("a")
        account.tags.insert(0, "b")
        account.tags.clear()
        account.tags.append("c")
        account.tags[0] = "d"
        account.tags.extend(["f", "e"])
        account.tags.sort()
        del account.tags[0]
        account.count = 5
        account.count += 1
        account.count *= 3
        account.count -= 1
        account.name = "x"
        account.name += "y"
        account.table = {"k": 1}
        account.table["k"] += 1
        account.table["l"] = account.table["k"]
        account.table.pop("k")
    expected = {
        "tags": ["e", "f"],
        "count": 17,
        "name": "xy",
        "table": {"l": 2},
    }
    document = await stored(account)
    assert {name: document[name] for name in expected} == expected
    assert {name: getattr(account, name) for name in expected} == expected


# -- nothing is sent before the end ------------------------------------------------------------------


async def test_nothing_is_sent_before_the_end_and_one_command_then(
    redis: Redis, commands: Any, stored: Stored
) -> None:
    account = await Account().save()
    async with account.pipeline():
        account.count += 1  # the script is known to the server from here on
    await redis.config_resetstat()
    before = await commands()
    async with account.pipeline():
        account.count += 1
        account.tags.append("x")
        await account.numbers.aappend(4)
        await account.count.increase(3)
        await account.aupdate(name="m")
        await account.table.aset_item("k", 1)
        assert await commands() == before
    info: Any = await redis.info("commandstats")
    assert info["cmdstat_evalsha"]["calls"] == 1
    assert (await stored(account))["count"] == 5


async def test_an_empty_pipeline_sends_nothing(commands: Any) -> None:
    account = await Account().save()
    before = await commands()
    async with account.pipeline():
        assert account.count == 0
    assert await commands() == before


class _BodyError(Exception):
    pass


def change_everything(account: Account) -> None:
    account.name = "changed"
    account.name += "!"
    account.count += 1
    account.stock = 99
    account.maybe = "set"
    account.tags.extend(["x", "y"])
    account.numbers.sort(reverse=True)
    account.numbers[0] += 5
    del account.numbers[1]
    account.short.insert(0, 9)
    account.table["a"] += 1
    account.table["new"] = 3
    account.table.pop("a")
    account.address.city = "Oslo"
    account.address.lines.append("l")
    account.address.visits += 1
    account.addresses[0].visits += 1
    account.addresses[0].lines.append("l")
    account.addresses.append(Address(city="Bonn"))
    account.addresses[1].city += "n"
    account.by_name["k"].city = "Lima"
    account.by_name["k"].lines.append("l")
    account.by_name["n"] = Address()
    account.by_name.pop("k")
    account.address = Address(city="new")
    account.tags = ["replaced"]


def full_account() -> Account:
    return Account(
        addresses=[Address(lines=["one"])],
        by_name={"k": Address(lines=["two"])},
        tags=["t"],
        short=[1, 2],
    )


@pytest.mark.parametrize("error", [_BodyError, KeyboardInterrupt, asyncio.CancelledError])
async def test_an_exception_in_the_body_sends_nothing_and_restores(
    error: type[BaseException], stored: Stored, commands: Any
) -> None:
    account = await full_account().save()
    local, before = account.model_dump(), await stored(account)
    handles = (account.tags, account.address, account.addresses, account.addresses[0])
    sent = await commands()
    with pytest.raises(error):
        async with account.pipeline():
            change_everything(account)
            raise error
    assert await commands() == sent
    assert account.model_dump() == local
    assert await stored(account) == before
    assert account.tags is handles[0]
    assert account.address is handles[1]
    assert account.addresses is handles[2]
    assert account.addresses[0] is handles[3]
    await account.addresses[0].visits.increase()
    await account.tags.aappend("later")
    assert (await stored(account))["tags"] == ["t", "later"]
    assert (await stored(account))["addresses"][0]["visits"] == 1


async def test_cancellation_in_the_body_sends_nothing_and_restores(stored: Stored) -> None:
    account = await full_account().save()
    local, before = account.model_dump(), await stored(account)
    inside = asyncio.Event()

    async def work() -> None:
        async with account.pipeline():
            change_everything(account)
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert account.model_dump() == local
    assert await stored(account) == before


async def test_the_whole_change_applies_when_nothing_stands_against_it(stored: Stored) -> None:
    account = await full_account().save()
    async with account.pipeline():
        change_everything(account)
    assert await stored(account) == account.model_dump()
    assert account.numbers == [8, 1]
    assert account.by_name["n"].city == "Rome"
    assert [address.city for address in account.addresses] == ["Rome", "Bonnn"]


async def test_a_refused_batch_restores_nested_containers_and_models(
    redis: Redis, stored: Stored
) -> None:
    account = await full_account().save()
    local = account.model_dump()
    await redis.execute_command("JSON.SET", account.key, "$.ratio", '"text"')
    before = await stored(account)
    with pytest.raises(PipelineError):
        async with account.pipeline():
            change_everything(account)
            account.ratio += 1
    assert account.model_dump() == local
    assert await stored(account) == before


async def test_unsaved_edits_made_before_the_block_survive_a_failure(
    redis: Redis, stored: Stored
) -> None:
    account = await full_account().save()
    await redis.execute_command("JSON.SET", account.key, "$.ratio", '"text"')
    before = await stored(account)
    account.name = "unsaved"
    account.numbers.append(99)
    account.table["unsaved"] = 1
    account.address.city = "unsaved"
    account.addresses[0].lines.append("unsaved")
    account.by_name["unsaved"] = Address(city="unsaved")
    local = account.model_dump()
    for failure in ("body", "server"):
        with pytest.raises((_BodyError, PipelineError)):
            async with account.pipeline():
                change_everything(account)
                account.ratio += 1
                if failure == "body":
                    raise _BodyError
        assert account.model_dump() == local
        assert await stored(account) == before


async def test_unsaved_edits_made_before_the_block_survive_success(stored: Stored) -> None:
    account = await Account(tags=["t"]).save()
    account.name = "unsaved"
    account.tags.append("unsaved")
    account.address.city = "unsaved"
    async with account.pipeline():
        account.count += 1
    assert account.name == "unsaved"
    assert account.tags == ["t", "unsaved"]
    assert account.address.city == "unsaved"
    document = await stored(account)
    assert (document["name"], document["tags"], document["count"]) == ("n", ["t"], 1)
    assert document["address"]["city"] == "Rome"


async def test_a_model_that_was_never_read_is_restored_too(stored: Stored) -> None:
    saved = await full_account().save()
    account = await Account.get(saved.key)
    with pytest.raises(_BodyError):
        async with account.pipeline():
            change_everything(account)
            raise _BodyError
    assert account == saved
    assert account.model_dump() == await stored(account)


# -- increments and appends, not absolute values ------------------------------------------------------


async def test_in_place_operators_add_to_what_others_wrote(stored: Stored) -> None:
    mine = await full_account().save()
    theirs = await Account.get(mine.key)
    async with theirs.pipeline():
        theirs.count += 10
        theirs.ratio += 1
        theirs.name += "-theirs"
        theirs.numbers[0] += 100
        theirs.table["a"] += 1000
        theirs.tags += ["theirs"]
        theirs.address.visits += 7
        theirs.addresses[0].visits += 8
        theirs.by_name["k"].visits += 9
        theirs.stock *= 2
    async with mine.pipeline():
        mine.count += 1
        mine.count -= 3
        mine.ratio -= 0.25
        mine.name += "-mine"
        mine.numbers[0] += 1
        mine.table["a"] += 1
        mine.tags += ["mine"]
        mine.address.visits += 1
        mine.addresses[0].visits += 1
        mine.by_name["k"].visits += 1
        mine.stock -= 1
        mine.stock //= 2
    document = await stored(mine)
    assert document["count"] == 8
    assert document["ratio"] == 1.25
    assert document["name"] == "n-theirs-mine"
    assert document["numbers"] == [102, 2, 3]
    assert document["table"] == {"a": 1002}
    assert document["tags"] == ["t", "theirs", "mine"]
    assert document["address"]["visits"] == 8
    assert document["addresses"][0]["visits"] == 9
    assert document["by_name"]["k"]["visits"] == 10
    assert document["stock"] == 9
    assert mine.count == 8
    assert mine.name == "n-theirs-mine"
    assert mine.numbers == [102, 2, 3]
    assert mine.table == {"a": 1002}
    assert mine.tags == ["t", "theirs", "mine"]
    assert mine.stock == 9


async def test_field_assignment_is_queued_none_included(stored: Stored) -> None:
    account = await Account(maybe="set").save()
    async with account.pipeline():
        account.maybe = None
        account.name = "assigned"
        account.numbers = [7]
        account.address = Address(city="Oslo")
    document = await stored(account)
    assert document["maybe"] is None
    assert document["name"] == "assigned"
    assert document["numbers"] == [7]
    assert document["address"] == {"city": "Oslo", "lines": [], "visits": 0}
    assert (account.maybe, account.name, account.numbers) == (None, "assigned", [7])
    assert account.address.city == "Oslo"


async def test_assigning_the_same_value_again_is_queued(stored: Stored) -> None:
    account = await Account(name="mine", maybe=None).save()
    theirs = await Account.get(account.key)
    theirs.name, theirs.maybe, theirs.numbers, theirs.flag = "theirs", "theirs", [0], False
    theirs.table["a"] = 2
    await theirs.save()
    async with account.pipeline():
        account.name = account.name
        account.maybe = account.maybe
        account.flag = True
        account.numbers[0] = 1
        account.table["a"] = 1
    document = await stored(account)
    assert (document["name"], document["maybe"], document["flag"]) == ("mine", None, True)
    assert (document["numbers"], document["table"]) == ([1], {"a": 1})


# -- asynchronous operations inside the block --------------------------------------------------------


async def test_asynchronous_operations_are_queued_and_answer_after_the_block(
    stored: Stored,
) -> None:
    account = await Account(numbers=[1, 2, 3], table={"a": 1, "b": 2}).save()
    before = await stored(account)
    async with account.pipeline():
        increased = await account.count.increase(5)
        again = await account.count.increase()
        popped = await account.numbers.apop(0)
        nothing = await account.tags.apop()
        taken = await account.table.apop("a")
        default = await account.table.apop("zz", 42)
        item = await account.table.apopitem()
        appended = await account.numbers.aappend(4)
        ratio = await account.ratio.increase(0.5)
        assert await stored(account) == before
        for queued in (increased, popped, taken, item):
            with pytest.raises(RuntimeError):
                queued.result()  # type: ignore[attr-defined]
    results = [
        q.result()  # type: ignore[union-attr,attr-defined]
        for q in (increased, again, popped, nothing, taken, default, item, appended, ratio)
    ]
    assert results == [5, 6, 1, None, 1, 42, ("b", 2), None, 1.0]
    document = await stored(account)
    assert (document["count"], document["numbers"], document["table"]) == (6, [2, 3, 4], {})
    assert (account.count, account.numbers, account.table) == (6, [2, 3, 4], {})


async def test_asynchronous_results_are_those_of_the_server(stored: Stored) -> None:
    account = await Account().save()
    theirs = await Account.get(account.key)
    await theirs.count.increase(100)
    await theirs.numbers.aclear()
    await theirs.table.aset_item("a", 77)
    async with account.pipeline():
        increased = await account.count.increase(1)
        popped = await account.numbers.apop()
        taken = await account.table.apop("a")
    assert (increased.result(), popped.result(), taken.result()) == (101, None, 77)  # type: ignore[attr-defined]
    assert (account.count, account.numbers, account.table) == (101, [], {})


async def test_results_of_a_failed_block_stay_unreadable() -> None:
    account = await Account().save()
    queued: Any = None
    with pytest.raises(_BodyError):
        async with account.pipeline():
            queued = await account.count.increase()
            raise _BodyError
    with pytest.raises(RuntimeError):
        queued.result()


async def test_save_and_load_inside_the_block_take_part_in_it(stored: Stored) -> None:
    account = await Account().save()
    theirs = await Account.get(account.key)
    await theirs.name.save()
    async with account.pipeline():
        account.count += 5
        await account.count.load()
        await account.tags.save()
    assert account.count == 5 == (await stored(account))["count"]


# -- tasks -------------------------------------------------------------------------------------------


async def test_tasks_started_inside_the_block_are_not_part_of_it(stored: Stored) -> None:
    account = await Account().save()
    theirs = await Account.get(account.key)

    async def work() -> int:
        theirs.tags.append("local to the task")
        return await theirs.count.increase(5)

    with pytest.raises(_BodyError):
        async with account.pipeline():
            account.name = "queued"
            assert await asyncio.create_task(work()) == 5
            assert (await asyncio.gather(work()))[0] == 10
            async with asyncio.TaskGroup() as group:
                group.create_task(work())
            assert (await stored(account))["count"] == 15
            raise _BodyError
    document = await stored(account)
    assert (document["count"], document["name"], document["tags"]) == (15, "n", [])


async def test_two_pipelines_in_two_tasks_never_mix(stored: Stored) -> None:
    account = await Account().save()
    copies = [await Account.get(account.key) for _ in range(2)]
    entered = [asyncio.Event(), asyncio.Event()]

    async def work(number: int) -> None:
        copy = copies[number]
        async with copy.pipeline():
            copy.tags.append(f"{number} first")
            entered[number].set()
            await entered[1 - number].wait()
            copy.tags.append(f"{number} second")
            if number == 1:
                raise _BodyError

    results = await asyncio.gather(work(0), work(1), return_exceptions=True)
    assert isinstance(results[1], _BodyError)
    assert (await stored(account))["tags"] == ["0 first", "0 second"]


async def test_a_pipeline_of_one_task_on_the_same_object_as_another_task(stored: Stored) -> None:
    account = await Account().save()
    inside, done = asyncio.Event(), asyncio.Event()

    async def outside() -> None:
        await inside.wait()
        assert await account.count.increase(5) == 5
        done.set()

    async def batch() -> None:
        async with account.pipeline():
            account.tags.append("x")
            inside.set()
            await done.wait()
            account.tags.append("y")

    await asyncio.gather(batch(), outside())
    document = await stored(account)
    assert (document["count"], document["tags"]) == (5, ["x", "y"])
    assert (account.count, account.tags) == (5, ["x", "y"])


# -- nested blocks and several models ----------------------------------------------------------------


async def test_nested_blocks_are_sent_with_the_outer_one(stored: Stored, commands: Any) -> None:
    account = await Account().save()
    before = await stored(account)
    async with account.pipeline():
        account.count += 1
        async with account.pipeline():
            account.count += 10
        assert await stored(account) == before
        account.count += 100
    assert (await stored(account))["count"] == 111 == account.count


async def test_an_exception_that_leaves_a_nested_block_drops_only_its_changes(
    stored: Stored,
) -> None:
    account = await Account().save()
    async with account.pipeline():
        account.count += 1
        account.tags.append("outer")
        with pytest.raises(_BodyError):
            async with account.pipeline():
                account.count += 10
                account.tags.append("inner")
                raise _BodyError
        assert account.count == 1
        assert account.tags == ["outer"]
        account.count += 100
    document = await stored(account)
    assert (document["count"], document["tags"]) == (101, ["outer"])


async def test_an_outer_failure_drops_the_nested_changes_too(stored: Stored) -> None:
    account = await Account().save()
    with pytest.raises(_BodyError):
        async with account.pipeline():
            async with account.pipeline():
                account.count += 10
                account.tags.append("inner")
            raise _BodyError
    assert account.count == 0
    assert account.tags == []
    assert (await stored(account))["count"] == 0


async def test_nested_pipelines_of_different_models_are_one_batch(stored: Stored) -> None:
    account, other = await Account().save(), await Other().save()
    with pytest.raises(PipelineError):
        async with account.pipeline():
            account.count += 1
            async with other.pipeline():
                other.count += 1
            account.stock -= 99
            account.stock += 0
    assert (account.count, other.count) == (0, 0)
    assert (await stored(other))["count"] == 0


async def test_a_batch_over_several_models_is_all_or_nothing(stored: Stored) -> None:
    account, other, third = await Account().save(), await Other().save(), await Other().save()
    async with rapyer.pipeline(account, other):
        account.count += 1
        other.items.append(1)
        third.count += 3  # a model that was not named is part of it as well
    assert (await stored(account))["count"] == 1
    assert (await stored(other))["items"] == [1]
    assert (await stored(third))["count"] == 3
    await third.delete()
    with pytest.raises(PipelineError) as caught:
        async with rapyer.apipeline(account, other):
            account.count += 1
            other.items.append(2)
            third.count += 1
    assert third.key in str(caught.value)
    assert (await stored(account))["count"] == 1 == account.count
    assert (await stored(other))["items"] == [1] == other.items
    assert third.count == 3


async def test_models_on_different_servers_go_through_their_own_clients_after_all_have_agreed(
    start_server: Any, stored: Stored
) -> None:
    class Elsewhere(AtomicRedisModel):
        class Meta:
            redis = None

        count: int = 0

    server = start_server()
    Elsewhere.Meta.redis = client = client_from_url(f"unix://{server.socket}")  # type: ignore[misc]
    account, there = await Account().save(), await Elsewhere().save()
    assert server.call("EXISTS", there.key) == 1
    assert await stored(there) is None
    async with account.pipeline():
        account.count += 1
        there.count += 1
    assert (account.count, there.count) == (1, 1)
    assert (await stored(account))["count"] == 1
    assert server.call("JSON.GET", there.key) == b'{"count":1}'

    server.call("JSON.SET", there.key, "$.count", '"text"')
    with pytest.raises(PipelineError, match="nothing was applied"):
        async with rapyer.pipeline(account, there):
            account.count += 1
            there.count += 1
    assert (account.count, there.count) == (1, 1)
    assert (await stored(account))["count"] == 1
    await client.aclose()


# -- watch -------------------------------------------------------------------------------------------


async def test_watch_raises_conflict_error_after_somebody_elses_write(stored: Stored) -> None:
    account = await Account().save()
    theirs = await Account.get(account.key)
    with pytest.raises(ConflictError):
        async with account.pipeline(watch=True):
            account.tags.append("mine")
            await asyncio.create_task(_increase(theirs))
    assert account.tags == []
    document = await stored(account)
    assert (document["tags"], document["count"]) == ([], 1)


async def _increase(model: Any) -> None:
    await model.count.increase()


async def test_watch_without_conflict_applies(stored: Stored) -> None:
    account = await Account().save()
    async with account.pipeline(watch=True):
        account.tags.append("mine")
    assert (await stored(account))["tags"] == ["mine"]


async def test_watch_notices_deletion_and_creation() -> None:
    account = await Account().save()

    async def remove() -> None:
        await Account.delete_by_key(account.key)

    with pytest.raises(ConflictError):
        async with account.pipeline(watch=True):
            await account.save()
            await asyncio.create_task(remove())

    async def create() -> None:
        await account.model_copy().save()

    with pytest.raises(ConflictError):
        async with account.pipeline(watch=True):
            await account.save()
            await asyncio.create_task(create())


async def test_watch_over_several_models(stored: Stored) -> None:
    account, other = await Account().save(), await Other().save()
    theirs = await Other.get(other.key)
    with pytest.raises(ConflictError):
        async with rapyer.pipeline(account, other, watch=True):
            account.count += 1
            await asyncio.create_task(_increase(theirs))
    assert (await stored(account))["count"] == 0 == account.count


async def test_watch_notices_that_others_wrote_the_same_value_back_or_ignores_it_safely(
    stored: Stored,
) -> None:
    account = await Account().save()
    theirs = await Account.get(account.key)

    async def there_and_back() -> None:
        await theirs.count.increase(1)
        await theirs.count.increase(-1)

    async with account.pipeline(watch=True):
        account.tags.append("mine")
        await asyncio.create_task(there_and_back())
    assert (await stored(account))["tags"] == ["mine"]


async def test_watched_counter_under_contention_loses_nothing(stored: Stored) -> None:
    account = await Account().save()

    async def add(times: int) -> None:
        mine = await Account.get(account.key)
        for _ in range(times):
            while True:
                try:
                    async with mine.pipeline(watch=True):
                        now = await Account.get(mine.key)
                        mine.count = int(now.count) + 1
                except ConflictError:
                    continue
                break

    await asyncio.gather(*(add(10) for _ in range(5)))
    assert (await stored(account))["count"] == 50


async def test_after_a_save_inside_the_block_later_operations_still_count_as_written(
    redis: Redis, stored: Stored
) -> None:
    account = await Account().save()
    async with account.pipeline():
        account.ratio += 1.0
        await account.save()
        account.count += 1
    await redis.execute_command("JSON.SET", account.key, "$.count", "77")
    await account.save_changes()
    assert (await stored(account))["count"] == 77


async def test_a_value_can_be_read_from_a_document_that_the_block_deletes(stored: Stored) -> None:
    account = await Account(count=3).save()
    async with account.pipeline():
        queued: Any = await account.count.load()
        await account.delete()
    assert queued.result() == 3
    assert await stored(account) is None


async def test_what_a_block_replaced_and_then_changed_is_what_it_was_when_it_comes_back(
    stored: Stored,
) -> None:
    account = await Account(addresses=[Address(), Address()]).save()
    before = account.model_dump_json()
    with pytest.raises(_BodyError):
        async with account.pipeline():
            replaced, removed = account.address, account.addresses[0]
            account.address = Address(city="Bari")
            del account.addresses[0]
            replaced.visits += 1
            replaced.city = "Pisa"
            replaced.lines.append("x")
            removed.visits += 1
            raise _BodyError
    assert account.model_dump_json() == before
    assert (await stored(account)) == json.loads(before)


async def test_an_operator_of_a_container_leaves_no_field_set_behind_when_it_is_undone() -> None:
    account = await Account().save()
    before = set(account.model_fields_set)
    with pytest.raises(_BodyError):
        async with account.pipeline():
            account.tags += ["x"]
            account.table |= {"b": 2}
            raise _BodyError
    assert account.model_fields_set == before


class Open(AtomicRedisModel):
    model_config = ConfigDict(extra="allow")
    count: int = 0


async def test_an_extra_field_that_a_pipeline_set_counts_as_written(
    redis: Redis, stored: Stored
) -> None:
    document: Any = await Open(known=1).save()
    async with document.pipeline():
        document.known = 2
        document.new = {"a": 1}
    await redis.execute_command("JSON.SET", document.key, "$.new", '{"a": 2}')
    await redis.execute_command("JSON.SET", document.key, "$.known", "3")
    await document.save_changes()
    assert await stored(document) == {"count": 0, "known": 3, "new": {"a": 2}}


async def test_extra_fields_are_what_they_were_after_a_block_that_failed() -> None:
    document: Any = await Open(known=1).save()
    before = set(document.model_fields_set)
    with pytest.raises(_BodyError):
        async with document.pipeline():
            document.known = 2
            document.new = {"a": 1}
            document.count += 1
            raise _BodyError
    assert document.model_dump() == {"count": 0, "known": 1}
    assert document.model_fields_set == before


@pytest.mark.parametrize("value", [100, 0])
async def test_an_edit_of_another_task_during_the_commit_is_kept_and_still_counts_as_one(
    value: int, stored: Stored
) -> None:
    account = await Account().save()

    async def block() -> None:
        async with account.pipeline():
            account.count += 1

    async def edit() -> None:
        account.count = value

    await asyncio.gather(block(), edit())
    assert account.count == value
    await account.save_changes()
    assert (await stored(account))["count"] == value


async def test_a_batch_that_was_applied_takes_changes_again(stored: Stored) -> None:
    account = await Account(name="a").save()
    batch = Batch()
    with batch.collecting():
        account.name = "b"
    await batch.commit()
    before = await stored(account)

    def fails() -> None:
        with batch.collecting():
            account.name = "c"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert account.name == "b"
    with batch.collecting():
        account.name = "d"
    await batch.commit()
    assert await stored(account) == {**before, "name": "d"}


async def test_a_batch_that_takes_changes_again_leaves_edits_made_between(stored: Stored) -> None:
    account = await Account().save()
    batch = Batch()
    with batch.collecting():
        account.table["a"] = 2
    await batch.commit()
    account.table["a"] = 7
    with batch.collecting():
        account.table["b"] = 3
    await batch.commit()
    assert account.table == {"a": 7, "b": 3}
    assert (await stored(account))["table"] == {"a": 2, "b": 3}
    await account.save_changes()
    assert (await stored(account))["table"] == {"a": 7, "b": 3}
