"""Which tests run a line: recorded once, kept for as long as neither the code nor the tests change."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from coverage import CoverageData

from tests.mutants.choice import ROOT
from tests.mutants.mutant import Mutant

KEPT = ROOT / ".mutants_cache"


class Reaching:
    """The tests that reach a line, and how long each of them takes."""

    def __init__(self, directory: Path) -> None:
        self._tests: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        for times in sorted(directory.glob("*.times")):
            self.seconds |= json.loads(times.read_text())
            data = CoverageData(str(times.with_suffix(".lines")))
            data.read()
            for measured in data.measured_files():
                # A copy of the tree was measured: its paths end as those here do.
                file = measured[measured.rindex("/rapyer/") + 1 :]
                for line, tests in data.contexts_by_lineno(measured).items():
                    self._tests[file, line].update(test for test in tests if test)

    def of(self, mutant: Mutant, first: Iterable[str]) -> list[str]:
        """The tests that run the line (or the lines that the mutant's text spans), the room's own and quick ones first.

        Empty where nobody can tell: scripts run on the server, and what runs at import runs for every test.
        """
        source = (ROOT / mutant.file).read_bytes()
        last = mutant.line + source.count(b"\n", mutant.start, mutant.end)
        found: set[str] = set()
        for line in range(mutant.line, last + 1):
            found |= self._tests.get((mutant.file, line), set())
        return sorted(found, key=self._rank(tuple(first)))

    def all_but(self, tests: Iterable[str], rooms: Sequence[str]) -> list[str] | None:
        """The tests of ``rooms`` without ``tests``, room by room; None where some were not recorded."""
        known = {_room(test) for test in self.seconds}
        if not known.issuperset(rooms):
            return None
        rest = {test for test in self.seconds if _room(test) in rooms}.difference(tests)
        return sorted(rest, key=self._rank(rooms))

    def _rank(self, rooms: Sequence[str]) -> Callable[[str], tuple[int, float]]:
        order = {room: at for at, room in enumerate(rooms)}

        def rank(test: str) -> tuple[int, float]:
            return order.get(_room(test), len(order)), self.seconds[test]

        return rank


def _room(test: str) -> str:
    return test.split("/")[1]


def place_for(directory: Path = KEPT) -> Path:
    """The directory that a recording of the code and the tests as they are now is kept in."""
    digest = sha256()
    for folder in ("rapyer", "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            name = path.relative_to(ROOT)
            if path.suffix in (".py", ".lua") and "mutants" not in name.parts:
                digest.update(f"{name}\0".encode() + path.read_bytes())
    return directory / digest.hexdigest()[:16]
