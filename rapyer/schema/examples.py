"""Values that an annotation may have: what is written and read back to see whether it comes back.

They are chosen to be mistaken for each other: texts that look like dates and numbers, whole floats, midnights.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import islice, zip_longest
from typing import Any
from uuid import UUID

from rapyer.schema.finite import values_of
from rapyer.schema.walking import (
    ANY,
    MAPPINGS,
    SEQUENCES,
    Definitions,
    Schema,
    arms,
    fields_of,
    layers,
)

_UUID = UUID("12345678-1234-4678-9234-567812345678")
_TEXTS = (
    *("text", "", "7", "1.5", "true", "null", "None", "eA==", "2024-01-02", "2024-01-02T03:04:05"),
    *("2024-01-02T00:00:00Z", "03:04:05", "P1DT1S", str(_UUID), "1.2.3.4", "/a/b", "a@example.com"),
    *("https://example.com/", "1+2j", "1/3", "[1]", "{}"),
)
_OF_KINDS: dict[str, tuple[Any, ...]] = {
    "str": _TEXTS,
    "int": (7, 0, 1, -3),
    "float": (1.5, 2.0, 0.0, -3.25),
    "bool": (True, False),
    "bytes": (b"x", b"\xff\x00", b"text", b""),
    "none": (None,),
    "any": ("text", 7, 1.5, True, None, [1], {"a": 1}),
    "datetime": (
        datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        datetime(2024, 1, 2, tzinfo=UTC),
        datetime(2024, 1, 2),  # noqa: DTZ001 - a naive one is another value
        datetime(2999, 1, 2, tzinfo=UTC),
    ),
    "date": (date(2024, 1, 2), date(1999, 12, 31), date(2999, 1, 2)),
    "time": (time(3, 4, 5), time(0), time(1, tzinfo=UTC)),
    "timedelta": (timedelta(days=1, seconds=1), timedelta(microseconds=1), timedelta(0)),
    "decimal": (Decimal("1.5"), Decimal(7), Decimal("1.10")),
    "fraction": (Fraction(1, 3), Fraction(7)),
    "uuid": (_UUID,),
    "complex": (1 + 2j, 7 + 0j),
    "url": ("https://example.com/a", "ftp://example.com/"),
    "multi-host-url": ("postgresql://user@host/db", "redis://host:1/0"),
}
_ALL = (*_TEXTS[:1], *(values[0] for values in _OF_KINDS.values()), *_TEXTS[1:])
"""What to offer a function of the user's that may take anything."""
_SEQUENCES: dict[str, Any] = {"list": list, "set": set, "frozenset": frozenset, "deque": deque}
_DEEPEST = 4
_MOST = 40


def examples(schema: Schema, definitions: Definitions, depth: int = 0) -> list[Any]:
    """Values, or what validation makes values of; none where nobody could tell."""
    if depth > _DEEPEST:
        return []
    core, optional = schema, False
    for core in layers(schema, definitions):
        optional = optional or core["type"] == "nullable"
    found = list(islice(_of_core(core, definitions, depth + 1), _MOST))
    return [*found[:2], None, *found[2:]] if optional else found


def _of_core(core: Schema, definitions: Definitions, depth: int) -> Iterator[Any]:
    kind = core["type"]
    if kind in _OF_KINDS:
        yield from _near_bounds(core)
        yield from _OF_KINDS[kind]
    elif kind in ("enum", "literal"):
        yield from values_of(core) or ()
    elif kind in ("union", "tagged-union"):
        of_arms = [examples(arm, definitions, depth) for arm in arms(core)]
        for together in zip_longest(*of_arms, fillvalue=_NOTHING):
            yield from (one for one in together if one is not _NOTHING)
    elif kind in SEQUENCES:
        least = core.get("min_length") or 1
        made = _SEQUENCES[kind]
        for item in examples(core.get("items_schema", ANY), definitions, depth):
            if made in (list, deque) or _is_hashable(item):
                yield made([item] * least)
        yield made()
    elif kind in MAPPINGS:
        keys = examples(core.get("keys_schema", {"type": "str"}), definitions, depth)
        values = (1,) if kind == "counter" else ()
        values = values or tuple(examples(core.get("values_schema", ANY), definitions, depth))
        for number, key in enumerate(keys):
            if values and _is_hashable(key):
                yield {key: values[number % len(values)]}
        yield {}
    elif kind == "tuple":
        yield from _together([*core["items_schema"]], definitions, depth, tuple)
    elif kind in ("model", "dataclass", "typed-dict", "named-tuple"):
        yield from _of_fields(core, definitions, depth)
    elif kind == "function-plain":
        yield from _ALL


_NOTHING: Any = object()


def _near_bounds(core: Schema) -> Iterator[Any]:
    if core["type"] in ("int", "float", "decimal"):
        for name, step in (("ge", 0), ("gt", 1), ("le", 0), ("lt", -1), ("multiple_of", 0)):
            if core.get(name) is not None:
                yield core[name] + step
    elif core["type"] in ("str", "bytes") and core.get("min_length"):
        text = "x" * core["min_length"]
        yield text if core["type"] == "str" else text.encode()


def _of_fields(core: Schema, definitions: Definitions, depth: int) -> Iterator[Any]:
    if core.get("root_model"):
        yield from examples(core["schema"], definitions, depth)
        return
    fields = fields_of(core, definitions)
    required = {name: field for name, field in fields.items() if field["type"] != "default"}
    for chosen in (required, fields):
        for values in _together(list(chosen.values()), definitions, depth, list):
            yield dict(zip(chosen, values, strict=True))


def _together(
    schemas: list[Schema], definitions: Definitions, depth: int, kind: type
) -> Iterator[Any]:
    """A few combinations of examples, one of each schema."""
    found = [examples(schema, definitions, depth) for schema in schemas]
    if all(found):
        for number in range(3):
            yield kind(of_one[number % len(of_one)] for of_one in found)


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
