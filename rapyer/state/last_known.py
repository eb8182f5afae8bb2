"""What an instance last read or wrote: the text of the whole document, and what operations made of it since.

A document that was loaded is taken down only before its first local edit: until then it is, itself, what
was read, and operations keep it so.

From it follow the fields that were edited locally (``save_changes``) and those that somebody else
changed (``pipeline(watch=True)``). Operations report here the values they brought in line with the
server; the text of the document itself is parsed only when somebody asks.
"""

from __future__ import annotations

import json
from typing import Any

from rapyer.batch.change import Change
from rapyer.errors import DetachedError
from rapyer.paths import Path
from rapyer.script.call import ECHO_LIMIT
from rapyer.state import links
from rapyer.state.links import PARENT, PLACE

BASELINE = "__rapyer_baseline__"
SYNCED = "__rapyer_synced__"
CLEAN: Any = object()
"""Stands for the text of a document that was loaded and has no local edits."""
UNKNOWN = object()
"""Stands for a value that is too large to be written down after each operation; it counts as unedited."""


def remember(document: Any, text: bytes | None) -> None:
    """``text`` is the whole document as it is stored now."""
    object.__setattr__(document, BASELINE, text)
    object.__setattr__(document, SYNCED, None)


def capture(node: Any) -> None:
    """Take down the document of ``node`` before its first local edit."""
    found = links.find(node)
    if found is not None and getattr(found[0], BASELINE, None) is CLEAN:
        remember(found[0], found[0].__rapyer_text__())


def note_loaded(document: Any, value: Any, path: Path) -> None:
    """The live ``value`` at ``path`` was read just now."""
    synced = notes(document)
    if synced is not None and isinstance(value, links.Node):
        _write_down(synced, path, value.__rapyer_text__(), links.parent_of(value))
    elif synced is not None:
        parent = links.parent_of(value)
        if parent is not None:
            _write_down(synced, path, (parent, getattr(value, PLACE), value), parent)


def note(synced: dict[Path, Any], change: Change, path: Path) -> None:
    """What ``change`` changed is on the server as it is here. Lists and dicts: see below.

    ``synced`` are the document's :func:`notes`, ``path`` is where the owner stood when it was changed.
    """
    owner = change.owner
    if change.echoes:
        return
    write_down = _write_down_field
    for segment in path:
        if type(segment) is int:  # it may have moved since
            place = links.find(owner)
            if place is None:
                return
            path, write_down = place[1], _write_down
            break
    texts = change.texts
    if texts is not None:
        for name in texts:
            write_down(synced, (*path, name), texts[name], owner)
        return
    parent = getattr(owner, PARENT, None)
    if parent is not None:
        try:
            value = parent.__rapyer_current__(owner)
        except (DetachedError, LookupError):
            return  # it was removed since, which is written down with its container
        if isinstance(owner, links.Node):
            spec = parent.__rapyer_child_spec__(getattr(owner, PLACE))
            write_down(synced, path, spec.to_json(value), parent)
        else:
            if change.overtaken is not None:
                (value,) = change.overtaken
            write_down(synced, path, (parent, getattr(owner, PLACE), value), parent)


def note_container(place: tuple[Any, Path] | None, container: Any, text: bytes | None) -> None:
    """A list or dict is on the server as it is here; ``text`` is what the server sent, if it did."""
    if place is None or (synced := notes(place[0])) is None:
        return
    _write_down(synced, place[1], UNKNOWN if text is None else text, container)


def notes(document: Any) -> dict[Path, Any] | None:
    """What operations made of the document since it was read or written; None where nobody needs to know."""
    if getattr(document, BASELINE, None) in (None, CLEAN):
        return None
    synced: dict[Path, Any] | None = getattr(document, SYNCED, None)
    if synced is None:
        synced = {}
        object.__setattr__(document, SYNCED, synced)
    return synced


def _write_down(synced: dict[Path, Any], path: Path, text: Any, holder: Any) -> None:
    for position, segment in enumerate(path):
        if type(segment) is int:
            # indices move: the whole list is written down instead of its item
            outermost = _outermost_list(holder)
            path = path[:position]
            large = len(outermost) > ECHO_LIMIT
            text = UNKNOWN if large else outermost.__rapyer_text__()
            break
    _write_down_field(synced, path, text, holder)


def _write_down_field(synced: dict[Path, Any], path: Path, text: Any, holder: Any) -> None:
    synced.pop(path, None)  # later ones come later
    synced[path] = text


def _outermost_list(holder: Any) -> Any:
    found = holder
    while holder is not None:
        if isinstance(holder, list):
            found = holder
        holder = links.parent_of(holder)
    return found


def tree(document: Any, local: dict[str, Any]) -> dict[str, Any] | None:
    """The document as last read or written, parsed; None when it never was.

    ``local`` is the parsed local document, for values that count as unedited.
    """
    text = getattr(document, BASELINE, None)
    if text is None or text is CLEAN:
        return None if text is None else local
    content: dict[str, Any] = json.loads(text)
    for path, value in (getattr(document, SYNCED, None) or {}).items():
        if isinstance(value, tuple):  # an immutable one: its parent, its place, itself
            parent, place, immutable = value
            value = parent.__rapyer_child_spec__(place).to_json(immutable)
        _put(content, path, _at(local, path) if value is UNKNOWN else json.loads(value))
    return content


def _at(content: Any, path: Path) -> Any:
    for segment in path:
        if not isinstance(content, dict) or segment not in content:
            return None
        content = content[segment]
    return content


def _put(content: Any, path: Path, value: Any) -> None:
    for segment in path[:-1]:
        if not isinstance(content, dict) or segment not in content:
            return
        content = content[segment]
    if isinstance(content, dict):
        content[path[-1]] = value


def differing(before: dict[str, Any], now: dict[str, Any]) -> set[str]:
    """The names whose values differ, or that only one of the two has."""
    return {
        name
        for name in before.keys() | now.keys()
        if (name in before) != (name in now) or not same_json(before[name], now[name])
    }


def same_json(a: Any, b: Any) -> bool:
    """Whether two parsed JSON values are written alike: ``1``, ``1.0`` and ``true`` are not."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_json(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same_json(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)
