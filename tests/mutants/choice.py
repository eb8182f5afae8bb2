"""Which lines are broken, and which tests look at each room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path

from tests.mutants.equivalent import EQUIVALENT
from tests.mutants.lua_lines import broken_lua
from tests.mutants.mutant import Mutant, StaleMutantError, written
from tests.mutants.python_lines import broken_python
from tests.mutants.written import WRITTEN

ROOT = Path(__file__).parents[2]

# The tests that say most about a room come first: the first failure ends a run.
TESTS: dict[str, tuple[str, ...]] = {
    "state": ("state", "state_machine", "batch", "models", "types"),
    "script": ("script", "batch", "models", "types"),
    "batch": ("batch", "state", "state_machine", "models", "script", "types"),
    "schema": ("schema", "models", "expressions", "batch", "search", "types"),
    "types": ("types", "batch", "state", "models"),
    "models": ("models", "state", "schema", "batch", "keyspace", "search", "types"),
    "keyspace": ("keyspace", "models", "search", "bulk"),
    "paths": ("keyspace", "state", "cli"),
    "connections": ("connections", "script", "models", "bulk"),
    "expressions": ("expressions", "search"),
    "search": ("search", "expressions"),
    "cli": ("cli",),
}
GENERATED = tuple(room for room in TESTS if room not in ("paths", "cli"))
# What is run to learn which tests reach which line. The command line is left to the survivors (--wide).
RECORDED = (
    "state",
    "script",
    "batch",
    "schema",
    "types",
    "models",
    "keyspace",
    "state_machine",
    "connections",
    "expressions",
    "search",
    "bulk",
    "errors",
)
WIDE = (*RECORDED, "public", "embedded", "testing", "cli")


def candidates(room: str, root: Path = ROOT) -> Iterator[Mutant]:
    """Every generated mutant of a room, but for those that change nothing."""
    for path in sorted((root / "rapyer" / room).rglob("*")):
        breaking = {".py": broken_python, ".lua": broken_lua}.get(path.suffix)
        if breaking is not None:
            file = str(path.relative_to(root))
            for mutant in breaking(room, file, path.read_bytes()):
                if (mutant.file, mutant.text, mutant.effect) not in EQUIVALENT:
                    yield mutant


def generated(rooms: Iterable[str], count: int, seed: int, root: Path = ROOT) -> list[Mutant]:
    """``count`` generated mutants, as many of each room, chosen by ``seed``; at most one of each line."""
    ranked = {room: _ranked(room, seed, root) for room in rooms}
    chosen: list[Mutant] = []
    for room in cycle(ranked):
        if len(chosen) == count or not any(ranked.values()):
            return chosen
        if ranked[room]:
            chosen.append(ranked[room].pop())
    return chosen


def _ranked(room: str, seed: int, root: Path) -> list[Mutant]:
    lines: dict[tuple[str, int], Mutant] = {}
    for mutant in sorted(candidates(room, root), key=lambda mutant: mutant.rank(seed)):
        lines.setdefault((mutant.file, mutant.line), mutant)
    return list(reversed(lines.values()))


def by_hand(root: Path = ROOT) -> tuple[list[Mutant], list[str]]:
    """The mutants of :mod:`tests.mutants.written`, and what is wrong with those that no longer apply."""
    mutants, stale = [], []
    for room, file, text, replacement, effect in WRITTEN:
        try:
            mutants.append(written(root, room, file, text, replacement, effect))
        except StaleMutantError as problem:
            stale.append(str(problem))
    return mutants, stale
