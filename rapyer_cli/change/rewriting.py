"""One document from its JSON before to that after, as one step of the server: only while it is what was read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rapyer_cli.render.differences import MISSING, same
from rapyer_cli.session.plan_many import Rewrite

if TYPE_CHECKING:
    from rapyer.script.call import Primitive, Step

_MOST_PLACES = 50


def steps_of(rewrite: Rewrite) -> list[Step]:
    """What the script does: it refuses when the document is not what was read, and changes what differs."""
    from rapyer.script.call import Primitive

    digest = hashlib.sha1(rewrite.text, usedforsecurity=False).hexdigest().encode()
    primitives = [Primitive("watch", (), (digest,)), *_changes(rewrite)]
    if rewrite.refresh is not None and rewrite.after is not MISSING:
        primitives.append(Primitive("refresh", (), (b"%d" % rewrite.refresh,)))
    return [(rewrite.key, primitive) for primitive in primitives]


def commands_of(rewrite: Rewrite) -> list[str]:
    """The same, as a dry run words it."""
    from rapyer.script.primitives import PRIMITIVES
    from rapyer.script.wording import describe_step

    steps = steps_of(rewrite)
    return [describe_step(key, step) for key, step in steps if PRIMITIVES[step.code].writes]


def _changes(rewrite: Rewrite) -> list[Primitive]:
    from rapyer.script.call import Primitive

    before, after = rewrite.before, rewrite.after
    if after is MISSING:
        return [Primitive("drop", ())]
    if before is MISSING:
        ttl = b"" if rewrite.ttl is None else b"%d" % max(int(rewrite.ttl * 1000), 1)
        return [Primitive("save", (), (_json(after), b"nx", ttl))]
    places: list[Primitive] = []
    for place in _places(before, after, ()):
        places.append(place)
        if (not place.path and place.code == "save") or len(places) > _MOST_PLACES:
            return [Primitive("save", (), (_json(after), b"xx", b""))]
    return places


def _places(before: Any, after: Any, path: tuple[str | int, ...]) -> Iterator[Primitive]:
    from rapyer.script.call import Primitive

    if isinstance(before, dict) and isinstance(after, dict):
        for name in before:
            if name not in after:
                yield Primitive("take", path, (name.encode("utf-8", "surrogateescape"),))
        for name, value in after.items():
            if name not in before:
                yield Primitive("set", (*path, name), (_json(value), b""))
            else:
                yield from _places(before[name], value, (*path, name))
    elif not same(before, after):
        if path:
            yield Primitive("set", path, (_json(after), b""))
        else:
            yield Primitive("save", (), (_json(after), b"xx", b""))


def _json(value: Any) -> bytes:
    from rapyer.schema.spec import any_spec

    return any_spec().to_json(value)
