"""The state of a whole document: its pk, what the server last said of it, and what open blocks did to it.

Local values are the base (what the server last said, and the user's own unsaved edits) with the changes of
all open blocks on top, in the order in which they were made. To look at the base, to learn news or to end
a block, the changes are taken off (:meth:`Work.rewind`) and laid on again (:meth:`Work.replay`). So an
aborted block takes back exactly what it did, whatever other blocks and tasks did meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer.errors import DetachedError
from rapyer.paths import Path
from rapyer.state.handed_out import Seen
from rapyer.state.known import ABSENT, Known, Noted
from rapyer.state.node import STATE, State, find, set_state, state_of

if TYPE_CHECKING:
    import asyncio

    from rapyer.schema.spec import ValueSpec

MISSES = (LookupError, ValueError, TypeError, ArithmeticError, AttributeError, DetachedError)
"""What a change may raise where what it needs is not there (any more)."""


class News(NamedTuple):
    """What the server said while other operations on the document were under way."""

    stamp: int
    path: Path
    text: Any


class DocumentState(State):
    """The state of a model that is (or may become) a whole document.

    ``known`` is None while this instance was neither read nor written, ``unread`` the stored values of
    ``SafeLoad`` fields that could not be read, ``pk`` what the key was when it was.
    """

    __slots__ = (
        "drifted_pk",
        "flying",
        "known",
        "latest",
        "news",
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
        self.unstamped: asyncio.Future[None] | None = None
        self.flying = 0
        """How many operations are under way. While there is more than one, answers may overtake."""
        self.news: list[News] = []
        self.latest = 0
        """The stamp of the latest news."""

    def begin_unstamped(self) -> asyncio.Future[None]:
        """Something is sent whose answer will not say when it was done: others wait for :meth:`end_unstamped`."""
        import asyncio

        self.flying += 1
        self.unstamped = asyncio.get_running_loop().create_future()
        return self.unstamped

    def end_unstamped(self, done: asyncio.Future[None]) -> None:
        """It has ended."""
        if not done.done():
            done.set_result(None)
        if self.unstamped is done:
            self.unstamped = None
        self.land()

    async def may_depart(self) -> None:
        """Wait while something is under way whose answer will not say when it was done."""
        while self.unstamped is not None:
            import asyncio

            await asyncio.shield(self.unstamped)

    def land(self) -> None:
        """An operation is under way no more."""
        self.flying -= 1
        if not self.flying:
            self.news.clear()
            self.latest = 0

    def newer(self, stamp: int) -> list[News]:
        """What was said later than ``stamp``."""
        if stamp >= self.latest:
            return []
        return [news for news in self.news if news.stamp > stamp]

    def said(self, stamp: int, path: Path, text: Any) -> None:
        """The server said ``text`` of ``path`` while other operations are under way."""
        self.news.append(News(stamp, path, text))
        self.latest = max(self.latest, stamp)


def document_state(document: Any) -> DocumentState:
    """The state of ``document``, made where there is none yet."""
    state = state_of(document)
    if state is None:
        state = DocumentState()
        set_state(document, STATE, state)
    return state  # type: ignore[no-any-return]


class Entry:
    """A change that is applied locally and not on the server, or an edit made since such a change was.

    ``scope`` is the block that it belongs to, None for the edit of somebody who is in no block.
    """

    __slots__ = ("change", "scope")

    def __init__(self, scope: Any, local: Callable[[], Any]) -> None:
        self.scope, self.change = scope, local


class Work:
    """What open blocks did to the local values of a document.

    ``scopes`` are the blocks that are open; what they did is taken back or settled when they end.
    """

    __slots__ = ("_bases", "_seen", "entries", "scopes")

    def __init__(self) -> None:
        self._bases: dict[int, tuple[Any, Any]] = {}
        self._seen: dict[int, Seen] = {}
        self.entries: list[Entry] = []
        self.scopes: dict[int, Any] = {}

    def keep(self, node: Any) -> None:
        """Write down the content of ``node`` before its first change."""
        if id(node) not in self._bases:
            self._bases[id(node)] = node, node.__rapyer_node__.snapshot(node)

    def apply(self, scope: Any, touched: Any, change: Callable[[], Any]) -> Any:
        """Make a change of ``touched`` that belongs to ``scope``; returns what it returns."""
        self.keep(touched)
        result = change()
        self.entries.append(Entry(scope, change))
        seen = self._seen.get(id(touched))
        if seen is not None:
            seen.look()
        return result

    def is_untouched(self, node: Any) -> bool:
        """Whether the content of ``node`` is the base: it was not changed, nor anything in it."""
        if not self.entries:
            return True
        if id(node) in self._bases:
            return False
        return not any(True for _ in node.__rapyer_node__.nodes(node))

    def wrapped(self, old: Any, new: Any) -> None:
        """``new`` is the live value of ``old`` and stands wherever that stood."""
        contents = [
            *self._bases.values(),
            *((seen.node, seen.content) for seen in self._seen.values()),
        ]
        for node, content in contents:
            node.__rapyer_node__.replace(content, old, new)

    def item_wrapped(self, node: Any, index: int, old: Any, new: Any) -> None:
        """``new`` is the live value of the immutable item ``old`` of the list ``node``."""
        base, seen = self._bases.get(id(node)), self._seen.get(id(node))
        for content in (None if base is None else base[1], None if seen is None else seen.content):
            if content is None:
                continue
            if index < len(content) and content[index] is old:
                content[index] = new
            else:
                places = [at for at, item in enumerate(content) if item is old]
                if len(places) == 1:
                    content[places[0]] = new

    # -- lists and dicts that are changed past their methods --------------------------------------

    def watch(self, node: Any) -> None:
        """From now on notice when the list or dict ``node`` is changed past its methods."""
        if id(node) not in self._seen:
            self._seen[id(node)] = Seen(node)

    def bypassed(self, node: Any = None) -> list[Any]:
        """The lists and dicts (or ``node``, if it is one) that were changed past their methods."""
        watched = self._seen.values() if node is None else (self._seen.get(id(node)),)
        return [seen.node for seen in watched if seen is not None and seen.has_changed()]

    def put_back(self, node: Any) -> Any:
        """Let ``node`` be what it was before it was changed past its methods; returns what it had become."""
        kind, seen = node.__rapyer_node__, self._seen[id(node)]
        became = kind.snapshot(node)
        kind.restore(node, seen.content)
        return became

    def _keep_bypasses(self) -> None:
        """Make edits of what was changed past all methods, which a :meth:`rewind` would lose."""
        for node in self.bypassed():
            kind = node.__rapyer_node__
            became = self.put_back(node)
            self.apply(None, node, partial(kind.restore, node, became))

    # -- taking off, and laying on again -----------------------------------------------------------

    def rewind(self) -> None:
        """Let all content be the base."""
        self._keep_bypasses()
        for node, content in reversed(self._bases.values()):
            node.__rapyer_node__.restore(node, content)

    def rebase(self) -> None:
        """Let the base be the content as it is now."""
        for identity, (node, _) in self._bases.items():
            self._bases[identity] = node, node.__rapyer_node__.snapshot(node)

    def replay(self, wanted: Callable[[Any], bool] | None = None) -> None:
        """Make the changes again (those of the scopes that are ``wanted``), as far as they still can be."""
        for entry in self.entries:
            if wanted is None or wanted(entry.scope):
                with suppress(*MISSES):
                    entry.change()
        for seen in self._seen.values():
            seen.look()

    def drop(self, scope: Any) -> None:
        """Take back what the block ``scope`` did, and nothing else."""
        if any(entry.scope is scope for entry in self.entries):
            self.rewind()
            self.entries = [entry for entry in self.entries if entry.scope is not scope]
            self.replay()

    def hand_over(self, scope: Any, heir: Any) -> None:
        """What the block ``scope`` did belongs to the block ``heir`` around it now."""
        for entry in self.entries:
            if entry.scope is scope:
                entry.scope = heir

    def is_only_of(self, scope: Any) -> bool:
        """Whether nobody but the block ``scope`` has changed something."""
        return all(entry.scope is scope for entry in self.entries)

    def settle(self, scope: Any) -> bool:
        """Make what the block ``scope`` did part of the base; whether the rest is taken off for that.

        The rest is laid on again with :meth:`rebase` and :meth:`replay`.
        """
        if self.is_only_of(scope):
            self.entries.clear()
            self._bases.clear()
            return False
        self.rewind()
        self.replay(lambda other: other is scope)
        self.entries = [entry for entry in self.entries if entry.scope is not scope]
        return True


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
