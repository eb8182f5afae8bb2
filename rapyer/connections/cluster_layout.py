"""Which node of a cluster has which slots, and which slots are on the move: what CLUSTER NODES says.

A key that moves while all nodes are asked one after the other can be missed by every one of them; by two
layouts one knows which slots to look at again. Nothing here sends anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Layout(NamedTuple):
    """What each primary said of itself at one time.

    ``owners`` are ranges of slots with the ids of their nodes, ``moving`` the slots that are being moved, with the ids
    of both nodes, ``epochs`` grow whenever slots have moved.
    """

    owners: frozenset[tuple[int, int, str]]
    moving: frozenset[tuple[int, str, str]]
    epochs: frozenset[tuple[str, str]]

    def slots_in_doubt(self, before: Layout) -> frozenset[int] | None:
        """The slots that may have been at another node meanwhile; None where that may be any."""
        now, then = _owners(self.owners - before.owners), _owners(before.owners - self.owners)
        found = {slot for slot in now.keys() | then.keys() if now.get(slot) != then.get(slot)}
        found.update(slot for slot, _, _ in self.moving | before.moving)
        return frozenset(found) if found or self.epochs == before.epochs else None


def _owners(ranges: Iterable[tuple[int, int, str]]) -> dict[int, str]:
    return {slot: node for start, end, node in ranges for slot in range(start, end + 1)}


def layout(texts: Sequence[bytes]) -> Layout:
    """The layout that the replies of all primaries to CLUSTER NODES give."""
    owners: set[tuple[int, int, str]] = set()
    moving: set[tuple[int, str, str]] = set()
    epochs: set[tuple[str, str]] = set()
    for text in texts:
        for line in text.decode("utf-8", "replace").splitlines():
            name, _, flags, _, _, _, epoch, _, *slots = line.split()
            if "myself" not in flags.split(","):
                continue
            epochs.add((name, epoch))
            for slot in slots:
                if not slot.startswith("["):
                    start, _, end = slot.partition("-")
                    owners.add((int(start), int(end or start), name))
                elif "->-" in slot:
                    number, _, other = slot.strip("[]").partition("->-")
                    moving.add((int(number), name, other))
                elif "-<-" in slot:
                    number, _, other = slot.strip("[]").partition("-<-")
                    moving.add((int(number), other, name))
    return Layout(frozenset(owners), frozenset(moving), frozenset(epochs))
