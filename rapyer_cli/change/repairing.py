"""What a document that does not fit its model should be: proposals for each place, and the whole with all of them.

In this order: what the model itself would write, the value converted (``"3"`` is 3), a field under another name, the
default, null. Where nothing of that fits, the place is left and said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer_cli.failures import one_line
from rapyer_cli.reading.drift import Path, drift_of, in_words, place_name
from rapyer_cli.render.differences import MISSING, same

if TYPE_CHECKING:
    from rapyer.schema.spec import ValueSpec

_ALIKE = 0.7
_ROUNDS = 4
_NUMBERS = (int, float)


class Repair(NamedTuple):
    """The JSON of the whole document with everything repaired that can be, what was done, and what could not."""

    data: Any
    done: tuple[str, ...]
    left: dict[Path, str]


def repaired(model: Any, key: str, text: bytes, only: str | None = None) -> Repair:
    """The document of ``key`` as it should be. ``only`` names the one field that is looked at.

    Raises :class:`~rapyer.errors.DocumentError` for what is no object at all.
    """
    from rapyer.schema.spec import any_spec

    done: list[str] = []
    left: dict[Path, str] = {}
    data = json.loads(text)
    for _ in range(_ROUNDS):  # what the model would write otherwise shows only once the rest fits
        before = data
        data, left = _once(model, key, data, text, only, done)
        if data is before:
            break
        text = any_spec().to_json(data)
    return Repair(data, tuple(dict.fromkeys(done)), left)


def _once(
    model: Any, key: str, data: Any, text: bytes, only: str | None, done: list[str]
) -> tuple[Any, dict[Path, str]]:
    from rapyer.schema.of_models import model_spec

    left: dict[Path, str] = {}
    for path, problem in drift_of(model, key, text).items():
        if only is not None and (not path or path[0] != only):
            continue
        change = _proposed(model, model_spec(model), key, data, path)
        if change is None or same(change[0], data):
            left[path] = problem
            continue
        data, how = change
        done.append(f"{_general(path)}: {how}")
    return data, left


def in_short(left: dict[Path, str]) -> str:
    """What could not be repaired, in one line."""
    return one_line(in_words(left))


def _general(path: Path) -> str:
    """The place for counting: ``tags/*``."""
    return "/".join("*" if isinstance(part, int) else place_name((part,)) for part in path)


def _proposed(
    model: Any, spec: ValueSpec, key: str, data: Any, path: Path
) -> tuple[Any, str] | None:
    if not path:
        return None
    owner, inner = spec.model, spec
    now: Any = data
    for position, segment in enumerate(path):
        owner = inner.model if inner.model is not None else None
        try:
            now = now[segment]
        except (LookupError, TypeError):
            if position < len(path) - 1:
                return None
            now = MISSING
        inner = inner.child(segment)
    if path == (model.__rapyer_key_field__,):
        pk = key[len(model.class_key_initials()) + 1 :]
        value = _converted(inner, pk)
        return None if value is None else (put(data, path, value[0]), "what the key says")
    name = str(path[-1])
    if owner is not None and name not in owner.__pydantic_fields__:
        return None
    if now is MISSING:
        return _renamed(owner, inner, data, path) or _default(owner, inner, data, path, name)
    found = _converted(inner, now)
    if found is not None:
        return put(data, path, found[0]), found[1]
    return _default(owner, inner, data, path, name)


def _converted(spec: ValueSpec, value: Any) -> tuple[Any, str] | None:
    """What a value of another type means for ``spec``, and how that is called."""
    try:
        written = json.loads(spec.to_json(spec.validate_json(json.dumps(value))))
        if kind_of(written) != kind_of(value):
            return written, f"{kind_of(value)} → {spec.describe()}"
        return written, "as the model writes it"
    except ValueError:
        pass
    for text in _texts(value):
        for read in (spec.parse_text, spec.validate_json):
            try:
                native = read(text)
                if native is None:
                    continue
                written = json.loads(spec.to_json(native))
            except (ValueError, ArithmeticError):
                continue
            return written, f"{kind_of(value)} → {spec.describe()}"
    return None


def _texts(value: Any) -> Iterator[str]:
    """How a value may have been meant, as text."""
    if isinstance(value, str):
        yield value
        if value != value.strip():
            yield value.strip()
    elif isinstance(value, bool):
        yield "true" if value else "false"
        yield "1" if value else "0"
    elif isinstance(value, _NUMBERS):
        if isinstance(value, float) and value.is_integer():
            yield str(int(value))
        yield json.dumps(value)


def kind_of(value: Any) -> str:
    """The type of a JSON value in words."""
    names = {
        str: "text",
        bool: "bool",
        int: "integer",
        float: "float",
        list: "list",
        dict: "object",
    }
    return names.get(type(value), "null")


def _renamed(owner: Any, spec: ValueSpec, data: Any, path: Path) -> tuple[Any, str] | None:
    """The value of a field that the model does not know, whose name is much like the one that is missing."""
    above = data
    for segment in path[:-1]:
        above = above[segment]
    wanted = str(path[-1])
    known = {} if owner is None else owner.__pydantic_fields__
    alike = sorted(
        (_likeness(name, wanted), name)
        for name in above
        if name not in known and _converted(spec, above[name]) is not None
    )
    if not alike or alike[-1][0] < _ALIKE or (len(alike) > 1 and alike[-1][0] == alike[-2][0]):
        return None
    old = alike[-1][1]
    new = {name: value for name, value in above.items() if name != old}
    found = _converted(spec, above[old])
    new[wanted] = above[old] if found is None else found[0]
    return put(data, path[:-1], new), f"renamed from {old}"


def _likeness(one: str, other: str) -> float:
    one, other = (name.replace("_", "").replace("-", "").lower() for name in (one, other))
    return 1.0 if one == other else float(SequenceMatcher(None, one, other).ratio())


def _default(
    owner: Any, spec: ValueSpec, data: Any, path: Path, name: str
) -> tuple[Any, str] | None:
    field = None if owner is None else owner.__pydantic_fields__.get(name)
    if field is not None and not field.is_required():
        try:
            value = field.get_default(call_default_factory=True, validated_data={})
            return put(data, path, json.loads(spec.to_json(value))), "the default"
        except (ValueError, TypeError, LookupError):
            pass
    if spec.accepts_none:
        return put(data, path, None), "null"
    return None


def put(data: Any, path: Path, value: Any) -> Any:
    """``data`` with ``value`` at ``path``; what is on the way is copied."""
    if not path:
        return value
    copy = list(data) if isinstance(data, list) else dict(data)
    first: Any = path[0]
    copy[first] = put(copy[first], path[1:], value) if path[1:] else value
    return copy
