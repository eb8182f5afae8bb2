"""The table of primitives is what everything else says of them: the script's header, its Lua, the twin, the wording."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from rapyer.paths import Path
from rapyer.script import in_python
from rapyer.script.primitives import ALWAYS, PRIMITIVES, REASONS, Argument, Instruction
from rapyer.script.steps import Primitive
from rapyer.script.wording import describe_step

LUA = (files("rapyer") / "script" / "lua" / "batch.lua").read_text(encoding="utf-8")


def written(argument: Argument) -> str:
    return f"{argument.name} …" if argument.many else argument.name


def described(code: str, instruction: Instruction) -> list[str]:
    """A primitive as the script's header has it."""
    arguments = " ".join(written(argument) for argument in instruction.arguments)
    lines = [f"--   {instruction.part + '.' + code:17}{arguments}".rstrip()]
    lines += [
        f"--       {argument.name}: {argument.meaning}"
        for argument in instruction.arguments
        if argument.meaning
    ]
    if instruction.wire:
        lines.append(f"--       on the wire: {instruction.wire}")
    if instruction.answer != "1":
        lines.append(f"--       answers {instruction.answer}")
    if instruction.refusals:
        lines.append(f"--       refuses: {' '.join(instruction.refusals)}")
    if not instruction.writes:
        lines.append("--       writes nothing")
    return lines


def header() -> str:
    """What the script's header says of primitives and reasons."""
    lines = ["-- Primitives: what they take; they answer 1 unless something else is said."]
    for code, instruction in PRIMITIVES.items():
        lines += described(code, instruction)
    lines += [
        "--",
        f"-- Reasons, with their details; any primitive may refuse for {' '.join(ALWAYS)}.",
    ]
    lines += [f"--   {reason:10}{meaning}" for reason, meaning in REASONS.items()]
    return "\n".join(lines) + "\n"


def test_the_header_of_the_script_says_what_the_table_says() -> None:
    assert header() in LUA


def test_the_script_has_each_primitive_in_its_part_and_no_other() -> None:
    found = []
    for part, body in re.findall(
        r"^function parts\.(\w+)\(\)\n(.*?)^end\n", LUA, re.MULTILINE | re.DOTALL
    ):
        found += [
            (part, code) for code in re.findall(r"^  function ops\.(\w+)", body, re.MULTILINE)
        ]
    assert sorted(found) == sorted((known.part, code) for code, known in PRIMITIVES.items())


def test_the_script_refuses_for_known_reasons_only() -> None:
    refused = re.findall(r"refuse\((?:reply and )?'(\w+)'(?: or '(\w+)')?", LUA)
    reasons = {reason for either in refused for reason in either if reason}
    reasons |= set(re.findall(r"reason = '(\w+)'", LUA))
    assert reasons == set(REASONS)
    of_primitives = {reason for known in PRIMITIVES.values() for reason in known.refusals}
    assert of_primitives | set(ALWAYS) == set(REASONS)


def test_python_carries_out_each_primitive_that_does_not_need_the_exact_text() -> None:
    assert set(in_python.OPERATIONS) == {code for code, known in PRIMITIVES.items() if known.twin}


@pytest.mark.parametrize("code", PRIMITIVES)
def test_each_primitive_has_at_most_one_kind_of_json(code: str) -> None:
    """So that one slice of the arguments names them."""
    marked = [argument.json for argument in PRIMITIVES[code].arguments]
    assert marked.count(True) <= 1
    assert not any(argument.many for argument in PRIMITIVES[code].arguments[:-1])


WORDED: list[tuple[str, Path, tuple[bytes, ...], str]] = [
    ("set", ("a",), (b'"x y"', b""), """JSON.SET K:1 $.a '"x y"'"""),
    ("strapp", ("a",), (b'"x"',), """JSON.STRAPPEND K:1 $.a '"x"'"""),
    (
        "cas",
        ("a",),
        (b"sha", b"1"),
        "JSON.SET K:1 $.a <computed from the stored value, if unchanged>",
    ),
    ("incr", ("a",), (b"2", b"integer", b"", b"", b"", b""), "JSON.NUMINCRBY K:1 $.a 2"),
    ("setat", ("a",), (b"-1", b"5"), "JSON.SET K:1 $.a[-1] 5"),
    ("append", ("a",), (b"", b"5", b"6"), "JSON.ARRAPPEND K:1 $.a 5 6"),
    ("insert", ("a",), (b"0", b"", b"5", b"{}"), "JSON.ARRINSERT K:1 $.a 0 5 {}"),
    ("pop", ("a",), (b"-1", b"strict", b""), "JSON.ARRPOP K:1 $.a -1"),
    ("take", ("a",), (b"b c",), """JSON.DEL K:1 '$.a["b c"]'"""),
    ("take", ("a",), (b"b\\c",), "JSON.SET K:1 $.a <computed from the stored value, if unchanged>"),
    (
        "remove",
        ("a", "b\\", "c"),
        (),
        "JSON.SET K:1 $.a <computed from the stored value, if unchanged>",
    ),
    ("remove", ("a", 1), (), "JSON.DEL K:1 $.a[1]"),
    ("popitem", ("a",), (), "JSON.DEL K:1 $.a.<last entry>"),
    ("read", ("a",), (b"strict",), "JSON.GET K:1 $.a"),
    ("echo", ("a",), (b"0",), "JSON.GET K:1 $.a"),
    ("check", (), (), "JSON.GET K:1 $"),
    ("watch", (), (b"sha",), "JSON.GET K:1 $"),
    ("save", (), (b"{}", b"", b""), "JSON.SET K:1 $ {}"),
    ("save", (), (b"{}", b"nx", b"500"), "JSON.SET K:1 $ {} NX + PEXPIRE K:1 500"),
    ("drop", (), (), "DEL K:1"),
    ("expire", (), (b"500",), "PEXPIRE K:1 500"),
    ("expire", (), (b"-1",), "PERSIST K:1"),
    ("refresh", (), (b"500",), "PEXPIRE K:1 500"),
]


@pytest.mark.parametrize(("code", "path", "args", "words"), WORDED)
def test_a_dry_run_says_what_a_step_amounts_to(
    code: str, path: Path, args: tuple[bytes, ...], words: str
) -> None:
    assert describe_step("K:1", Primitive(code, path, args)) == words


def test_each_primitive_is_worded() -> None:
    assert {code for code, *_ in WORDED} == set(PRIMITIVES)
