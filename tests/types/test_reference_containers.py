"""The reference's RedisList and RedisDict: every method, and the examples, on the server and locally."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from rapyer import AtomicRedisModel
from rapyer.errors import KeyNotFound
from rapyer.types import RedisBytes, RedisDatetime, RedisDict, RedisInt, RedisList, RedisStr
from tests.conftest import Stored


class User(AtomicRedisModel):
    tags: list[str] = []
    scores: list[int] = []
    settings: dict[str, str] = {}
    metadata: dict[str, int] = {}


class Playlist(AtomicRedisModel):
    name: str
    songs: list[str] = []
    ratings: list[int] = []


class UserProfile(AtomicRedisModel):
    username: str
    settings: dict[str, str] = {}
    scores: dict[str, int] = {}


class Example(AtomicRedisModel):
    text: str
    number: int
    data: bytes
    timestamp: datetime
    tags: list[str]
    settings: dict[str, str]
    scores: list[int]
    metadata: dict[str, Any]


# -- RedisList: synchronous --------------------------------------------------------------------------

LIST_CHANGES = {
    "append": (lambda v: v.append("d"), ["a", "b", "c", "d"]),
    "extend": (lambda v: v.extend(iter(["d", "e"])), ["a", "b", "c", "d", "e"]),
    "insert": (lambda v: v.insert(1, "x"), ["a", "x", "b", "c"]),
    "insert_past_the_end": (lambda v: v.insert(99, "x"), ["a", "b", "c", "x"]),
    "insert_before_the_start": (lambda v: v.insert(-99, "x"), ["x", "a", "b", "c"]),
    "clear": (lambda v: v.clear(), []),
    "setitem": (lambda v: v.__setitem__(0, "x"), ["x", "b", "c"]),
    "setitem_from_the_end": (lambda v: v.__setitem__(-1, "x"), ["a", "b", "x"]),
    "setitem_slice": (lambda v: v.__setitem__(slice(0, 2), ["x"]), ["x", "c"]),
    "setitem_stepped_slice": (
        lambda v: v.__setitem__(slice(None, None, 2), ["x", "y"]),
        ["x", "b", "y"],
    ),
    "iadd": (lambda v: v.__iadd__(["d"]), ["a", "b", "c", "d"]),
    "imul": (lambda v: v.__imul__(2), ["a", "b", "c", "a", "b", "c"]),
    "pop": (lambda v: v.pop(), ["a", "b"]),
    "pop_first": (lambda v: v.pop(0), ["b", "c"]),
    "remove": (lambda v: v.remove("b"), ["a", "c"]),
    "sort": (lambda v: v.sort(reverse=True), ["c", "b", "a"]),
    "reverse": (lambda v: v.reverse(), ["c", "b", "a"]),
    "delitem": (lambda v: v.__delitem__(1), ["a", "c"]),
    "delitem_slice": (lambda v: v.__delitem__(slice(1, None)), ["a"]),
    "remove_range": (lambda v: v.remove_range(0, 2), ["c"]),
}


@pytest.mark.parametrize("name", LIST_CHANGES)
async def test_list_change_outside_a_pipeline_is_local_until_save(
    name: str, stored: Stored
) -> None:
    change, expected = LIST_CHANGES[name]
    user = await User(tags=["a", "b", "c"]).save()
    change(user.tags)
    assert user.tags == expected
    assert isinstance(user.tags, RedisList)
    assert (await stored(user))["tags"] == ["a", "b", "c"]
    await user.tags.save()
    assert (await stored(user))["tags"] == expected


@pytest.mark.parametrize("name", LIST_CHANGES)
async def test_list_change_in_a_pipeline_is_applied_at_its_end(name: str, stored: Stored) -> None:
    change, expected = LIST_CHANGES[name]
    user = await User(tags=["a", "b", "c"]).save()
    async with user.pipeline():
        change(user.tags)
        assert user.tags == expected
        assert (await stored(user))["tags"] == ["a", "b", "c"]
    assert user.tags == expected
    assert (await stored(user))["tags"] == expected


async def test_list_pipeline_example(stored: Stored) -> None:
    user = User(tags=["python"])
    await user.save()
    async with user.pipeline():
        user.tags.append("redis")
        user.tags.extend(["asyncio", "web"])
        user.tags += ["backend"]
    expected = ["python", "redis", "asyncio", "web", "backend"]
    assert user.tags == expected
    assert (await stored(user))["tags"] == expected


# -- RedisList: asynchronous -------------------------------------------------------------------------


async def test_list_example(stored: Stored) -> None:
    playlist = Playlist(name="My Favorites", songs=["Song 1"])
    await playlist.save()
    await playlist.songs.aappend("Song 2")
    await playlist.songs.aextend(["Song 3", "Song 4"])
    await playlist.songs.ainsert(1, "Song 1.5")
    everything = ["Song 1", "Song 1.5", "Song 2", "Song 3", "Song 4"]
    assert playlist.songs == everything
    assert (await stored(playlist))["songs"] == everything
    assert await playlist.songs.apop() == "Song 4"
    assert await playlist.songs.apop(0) == "Song 1"
    assert playlist.songs == everything[1:-1]
    assert (await stored(playlist))["songs"] == everything[1:-1]
    async with playlist.pipeline():
        playlist.songs.append("New Song")
        playlist.ratings.extend([5, 4, 5])
        playlist.songs.clear()
    assert await stored(playlist) == {"name": "My Favorites", "songs": [], "ratings": [5, 4, 5]}
    assert (playlist.songs, playlist.ratings) == ([], [5, 4, 5])


async def test_aclear_of_a_list(stored: Stored) -> None:
    user = await User(tags=["a"], scores=[1]).save()
    assert await user.tags.aclear() is None
    assert user.tags == []
    assert (await stored(user))["tags"] == []
    assert (await stored(user))["scores"] == [1]


async def test_list_operations_return_none_and_act_on_what_the_server_has(stored: Stored) -> None:
    user = await User(tags=["a"]).save()
    other = await User.get(user.key)
    assert await other.tags.aappend("theirs") is None
    assert await user.tags.aappend("mine") is None
    assert user.tags == ["a", "theirs", "mine"] == (await stored(user))["tags"]
    assert await user.tags.aextend([]) is None
    assert await user.tags.ainsert(99, "end") is None
    assert await user.tags.ainsert(-99, "start") is None
    assert user.tags == ["start", "a", "theirs", "mine", "end"] == (await stored(user))["tags"]


async def test_apop_of_an_empty_list_returns_none(stored: Stored) -> None:
    user = await User().save()
    assert await user.tags.apop() is None
    assert await user.tags.apop(0) is None
    assert (await stored(user))["tags"] == []


@pytest.mark.parametrize("index", [3, -4, 99])
async def test_apop_out_of_range_raises_and_pops_nothing(index: int, stored: Stored) -> None:
    user = await User(tags=["a", "b", "c"]).save()
    with pytest.raises(IndexError):
        await user.tags.apop(index)
    assert user.tags == ["a", "b", "c"] == (await stored(user))["tags"]


@pytest.mark.parametrize("index", [0, 1, 2, -1, -2, -3])
async def test_apop_of_an_index(index: int, stored: Stored) -> None:
    user = await User(scores=[10, 20, 30]).save()
    expected = [10, 20, 30]
    assert await user.scores.apop(index) == expected.pop(index)
    assert user.scores == expected == (await stored(user))["scores"]


def test_clone_of_a_list_has_native_items() -> None:
    class Nested(AtomicRedisModel):
        rows: list[list[int]]

    model = Nested(rows=[[1, 2], [3]])
    assert isinstance(model.rows[0][0], RedisInt)
    clone = model.rows.clone()
    assert clone == [[1, 2], [3]]
    assert type(clone) is list
    assert {type(row) for row in clone} == {list}
    assert {type(item) for row in clone for item in row} == {int}
    clone[0].append(9)
    assert model.rows == [[1, 2], [3]]


# -- RedisDict: synchronous --------------------------------------------------------------------------

DICT_CHANGES = {
    "update": (lambda v: v.update({"a": "9", "c": "3"}), {"a": "9", "b": "2", "c": "3"}),
    "update_keywords": (lambda v: v.update(c="3"), {"a": "1", "b": "2", "c": "3"}),
    "update_pairs": (
        lambda v: v.update([("c", "3")], d="4"),
        {"a": "1", "b": "2", "c": "3", "d": "4"},
    ),
    "clear": (lambda v: v.clear(), {}),
    "setitem": (lambda v: v.__setitem__("c", "3"), {"a": "1", "b": "2", "c": "3"}),
    "setitem_again": (lambda v: v.__setitem__("a", "9"), {"a": "9", "b": "2"}),
    "delitem": (lambda v: v.__delitem__("a"), {"b": "2"}),
    "pop": (lambda v: v.pop("a"), {"b": "2"}),
    "pop_default": (lambda v: v.pop("zz", None), {"a": "1", "b": "2"}),
    "popitem": (lambda v: v.popitem(), {"a": "1"}),
    "setdefault": (lambda v: v.setdefault("c", "3"), {"a": "1", "b": "2", "c": "3"}),
    "setdefault_there": (lambda v: v.setdefault("a", "3"), {"a": "1", "b": "2"}),
    "ior": (lambda v: v.__ior__({"c": "3"}), {"a": "1", "b": "2", "c": "3"}),
}


@pytest.mark.parametrize("name", DICT_CHANGES)
async def test_dict_change_outside_a_pipeline_is_local_until_save(
    name: str, stored: Stored
) -> None:
    change, expected = DICT_CHANGES[name]
    user = await User(settings={"a": "1", "b": "2"}).save()
    change(user.settings)
    assert user.settings == expected
    assert isinstance(user.settings, RedisDict)
    assert (await stored(user))["settings"] == {"a": "1", "b": "2"}
    await user.settings.save()
    assert (await stored(user))["settings"] == expected


@pytest.mark.parametrize("name", DICT_CHANGES)
async def test_dict_change_in_a_pipeline_is_applied_at_its_end(name: str, stored: Stored) -> None:
    change, expected = DICT_CHANGES[name]
    user = await User(settings={"a": "1", "b": "2"}).save()
    async with user.pipeline():
        change(user.settings)
        assert user.settings == expected
        assert (await stored(user))["settings"] == {"a": "1", "b": "2"}
    assert user.settings == expected
    assert (await stored(user))["settings"] == expected


async def test_dict_pipeline_example(stored: Stored) -> None:
    user = User(settings={"theme": "light"}, metadata={"a": 1})
    await user.save()
    async with user.pipeline():
        user.settings.update({"theme": "dark", "lang": "en"})
        user.settings["notifications"] = "enabled"
        user.metadata.clear()
    expected = {"theme": "dark", "lang": "en", "notifications": "enabled"}
    assert user.settings == expected == (await stored(user))["settings"]
    assert user.metadata == {} == (await stored(user))["metadata"]


# -- RedisDict: asynchronous -------------------------------------------------------------------------


async def test_dict_example(stored: Stored) -> None:
    user = UserProfile(username="john", settings={"theme": "light"})
    await user.save()
    await user.settings.aset_item("language", "en")
    await user.settings.aupdate(theme="dark", notifications="on")
    assert (await stored(user))["settings"] == {
        "theme": "dark",
        "language": "en",
        "notifications": "on",
    }
    assert await user.settings.apop("theme") == "dark"
    await user.settings.adel_item("notifications")
    assert await user.settings.apopitem() == ("language", "en")
    assert user.settings == {} == (await stored(user))["settings"]
    async with user.pipeline():
        user.settings.update({"theme": "blue", "font": "large"})
        user.scores["game1"] = 100
        user.scores["game2"] = 85
    assert await stored(user) == {
        "username": "john",
        "settings": {"theme": "blue", "font": "large"},
        "scores": {"game1": 100, "game2": 85},
    }
    assert user.scores == {"game1": 100, "game2": 85}


async def test_dict_operations_act_on_what_the_server_has(stored: Stored) -> None:
    user = await User(settings={"a": "1"}).save()
    other = await User.get(user.key)
    assert await other.settings.aset_item("theirs", "x") is None
    assert await user.settings.aset_item("mine", "y") is None
    assert user.settings == {"a": "1", "theirs": "x", "mine": "y"}
    assert (await stored(user))["settings"] == user.settings


async def test_aupdate_of_a_dict_accepts_a_mapping_and_keywords(stored: Stored) -> None:
    user = await User().save()
    await user.settings.aupdate({"with space": "1"}, b="2")
    assert user.settings == {"with space": "1", "b": "2"} == (await stored(user))["settings"]


async def test_apop_of_a_missing_key_returns_the_default(stored: Stored) -> None:
    user = await User(metadata={"a": 1}).save()
    assert await user.metadata.apop("zz") is None
    assert await user.metadata.apop("zz", 7) == 7
    assert await user.metadata.apop("a", 7) == 1
    assert user.metadata == {} == (await stored(user))["metadata"]


async def test_apopitem_of_an_empty_dict_raises_key_error(stored: Stored) -> None:
    user = await User().save()
    with pytest.raises(KeyError):
        await user.settings.apopitem()
    with pytest.raises(KeyError):
        user.settings.popitem()


async def test_adel_item_of_a_missing_key_raises_key_error(stored: Stored) -> None:
    user = await User(settings={"a": "1"}).save()
    with pytest.raises(KeyError):
        await user.settings.adel_item("zz")
    assert user.settings == {"a": "1"} == (await stored(user))["settings"]


async def test_aclear_of_a_dict(stored: Stored) -> None:
    user = await User(settings={"a": "1"}).save()
    assert await user.settings.aclear() is None
    assert user.settings == {} == (await stored(user))["settings"]


def test_clone_of_a_dict_has_native_values() -> None:
    class Nested(AtomicRedisModel):
        table: dict[str, dict[str, int]]

    model = Nested(table={"a": {"b": 1}})
    assert isinstance(model.table["a"]["b"], RedisInt)
    clone = model.table.clone()
    assert clone == {"a": {"b": 1}}
    assert (type(clone), type(clone["a"]), type(clone["a"]["b"])) == (dict, dict, int)


# -- type conversion, pipeline context, errors -------------------------------------------------------


def test_type_conversion_table() -> None:
    example = Example(
        text="t",
        number=1,
        data=b"d",
        timestamp=datetime(2024, 1, 1),  # noqa: DTZ001
        tags=["a"],
        settings={"k": "v"},
        scores=[1],
        metadata={"k": [1, {"x": 1.5}], "t": "x", "n": 3, "none": None, "b": True},
    )
    types = [type(getattr(example, name)) for name in Example.model_fields]
    assert types == [
        RedisStr,
        RedisInt,
        RedisBytes,
        RedisDatetime,
        RedisList,
        RedisDict,
        RedisList,
        RedisDict,
    ]
    assert isinstance(example.tags[0], RedisStr)
    assert isinstance(example.scores[0], RedisInt)
    assert isinstance(example.settings["k"], RedisStr)
    assert isinstance(example.metadata["k"], RedisList)
    assert isinstance(example.metadata["k"][1], RedisDict)
    assert example.metadata["b"] is True
    assert example.metadata["none"] is None


async def test_values_of_an_any_dict_are_live(stored: Stored) -> None:
    example = await Example(
        text="t",
        number=1,
        data=b"d",
        timestamp=datetime(2024, 1, 1),  # noqa: DTZ001
        tags=[],
        settings={},
        scores=[],
        metadata={"n": 3, "l": [1, {"x": 1.5}]},
    ).save()
    assert await example.metadata["n"].increase(4) == 7
    await example.metadata["l"].aappend("x")
    assert await example.metadata["l"][1]["x"].increase(1) == 2.5
    assert example.metadata == {"n": 7, "l": [1, {"x": 2.5}, "x"]}
    assert (await stored(example))["metadata"] == {"n": 7, "l": [1, {"x": 2.5}, "x"]}


async def test_pipeline_context_example(stored: Stored) -> None:
    class Model(AtomicRedisModel):
        tags: list[str] = []
        settings: dict[str, str] = {}
        counter: int = 0

    model = await Model().save()
    async with model.pipeline():
        model.tags.append("new-tag")
        model.settings["key"] = "value"
        model.counter += 1
    expected = {"tags": ["new-tag"], "settings": {"key": "value"}, "counter": 1}
    assert await stored(model) == expected
    assert model.model_dump() == expected


async def test_every_operation_on_a_missing_document_raises_key_not_found(stored: Stored) -> None:
    user = User(tags=["a"], settings={"a": "1"})
    before = user.model_dump()
    for call in (
        lambda: user.tags.aappend("x"),
        lambda: user.tags.aextend(["x"]),
        lambda: user.tags.ainsert(0, "x"),
        lambda: user.tags.aclear(),
        lambda: user.tags.apop(),
        lambda: user.settings.aset_item("k", "v"),
        lambda: user.settings.adel_item("a"),
        lambda: user.settings.aupdate(k="v"),
        lambda: user.settings.apop("a"),
        lambda: user.settings.apopitem(),
        lambda: user.settings.aclear(),
        lambda: user.aupdate(tags=[]),
        lambda: user.load(),
        lambda: user.set_ttl(10),
        lambda: user.save(xx=True),
    ):
        with pytest.raises(KeyNotFound):
            await call()
        assert user.model_dump() == before
        assert await stored(user) is None
