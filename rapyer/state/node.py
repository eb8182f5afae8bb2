"""The tree of live values: where each one stands, and the way from there to its document.

A live value carries one :class:`State`: the container that holds it and its place there (a field name, a
dict key, a hint of a list index). The path is worked out from these links each time it is needed, so that
a list that was changed meanwhile leads to today's index, and a value that was replaced leads nowhere.
How a kind of container keeps what it holds is asked of its :class:`NodeKind`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from rapyer.errors import DetachedError
from rapyer.paths import Path, Segment

if TYPE_CHECKING:
    from rapyer.config import AsyncClient
    from rapyer.schema.spec import ValueSpec

STATE = "__rapyer_state__"
"""The one slot of a live value."""

KeyGuard: TypeAlias = Callable[[str, Path, "Mapping[str, bytes] | None"], None]
"""``(verb, path, texts)``: raises where a change at ``path`` (or of fields ``texts``) would change the key."""

set_state: Callable[[Any, str, Any], None] = object.__setattr__
"""``set_state(value, STATE, state)``, whatever ``value`` does with assignments."""


class State:
    """Where a live value stands.

    ``parent`` is the container that holds it, None for a value on its own; ``place`` the name, key or index
    there; ``spec`` what the annotation says of it (lists and dicts); ``made_by`` what an immutable value was
    made from and by which in-place steps, until it is assigned.
    """

    __slots__ = ("made_by", "parent", "place", "spec")

    def __init__(self, parent: Any, place: Any, spec: ValueSpec | None = None) -> None:
        self.parent, self.place, self.spec = parent, place, spec
        self.made_by: Any = None


class NodeKind:
    """How one kind of node (a model, a list, a dict, an untyped document) keeps what it holds.

    Places are field names, keys or indices. Nothing here queues or sends anything, but :meth:`assign`.
    """

    __slots__ = ()
    echoes = False
    """Whether the server sends the node back after a change: lists and dicts."""

    def place_of(self, node: Any, child: Any) -> Any:
        """Where ``child`` stands today; raises :class:`~rapyer.errors.DetachedError` when it does not."""
        raise NotImplementedError

    def segment(self, node: Any, child: Any) -> Segment | None:
        """The segment that leads to ``child``; None when the document *is* the child. Raises as above."""
        raise NotImplementedError

    def holds(self, node: Any, place: Any, child: Any) -> bool:
        """Whether ``child`` itself stands at ``place``."""
        raise NotImplementedError

    def child_spec(self, node: Any, place: Any) -> ValueSpec:
        """The spec of the value at ``place``."""
        raise NotImplementedError

    def raw(self, node: Any, place: Any) -> Any:
        """The value at ``place`` as it is held, without making it live; ``LookupError`` where none is."""
        raise NotImplementedError

    def hold(self, node: Any, place: Any, value: Any) -> None:
        """Hold ``value`` at ``place`` as it is."""
        raise NotImplementedError

    def put(self, node: Any, place: Any, value: Any) -> Any:
        """Hold ``value`` at ``place``, live and linked; returns what now stands there."""
        raise NotImplementedError

    def assign(self, node: Any, place: Any, value: Any) -> None:
        """Assign ``value`` to ``place``, as a statement of the user's would."""
        raise NotImplementedError

    def snapshot(self, node: Any) -> Any:
        """A shallow copy of the content."""
        raise NotImplementedError

    def restore(self, node: Any, content: Any) -> None:
        """Make the content what it was when :meth:`snapshot` was taken."""
        raise NotImplementedError

    def replace(self, content: Any, old: Any, new: Any) -> None:
        """Let a snapshot hold ``new`` where it holds ``old`` itself."""
        for items in content if isinstance(content, tuple) else (content,):
            places = list(items) if isinstance(items, dict) else range(len(items or ()))
            for place in places:
                if items[place] is old:
                    items[place] = new

    def adopt(self, node: Any, fresh: Any) -> None:
        """Make the content equal to native ``fresh``, keeping the objects that are equal already."""
        raise NotImplementedError

    def spec_of(self, node: Any) -> ValueSpec:
        """The spec of the node itself, where it stands."""
        raise NotImplementedError

    def fits(self, node: Any, fresh: Any) -> bool:
        """Whether :meth:`adopt` can make the content that of ``fresh``."""
        raise NotImplementedError

    def take(self, node: Any, place: Any, fresh: Any) -> Any:
        """Let ``place`` hold what native ``fresh`` is, keeping the object there where that is possible."""
        try:
            held = self.raw(node, place)
        except LookupError:
            held = None
        if adopted(held, fresh) is held and held is not None:
            return held
        return self.put(node, place, fresh)

    def become(self, node: Any, content: Any) -> None:
        """Replace the whole content by ``content``, as a statement of the user's would."""
        raise NotImplementedError

    def nodes(self, node: Any) -> Iterator[Any]:
        """The live nodes that are held directly."""
        raise NotImplementedError

    def link_below(self, node: Any) -> None:
        """Make all models in ``node`` live, so that changing them directly is noticed."""
        raise NotImplementedError


def adopted(held: Any, fresh: Any) -> Any:
    """What to hold where ``held`` stands and native ``fresh`` should be: ``held`` made equal, if it can be.

    Keeping the object keeps the handles that user code may have on it.
    """
    if isinstance(held, Node):
        kind = held.__rapyer_node__
        if kind.fits(held, fresh):
            kind.adopt(held, fresh)
            return held
    return fresh


class Node:
    """What can hold other values."""

    __slots__ = ()
    __rapyer_node__: ClassVar[NodeKind]


class DocumentKind(NodeKind):
    """A node without parent: what is stored under one key."""

    __slots__ = ()

    def key(self, document: Any) -> str:
        """The Redis key."""
        raise NotImplementedError

    def client(self, document: Any) -> AsyncClient:
        """The client that this document's model uses."""
        raise NotImplementedError

    def key_guard(self, document: Any) -> KeyGuard | None:
        """What refuses changes of what the key is made of; None where no change can do that."""
        return None

    def refresh(self, document: Any) -> int | None:
        """The milliseconds to which an operation sets the TTL again, if the model asks for that."""
        return None

    def watched(self, document: Any, text: bytes) -> None:
        """Take over what others changed since the document was last read; ``text`` is what is stored."""

    def document_spec(self, document: Any) -> ValueSpec | None:
        """What is said of the whole document; None where nobody says anything."""
        return None

    def lend_handed_out(self, document: Any, batch: Any) -> None:
        """Let ``batch`` notice when values that were handed out before it began are changed in place."""

    def adopt_document(self, document: Any, text: bytes) -> None:
        """Let the whole content be what is stored as ``text``."""
        raise NotImplementedError


class Document(Node):
    """A node that can be a whole document."""

    __slots__ = ()
    __rapyer_document__: ClassVar[bool] = True
    __rapyer_node__: ClassVar[DocumentKind]


def state_of(value: Any) -> Any:
    """The state of a live value, or None."""
    return getattr(value, STATE, None)


def parent_of(value: Any) -> Any:
    """The container that holds ``value``, or None."""
    state = getattr(value, STATE, None)
    return None if state is None else state.parent


def place_of(value: Any) -> Any:
    """The place of ``value`` as it was last seen, or None."""
    state = getattr(value, STATE, None)
    return None if state is None else state.place


def link(value: Any, parent: Any, place: Any, spec: ValueSpec | None = None) -> None:
    """Let ``value`` stand at ``place`` of ``parent``."""
    set_state(value, STATE, State(parent, place, spec))


def find(value: Any) -> tuple[Any, Path] | None:
    """The document that ``value`` is part of and its path there; None for a value on its own."""
    path: Path = ()
    node = value
    while True:
        state = getattr(node, STATE, None)
        if state is None or (parent := state.parent) is None:
            break
        try:
            segment = parent.__rapyer_node__.segment(parent, node)
        except DetachedError:
            return None
        if segment is not None:
            path = (segment, *path)
        node = parent
    return (node, path) if getattr(type(node), "__rapyer_document__", False) else None


def locate(value: Any) -> tuple[Any, Path]:
    """Like :func:`find`, but raises :class:`~rapyer.errors.DetachedError` for a value on its own."""
    found = find(value)
    if found is None:
        raise DetachedError(
            f"this {type(value).__name__} is not part of a document (any more); take it from its model again"
        )
    return found


def document_key(document: Any) -> str:
    """The Redis key of a document."""
    return document.__rapyer_node__.key(document)  # type: ignore[no-any-return]


def is_held_elsewhere(value: Any, parent: Any, place: Any) -> bool:
    """Whether another place than this one holds ``value`` itself (so that this one needs a copy)."""
    state = getattr(value, STATE, None)
    if state is None or state.parent is None:
        return False
    return bool(state.parent.__rapyer_node__.holds(state.parent, state.place, value))
