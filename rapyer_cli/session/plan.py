"""The plan of a change: what will be sent, to which places, and what they hold before and after.

Dry run, confirmation, ``begin … commit``, undo and journal all act on this one object; only
:mod:`rapyer_cli.change.execute` carries it out.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer import Batch, Queued
from rapyer.errors import PathNotFound
from rapyer.models.places import resolve
from rapyer_cli.failures import validation_lines
from rapyer_cli.language.grammar import Effect
from rapyer_cli.render.differences import MISSING, Difference, differences
from rapyer_cli.render.shapes import ChangedDocument
from rapyer_cli.render.text import cut, readable
from rapyer_cli.session.delta import Delta, delta, digest_of

if TYPE_CHECKING:
    from rapyer.models.places import Place


_HUGE_BYTES = 1_000_000
NOTHING_READ: Mapping[str, bytes] = MappingProxyType({})


@dataclass(slots=True)
class Touch:
    """One place that a plan changes: where it is, and its JSON before and after."""

    document: Any
    key: str
    path: tuple[str | int, ...]
    before: Any
    after: Any = MISSING
    removed: bool = False
    ttl: float | None = None

    def look(self) -> Any:
        """The JSON of the place as the local document has it now."""
        if self.removed:
            return MISSING
        try:
            return stored(resolve(self.document, [str(segment) for segment in self.path]))
        except PathNotFound:
            return MISSING

    def refusal(self) -> str:
        """Why the server will refuse the value after, as far as the value before tells; mostly empty."""
        from pydantic import ValidationError

        if not self.path or self.after is MISSING:
            return ""
        place = resolve(self.document, [str(segment) for segment in self.path])
        if not place.spec.constrained and place.spec.python_type not in (int, float):
            return ""
        try:
            place.spec.validate_json(json.dumps(self.after))
        except ValidationError as error:
            shown = cut(readable(self.after, 60), 60)
            return (
                f"{place.target} would become {shown}, but it expects {place.spec.describe()}: "
                f"{'; '.join(validation_lines(error))}"
            )
        return ""

    def changed(self) -> ChangedDocument:
        """What changes, as differences inside the document."""
        found = differences(self.before, self.after)
        return ChangedDocument(
            self.key,
            tuple(Difference((*self.path, *d.path), d.change, d.before, d.after) for d in found),
        )


@dataclass(slots=True)
class Plan:
    """Changes that are applied together or not at all.

    ``read_result`` makes the JSON result of the verb from what the batch answered; it is None for verbs
    that return nothing. ``question`` is what a person is asked before something is destroyed.
    """

    verb: str
    effect: Effect
    batch: Batch
    touches: list[Touch]
    answers: list[Any] = field(default_factory=list)
    read_result: Callable[[list[Any]], Any] | None = None
    question: str = ""
    undoes: Done | None = None
    notes: tuple[str, ...] = ()
    lifetime: Lifetime | None = None

    @property
    def keys(self) -> list[str]:
        """The documents it touches."""
        return list(dict.fromkeys(touch.key for touch in self.touches))

    def documents(self) -> tuple[ChangedDocument, ...]:
        """The differences in each touched document."""
        found: dict[str, tuple[Difference, ...]] = {}
        for touch in self.touches:
            changed = touch.changed()
            found[changed.key] = found.get(changed.key, ()) + changed.differences
        return tuple(ChangedDocument(key, differences) for key, differences in found.items())

    def refusals(self) -> list[str]:
        """Why the server will refuse it, unless somebody else changes the places before."""
        return [refusal for touch in self.touches if (refusal := touch.refusal())]

    def result(self) -> Any:
        """The JSON result; call it after the batch was committed."""
        if self.read_result is None:
            return None
        values = [a.result() if isinstance(a, Queued) else a for a in self.answers]
        return self.read_result(values)


class Lifetime(NamedTuple):
    """A change of how many seconds a document has to live; None is for ever."""

    key: str
    before: float | None
    after: float | None


class Recorded(NamedTuple):
    """One place as a change left it, and what leads back: all that ``undo`` needs, in this process or another.

    ``plain`` says that the document was taken as plain JSON, ``digest`` is that of the value after, as the document
    had it then.
    """

    key: str
    path: tuple[str | int, ...]
    change: Delta
    digest: str
    ttl: float | None = None
    plain: bool = False

    @classmethod
    def of(cls, touch: Touch) -> Recorded:
        """What to keep of a touch that was carried out."""
        from rapyer.models.raw import RawDocument

        return cls(
            touch.key,
            touch.path,
            delta(touch.before, touch.after),
            digest_of(touch.after),
            touch.ttl,
            isinstance(touch.document, RawDocument),
        )

    @classmethod
    def read(cls, kept: Sequence[Any]) -> Recorded:
        """From its JSON in the journal."""
        key, path, *rest = kept
        return cls(key, tuple(path), *rest)


@dataclass(slots=True)
class Done:
    """A change that was carried out, as ``undo`` needs it. ``number`` is its entry in the journal, if it has one."""

    verb: str
    places: list[Recorded]
    lifetime: Lifetime | None = None
    number: int | None = None
    many: bool = False
    """Whether it is a change of many documents, whose places are in the journal alone."""


@dataclass(slots=True)
class Transaction:
    """What ``begin`` opened: one batch to which every change is added until ``commit``."""

    batch: Batch = field(default_factory=Batch)
    plans: list[Plan] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)
    server_run: bytes | None = None
    """Which run of the server the changes were queued for; None where that cannot be told."""


def merged(touches: Sequence[Touch]) -> list[Touch]:
    """One touch for each place: what it held before the first change, and after the last."""
    found: dict[tuple[str, tuple[str | int, ...]], Touch] = {}
    for touch in touches:
        first = found.get((touch.key, touch.path))
        if first is None:
            found[touch.key, touch.path] = touch
        else:
            found[touch.key, touch.path] = replace(touch, before=first.before, ttl=first.ttl)
    return list(found.values())


async def plan_change(
    verb: str,
    effect: Effect,
    places: Sequence[Place],
    apply: Callable[[], Awaitable[Iterable[Any]]],
    *,
    batch: Batch,
    read_result: Callable[[list[Any]], Any] | None = None,
    question: str = "",
    creates: bool = False,
    removes: bool = False,
    read: Mapping[str, bytes] = NOTHING_READ,
) -> Plan:
    """Collect what ``apply`` does into ``batch``, and note the places' values before and after.

    ``places`` are those that ``apply`` changes; ``creates`` when their documents are new, ``removes`` when
    they are gone afterwards. ``read`` is the stored text of documents as they were read, which tells the
    value before more exactly than the model does. Nothing is sent.
    """
    touches = [
        Touch(
            place.document,
            key_of(place.document),
            tuple(place.path),
            _before(place, read, creates=creates),
            removed=removes,
        )
        for place in places
    ]
    with batch.collecting():
        answers = list(await apply())
    for touch in touches:
        touch.after = touch.look()
    return Plan(verb, effect, batch, touches, answers, read_result, question)


def _before(place: Place, read: Mapping[str, bytes], *, creates: bool) -> Any:
    if creates or not place.exists:
        return MISSING
    return as_read(place, read.get(key_of(place.document)))


def stored(place: Place) -> Any:
    """The JSON of a place as its local value would be stored."""
    return json.loads(place.spec.to_json(place.value))


def as_read(place: Place, text: bytes | None) -> Any:
    """The JSON of a place in the stored ``text`` of its document, with what the model ignores and without
    what it fills in; the local value where the text does not tell.

    A small place in a huge document is not worth reading all of it: the local value does.
    """
    if text is None or (place.path and len(text) > _HUGE_BYTES):
        return stored(place)
    data = json.loads(text)
    try:
        for segment in place.path:
            data = data[segment]
    except (LookupError, TypeError):
        return stored(place)
    return data


def key_of(document: Any) -> str:
    """The Redis key of a document."""
    return str(document.key)
