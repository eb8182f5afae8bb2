"""What the server last said of a document, for the places where the local value may be another.

A place that is not written down here is, locally, what the server last said: that is so after a load or a
save, operations keep it so, and whoever lets the two part writes down what was there before. They part
where a field is edited, and wherever a mutable value was handed out (a list, a dict, a set …), which its
holder may change without telling anybody. Places are paths through models: a list or dict is one place,
with all that is in it. So there are never more of them than the document has fields.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from rapyer.paths import Path
from rapyer.schema.marks import CLASS_TAG
from rapyer.schema.walking import is_root_model
from rapyer.script import in_python
from rapyer.script.in_python import dumps

if TYPE_CHECKING:
    from rapyer.schema.spec import ValueSpec

_OF_FIELDS = ("model", "typed-dict", "dataclass")
_MOST_LATER = 64
"""So many steps are kept to be carried out when somebody asks."""
ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "<nothing>"})()
"""Stands where a text would, for a place where nothing is."""


class Noted:
    """One place: its JSON as the server has it, as text or parsed, whatever was needed last."""

    __slots__ = ("_later", "_lazy", "_text", "_tree", "_unknown", "_within")

    def __init__(
        self,
        text: Any = None,
        lazy: tuple[ValueSpec, Any] | None = None,
        within: tuple[bytes, Path] | None = None,
    ) -> None:
        """What was written: as it is, as the value that it says, or as a place within a larger text."""
        self._unknown = False
        self._text = text
        self._within = within
        self._tree: Any = None
        self._lazy = lazy
        self._later: list[tuple[str, Path, tuple[bytes, ...]]] = []

    @property
    def unknown(self) -> bool:
        """Whether a write was sent whose fate nobody knows."""
        if self._later:
            self.tree()
        return self._unknown

    @unknown.setter
    def unknown(self, value: bool) -> None:
        self._unknown = value

    def text(self, below: Path = ()) -> Any:
        """The JSON text at ``below`` this place, or :data:`ABSENT`."""
        if not below:
            if self._text is None or self._later:
                value = self.tree()
                self._text = ABSENT if value is ABSENT else dumps(value)
            return self._text
        value = _place_in(self.tree(), below)
        return ABSENT if value is ABSENT else dumps(value)

    def tree(self) -> Any:
        """The parsed JSON, or :data:`ABSENT`; not to be changed."""
        if self._lazy is not None:
            spec, value = self._lazy
            self._lazy, self._text = None, spec.to_json(value)
        if self._within is not None:
            (text, path), self._within = self._within, None
            self._tree = _place_in(json.loads(text), path)
        if self._tree is None:
            self._tree = self._text if self._text is ABSENT else json.loads(self._text)
        if self._later:
            later, self._later = self._later, []
            for code, path, args in later:
                self._apply(code, path, args)
        return self._tree

    def is_text(self, text: Any) -> bool:
        """Whether ``text`` is written exactly as this place is; False says nothing."""
        return bool(not self._later and self._text is not None and self._text == text)

    def set(self, below: Path, text: Any) -> None:
        """The server has ``text`` (:data:`ABSENT`: nothing) at ``below``."""
        if not below:
            self._text, self._tree, self._lazy, self._within = text, None, None, None
            self._later.clear()
            self._unknown = False
        elif text is ABSENT:
            self._remove(self.tree(), below)
            self._text = None
        else:
            self.applied("set", below, (text, b""))

    def applied(self, code: str, below: Path, args: tuple[bytes, ...]) -> None:
        """The server carried out a step of the script at ``below``. Carried out here when somebody asks."""
        later = self._later
        later.append((code, below, args))
        if len(later) > _MOST_LATER:
            self._later = _needed(later)
            if len(self._later) > _MOST_LATER // 2:
                self.tree()

    def _apply(self, code: str, below: Path, args: tuple[bytes, ...]) -> None:
        try:
            self._tree, _ = in_python.apply_to_tree(code, self._tree, below, args)
        except in_python.Refusal:
            self._unknown = True  # the server had something else there
        self._text = None

    @staticmethod
    def _remove(tree: Any, below: Path) -> None:
        for segment in below[:-1]:
            try:
                tree = tree[segment]
            except (LookupError, TypeError):
                return
        if isinstance(tree, dict):
            tree.pop(below[-1], None)


def _needed(steps: list[tuple[str, Path, tuple[bytes, ...]]]) -> list[Any]:
    """``steps`` without those that set what is set again later, at that place or around it."""
    if any(code != "set" for code, _, _ in steps):
        return steps
    needed: list[Any] = []
    again: set[Path] = set()
    for step in reversed(steps):
        below = step[1]
        if not any(below[:end] in again for end in range(1, len(below) + 1)):
            needed.append(step)
            again.add(below)
    return needed[::-1]


def _place_in(tree: Any, path: Path) -> Any:
    """What is at ``path`` of parsed JSON, or :data:`ABSENT`."""
    for segment in path:
        try:
            tree = tree[segment]
        except (LookupError, TypeError):
            return ABSENT
    return tree


class Known:
    """The places of one document where local and server may differ."""

    __slots__ = ("_fields", "places")

    def __init__(self) -> None:
        self.places: dict[Path, Noted] = {}
        self._fields: set[Path] = set()
        """The fields of the document that places are, or are in."""

    def concerns(self, path: Path) -> bool:
        """Whether a place may be, be in, or be around ``path``; mostly not: a field that nobody edited."""
        fields = self._fields
        return bool(fields) and (path[:1] in fields or not path or () in fields)

    def covering(self, path: Path) -> Path | None:
        """The place that ``path`` is or is in; None where local is what the server has."""
        if self.concerns(path):
            places = self.places
            for end in range(len(path) + 1):
                if path[:end] in places:
                    return path[:end]
        return None

    def below(self, path: Path) -> list[Path]:
        """The places inside ``path``."""
        length = len(path)
        if length == 1:
            first = path[0]
            return [place for place in self.places if len(place) > 1 and place[0] == first]
        return [place for place in self.places if len(place) > length and place[:length] == path]

    def note(self, path: Path, noted: Noted) -> None:
        """Write down the place ``path``, with all that is inside it."""
        for place in self.below(path):
            del self.places[place]
        self.places[path] = noted
        self._fields.add(path[:1])

    def forget(self, path: Path) -> None:
        """The place ``path`` is, locally, what the server has, and cannot be changed in place."""
        del self.places[path]
        self._fields = {place[:1] for place in self.places}

    def text(self, path: Path) -> Any:
        """What the server has at ``path``; None where local is that."""
        place = self.covering(path)
        return None if place is None else self.places[place].text(path[len(place) :])

    def before(self, path: Path, now: Any) -> Any:
        """What the server has at ``path``, where ``now`` is the text (or :data:`ABSENT`) that is local."""
        text = self.text(path) if self.concerns(path) else None
        if text is not None:
            return text
        inside = self.below(path)
        if not inside or now is ABSENT:
            return now
        whole = Noted(now)
        for place in inside:
            whole.set(place[len(path) :], self.places[place].text())
        return whole.text()

    def say(self, path: Path, text: Any) -> None:
        """The server has ``text`` (:data:`ABSENT`: nothing) at ``path``."""
        if not self.concerns(path):
            return
        place = self.covering(path)
        if place is not None:
            self.places[place].set(path[len(place) :], text)
            return
        inside = self.below(path)
        if inside:
            whole = Noted(text)
            for place in inside:
                self.places[place].set((), whole.text(place[len(path) :]))

    def lose(self, path: Path) -> None:
        """Nobody knows what the server has at ``path`` now."""
        place = self.covering(path)
        if place is None:
            noted = Noted(ABSENT)
            self.note(path, noted)
        else:
            noted = self.places[place]
        noted.unknown = True


def same_json(a: Any, b: Any) -> bool:
    """Whether two parsed JSON values are written alike: ``1``, ``1.0`` and ``true`` are not."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_json(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same_json(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b) and repr(a) == repr(b)


def differences(spec: ValueSpec, before: Any, now: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """``(path, value now)`` of what differs, as deep as objects go; :data:`ABSENT` for what is gone.

    Fields of models, typed dicts and dataclasses and entries of dicts are told apart where both values are
    of one class. What a validator looks at as a whole is one value, as is a list.
    """
    if _is_same(before, now):
        return
    parts = _parted(spec, before, now)
    if parts is None:
        yield path, now
        return
    for name in dict.fromkeys((*before, *now)):
        yield from differences(
            parts.child(name), before.get(name, ABSENT), now.get(name, ABSENT), (*path, name)
        )


def merged(spec: ValueSpec, before: Any, now: Any, theirs: Any, own: Collection[str] = ()) -> Any:
    """What becomes of ``now``, an edit of ``before``, where the server has ``theirs``: the edit, laid over that.

    Kept apart as deep as :func:`differences` tells, so that what it finds between ``theirs`` and the result is
    what the user edited. The entries ``own`` are taken over whoever edited them. All are parsed JSON, or
    :data:`ABSENT`.
    """
    if _is_same(before, now):
        return theirs
    if _is_same(before, theirs) and not own:
        return now
    parts = _parted(spec, before, now)
    if parts is None or _parted(spec, now, theirs) is None:
        return now
    found = {}
    for name in dict.fromkeys((*now, *theirs)):
        value = theirs.get(name, ABSENT)
        if name not in own:
            value = merged(
                parts.child(name), before.get(name, ABSENT), now.get(name, ABSENT), value
            )
        if value is not ABSENT:
            found[name] = value
    return found


def _is_same(a: Any, b: Any) -> bool:
    return a is b or (a is not ABSENT and b is not ABSENT and same_json(a, b))


def _parted(spec: ValueSpec, before: Any, now: Any) -> ValueSpec | None:
    """The spec by which two objects are told apart field by field; None where they are not."""
    if not (isinstance(before, dict) and isinstance(now, dict)) or spec.has_validators:
        return None
    if _is_union(spec):
        return _common_arm(spec, before, now)
    if before.get(CLASS_TAG) != now.get(CLASS_TAG):
        return None
    core = spec.core
    if core["type"] == "dict":
        return spec if spec.is_unlimited else None
    if core["type"] in _OF_FIELDS and not is_root_model(core.get("cls", object)):
        return spec
    return None


def _is_union(spec: ValueSpec) -> bool:
    return spec.core["type"] in ("union", "tagged-union")


def _common_arm(spec: ValueSpec, before: Any, now: Any) -> ValueSpec | None:
    """The arm of a union that both values are of."""
    try:
        arms = [spec.of(spec.validate_json(dumps(value))) for value in (before, now)]
    except ValueError:
        return None
    first, second = arms
    if first.core is not second.core or _is_union(first):
        return None
    return _parted(first, before, now)
