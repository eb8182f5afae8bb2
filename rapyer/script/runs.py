"""Several compare-and-sets of one value in a batch travel as one, with what else happens in that value meanwhile.

Each by itself would send the whole value and have the server compare and write it: a loop of
``items.remove(x)`` over a long list took time and bytes by the square. What the steps make of the value, one
after the other, is computed here; the server compares once and writes once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from rapyer.paths import Path
from rapyer.script import in_python
from rapyer.script.primitives import PRIMITIVES
from rapyer.script.steps import Primitive, Rewriting, Step

_ASIDE = frozenset({"watch", "check", "expire", "refresh"})
"""What has nothing to do with the content of a document."""


class Sent(NamedTuple):
    """A step as it is sent, and the positions of those that it carries out."""

    step: Step
    positions: tuple[int, ...]


class StoppedError(Exception):
    """The step at ``position`` of a run could not be computed; why is the cause."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


class Tree(Rewriting):
    """A value as parsed JSON, in which steps of the script are carried out."""

    form = "tree"

    def read(self, text: bytes) -> Any:
        return json.loads(text)

    def write(self, value: Any) -> bytes:
        return in_python.dumps(value)


def change_tree(tree: Any, below: Path, step: Primitive) -> tuple[Any, Any]:
    """Carry out ``step`` at ``below`` a parsed value; returns that and the answer."""
    if step.rewrite is None:
        try:
            return in_python.apply_to_tree(step.code, tree, below, step.args)
        except in_python.Refusal as refusal:
            refusal.step = step
            raise
    tree, old = in_python.apply_to_tree("read", tree, below, (b"strict",))
    new, answer = step.rewrite(old)
    if new:
        tree, _ = in_python.apply_to_tree("set", tree, below, (new, b"present"))
    return tree, answer


_TREE = Tree()


class Run:
    """The rewrite of a value that makes all of ``steps`` of it, whose paths begin with ``path``."""

    __slots__ = ("_depth", "steps")

    def __init__(self, path: Path) -> None:
        self._depth = len(path)
        self.steps: list[Primitive] = []

    def __call__(self, text: bytes) -> tuple[bytes, list[Any]]:
        """The value's new text and the steps' answers; raises :class:`StoppedError`.

        What reads and writes the value alike gets it from hand to hand, so that it is written out once.
        """
        held: Rewriting | None = None
        value: Any = None
        answers: list[Any] = []
        at = 0
        """The step that a failure is of: writing a value out is the last part of what changed it."""
        try:
            for step in self.steps:
                below, rewrite = step.path[self._depth :], step.rewrite
                as_it_is = not below and isinstance(rewrite, Rewriting)
                wanted: Rewriting = rewrite if as_it_is else _TREE  # type: ignore[assignment]
                if held is None or held.form is not wanted.form:
                    if held is not None:
                        text = held.write(value)
                    at = len(answers)
                    value = wanted.read(text)
                held, at = wanted, len(answers)
                if as_it_is:
                    value, answer = wanted.change(value)
                else:
                    value, answer = change_tree(value, below, step)
                answers.append(answer)
            assert held is not None
            return held.write(value), answers
        except Exception as error:
            raise StoppedError(at) from error


def gathered(steps: Sequence[Step]) -> list[Sent] | None:
    """``steps`` with runs in the place of their first steps; None where there is no run."""
    twice = Counter((key, step.path) for key, step in steps if step.rewrite is not None)
    if not twice or max(twice.values()) < 2:
        return None
    return _Gathering({place for place, count in twice.items() if count > 1}).of(steps)


class _Gathering:
    """Runs that are open while the steps are gone through."""

    def __init__(self, candidates: set[tuple[str, Path]]) -> None:
        self._candidates = candidates
        self._open: dict[tuple[str, Path], int] = {}
        self._inside: dict[tuple[str, Path], set[Path]] = {}
        self._sent: list[tuple[Step, list[int], Run | None]] = []

    def of(self, steps: Sequence[Step]) -> list[Sent]:
        for position, (key, step) in enumerate(steps):
            if step.code in _ASIDE:
                self._sent.append(((key, step), [position], None))
            else:
                self._take(position, key, step)
        return [
            Sent(self._as_one(step, run), tuple(positions)) for step, positions, run in self._sent
        ]

    def _take(self, position: int, key: str, step: Primitive) -> None:
        path = step.path
        for end in range(len(path) + 1):
            at = self._open.get((key, path[:end]))
            if at is not None:
                if step.rewrite is None and not PRIMITIVES[step.code].twin:
                    self._close(key, path[:end])
                    continue
                _, positions, run = self._sent[at]
                assert run is not None
                positions.append(position)
                run.steps.append(step)
                return
        for inner in list(self._inside.get((key, path), ())):
            self._close(key, inner)
        run = None
        if step.rewrite is not None and (key, path) in self._candidates:
            run = Run(path)
            run.steps.append(step)
            self._open[key, path] = len(self._sent)
            for end in range(len(path)):
                self._inside.setdefault((key, path[:end]), set()).add(path)
        self._sent.append(((key, step), [position], run))

    def _close(self, key: str, path: Path) -> None:
        del self._open[key, path]
        for end in range(len(path)):
            self._inside[key, path[:end]].discard(path)

    @staticmethod
    def _as_one(step: Step, run: Run | None) -> Step:
        key, first = step
        if run is None or len(run.steps) < 2:
            return step
        return key, Primitive("cas", first.path, (), run, first.guess)
