"""Where something is: the root, a model, a document, or a place inside one; absolute or relative.

Pure text work on top of :mod:`rapyer.paths`, which is imported when it is needed. Whether anything is there is for
:mod:`rapyer_cli.session.session.resolve` to find out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from rapyer_cli.failures import UsageError


class Address(NamedTuple):
    """``key`` is the Redis key of the document, ``pointer`` the segments inside it.

    Without a key it is a model, or without a name the root. A bare word that is no known model may turn
    out to be a key without a colon.
    """

    name: str = ""
    key: str | None = None
    pointer: tuple[str, ...] = ()

    @property
    def is_root(self) -> bool:
        """Whether it is where all models are."""
        return not self.name and self.key is None

    @property
    def is_model(self) -> bool:
        """Whether it names a model (or a key without a colon), not a document."""
        return bool(self.name) and self.key is None

    def parent(self) -> Address:
        """One step up; the root is its own parent."""
        if self.pointer:
            return Address(self.name, self.key, self.pointer[:-1])
        return Address(self.name) if self.key is not None and self.name != self.key else Address()

    def child(self, segment: str) -> Address:
        """One step down, by an unescaped segment."""
        if self.is_root:
            return Address(segment)
        if self.key is None:
            return Address(self.name, f"{self.name}:{segment}")
        return Address(self.name, self.key, (*self.pointer, segment))

    def __str__(self) -> str:
        from rapyer.paths import escape_pointer

        if self.key is None:
            return self.name or "/"
        return "/".join([escape_key(self.key, self.name), *map(escape_pointer, self.pointer)])


ROOT = Address()
_WITHOUT_ENTRIES = ("str", "int", "float", "bool", "bytes", "datetime")


def escape_key(key: str, name: str) -> str:
    """A key as it stands in a target: its pk escaped."""
    from rapyer.paths import escape_pk

    if name and key.startswith(f"{name}:"):
        return f"{name}:{escape_pk(key[len(name) + 1 :])}"
    return escape_pk(key)


def always(segment: str) -> bool:
    """The answer of who does not know what a place can hold."""
    return True


def address_of(
    text: str,
    names: Collection[str],
    here: Address = ROOT,
    can_hold: Callable[[str], bool] = always,
) -> Address:
    """The address that ``text`` means for somebody who is at ``here``.

    ``names`` are the known models. ``.`` and ``..`` walk, a leading ``/`` starts at the root, and a
    leading ``Model:`` of a known model does so too. What ``here``, a place in a document, cannot hold as an
    entry starts at the root as well when it is a model or has the form of a key. Raises
    :class:`UsageError` for an empty text, and for an empty part of it.
    """
    if not text:
        raise UsageError("the target is empty: name a model, a document or a place inside one")
    parts = text.split("/")
    address = here
    if parts[0] == "":
        address, parts = ROOT, parts[1:]
    elif here.is_root or _is_absolute(parts[0], names, here, can_hold):
        address = ROOT
    for position, part in enumerate(parts):
        if part == "":
            if len(parts) == 1:
                break  # the root
            raise UsageError(
                f"{text}: a part of the target is empty, as a variable that is not set leaves it; "
                "the entry whose name is empty is written ~"
            )
        follows = any(parts[position + 1 :])
        address = _step(address, part, names, follows=follows)
    return address


def certain_address(text: str) -> Address | None:
    """The address that ``text`` means at the root whatever models there are; None where they have a say."""
    head, *rest = text.split("/")
    if ":" not in head or "%" in head or not {".", ".."}.isdisjoint(rest):
        return None
    return address_of(text, ())


def entry_test(fields: Collection[str], kind: str) -> Callable[[str], bool]:
    """Whether a segment can be an entry of a place with these fields, or of a value of the type ``kind``."""
    if kind == "list":
        return lambda segment: segment.lstrip("-").isdigit()
    if fields or kind in _WITHOUT_ENTRIES:
        return lambda segment: segment in fields
    return always


def _is_absolute(
    first: str, names: Collection[str], here: Address, can_hold: Callable[[str], bool]
) -> bool:
    if here.key is None:
        return first in names or _known_prefix(first, (*names, here.name)) is not None
    if ":" in first:
        return _known_prefix(first, names) is not None or not names or not can_hold(first)
    return first in names and not can_hold(first)


def _step(address: Address, part: str, names: Collection[str], *, follows: bool) -> Address:
    from rapyer.paths import unescape_pk, unescape_pointer

    if part == "..":
        return address.parent()
    if part == ".":
        return address
    if address.is_root:
        found = _document(part, names)
        # A bare word with something inside it is a key without a colon, unless a model has this name.
        is_key = found.key is None and follows and part not in names
        return Address("", unescape_pk(part)) if is_key else found
    if address.key is None:
        return Address(address.name, f"{address.name}:{unescape_pk(part)}")
    return address.child(unescape_pointer(part))


def _document(head: str, names: Collection[str]) -> Address:
    from rapyer.paths import unescape_pk

    if head in names:
        return Address(head)
    prefix = _known_prefix(head, names)
    if prefix is None:
        prefix, colon, _ = head.partition(":")
        if not colon:
            return Address(head)
    return Address(prefix, f"{prefix}:{unescape_pk(head[len(prefix) + 1 :])}")


def _known_prefix(head: str, names: Collection[str]) -> str | None:
    fitting = [name for name in names if head.startswith(f"{name}:")]
    return max(fitting, key=len, default=None)
