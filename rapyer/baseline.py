"""What an instance last read or wrote: the text of the whole document, and what operations made of it since.

From it follow the fields that were edited locally (``save_changes``) and those that somebody else
changed (``pipeline(watch=True)``). Operations report here the values they brought in line with the
server; the text of the document itself is parsed only when somebody asks.
"""

from __future__ import annotations

import json
from typing import Any

from rapyer import links
from rapyer.paths import Path
from rapyer.schema import model_spec
from rapyer.script import ECHO_LIMIT

BASELINE = "__rapyer_baseline__"
SYNCED = "__rapyer_synced__"
UNKNOWN = object()
"""Stands for a value that is too large to be written down after each operation; it counts as unedited."""


def remember(document: Any, text: bytes | None) -> None:
    """``text`` is the whole document as it is stored now."""
    object.__setattr__(document, BASELINE, text)
    object.__setattr__(document, SYNCED, None)


def note(document: Any, owner: Any, path: Path, names: tuple[str, ...] = ()) -> None:
    """The value ``owner`` at ``path`` (its fields ``names``, for a model) is as on the server now."""
    if getattr(document, BASELINE, None) is None:
        return
    synced = getattr(document, SYNCED, None)
    if synced is None:
        synced = {}
        object.__setattr__(document, SYNCED, synced)
    for place, text in _texts(owner, path, names).items():
        synced.pop(place, None)  # later ones come later
        synced[place] = text


def _texts(owner: Any, path: Path, names: tuple[str, ...]) -> dict[Path, Any]:
    first_index = next((at for at, segment in enumerate(path) if isinstance(segment, int)), None)
    if first_index is not None:
        # indices move: the whole list is written down instead of its item
        for _ in range(len(path) - first_index):
            owner = links.parent_of(owner)
        return {path[:first_index]: _container_text(owner)}
    if isinstance(owner, list | dict):
        return {path: _container_text(owner)}
    if names:
        spec = model_spec(type(owner))
        return {(*path, name): spec.field(name).to_json(owner.__dict__[name]) for name in names}
    parent = links.parent_of(owner)
    if parent is None:
        return {}
    value = parent.__rapyer_current__(owner)
    return {path: parent.__rapyer_child_spec__(owner.__rapyer_place__).to_json(value)}


def _container_text(container: Any) -> Any:
    if len(container) > ECHO_LIMIT:
        return UNKNOWN
    return container.__rapyer_spec_of__().to_json(container)


def tree(document: Any, local: dict[str, Any]) -> dict[str, Any] | None:
    """The document as last read or written, parsed; None when it never was.

    ``local`` is the parsed local document, for values that count as unedited.
    """
    text = getattr(document, BASELINE, None)
    if text is None:
        return None
    content: dict[str, Any] = json.loads(text)
    for path, value in (getattr(document, SYNCED, None) or {}).items():
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
