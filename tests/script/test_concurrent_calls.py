"""What tasks do at the same time leaves together; each of them is still on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, Field
from redis.asyncio import Redis

from rapyer import AtomicRedisModel
from rapyer.connections import Session, client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.errors import ConstraintError, KeyNotFound, NoPermissionError, PipelineError
from rapyer.fields import Key
from rapyer.models.document_node import set_identity
from rapyer.script.call import Primitive, submit
from tests.conftest import Stored


class Account(AtomicRedisModel):
    n: int = 0
    stock: Annotated[int, Field(ge=0)] = 3
    items: list[int] = []
    table: dict[str, int] = {}
    text: str = ""


async def script_calls(redis: Redis) -> int:
    info: Any = await redis.info("commandstats")
    return sum(info.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))


async def test_increments_of_many_tasks_each_get_their_own_result(stored: Stored) -> None:
    account = await Account().save()
    results = await asyncio.gather(*(account.n.increase() for _ in range(200)))
    assert sorted(results) == list(range(1, 201))
    assert account.n == 200
    assert (await stored(account))["n"] == 200


async def test_a_thousand_tasks_on_many_documents_all_get_their_own_answer(stored: Stored) -> None:
    accounts = [await Account().save() for _ in range(10)]
    results = await asyncio.gather(
        *(account.n.increase() for _ in range(50) for account in accounts),
        *(account.items.aappend(number) for number in range(50) for account in accounts),
    )
    assert sorted(results[:500]) == sorted(list(range(1, 51)) * 10)
    for account in accounts:
        document = await stored(account)
        assert document["n"] == account.n == 50
        assert document["items"] == account.items.clone()
        assert sorted(document["items"]) == list(range(50))


async def test_one_that_is_refused_refuses_no_other(stored: Stored) -> None:
    account, missing = await Account().save(), Account()
    results = await asyncio.gather(
        *(account.stock.increase(-1) for _ in range(8)),
        *(missing.n.increase() for _ in range(4)),
        *(account.n.increase() for _ in range(8)),
        return_exceptions=True,
    )
    stocks = results[:8]
    assert sorted(value for value in stocks if isinstance(value, int)) == [0, 1, 2]
    assert sum(isinstance(value, ConstraintError) for value in stocks) == 5
    assert [type(value) for value in results[8:12]] == [KeyNotFound] * 4
    assert sorted(results[12:]) == list(range(1, 9))  # type: ignore[type-var]
    document = await stored(account)
    assert (document["stock"], document["n"]) == (0, 8)
    assert (account.stock, account.n) == (0, 8)


async def test_an_assignment_beside_an_operation_leaves_what_is_stored(stored: Stored) -> None:
    for first in (True, False):
        account = await Account().save()

        async def assign(account: Account = account) -> None:
            async with account.pipeline():
                account.n = 5

        work = [account.n.increase(), assign()]
        await asyncio.gather(*(work if first else reversed(work)))
        assert account.n == (await stored(account))["n"]


async def test_a_pipeline_that_is_rolled_back_rolls_back_only_itself(stored: Stored) -> None:
    account = await Account(table={"k": 1}).save()

    async def good() -> None:
        theirs = await Account.get(account.key)
        async with theirs.pipeline():
            theirs.n += 1
            theirs.items.append(1)
            theirs.table["k"] += 1

    async def bad() -> None:
        theirs = await Account.get(account.key)
        async with theirs.pipeline():
            theirs.n += 100
            theirs.items.append(100)
            theirs.table["k"] += 100
            theirs.text += "x"
            theirs.stock -= 50

    work = [good() if number % 3 else bad() for number in range(60)]
    results = await asyncio.gather(*work, return_exceptions=True)
    assert sum(isinstance(result, PipelineError) for result in results) == 20
    document = await stored(account)
    assert document == {"n": 40, "stock": 3, "items": [1] * 40, "table": {"k": 41}, "text": ""}


async def test_after_the_scripts_were_flushed_each_is_applied_once(
    redis: Redis, stored: Stored
) -> None:
    account = await Account().save()
    await account.n.increase()
    await redis.script_flush()
    results = await asyncio.gather(*(account.n.increase() for _ in range(50)))
    assert sorted(results) == list(range(2, 52))
    assert (await stored(account))["n"] == 51


async def test_values_computed_here_are_computed_again_where_another_was_faster(
    stored: Stored,
) -> None:
    account = await Account(n=1).save()

    async def triple() -> None:
        theirs = await Account.get(account.key)
        async with theirs.pipeline():
            theirs.n *= 3

    await asyncio.gather(*(triple() for _ in range(12)), *(account.n.increase(0) for _ in range(9)))
    assert (await stored(account))["n"] == 3**12


async def test_those_cancelled_before_they_left_are_not_applied_and_others_are(
    stored: Stored,
) -> None:
    account = await Account().save()
    await account.n.increase(0)
    first = asyncio.create_task(account.n.increase())
    tasks = [asyncio.create_task(account.items.aappend(number)) for number in range(20)]
    asyncio.get_running_loop().call_soon(lambda: [task.cancel() for task in tasks[::2]])
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await first
    cancelled = [result for result in results if isinstance(result, asyncio.CancelledError)]
    assert len(cancelled) == 10
    assert sorted((await stored(account))["items"]) == list(range(1, 20, 2))
    assert await account.n.increase() == 2


async def test_long_values_and_short_ones_all_arrive(stored: Stored) -> None:
    account = await Account().save()
    texts = ["s", "m" * 10_000, "l" * 40_000] * 20

    async def assign(number: int, text: str) -> None:
        await account.table.aset_item(f"{number} {text[:1]}", len(text))
        own = await Account(text=text).save()
        async with own.pipeline():
            own.text += "!"
        assert (await stored(own))["text"] == text + "!"

    await asyncio.gather(*(assign(number, text) for number, text in enumerate(texts)))
    assert len((await stored(account))["table"]) == 60


@pytest.fixture
async def restricted(rapyer_server: EmbeddedServer, redis: Redis) -> AsyncIterator[Redis]:
    """A client that may only touch keys that begin with ``Account:mine``."""
    rules = ["on", ">secret", "~Account:mine*", "+@all"]
    await redis.execute_command("ACL", "SETUSER", "narrow", *rules)
    client: Any = client_from_url(f"unix://narrow:secret@{rapyer_server.address}")
    yield client
    await client.aclose()
    await redis.execute_command("ACL", "DELUSER", "narrow")


async def test_a_key_that_is_forbidden_forbids_no_other(restricted: Redis, stored: Stored) -> None:
    mine, other = Account(), Account()
    for account, pk in ((mine, "mine"), (other, "other")):
        set_identity(account, pk, None)
        await account.save()
    theirs = [await Account.get(mine.key), await Account.get(other.key)]
    Account.Meta = type(Account.Meta)(redis=restricted)
    try:
        results = await asyncio.gather(
            *(theirs[number % 2].n.increase() for number in range(20)), return_exceptions=True
        )
    finally:
        del Account.Meta
    assert sorted(results[::2]) == list(range(1, 11))  # type: ignore[type-var]
    assert [type(result) for result in results[1::2]] == [NoPermissionError] * 10
    assert ((await stored(mine))["n"], (await stored(other))["n"]) == (10, 0)


async def test_one_setting_sends_each_operation_by_itself(
    redis: Redis, rapyer_server: EmbeddedServer
) -> None:
    client: Any = client_from_url(f"unix://{rapyer_server.address}")
    account = await Account().save()
    AtomicRedisModel.Meta.redis = client
    await account.n.increase(0)
    Session.of(client).coalesce = False  # also of connections that are in use
    before = await script_calls(redis)
    await asyncio.gather(*(account.n.increase() for _ in range(20)))
    assert await script_calls(redis) - before == 20
    assert account.n == 20
    AtomicRedisModel.Meta.redis = redis
    await client.aclose()


_limit: ContextVar[int] = ContextVar("limit", default=1000)


class _TooMuchError(Exception):
    """What a user's validator may raise besides what Pydantic expects."""


def _within_limit(value: int) -> int:
    if value > _limit.get():
        raise _TooMuchError(value)
    return value


class Checked(AtomicRedisModel):
    n: Annotated[int, AfterValidator(_within_limit)] = 0


async def test_a_validator_that_raises_fails_its_own_task_only(stored: Stored) -> None:
    account, checked = await Account().save(), await Checked(n=1000).save()
    results = await asyncio.wait_for(
        asyncio.gather(
            *(account.n.increase() for _ in range(10)),
            checked.n.increase(),
            *(account.n.increase() for _ in range(30)),
            return_exceptions=True,
        ),
        10,
    )
    assert [result for result in results if not isinstance(result, int)] == [results[10]]
    assert isinstance(results[10], _TooMuchError)
    assert (await stored(account))["n"] == account.n == 40
    assert (await stored(checked))["n"] == checked.n == 1000


async def test_a_validator_runs_in_the_context_of_its_own_task(stored: Stored) -> None:
    account, checked = await Account().save(), await Checked(n=5).save()

    async def limited() -> int:
        _limit.set(5)
        return await checked.n.increase()

    results = await asyncio.gather(
        *(account.n.increase() for _ in range(4)), limited(), return_exceptions=True
    )
    assert isinstance(results[4], _TooMuchError)
    assert (await stored(checked))["n"] == 5


class Named(AtomicRedisModel):
    name: Key[str]
    n: int = 0


async def test_a_key_that_cannot_be_sent_fails_its_own_task_only(stored: Stored) -> None:
    account = await Account().save()
    unsendable = Named.model_construct(name="\ud800", n=0)
    results = await asyncio.wait_for(
        asyncio.gather(
            *(account.n.increase() for _ in range(10)),
            unsendable.n.increase(),
            *(account.n.increase() for _ in range(30)),
            return_exceptions=True,
        ),
        10,
    )
    assert isinstance(results[10], ValueError)
    assert sorted(results[:10] + results[11:]) == list(range(1, 41))  # type: ignore[type-var]
    assert (await stored(account))["n"] == 40


async def test_stamps_tell_the_order_in_which_the_server_did_things(redis: Redis) -> None:
    account = await Account().save()
    step = (account.key, Primitive("incr", ("n",), (b"1", b"integer", b"", b"", b"", b"")))
    session = Session.of(redis)
    answers = await asyncio.gather(*(submit(session, [step]) for _ in range(50)))
    assert len({answer.stamp for answer in answers}) == 50
    in_order = sorted(answers, key=lambda answer: answer.stamp)
    assert [int(answer.values[0]) for answer in in_order] == list(range(1, 51))


@pytest.mark.parametrize("block_first", [True, False])
async def test_a_pipeline_next_to_an_operation_leaves_what_the_server_has(
    block_first: bool, stored: Stored
) -> None:
    account = await Account(items=[0], table={"k": 0}).save()

    async def block() -> None:
        async with account.pipeline():
            account.n += 10
            account.items[0] += 10
            account.table["k"] += 10

    alone = [
        account.n.increase(),
        account.items[0].increase(),
        account.table["k"].increase(),
    ]
    await asyncio.gather(*([block(), *alone] if block_first else [*alone, block()]))
    document = await stored(account)
    assert (document["n"], document["items"], document["table"]) == (11, [11], {"k": 11})
    assert (account.n, account.items, account.table) == (11, [11], {"k": 11})
