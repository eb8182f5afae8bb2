"""What people write who come from elsewhere: it works, or it is refused with what to write instead."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

import rapyer
from rapyer import AtomicRedisModel, Key, RapyerKey
from rapyer.connections import client_from_url
from rapyer.errors import ConfigurationError, InvalidValueError, WrongModelError
from tests.conftest import Stored
from tests.registered import models_of

pytestmark = pytest.mark.usefixtures("redis")


class Link(BaseModel):
    to: RapyerKey | None = None


class Newcomer(AtomicRedisModel):
    name: str = ""
    boss: RapyerKey | None = None
    friends: list[RapyerKey] = []
    link: Link = Link()


class Apprentice(Newcomer):
    year: int = 1


class Waybill(AtomicRedisModel):
    number: Annotated[int, Key()]
    note: str = ""


class Postcard(AtomicRedisModel):
    number: Key(str)  # type: ignore[valid-type]


class Boulder(AtomicRedisModel):
    model_config = ConfigDict(frozen=True)
    weight: int = 1


async def test_a_pk_is_assigned_to_a_new_document(stored: Stored) -> None:
    person = Newcomer(name="Ada")
    person.pk = "ada"
    assert person.key == "Newcomer:ada"
    await person.save()
    assert (await stored("Newcomer:ada"))["name"] == "Ada"
    person.pk = "ada"
    with pytest.raises(InvalidValueError, match=r"Newcomer:ada cannot become 'eve'.*duplicate\(\)"):
        person.pk = "eve"
    assert person.key == "Newcomer:ada"
    other = Newcomer()
    other.pk = UUID(int=5)
    assert other.pk == str(UUID(int=5))
    with pytest.raises(WrongModelError):
        other.pk = "Waybill:1"


async def test_a_pk_that_is_assigned_goes_to_the_key_field() -> None:
    parcel = Waybill(number=1)
    parcel.pk = 2
    assert parcel.number == 2
    assert (await parcel.save()).key == "Waybill:2"
    with pytest.raises(InvalidValueError, match="leave the old document behind"):
        parcel.pk = 3
    assert Postcard(number="a").key == "Postcard:a"


def test_a_nested_model_has_no_pk_to_assign() -> None:
    class Holder(AtomicRedisModel):
        person: Newcomer = Newcomer()

    with pytest.raises(InvalidValueError, match="part of another document"):
        Holder().person.pk = "x"


async def test_keys_are_values_of_fields(stored: Stored) -> None:
    boss = await Newcomer(name="boss").save()
    person = await Newcomer(boss=boss.key, friends=[boss.key], link=Link(to=boss.key)).save()
    read = await Newcomer.get(person.key)
    assert read == person
    assert {type(read.boss), type(read.friends[0]), type(read.link.to)} == {RapyerKey}
    assert await stored(person) == {
        "name": "",
        "boss": str(boss.key),
        "friends": [str(boss.key)],
        "link": {"to": str(boss.key)},
    }
    assert read.boss is not None
    assert await rapyer.get(read.boss) == boss
    assert await Newcomer.find(Newcomer.boss == boss.key) == [person]
    await read.friends.aappend(person.key)
    assert (await stored(person))["friends"] == [str(boss.key), str(person.key)]
    assert type(read.friends[1]) is RapyerKey


async def test_delete_many_says_how_many_of_which_model() -> None:
    people = [await Newcomer().save() for _ in range(3)]
    students = [await Apprentice().save() for _ in range(2)]
    parcel = await Waybill(number=1).save()
    deleted = await rapyer.delete_many(people[0], parcel.key, students[0], people[0])
    assert deleted == 3 == deleted.count
    assert deleted.by_model == {Newcomer: 1, Waybill: 1, Apprentice: 1}
    deleted = await Newcomer.delete_many(people[1], people[1].pk, "nobody", students[1])
    assert deleted == 2
    assert deleted.by_model == {Newcomer: 1, Apprentice: 1}
    await Apprentice(year=5).save()
    deleted = await Newcomer.adelete_many(Newcomer.name == "")
    assert deleted == 2
    assert deleted.by_model == {Newcomer: 1, Apprentice: 1}
    assert (await Newcomer.delete_many()).by_model == {}


async def test_frozen_models_are_duplicated_in_one_round_trip(redis: Redis, stored: Stored) -> None:
    stone = await Boulder(weight=2).save()
    await stone.duplicate_many(2)

    async def scripts() -> int:
        return int((await redis.info("commandstats"))["cmdstat_evalsha"]["calls"])

    before = await scripts()
    copies = await stone.duplicate_many(3, weight=5)
    assert await scripts() == before + 1
    assert len({copy.key for copy in (stone, *copies)}) == 4
    for copy in copies:
        assert await stored(copy) == {"weight": 5}
    assert await stored(stone) == {"weight": 2}


async def test_times_to_live_may_be_timedeltas_and_short(redis: Redis) -> None:
    stone = await Boulder().save()
    await stone.set_ttl(timedelta(minutes=1))
    assert 59_000 < await redis.pttl(stone.key) <= 60_000
    await stone.set_ttl(0.0001)
    async with asyncio.timeout(5):
        while await redis.exists(stone.key):  # noqa: ASYNC110 - a key has no event
            await asyncio.sleep(0.001)


async def test_a_logger_is_refused_with_what_to_do(rapyer_url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"getLogger\('rapyer'\)"):
        await rapyer.init_rapyer(rapyer_url, logger=object())


async def test_a_model_keeps_the_client_that_it_was_given_though_all_had_it(
    rapyer_url: str,
) -> None:
    """Also where it is the one that init_rapyer made first."""
    with models_of(__name__):

        class Kept(AtomicRedisModel):
            Meta = rapyer.RedisConfig()

        first = await rapyer.init_rapyer(rapyer_url)
        Kept.Meta.redis = first
        second = client_from_url(rapyer_url)
        try:
            assert await rapyer.init_rapyer(second) is second
            assert Kept.Meta.redis is first
            assert AtomicRedisModel.Meta.redis is second
            await rapyer.teardown_rapyer()
            assert Kept.Meta.redis is first
            assert AtomicRedisModel.Meta.redis is None
            assert await second.ping()
        finally:
            await first.aclose()
            await second.aclose()
