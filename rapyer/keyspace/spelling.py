"""How keys are spelled on the wire and in the patterns of SCAN. Imports nothing, for a shell that has to be quick."""

from __future__ import annotations

from collections.abc import Sequence

_SPECIAL_IN_GLOB = "\\*?[]^"


def as_sent(key: str) -> bytes:
    """A key as it is on the server; keys that are not UTF-8 come back as they were read."""
    return key.encode("utf-8", "surrogateescape")


def as_keys(words: Sequence[bytes]) -> list[str]:
    """The inverse of :func:`as_sent`, for many."""
    try:
        return list(map(bytes.decode, words))
    except UnicodeDecodeError:
        return [word.decode("utf-8", "surrogateescape") for word in words]


def escaped_glob(text: str) -> str:
    """``text`` as a pattern of SCAN that matches nothing else."""
    return "".join(f"\\{c}" if c in _SPECIAL_IN_GLOB else c for c in text)
