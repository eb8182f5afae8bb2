"""Where a document was edited here, and where by somebody else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rapyer.batch.arrival import Arrival
from rapyer.batch.change import Change
from rapyer.errors import ConflictError
from rapyer.models.loading import load_document
from rapyer.paths import Path
from rapyer.schema.of_models import model_spec
from rapyer.script.call import Primitive
from rapyer.script.in_python import dumps
from rapyer.state.document import capture, document_state, local_text
from rapyer.state.known import ABSENT, Known, Noted, differences
from rapyer.state.node import document_key


def changed_places(document: Any, known: Known) -> Iterator[tuple[Path, Any]]:
    """``(path, JSON now)`` of what is not what the server last said; :data:`ABSENT` for what is gone."""
    spec = model_spec(type(document))
    for path, noted in known.places.items():
        text = local_text(document, path)
        if noted.unknown:
            yield path, _parsed(text)
        elif not noted.is_text(text):
            yield from differences(spec.at(path), noted.tree(), _parsed(text), path)


def _parsed(text: Any) -> Any:
    return ABSENT if text is ABSENT else json.loads(text)


class ChangesSaved(Change):
    """What was edited is written, place by place. Sends JSON.SET and JSON.DEL."""

    __slots__ = ("_texts", "owner", "texts", "touched")
    verb = "save_changes"

    def __init__(self, document: Any, changed: Sequence[tuple[Path, Any]]) -> None:
        self.owner, self.touched = document, None
        self._texts = {path: ABSENT if value is ABSENT else dumps(value) for path, value in changed}
        self.texts: Mapping[str, bytes] = {
            str(path[0]): text
            for path, text in self._texts.items()
            if len(path) == 1 and text is not ABSENT
        }

    def primitives(self, path: Path) -> Sequence[Primitive]:
        return [
            Primitive("take", place[:-1], (str(place[-1]).encode(),))
            if text is ABSENT
            else Primitive("set", place, (text, b""))
            for place, text in self._texts.items()
        ]

    def settle(self, arrival: Arrival) -> None:
        for path, text in self._texts.items():
            arrival.say(path, text)

    def places(self, path: Path) -> Sequence[Path]:
        return list(self._texts)


def catch_up(document: Any, text: bytes) -> None:
    """Take over what others changed since ``document`` was last read; ``text`` is what is stored.

    Raises :class:`~rapyer.errors.ConflictError` where both changed the same place.
    """
    state = document_state(document)
    if state.known is None or not text:
        return
    cls = type(document)
    spec = model_spec(cls)
    fresh = load_document(cls, document_key(document), text)
    local = json.loads(spec.to_json(document))
    stored = json.loads(spec.to_json(fresh))
    before = json.loads(state.known.before((), dumps(local)))
    theirs = dict(differences(spec, before, stored, ()))
    ours = dict(differences(spec, before, local, ()))
    clashes = sorted(
        _named(mine)
        for mine, value in ours.items()
        if any(
            _overlap(mine, their) and (mine != their or value != other)
            for their, other in theirs.items()
        )
    )
    if clashes:
        raise ConflictError(
            f"{document_key(document)}: {', '.join(clashes)} was changed here and by somebody else"
        )
    _take_over(document, fresh, local, theirs, ours)
    for path, value in theirs.items():
        state.known.say(path, ABSENT if value is ABSENT else dumps(value))


def _named(path: Path) -> str:
    return str(path[0]) if path else "it"


def _overlap(a: Path, b: Path) -> bool:
    least = min(len(a), len(b))
    return a[:least] == b[:least]


def _take_over(
    document: Any,
    fresh: Any,
    local: Mapping[str, Any],
    theirs: Mapping[Path, Any],
    ours: Mapping[Path, Any],
) -> None:
    kind = document.__rapyer_node__
    for name in dict.fromkeys(str(path[0]) for path in theirs):
        mine = any(path[0] == name for path in ours)
        if mine:
            whole = Noted(dumps(local))
            for path, value in theirs.items():
                if path[0] == name:
                    whole.set(path, ABSENT if value is ABSENT else dumps(value))
            text = whole.text((name,))
            value = kind.child_spec(document, name).validate_json(text)
        else:
            try:
                value = kind.raw(fresh, name)
            except LookupError:
                kind.forget(document, name)
                continue
        taken = kind.take(document, name, value)
        if not mine and isinstance(taken, list | dict):
            capture(document, name)  # live at once, so nobody notes it when it is handed out
