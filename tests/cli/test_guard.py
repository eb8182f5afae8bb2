"""Which commands a packed request holds; whether they may leave is tested against a real server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapyer.connections.exchange import pack
from rapyer_cli.failures import Refused
from rapyer_cli.session.guard import Guard, command_names


def test_every_command_of_a_packed_request_is_seen() -> None:
    packed = pack(
        [("json.get", "k", "$"), ("CLIENT", "LIST"), ("set", "k", b"*1\r\n$4\r\nPING\r\n")]
    )
    assert command_names(packed) == ["JSON.GET", "CLIENT|LIST", "SET"]


@given(st.lists(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=4), max_size=4))
def test_no_argument_can_hide_a_command(commands: list[list[bytes]]) -> None:
    assert len(command_names(pack(commands))) == len(commands)


@pytest.mark.parametrize("packed", [b"PING\r\n", b"*1\r\n+PING\r\n", b"*x\r\n", b"\r\n"])
def test_what_is_no_packed_command_does_not_leave(packed: bytes) -> None:
    with pytest.raises(Refused):
        command_names(packed)


async def test_an_unknown_command_is_refused() -> None:
    async def nothing_known(name: str) -> frozenset[str] | None:
        return None

    with pytest.raises(Refused, match="FROBNICATE"):
        await Guard(nothing_known, "test").check(["FROBNICATE"])


async def test_a_command_is_refused_when_the_server_cannot_be_asked() -> None:
    async def broken(name: str) -> frozenset[str] | None:
        raise RuntimeError("no permission")

    with pytest.raises(Refused, match="no permission"):
        await Guard(broken, "test").check(["JSON.GET"])


async def test_read_only_stays_closed_while_a_plan_wants_to_write() -> None:
    async def reads(name: str) -> frozenset[str] | None:
        return frozenset({"write"})

    guard = Guard(reads, "profile prod is prod")
    with pytest.raises(Refused, match="profile prod is prod"), guard.writing():
        pass
    with pytest.raises(Refused):
        await guard.check(["JSON.SET"])


async def test_an_ordinary_session_writes_only_while_a_plan_is_carried_out() -> None:
    async def flags(name: str) -> frozenset[str] | None:
        return frozenset({"write"})

    guard = Guard(flags)
    with pytest.raises(Refused, match="only looks"):
        await guard.check(["JSON.SET"])
    with guard.writing():
        await guard.check(["JSON.SET", "EVALSHA"])
    with pytest.raises(Refused):
        await guard.check(["EVALSHA"])
