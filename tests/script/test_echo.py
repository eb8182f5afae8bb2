"""An echo tells what a list or an object is on the server: its text, or a digest of the text where it is large."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from rapyer.connections import Session
from rapyer.paths import Path
from rapyer.script.call import ECHO_LIMIT, Digest, Primitive, submit

from .conftest import Store

NOTHING = ("D:1", Primitive("read", (), (b"lenient",)))


async def echo(session: Session, path: Path, limit: bytes) -> Any:
    answer = await submit(session, [NOTHING], [("D:1", Primitive("echo", path, (limit,)))])
    return answer.values[-1]


def digest(text: bytes) -> Digest:
    return Digest(hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())


LIST, OBJECT = b'[1,2.0,"\xc3\xa9"]', b'{"a":1,"b":[],"c":null}'
DOCUMENT = b'{"list":%b,"object":%b,"n":1,"text":"[]","empty":[]}' % (LIST, OBJECT)


@pytest.mark.parametrize(("path", "text"), [(("list",), LIST), (("object",), OBJECT)])
async def test_up_to_the_limit_it_is_the_text_and_above_a_digest_of_the_text(
    path: Path, text: bytes, session: Session, store: Store
) -> None:
    await store(DOCUMENT)
    for limit in (b"3", b"256", b""):
        assert await echo(session, path, limit) == text
    for limit in (b"2", b"1", b"0"):
        assert await echo(session, path, limit) == digest(text)


async def test_without_any_item_it_is_a_digest_where_only_digests_are_asked_for(
    session: Session, store: Store
) -> None:
    await store(DOCUMENT)
    assert await echo(session, ("empty",), b"1") == b"[]"
    assert await echo(session, ("empty",), b"0") == digest(b"[]")
    assert await echo(session, (), b"0") == digest(DOCUMENT)


@pytest.mark.parametrize("path", [("n",), ("text",), ("gone",), ("list", 0), ("list", 7)])
async def test_it_is_nothing_where_no_list_or_object_is(
    path: Path, session: Session, store: Store
) -> None:
    await store(DOCUMENT)
    for limit in (b"", b"0", b"%d" % ECHO_LIMIT):
        assert await echo(session, path, limit) is None


@pytest.mark.parametrize("limit", [b"", b"0", b"1"])
async def test_below_a_key_that_no_path_names_it_is_the_text(
    limit: bytes, session: Session, store: Store
) -> None:
    await store(rb'{"a\\b":{"list":[1,2,3],"n":1}}')
    assert await echo(session, ("a\\b", "list"), limit) == b"[1,2,3]"
    assert await echo(session, ("a\\b", "n"), limit) is None
    assert await echo(session, ("a\\b", "gone"), limit) is None


async def test_a_large_list_that_somebody_changed_without_changing_its_length_has_another_digest(
    session: Session, store: Store
) -> None:
    numbers = list(range(300))
    await store(f'{{"list":{numbers}}}')
    before = await echo(session, ("list",), b"256")
    assert before == digest(str(numbers).replace(" ", "").encode())
    await session.execute("JSON.SET", "D:1", "$.list[7]", "8", write=True)
    assert await echo(session, ("list",), b"256") not in (before, None)
