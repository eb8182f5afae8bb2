"""What open blocks did to the local values of a document, so that it can be taken off and laid on again.

Nodes are kept as they were before the first change of an open block; the changes of all blocks, and the
edits that others made meanwhile, are kept in the order in which they were made.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

from rapyer.errors import DetachedError
from rapyer.state.handed_out import Seen
from rapyer.state.node import find

MISSES = (LookupError, ValueError, TypeError, ArithmeticError, AttributeError, DetachedError)
"""What a change may raise where what it needs is not there (any more)."""


Instead: TypeAlias = Callable[[Callable[[Any], None]], None]
"""Makes a change at its place; it tells what it is given of each node before that is changed."""


class Entry:
    """A change that is applied locally and not on the server, or an edit made since such a change was.

    ``scope`` is the block that it belongs to, None for the edit of somebody who is in no block. ``instead``
    makes it at the place of ``touched`` when that stands there no more.
    """

    __slots__ = ("_instead", "_local", "_touched", "scope")

    def __init__(
        self,
        scope: Any,
        touched: Any,
        local: Callable[[], Any],
        instead: Instead | None = None,
    ) -> None:
        self.scope, self._touched, self._local, self._instead = scope, touched, local, instead

    def change(self, keep: Callable[[Any], None]) -> None:
        """Make it again, as far as it still can be. ``keep`` is told of nodes that are changed for the first time."""
        with suppress(*MISSES):
            if self._instead is not None and find(self._touched) is None:
                self._instead(keep)
            else:
                self._local()


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

    def apply(
        self,
        scope: Any,
        touched: Any,
        change: Callable[[], Any],
        instead: Instead | None = None,
    ) -> Any:
        """Make a change of ``touched`` that belongs to ``scope``; returns what it returns."""
        identity = id(touched)
        if identity not in self._bases:
            self._bases[identity] = touched, touched.__rapyer_node__.snapshot(touched)
        result = change()
        self.entries.append(Entry(scope, touched, change, instead))
        seen = self._seen.get(identity)
        if seen is not None:
            seen.look()
        return result

    def keep(self, node: Any) -> None:
        """Write down the content of ``node`` before it is changed."""
        if id(node) not in self._bases:
            self._bases[id(node)] = node, node.__rapyer_node__.snapshot(node)

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
                entry.change(self.keep)
        for seen in self._seen.values():
            seen.look()

    def drop(self, scope: Any) -> None:
        """Take back what the block ``scope`` did, and nothing else."""
        if any(entry.scope is scope for entry in self.entries):
            self.rewind()
            self.entries = [entry for entry in self.entries if entry.scope is not scope]
            self.replay()

    def edits(self) -> list[Entry]:
        """The edits that were made beside the open blocks."""
        return [entry for entry in self.entries if entry.scope is None]

    def fold(self, edits: list[Entry]) -> None:
        """Make ``edits``, which were saved, part of the base."""
        if not edits:
            return
        self.rewind()
        for entry in edits:
            entry.change(self.keep)
        self.rebase()
        self.entries = [entry for entry in self.entries if entry not in edits]
        self.replay()

    def forget_edits(self) -> None:
        """Drop the edits that were made beside the open blocks: everything was loaded again."""
        self.entries = [entry for entry in self.entries if entry.scope is not None]

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
