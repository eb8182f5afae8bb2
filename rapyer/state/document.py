"""The state of a whole document: its pk, what the server last said of it, and what open blocks did to it.

Local values are the base (what the server last said, and the user's own unsaved edits) with the changes of
all open blocks on top, in the order in which they were made. To look at the base, to learn news or to end
a block, the changes are taken off (:meth:`Work.rewind`) and laid on again (:meth:`Work.replay`). So an
aborted block takes back exactly what it did, whatever other blocks and tasks did meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer.paths import Path
from rapyer.script.in_python import Refusal, dumps
from rapyer.script.runs import change_tree
from rapyer.script.steps import Primitive
from rapyer.state.known import ABSENT, Known, Noted
from rapyer.state.node import STATE, Node, State, find, set_state, state_of
from rapyer.state.work import MISSES, Entry, Work

if TYPE_CHECKING:
    import asyncio

    from rapyer.schema.spec import ValueSpec


class News(NamedTuple):
    """What the server said while other operations on the document were under way."""

    stamp: int
    path: Path
    text: Any


class Unstamped(NamedTuple):
    """An operation whose answer does not say when it was done."""

    ended: asyncio.Future[None]
    departed: int


class Flights:
    """What was said while operations on a document were under way: as much as they may still need to know."""

    __slots__ = ("_departed", "_latest", "_news")

    def __init__(self) -> None:
        self._news: list[News] = []
        self._latest = 0
        """The greatest stamp that anything was said with."""
        self._departed: list[int] = []
        """For each operation under way, what that was when it departed: its own stamp will not be less."""

    def depart(self) -> int:
        """One more; what :meth:`land` is to be told."""
        self._departed.append(self._latest)
        return self._latest

    def land(self, departed: int) -> None:
        """One less."""
        self._departed.remove(departed)
        if not self._departed:
            self._news.clear()
            self._latest = 0
        elif self._news and departed < (oldest := self._departed[0]):
            self._news = [news for news in self._news if news.stamp > oldest]

    def newer(self, stamp: int) -> list[News]:
        """What was said later than ``stamp``."""
        if stamp >= self._latest:
            return []
        return [news for news in self._news if news.stamp > stamp]

    def said(self, stamp: int, path: Path, text: Any) -> None:
        """The server said ``text`` of ``path``."""
        self._news.append(News(stamp, path, text))
        self._latest = max(self._latest, stamp)


class DocumentState(State):
    """The state of a model that is (or may become) a whole document.

    ``known`` is None while this instance was neither read nor written, ``unread`` the stored values of
    ``SafeLoad`` fields that could not be read, ``pk`` what the key was when it was.
    """

    __slots__ = (
        "_flights",
        "drifted_pk",
        "flying",
        "known",
        "pk",
        "unread",
        "unstamped",
        "work",
    )

    def __init__(self, pk: str | None = None, known: Known | None = None) -> None:
        super().__init__(None, None)
        self.pk = pk
        self.known = known
        self.unread: dict[str, Any] | None = None
        self.work: Work | None = None
        self.drifted_pk: str | None = None
        """What the ``Key`` field said when it was read, where that is not what the key says."""
        self.unstamped: Unstamped | None = None
        self.flying = 0
        """How many operations are under way. While there is more than one, answers may overtake."""
        self._flights: Flights | None = None

    def begin_unstamped(self) -> Unstamped:
        """Something is sent whose answer will not say when it was done: others wait for :meth:`end_unstamped`."""
        import asyncio

        ended = asyncio.get_running_loop().create_future()
        self.unstamped = Unstamped(ended, self.depart())
        return self.unstamped

    def end_unstamped(self, unstamped: Unstamped) -> None:
        """It has ended."""
        if not unstamped.ended.done():
            unstamped.ended.set_result(None)
        if self.unstamped is unstamped:
            self.unstamped = None
        self.land(unstamped.departed)

    async def may_depart(self) -> None:
        """Wait while something is under way whose answer will not say when it was done."""
        while self.unstamped is not None:
            import asyncio

            await asyncio.shield(self.unstamped.ended)

    def depart(self) -> int:
        """An operation is under way from now on; what :meth:`land` is to be told."""
        if self._flights is None:
            self._flights = Flights()
        self.flying += 1
        return self._flights.depart()

    def land(self, departed: int) -> None:
        """An operation is under way no more."""
        assert self._flights is not None
        self.flying -= 1
        self._flights.land(departed)

    def newer(self, stamp: int) -> list[News]:
        """What was said later than ``stamp``."""
        return [] if self._flights is None else self._flights.newer(stamp)

    def said(self, stamp: int, path: Path, text: Any) -> None:
        """The server said ``text`` of ``path`` while other operations are under way."""
        if self._flights is not None:
            self._flights.said(stamp, path, text)


def document_state(document: Any) -> DocumentState:
    """The state of ``document``, made where there is none yet."""
    state = state_of(document)
    if state is None:
        state = DocumentState()
        set_state(document, STATE, state)
    return state  # type: ignore[no-any-return]


@contextmanager
def based(state: DocumentState) -> Iterator[None]:
    """In the ``with`` block local values are the base, and what happens to them there happens to the base."""
    work = state.work
    if work is None:
        yield
        return
    work.rewind()
    try:
        yield
    finally:
        work.rebase()
        work.replay()


@contextmanager
def bared(state: DocumentState) -> Iterator[None]:
    """In the ``with`` block local values are the base, without what blocks and others did since. Only for looking."""
    work = state.work
    if work is None:
        yield
        return
    work.rewind()
    try:
        yield
    finally:
        work.replay()


@contextmanager
def only_of(state: DocumentState, scopes: Sequence[Any] = ()) -> Iterator[None]:
    """In the ``with`` block local values are as if only the blocks ``scopes`` were open. Only for looking."""

    def is_wanted(scope: Any) -> bool:
        return scope is None or any(scope is wanted for wanted in scopes)

    work = state.work
    if work is None or all(is_wanted(entry.scope) for entry in work.entries):
        yield
        return
    work.rewind()
    work.replay(is_wanted)
    try:
        yield
    finally:
        work.rewind()
        work.replay()


def work_on(node: Any) -> Work | None:
    """The work on the document that ``node`` is part of, if there is any."""
    state = state_of(node)
    while state is not None and state.parent is not None:
        state = state_of(state.parent)
    return state.work if isinstance(state, DocumentState) else None


def fold_saved(state: DocumentState, edits: list[Entry]) -> None:
    """``edits`` made beside open blocks were saved: they are edits no more."""
    if state.work is not None:
        state.work.fold(edits)


def leave_work(state: DocumentState, scope: Any) -> None:
    """The block ``scope`` has ended. When it was the last one, what stands is the base."""
    if state.work is not None:
        state.work.scopes.pop(id(scope), None)
        if not state.work.scopes:
            state.work = None


def join_work(state: DocumentState, scope: Any) -> Work:
    """The work of the document, in which the block ``scope`` takes part now."""
    if state.work is None:
        state.work = Work()
    state.work.scopes[id(scope)] = scope
    return state.work


# -- writing down what is known before local and server part --------------------------------------------


def capture(node: Any, place: Any) -> None:
    """Write down what the server has at ``place`` of ``node``, before the local value there may change."""
    found = find(node)
    if found is None:
        return
    document, path = found
    state = state_of(document)
    if state is None or state.known is None:
        return
    known = state.known
    if known.places and known.covering(path) is not None:
        return
    segment = place if isinstance(place, str | int) else None
    if segment is None:
        return
    path = (*path, segment)
    if path in known.places:
        return
    if state.work is None:
        known.note(path, _noted(node, place, known, path))
        return
    work = state.work
    work.rewind()
    try:
        known.note(path, _noted_from(document, known, path))
    finally:
        work.replay()


_UNCHANGING = (str, int, float, bool, type(None), bytes)


def _noted(node: Any, place: Any, known: Known, path: Path) -> Noted:
    kind = node.__rapyer_node__
    try:
        value = kind.raw(node, place)
    except LookupError:
        return Noted(ABSENT)
    spec: ValueSpec = kind.child_spec(node, place)
    if isinstance(value, _UNCHANGING):
        return Noted(lazy=(spec, value))
    noted = Noted(spec.to_json(value))
    for inner in known.below(path):  # places inside are not, locally, what the server has
        text = known.places[inner].text()
        noted.set(inner[len(path) :], text)
        noted.unknown |= known.places[inner].unknown
    return noted


def _noted_from(document: Any, known: Known, path: Path) -> Noted:
    node = document
    for segment in path[:-1]:
        try:
            node = node.__rapyer_node__.raw(node, segment)
        except (LookupError, AttributeError):
            return Noted(ABSENT)
    if not hasattr(type(node), "__rapyer_node__"):
        return Noted(ABSENT)
    return _noted(node, path[-1], known, path)


def local_text(document: Any, path: Path) -> Any:
    """The stored form of what stands at ``path`` locally (a path through models), or :data:`ABSENT`."""
    node = document
    for segment in path[:-1]:
        node = _raw(node, segment)
        if node is ABSENT:
            return ABSENT
    value = _raw(node, path[-1])
    if value is ABSENT:
        return ABSENT
    return _spec(node, path[-1]).to_json(value)


def carry_out(
    document: Any,
    path: Path,
    steps: Sequence[Primitive],
    keep: Callable[[Any], None] | None = None,
) -> None:
    """Carry out ``steps`` of the script on what stands at ``path`` (through models), as far as they can be.

    ``keep`` is told of each node before it is changed.
    """
    text = local_text(document, path) if path else ABSENT
    if text is ABSENT:
        return
    tree, parent = json.loads(text), document
    for segment in path[:-1]:
        parent = _raw(parent, segment)
    with suppress(*MISSES, Refusal):
        for step in steps:
            tree, _ = change_tree(tree, step.path[len(path) :], step)
        kind = parent.__rapyer_node__
        fresh = kind.child_spec(parent, path[-1]).validate_json(dumps(tree))
        if keep is not None:
            keep(parent)
            standing = _raw(parent, path[-1])
            if isinstance(standing, Node):
                keep(standing)
        kind.take(parent, path[-1], fresh)


def _raw(node: Any, segment: Any) -> Any:
    kind = getattr(type(node), "__rapyer_node__", None)
    if kind is None:
        # a nested model that was never read
        values = getattr(node, "__dict__", {})
        return values.get(segment, ABSENT)
    try:
        return kind.raw(node, segment)
    except LookupError:
        return ABSENT


def _spec(node: Any, segment: Any) -> ValueSpec:
    kind = getattr(type(node), "__rapyer_node__", None)
    if kind is None:
        from rapyer.schema.of_models import field_spec

        return field_spec(type(node), segment)
    return kind.child_spec(node, segment)  # type: ignore[no-any-return]
