"""Where a value lives: links from a value to its parent, and the way from there to the document's key.

A Redis value knows the container that holds it and its place there (a field name, a dict key, a hint of
a list index). The path is worked out from these links each time it is needed, so that a list that was
changed meanwhile leads to today's index, and a value that was replaced leads nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from rapyer.errors import DetachedError
from rapyer.paths import Path, Segment

if TYPE_CHECKING:
    from rapyer.config import AsyncClient
    from rapyer.schema.spec import ValueSpec

KeyGuard: TypeAlias = Callable[[str, Path, "Mapping[str, bytes] | None"], None]
"""``(verb, path, texts)``: raises where a change at ``path`` (or of fields ``texts``) would change the key."""

PARENT = "__rapyer_parent__"
PLACE = "__rapyer_place__"


class Node:
    """What can hold other values: a model, a list, a dict or an untyped document."""

    __slots__ = ()

    def __rapyer_segment__(self, child: Any) -> Segment | None:
        """The segment that leads from here to ``child``; None when the document *is* the child.

        Raises :class:`~rapyer.errors.DetachedError` when ``child`` is not here any more.
        """
        raise NotImplementedError

    def __rapyer_holds__(self, place: Any, child: Any) -> bool:
        """Whether ``child`` itself stands at ``place``."""
        raise NotImplementedError

    def __rapyer_child_spec__(self, place: Any) -> ValueSpec:
        """The spec of the value at ``place``."""
        raise NotImplementedError

    def __rapyer_store__(self, child: Any, value: Any) -> Any:
        """Put ``value`` where ``child`` stands, linked; returns what now stands there."""
        raise NotImplementedError

    def __rapyer_text__(self) -> bytes:
        """The stored form of the local value."""
        raise NotImplementedError

    def __rapyer_hold__(self, place: Any, value: Any) -> None:
        """Hold ``value`` at ``place``, as it is and without queueing anything."""
        raise NotImplementedError

    def __rapyer_assign__(self, place: Any, value: Any) -> None:
        """Assign ``value`` to ``place``, as a statement of the user's would."""
        raise NotImplementedError

    def __rapyer_snapshot__(self) -> Any:
        """A shallow copy of the content, for :meth:`__rapyer_restore__`."""
        raise NotImplementedError

    def __rapyer_restore__(self, snapshot: Any, names: set[str] | None = None) -> None:
        """Make the content (of a model: the fields ``names``) what it was when ``snapshot`` was taken."""
        raise NotImplementedError


class EchoedNode(Node):
    """A list or dict: after a change the server sends it back, and the local one is made equal to it."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __len__(self) -> int: ...

    def __rapyer_outdated__(self, stamp: int) -> bool:
        """Whether a later state of the server than that of ``stamp`` is known already."""
        raise NotImplementedError

    def __rapyer_settle__(self, text: bytes | None, stamp: int) -> None:
        """Take over the server's value ``text`` as of ``stamp``; None: the local value is right."""
        raise NotImplementedError


class Document(Node):
    """A node without parent: what is stored under one key."""

    __slots__ = ()
    __rapyer_document__: ClassVar[bool] = True

    def __rapyer_key__(self) -> str:
        """The Redis key."""
        raise NotImplementedError

    def __rapyer_client__(self) -> AsyncClient:
        """The client that this document's model uses."""
        raise NotImplementedError

    def __rapyer_link_children__(self) -> None:
        """Link nested models that were never read, so that changing them directly is noticed."""

    def __rapyer_catch_up__(self, text: bytes) -> None:
        """Take over what others changed since the document was last read; ``text`` is what is stored."""

    def __rapyer_key_guard__(self) -> KeyGuard | None:
        """What refuses changes of what the key is made of; None where no change can do that."""
        return None

    def __rapyer_refresh__(self) -> int | None:
        """The milliseconds to which an operation sets the TTL again, if the model asks for that."""
        return None


def parent_of(value: Any) -> Any:
    """The container that holds ``value``, or None."""
    return getattr(value, PARENT, None)


def find(value: Any) -> tuple[Document, Path] | None:
    """The document that ``value`` is part of and its path there; None for a value on its own."""
    path: Path = ()
    node = value
    while (parent := getattr(node, PARENT, None)) is not None:
        try:
            segment = parent.__rapyer_segment__(node)
        except DetachedError:
            return None
        if segment is not None:
            path = (segment, *path)
        node = parent
    return (node, path) if isinstance(node, Document) else None


def locate(value: Any) -> tuple[Document, Path]:
    """Like :func:`find`, but raises :class:`~rapyer.errors.DetachedError` for a value on its own."""
    found = find(value)
    if found is None:
        raise DetachedError(
            f"this {type(value).__name__} is not part of a document (any more); take it from its model again"
        )
    return found
