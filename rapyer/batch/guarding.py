"""Operations below a value that a validator looks at as a whole: that value is compared and set.

A model with validators across its fields, a dataclass, a list with a validator around it: whether it may
hold what an operation on one part makes of it, only Python can tell. So the operation is carried out here
on the stored text of that value, which is validated and then compared and set, all in the batch's one step.
Of several changes of one such value in a batch only what the last one leaves has to be valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rapyer.paths import Path
from rapyer.schema.spec import ValueSpec
from rapyer.script.call import Primitive
from rapyer.script.runs import Tree, change_tree
from rapyer.state.document import local_text
from rapyer.state.known import ABSENT

_UNGUARDED = frozenset({"read", "echo", "check", "watch", "save", "drop", "expire", "refresh"})


class Guarded(Tree):
    """The steps of one change, carried out on the value above them.

    ``validates`` is whether the value is looked at afterwards.
    """

    __slots__ = ("_reach", "_spec", "_steps", "validates")

    def __init__(self, spec: ValueSpec, reach: int) -> None:
        self._spec, self._reach = spec, reach
        self._steps: list[Primitive] = []
        self.validates = True

    def add(self, step: Primitive) -> None:
        """Another step of the change, in the same value."""
        self._steps.append(step)

    def change(self, value: Any) -> tuple[Any, Any]:
        """The changed value and the first step's answer."""
        answers = []
        for step in self._steps:
            value, answer = change_tree(value, step.path[self._reach :], step)
            answers.append(answer)
        return value, answers[0]

    def write(self, value: Any) -> bytes:
        """The value's new text; raises :class:`pydantic.ValidationError`."""
        text = super().write(value)
        if self.validates:
            self._spec.validate_json(text)
        return text


def guards_of(document: Any) -> ValueSpec | None:
    """What is said of ``document``, where somebody looks at more than the place that changes."""
    spec: ValueSpec | None = document.__rapyer_node__.document_spec(document)
    return None if spec is None or not spec.has_guards else spec


def guarded(document: Any, spec: ValueSpec, steps: Sequence[Primitive]) -> Sequence[Primitive]:
    """``steps`` of one change, those below a guarded value as one compare-and-set of that value."""
    found: list[Primitive] = []
    guards: dict[Path, Guarded] = {}
    for step in steps:
        reach = None if step.code in _UNGUARDED else spec.guard(step.path)
        if reach is None or (reach == len(step.path) and step.rewrite is not None):
            found.append(step)
            continue
        prefix = step.path[:reach]
        guard = guards.get(prefix)
        if guard is None:
            guard = guards[prefix] = Guarded(spec.at(prefix), reach)
            found.append(Primitive("cas", prefix, (), guard, _guess(document, spec, prefix)))
        guard.add(step)
    return found


def validate_last(steps: Iterable[tuple[str, Primitive]]) -> None:
    """Let only the last of several changes of one guarded value look at it; ``steps`` come with their keys."""
    seen: set[tuple[str, Path]] = set()
    for key, step in reversed(list(steps)):
        if isinstance(step.rewrite, Guarded):
            step.rewrite.validates = (key, step.path) not in seen
            seen.add((key, step.path))


def _guess(document: Any, spec: ValueSpec, prefix: Path) -> bytes | None:
    """What is probably stored at ``prefix``: what is there locally."""
    if not prefix:
        return spec.to_json(document)
    if not all(isinstance(segment, str) for segment in prefix):
        return None
    text = local_text(document, prefix)
    return None if text is ABSENT else text
