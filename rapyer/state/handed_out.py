"""Values that are handed out inside a block and may be changed in place without anybody noticing.

A set, a dataclass, a list in a tuple …, and lists and dicts that somebody changes past their methods (with
``heapq``, or in C). The batch writes down what each was; when the block ends, what has changed is put back
and then assigned like anything else, which validates it, queues it and lets it be taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rapyer.schema.spec import ValueSpec


class Lent(NamedTuple):
    """A value that was handed out, where it stood, and its stored form then."""

    parent: Any
    place: Any
    value: Any
    spec: ValueSpec
    text: bytes

    def has_changed(self) -> bool:
        """Whether the value still stands there and is not what it was."""
        holds = self.parent.__rapyer_node__.holds(self.parent, self.place, self.value)
        return bool(holds) and self.spec.to_json(self.value) != self.text

    def put_back(self) -> Any:
        """Let an equal of the original stand there again; returns it."""
        original = self.spec.validate_json(self.text)
        self.parent.__rapyer_node__.hold(self.parent, self.place, original)
        return original


class Seen:
    """A live list or dict and its content after the last change that went through its methods."""

    __slots__ = ("content", "node")

    def __init__(self, node: Any) -> None:
        self.node = node
        self.content: Any = None
        self.look()

    def look(self) -> None:
        """The content is as it should be now."""
        self.content = self.node.__rapyer_node__.snapshot(self.node)

    def has_changed(self) -> bool:
        """Whether it holds other values, or (a list) in another order, than it did."""
        # what was made live since is equal to what it was; what is still there is not even compared
        kind = dict if isinstance(self.node, dict) else list
        return not kind.__eq__(self.node, self.content)
