"""Values that are handed out inside a pipeline as they are: a set, a dataclass, a list in a tuple …

Nobody notices when such a value is changed in place. So the batch writes down what it was when it was
handed out; when the block ends, what has changed is put back and then assigned like anything else, which
validates it, queues it and lets it be rolled back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rapyer.schema.spec import ValueSpec
    from rapyer.state.links import Node


class Lent(NamedTuple):
    """A value that was handed out, where it stood, and its stored form then."""

    parent: Node
    place: Any
    value: Any
    spec: ValueSpec
    text: bytes

    def has_changed(self) -> bool:
        """Whether the value still stands there and is not what it was."""
        return self.parent.__rapyer_holds__(self.place, self.value) and (
            self.spec.to_json(self.value) != self.text
        )

    def put_back(self) -> Any:
        """Let an equal of the original stand there again; returns it."""
        original = self.spec.validate_json(self.text)
        self.parent.__rapyer_hold__(self.place, original)
        return original


def replace_in_snapshot(snapshot: Any, old: Any, new: Any) -> None:
    """Let ``snapshot`` (of a model, list or dict) hold ``new`` instead of ``old``."""
    contents = (snapshot[0], snapshot[2] or {}) if isinstance(snapshot, tuple) else (snapshot,)
    for content in contents:
        places = list(content) if isinstance(content, dict) else range(len(content))
        for place in places:
            if content[place] is old:
                content[place] = new
