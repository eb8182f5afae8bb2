"""``python -m tests.mutants [--count 100] [--seed 1] [--room NAME …]``: breaks one line at a time, lists survivors.

The mutants written by hand come first, then generated ones, chosen by the seed, as many of each room. Each is
tried on a copy of the tree by the tests that reach its line, which one run of the unbroken code tells, and if
none fails by all tests of its room (:data:`tests.mutants.choice.TESTS`); ``--wide`` tries what survived on the
whole suite. Exits with 1 when one survives, with 2 when the tests fail on the code as it is.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.choice import GENERATED, RECORDED, TESTS, WIDE, by_hand, candidates, generated
from tests.mutants.mutant import Mutant
from tests.mutants.reaching import KEPT, Reaching, place_for
from tests.mutants.running import Outcome, Workshop

_PATIENCE = 3  # times as long as the unbroken code takes, and then some
_AT_LEAST = 30.0
_LONGEST = 1800.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many in all (100)")
    parser.add_argument("--seed", type=int, default=1, help="which of the generated ones (1)")
    parser.add_argument("--room", action="append", choices=TESTS, help="only of these rooms")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    parser.add_argument("--wide", action="store_true", help="try survivors on the whole suite")
    parser.add_argument("--list", action="store_true", help="only list the mutants")
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace) -> list[Mutant]:
    rooms = arguments.room or list(TESTS)
    by_hands, stale = by_hand()
    for problem in stale:
        print(f"does not apply: {problem}")
    mutants = [mutant for mutant in by_hands if mutant.room in rooms][: arguments.count]
    breakable = [room for room in rooms if room in GENERATED]
    if breakable:
        mutants += generated(breakable, arguments.count - len(mutants), arguments.seed)
    return mutants


class Trial:
    """Tries mutants, several at a time, each of them in a workshop that nobody else uses meanwhile."""

    def __init__(self, directory: Path, jobs: int) -> None:
        self._jobs = jobs
        self._free: SimpleQueue[Workshop] = SimpleQueue()
        for number in range(jobs):
            self._free.put(Workshop(directory / str(number)))
        self._seconds: dict[str, float] = {}
        self._reaching: Reaching | None = None

    @contextmanager
    def _workshop(self) -> Iterator[Workshop]:
        workshop = self._free.get()
        try:
            yield workshop
        finally:
            self._free.put(workshop)

    def record(self) -> list[str]:
        """Learn which tests reach which line, unless that is known of this code; which tests fail."""
        place = place_for()
        if not place.exists():
            KEPT.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=KEPT) as name:
                into = Path(name)

                def look(room: str) -> str | None:
                    with self._workshop() as workshop:
                        return workshop.record(room, into, _LONGEST).killer

                with ThreadPoolExecutor(self._jobs) as pool:
                    failing = [killer for killer in pool.map(look, RECORDED) if killer is not None]
                if failing:
                    return failing
                shutil.copytree(into, place)
        self._reaching = Reaching(place)
        for test, seconds in self._reaching.seconds.items():
            room = test.split("/")[1]
            self._seconds[room] = self._seconds.get(room, 0.0) + seconds
        return []

    def unbroken(self, rooms: list[str]) -> list[str]:
        """Run the tests of ``rooms`` that were not recorded on the code as it is; which fail."""

        def look(room: str) -> str | None:
            with self._workshop() as workshop:
                outcome = workshop.run((room,), _LONGEST)
            self._seconds[room] = outcome.seconds
            return outcome.killer

        unknown = [room for room in rooms if room not in self._seconds]
        with ThreadPoolExecutor(self._jobs) as pool:
            return [killer for killer in pool.map(look, unknown) if killer is not None]

    def _fate(self, mutant: Mutant, rooms: tuple[str, ...]) -> Outcome:
        reaching = self._reaching
        assert reaching is not None
        chosen = reaching.of(mutant, rooms)
        spent = 0.0
        with self._workshop() as workshop, workshop.broken(mutant):
            if chosen:
                needed = sum(reaching.seconds[test] for test in chosen)
                patience = _AT_LEAST + _PATIENCE * needed
                outcome = workshop.run((), patience, chosen=chosen)
                spent = outcome.seconds
                if outcome.killer is not None:
                    return outcome
            rest = reaching.all_but(chosen, rooms)
            needed = sum(self._seconds[room] for room in rooms)
            patience = _AT_LEAST + _PATIENCE * needed
            outcome = workshop.run(rooms, patience, chosen=rest)
        return Outcome(outcome.killer, spent + outcome.seconds)

    def outcomes(self, mutants: list[tuple[Mutant, tuple[str, ...]]]) -> list[Outcome]:
        """What became of each mutant, each tried by the tests of some rooms; prints them as they come."""

        def outcome(mutant: Mutant, rooms: tuple[str, ...]) -> Outcome:
            result = self._fate(mutant, rooms)
            fate = "SURVIVED" if result.killer is None else f"killed by {result.killer}"
            print(f"{fate} ({result.seconds:.0f} s): {mutant}", flush=True)
            return result

        with ThreadPoolExecutor(self._jobs) as pool:
            return list(pool.map(lambda work: outcome(*work), mutants))


def main() -> int:
    """Try the mutants that the arguments ask for; returns the exit code."""
    arguments = _arguments()
    mutants = _chosen(arguments)
    if arguments.list:
        for mutant in mutants:
            print(f"{mutant}  ->  {mutant.replacement}")
        for room in arguments.room or GENERATED:
            print(f"{room}: {sum(1 for _ in candidates(room))} could be generated")
        return 0
    with tempfile.TemporaryDirectory(prefix="rapyer-mutants-") as directory:
        trial = Trial(Path(directory), arguments.jobs)
        failing = trial.record()
        survivors = mutants
        for wide in (False, True)[: 1 + arguments.wide]:
            work = [(mutant, WIDE if wide else TESTS[mutant.room]) for mutant in survivors]
            failing += trial.unbroken(list(dict.fromkeys(r for _, rooms in work for r in rooms)))
            if failing:
                print(f"the tests fail on the code as it is: {', '.join(failing)}")
                return 2
            outcomes = trial.outcomes(work)
            survivors = [
                mutant
                for mutant, outcome in zip(survivors, outcomes, strict=True)
                if outcome.killer is None
            ]
    print(f"\n{len(mutants)} lines broken, {len(survivors)} not noticed")
    for mutant in survivors:
        print(f"{mutant}  ->  {mutant.replacement}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
