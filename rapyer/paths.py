"""Paths into documents: JSONPath for the server, dotted paths for people, JSON-Pointer targets for the CLI.

A path is a tuple of segments: ``str`` for a field name or dict key, ``int`` for a list index. Nothing
here knows models or values; which segment of a target is an index is decided by whoever resolves it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

from rapyer.errors import UnaddressableKeyError

Segment: TypeAlias = str | int
Path: TypeAlias = tuple[Segment, ...]

_INDICES = 2**63
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def is_addressable(segment: Segment) -> bool:
    """Whether some JSONPath names exactly this segment.

    RedisJSON unescapes quoted names when it reads but not when it writes, so a name with a backslash,
    or with both kinds of quotes, has no form that is safe for both; and it drops leading spaces. An index
    of more than 64 bits ends the server.
    """
    if isinstance(segment, int):
        return -_INDICES <= segment < _INDICES
    return (
        "\\" not in segment
        and not segment.startswith(" ")
        and not ('"' in segment and "'" in segment)
    )


@lru_cache(maxsize=4096)
def addressable_prefix(path: Path) -> int:
    """How many leading segments of ``path`` a JSONPath can name."""
    for position, segment in enumerate(path):
        if not is_addressable(segment):
            return position
    return len(path)


@lru_cache(maxsize=4096)
def json_path(path: Path, *, unchecked: bool = False) -> str:
    """``('settings', 'a.b', 0)`` → ``$.settings["a.b"][0]``; ``()`` → ``$``.

    ``unchecked`` is for reading by indices that may be out of range: RedisJSON takes one before the
    beginning for the first item, but knows that a slice there is empty.

    Raises :class:`~rapyer.errors.UnaddressableKeyError` for a segment that no JSONPath can name.
    """
    parts = ["$"]
    for segment in path:
        if isinstance(segment, int):
            if not is_addressable(segment):
                raise UnaddressableKeyError(f"no JSON path can name the index {segment}")
            is_slice = unchecked and segment < -1
            parts.append(f"[{segment}:{segment + 1}]" if is_slice else f"[{segment}]")
        elif _PLAIN_NAME.match(segment):
            parts.append(f".{segment}")
        elif not is_addressable(segment):
            raise UnaddressableKeyError(
                f"no JSON path can name the key {segment!r}: it begins with a space or holds a backslash or both quotes; "
                "the operations of the containing dict handle it"
            )
        elif '"' in segment:
            parts.append(f"['{segment}']")
        else:
            parts.append(f'["{segment}"]')
    return "".join(parts)


def field_path(path: Path) -> str:
    """``('settings', 'theme')`` → ``settings.theme``; indices in brackets, odd keys quoted."""
    text = ""
    for segment in path:
        if isinstance(segment, int):
            text += f"[{segment}]"
        elif _PLAIN_NAME.match(segment):
            text += f".{segment}" if text else segment
        else:
            text += f"[{segment!r}]"
    return text


_TAKEN_LITERALLY = ("", ".", "..")


def escape_pointer(segment: Segment) -> str:
    """One JSON Pointer segment: ``~`` → ``~0``, ``/`` → ``~1``; the names that would not be taken literally get a ``~``.

    These are the empty one (an empty segment is what an unset variable leaves behind, it never stands for
    anything), ``.`` and ``..``: ``~``, ``~.`` and ``~..``.
    """
    text = str(segment)
    return f"~{text}" if text in _TAKEN_LITERALLY else text.replace("~", "~0").replace("/", "~1")


def unescape_pointer(segment: str) -> str:
    """The inverse of :func:`escape_pointer`."""
    if segment[:1] == "~" and segment[1:] in _TAKEN_LITERALLY:
        return segment[1:]
    return segment.replace("~1", "/").replace("~0", "~")


def escape_pk(pk: str) -> str:
    """A pk as it stands in a target: ``%`` → ``%25`` where it would read as an escape, ``/`` → ``%2F``."""
    return re.sub(r"%(?=2[Ff5])", "%25", pk).replace("/", "%2F")


def unescape_pk(pk: str) -> str:
    """The inverse of :func:`escape_pk`; other percent signs stay as they are."""
    return pk.replace("%2F", "/").replace("%2f", "/").replace("%25", "%")


def format_target(key: str, path: Path = ()) -> str:
    """The target text of a place: the key with its pk escaped, then the pointer."""
    model, colon, pk = key.partition(":")
    head = f"{model}{colon}{escape_pk(pk)}"
    return "/".join([head, *(escape_pointer(segment) for segment in path)])
