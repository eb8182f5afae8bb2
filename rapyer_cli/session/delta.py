"""What turns a JSON value back into the one before: only what changed, so that a huge value stays out of the journal.

A delta leads from the value after to the value before. Whether the value after is still there is told by its
digest. Pure; no terminal, no database.
"""

from __future__ import annotations

import json
from hashlib import sha1
from typing import Any, TypeAlias

from rapyer_cli.render.differences import MISSING, same

Delta: TypeAlias = "dict[str, Any]"
"""One of ``{"was": value}``, ``{"none": true}`` (there was nothing), ``{"in": {name: delta}}`` (entries of an object,
with their ``order`` where that would be another one), ``{"at": [[index, delta] …]}`` (items of a list), ``{"part": [start, length now, what was there]}`` (of a list or
text), ``{}`` (the same)."""

_LONG_TEXT = 64
_ORDERED = 1000
"""Up to so many names, entries that come back stand where they stood."""


def delta(before: Any, after: Any) -> Delta:
    """What leads from ``after`` to ``before``; either may be ``MISSING``."""
    if before is MISSING:
        return {} if after is MISSING else {"none": True}
    if after is MISSING or type(before) is not type(after):
        return {"was": before}
    if isinstance(before, dict):
        names = dict.fromkeys((*before, *after))
        found = {n: delta(before.get(n, MISSING), after.get(n, MISSING)) for n in names}
        inside = {name: one for name, one in found.items() if one}
        if not inside:
            return {}
        now = [*(name for name in after if name in before), *(n for n in before if n not in after)]
        order = list(before) if len(before) <= _ORDERED and now != list(before) else None
        return {"in": inside} if order is None else {"in": inside, "order": order}
    if isinstance(before, list):
        return _of_lists(before, after)
    if same(before, after):
        return {}
    if isinstance(before, str) and len(before) > _LONG_TEXT:
        start, old, new = _middle(before, after)
        return {"part": [start, len(new), old]}
    return {"was": before}


def before_of(change: Delta, after: Any) -> Any:
    """The value before, from the value ``after`` that :func:`delta` was made of."""
    if not change:
        return after
    if "none" in change:
        return MISSING
    if "was" in change:
        return change["was"]
    if "in" in change:
        whole = dict(after)
        for name, inner in change["in"].items():
            was = before_of(inner, whole.get(name, MISSING))
            if was is MISSING:
                whole.pop(name, None)
            else:
                whole[name] = was
        order = change.get("order")
        return whole if order is None else {name: whole[name] for name in order}
    if "at" in change:
        items = list(after)
        for index, inner in change["at"]:
            items[index] = before_of(inner, items[index])
        return items
    start, length, was = change["part"]
    return after[:start] + was + after[start + length :]


def digest_of(value: Any) -> str:
    """A short text that is the same for the same JSON value only; empty for ``MISSING``."""
    if value is MISSING:
        return ""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return sha1(text.encode(), usedforsecurity=False).hexdigest()[:20]


def _of_lists(before: list[Any], after: list[Any]) -> Delta:
    start, old, new = _middle(before, after)
    if len(old) != len(new):
        return {"part": [start, len(new), old]}
    inside = [
        [start + offset, inner]
        for offset, (one, other) in enumerate(zip(old, new, strict=True))
        if (inner := delta(one, other))
    ]
    return {"at": inside} if inside else {}


def _middle(before: Any, after: Any) -> tuple[int, Any, Any]:
    """Where two lists or texts begin to differ, and what is different in each."""
    most = min(len(before), len(after))
    if isinstance(before, str):
        start = _common(before, after, most)
        end = _common(before[::-1], after[::-1], most - start)
    else:
        start = 0
        while start < most and same(before[start], after[start]):
            start += 1
        end = 0
        while end < most - start and same(before[-1 - end], after[-1 - end]):
            end += 1
    return start, before[start : len(before) - end], after[start : len(after) - end]


def _common(one: str, other: str, most: int) -> int:
    """How many leading characters are the same, at most ``most``; halving, as texts may be huge."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
