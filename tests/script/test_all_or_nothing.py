"""Every pair of steps, refused in every way: what is stored, its expiry included, is what it was, or all is applied."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import pytest

from rapyer.connections import Session, client_from_url
from rapyer.embedded import EmbeddedServer
from rapyer.errors import ServerError
from rapyer.paths import Path
from rapyer.script.call import submit
from rapyer.script.primitives import PRIMITIVES
from rapyer.script.steps import Primitive, Refused

LUA = (files("rapyer") / "script" / "lua" / "batch.lua").read_text(encoding="utf-8")
COMMANDS = sorted(
    set(re.findall(r"'(JSON\.[A-Z]+)'", LUA))
    | set(re.findall(r"call\('([A-Z]+)'", LUA))
    | {"PEXPIREAT", "PERSIST"}
)

KEY, OTHER = "D:1", "D:2"
FRAGILE = b"0.23733660385428734"
"""A double that the server reads one step off unless the script mends it."""
DOCUMENT = (
    b'{"n":1,"x":0.5,"s":"text","list":[1,[2,%b],{"k":1}],"empty":[],'
    b'"object":{"a":1,"b":[%b,1.0],"c":{"d":9007199254740993},"e":null},"odd":{"a\\\\b":1,"c":2}}'
) % (FRAGILE, FRAGILE)


def deep(levels: int) -> bytes:
    return b"[" * levels + b"1" + b"]" * levels


class Sample(NamedTuple):
    """A step that applies to the document; ``json`` is where it takes JSON of any kind."""

    code: str
    path: Path
    args: tuple[bytes, ...] = ()
    json: int | None = None

    def primitive(self) -> Primitive:
        if self.code == "cas":
            return Primitive("cas", self.path, (), lambda text: (b"[1]", text))
        return Primitive(self.code, self.path, self.args)

    def too_deep(self) -> Primitive:
        assert self.json is not None
        args = (*self.args[: self.json], deep(140), *self.args[self.json + 1 :])
        return Primitive(self.code, self.path, args)


FREE = (b"", b"", b"", b"")
SAMPLES = {
    "set": Sample("set", ("n",), (b"2", b""), 0),
    "set a new entry": Sample("set", ("object", "new"), (b"[1.5]", b""), 0),
    "set over an object": Sample("set", ("object",), (b"{}", b"object"), 0),
    "set a fragile double": Sample("set", ("x",), (FRAGILE, b""), 0),
    "set below an odd name": Sample("set", ("odd", "a\\b"), (b"2", b"")),
    "strapp": Sample("strapp", ("s",), (b'"!"',)),
    "cas": Sample("cas", ("list",)),
    "incr": Sample("incr", ("n",), (b"1", b"integer", *FREE)),
    "incr a float": Sample("incr", ("x",), (FRAGILE, b"number", *FREE)),
    "incr a nested one": Sample("incr", ("object", "b", 0), (b"0.1", b"number", *FREE)),
    "setat": Sample("setat", ("list",), (b"-1", b"5"), 1),
    "append": Sample("append", ("list",), (b"", b"5", b"[6]"), 2),
    "append to none": Sample("append", ("empty",), (b"", FRAGILE), 1),
    "append many": Sample("append", ("list",), (b"", *[b"1"] * 2500), 2400),
    "insert": Sample("insert", ("list",), (b"1", b"", b"5", b"[6]"), 3),
    "insert at the end": Sample("insert", ("list",), (b"9", b"", b"5"), 2),
    "insert many": Sample("insert", ("list",), (b"0", b"", *[b"1"] * 1200), 1100),
    "pop": Sample("pop", ("list",), (b"1", b"strict", b"")),
    "pop the last": Sample("pop", ("list",), (b"-1", b"lenient", b"")),
    "take": Sample("take", ("object",), (b"b",)),
    "remove": Sample("remove", ("object", "a")),
    "remove at the top": Sample("remove", ("x",)),
    "popitem": Sample("popitem", ("object",)),
    "popitem by name": Sample("popitem", ("object",), (b"a",)),
    "save": Sample("save", (), (b'{"n":7}', b"", b"90000"), 0),
    "drop": Sample("drop", ()),
    "expire": Sample("expire", (), (b"80000",)),
    "persist": Sample("expire", (), (b"-1",)),
    "expire at once": Sample("expire", (), (b"0",)),
    "refresh": Sample("refresh", (), (b"70000",)),
}


def test_there_is_a_sample_of_every_primitive_that_writes() -> None:
    writing = {code for code, known in PRIMITIVES.items() if known.writes}
    assert {sample.code for sample in SAMPLES.values()} == writing


class Lab:
    """A document that is laid out anew for each trial; a user whose rights can be taken away."""

    def __init__(self, server: EmbeddedServer, runner: asyncio.Runner) -> None:
        self._runner = runner
        self.admin: Any = client_from_url(server.url)
        self.call("ACL", "SETUSER", "narrow", "reset", "on", ">secret", "~*", "+@all")
        self.user: Any = client_from_url(f"unix://narrow:secret@{server.address}")

    def call(self, *words: str | bytes | int) -> Any:
        return self._runner.run(Session.of(self.admin).execute(*words, write=True))

    def lay_out(self, document: bytes = DOCUMENT) -> None:
        save = (KEY, Primitive("save", (), (document, b"", b"")))
        self.call("FLUSHALL")
        self._runner.run(submit(Session.of(self.admin), [save]))
        self.call("PEXPIRE", KEY, 3_600_000)

    def state(self) -> list[Any]:
        commands = [("JSON.GET", KEY), ("PEXPIRETIME", KEY), ("KEYS", "*")]
        *found, keys = self._runner.run(Session.of(self.admin).execute_many(commands, write=False))
        return [*found, sorted(keys)]

    def submit(self, primitives: Sequence[Primitive]) -> Exception | None:
        """What it was refused with, None where all was applied."""
        steps = [(KEY, primitive) for primitive in primitives]
        echo = [(KEY, Primitive("echo", ("list",), (b"",)))]
        try:
            self._runner.run(submit(Session.of(self.user), steps, echo))
        except Refused as refused:
            return refused.error
        except ServerError as error:  # the script as such was refused
            return error
        return None

    def deny(self, *commands: str) -> None:
        rules = [f"-{command.lower()}" for command in commands]
        self.call("ACL", "SETUSER", "narrow", "nocommands", "+@all", *rules)

    def close(self) -> None:
        self._runner.run(self.user.aclose())
        self.call("ACL", "DELUSER", "narrow")
        self._runner.run(self.admin.aclose())


@pytest.fixture
def lab(rapyer_server: EmbeddedServer) -> Iterator[Lab]:
    with asyncio.Runner() as runner:
        lab = Lab(rapyer_server, runner)
        yield lab
        lab.close()


CHECK = Primitive("check", ())


def try_batch(lab: Lab, primitives: Sequence[Primitive], document: bytes = DOCUMENT) -> bool:
    """Whether it was refused; then nothing is changed."""
    lab.lay_out(document)
    before = lab.state()
    error = lab.submit(primitives)
    if error is None:
        return False
    assert "could not be undone" not in str(error)
    assert lab.state() == before, error
    return True


def try_pairs(lab: Lab, seconds: Sequence[str]) -> int:
    """All pairs that end with one of ``seconds``, and with a refusal; how many are refused without it."""
    refused = 0
    lab.lay_out()
    before = lab.state()
    for first in SAMPLES:
        for second in SAMPLES:
            steps = [SAMPLES[first].primitive(), SAMPLES[second].primitive()]
            assert lab.submit([*steps, CHECK]) is not None
            assert lab.state() == before, (first, second)
            if second not in seconds:
                continue
            if (error := lab.submit(steps)) is None:
                lab.lay_out()
                before = lab.state()
            else:
                refused += 1
                assert lab.state() == before, (first, second, error)
    return refused


def those_that_need(*commands: str) -> list[str]:
    """The samples of primitives whose Lua mentions one of the commands."""
    lua = dict(re.findall(r"^  function ops\.(\w+)(.*?)^  end", LUA, re.MULTILINE | re.DOTALL))
    found = []
    for name, sample in SAMPLES.items():
        body = lua[sample.code]
        if any(f"'{command}'" in body for command in commands):
            found.append(name)
    return found


def test_whatever_comes_before_a_step_that_is_refused_is_undone(lab: Lab) -> None:
    assert 0 < try_pairs(lab, list(SAMPLES)) < len(SAMPLES) ** 2


@pytest.mark.parametrize("command", COMMANDS)
def test_a_right_that_is_missing_leaves_nothing_half_done(command: str, lab: Lab) -> None:
    lab.deny(command)
    try_pairs(lab, those_that_need(command))


@pytest.mark.parametrize(
    "commands",
    [
        ("COPY", "JSON.NUMINCRBY"),
        ("COPY", "JSON.SET"),
        ("RENAME", "JSON.DEL", "JSON.ARRPOP", "JSON.ARRTRIM", "JSON.ARRINSERT", "JSON.ARRAPPEND"),
        ("UNLINK", "PEXPIREAT", "PERSIST"),
        ("COPY", "DEL"),
    ],
)
def test_rights_that_are_missing_together_leave_nothing_half_done(
    commands: tuple[str, ...], lab: Lab
) -> None:
    lab.deny(*commands)
    try_pairs(lab, those_that_need(*commands))


def test_values_that_nest_too_deeply_leave_nothing_half_done(lab: Lab) -> None:
    nesting = [sample for sample in SAMPLES.values() if sample.json is not None]
    for sample in nesting:
        assert try_batch(lab, [sample.too_deep()]), sample
        for first in SAMPLES.values():
            assert try_batch(lab, [first.primitive(), sample.too_deep()]), (first, sample)


@pytest.mark.parametrize("denied", [(), ("COPY",)])
def test_values_stored_deeper_than_the_server_reads_are_put_back_or_left_alone(
    denied: tuple[str, ...], lab: Lab
) -> None:
    inner = ("object", "b", *[0] * 100)
    for first in SAMPLES.values():
        lab.lay_out(DOCUMENT.replace(FRAGILE + b",1.0", deep(100)))
        lab.call("JSON.SET", KEY, "$.object.b" + "[0]" * 100, deep(100))
        before = lab.state()
        assert before[0].count(b"[") > 200
        lab.deny(*denied)
        assert lab.submit([first.primitive(), CHECK]) is not None
        assert lab.state() == before, first
        assert lab.submit([Primitive("set", inner, (b"1", b"")), CHECK]) is not None
        assert lab.state() == before, first


@pytest.mark.parametrize(
    "wrong",
    [
        Primitive("append", ("n",), (b"", b"1")),
        Primitive("incr", ("s",), (b"1", b"integer", *FREE)),
        Primitive("incr", ("n",), (b"1", b"integer", b"", b"", b"1", b"")),
        Primitive("incr", ("n",), (b"9223372036854775807", b"integer", *FREE)),
        Primitive("strapp", ("list",), (b'"x"',)),
        Primitive("pop", ("list",), (b"9999", b"strict", b"")),
        Primitive("take", ("list",), (b"a",)),
        Primitive("remove", ("gone",)),
        Primitive("popitem", ("empty",)),
        Primitive("setat", ("list",), (b"9999", b"1")),
        Primitive("set", ("gone", "x"), (b"1", b"")),
        Primitive("set", ("n",), (b"1", b"array")),
        Primitive("read", ("gone",), (b"strict",)),
        Primitive("save", (), (b"{}", b"nx", b"")),
        Primitive("save", (), (b"{}", b"", b"99999999999999999999")),
        Primitive("expire", (), (b"99999999999999999999",)),
        Primitive("watch", (), (b"another",)),
        Primitive("set", ("odd", "c"), (b'{"\\\\":%b}' % FRAGILE, b"")),
    ],
    ids=lambda step: f"{step.code} {'.'.join(map(str, step.path))}",
)
def test_a_step_that_cannot_apply_leaves_nothing_half_done(wrong: Primitive, lab: Lab) -> None:
    for name, first in SAMPLES.items():
        is_gone = first.code in ("drop", "save") or name == "expire at once"
        assert try_batch(lab, [first.primitive(), wrong]) or is_gone, name


def test_memory_that_ends_leaves_nothing_half_done(lab: Lab) -> None:
    lab.lay_out()
    before = lab.state()
    for first in SAMPLES.values():
        for second in SAMPLES.values():
            steps = [first.primitive(), second.primitive()]
            for batch in ([*steps, CHECK], steps):
                lab.call("CONFIG", "SET", "maxmemory", "1")
                try:
                    error = lab.submit(batch)
                finally:
                    lab.call("CONFIG", "SET", "maxmemory", "0")
                if error is None:
                    lab.lay_out()
                    before = lab.state()
                assert lab.state() == before, (first, second, error)


def test_a_large_object_is_put_back_in_order_with_its_expiry(lab: Lab) -> None:
    entries = b",".join(b'"k%d":%b' % (number, FRAGILE) for number in range(5000))
    for denied in ((), ("COPY",)):
        lab.deny(*denied)
        removals = [Primitive("remove", ("object", f"k{number}")) for number in range(40)]
        assert try_batch(lab, [*removals, CHECK], b'{"object":{%b}}' % entries)
        assert not try_batch(lab, removals, b'{"object":{%b}}' % entries)


def test_a_name_that_a_copy_would_take_is_left_alone(lab: Lab) -> None:
    lab.lay_out()
    lab.call("SET", f"rapyer:undo:{{{KEY}}}", "somebody's")
    before = lab.state()
    assert lab.submit([SAMPLES["drop"].primitive(), CHECK]) is not None
    assert lab.state() == before


def test_another_document_is_put_back_as_well(lab: Lab) -> None:
    lab.lay_out()
    lab.call("JSON.SET", OTHER, "$", DOCUMENT)
    text = lab.call("JSON.GET", OTHER)
    before = lab.state()
    for sample in SAMPLES.values():
        steps = [(OTHER, sample.primitive()), (KEY, sample.primitive()), ("D:3", CHECK)]
        with pytest.raises(Refused):
            lab._runner.run(submit(Session.of(lab.user), steps))
        assert (lab.state(), lab.call("JSON.GET", OTHER)) == (before, text)


def test_sha1_of_a_watched_document_is_that_of_its_text(lab: Lab) -> None:
    lab.lay_out()
    sha = hashlib.sha1(lab.call("JSON.GET", KEY), usedforsecurity=False).hexdigest().encode()
    assert lab.submit([Primitive("watch", (), (sha,)), SAMPLES["incr"].primitive()]) is None
