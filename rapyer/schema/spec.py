"""What an annotation says about a value: how it is validated, stored, navigated and described.

:class:`ValueSpec` walks the document schemas of :mod:`rapyer.schema.stored_form`; how values are converted by
them is in :mod:`rapyer.schema.conversion`. Where values live and how they reach the server is not this
module's business. The specs of classes and their fields are in :mod:`rapyer.schema.of_models`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import cached_property
from itertools import chain
from typing import Any, cast

from pydantic import BaseModel

from rapyer.paths import Path
from rapyer.schema import constraints, walking, wording
from rapyer.schema.constraints import Bounds
from rapyer.schema.conversion import Converter, Origin
from rapyer.schema.stored_form import standing_alone
from rapyer.schema.walking import ANY, Schema

_PYTHON_TYPES: dict[str, type] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "datetime": datetime,
    "list": list,
    "dict": dict,
    "typed-dict": dict,
}
_JSON_ARGUMENTS = (
    *walking.SEQUENCES,
    *walking.MAPPINGS,
    *("model", "typed-dict", "tagged-union", "tuple", "named-tuple", "dataclass"),
)
_OF_CLASSES = ("model", "enum", "dataclass")

_EMPTY = ("{}", "[]", "[{}]")


class ValueSpec(Converter):
    """What one annotation says about one value.

    ``schema`` is the document schema of the value, ``core`` the part of it that describes the value
    itself when wrappers (defaults, None, validators, unions) are peeled off. ``config`` is the configuration
    of the model that the value is a field of.
    """

    def __init__(
        self,
        schema: Schema,
        definitions: dict[str, Schema],
        config: Schema,
        origin: Origin | None = None,
        *,
        in_union: bool = False,
    ) -> None:
        super().__init__(schema, definitions, config, origin)
        self._in_union = in_union
        self._children: dict[Any, ValueSpec] = {}

    def _forget(self) -> None:
        super()._forget()
        self._children = {}

    def parse_text(self, text: str) -> Any:
        """The value that one command-line argument means for this annotation.

        Text fields take it literally, scalars, enums and datetimes as Pydantic parses strings,
        containers and models as JSON. Raises :class:`pydantic.ValidationError`.
        """
        if text == "null" and self.accepts_none and self.python_type is not str:
            return None
        kind = self.core["type"]
        if kind in _JSON_ARGUMENTS:
            return self.validate_json(text)
        if kind == "any":
            return self.validate_json(_as_json(text))
        if self.python_type in (str, bytes):
            return self.validate_python(text)
        self._agree()
        try:
            return self._validator.validate_strings(cast(Any, text))
        except ValueError:
            if kind not in ("union", "literal", "enum") or _as_json(text) != text:
                raise
            return self.validate_json(text)

    # -- navigating ------------------------------------------------------------------------------

    def _arms(self, schema: Schema) -> Iterator[Schema]:
        return walking.arms(schema)

    @cached_property
    def core(self) -> Schema:
        return walking.peel(self.schema, self.definitions)

    def of(self, value: Any) -> ValueSpec:
        """This spec narrowed to the arm of a union that describes ``value``."""
        if not walking.is_union(self.core):
            return self
        fitting = [arm for arm in walking.arms(self.core) if self._may_be(arm, value)]
        specs = [self._derived(arm, in_union=True).of(value) for arm in fitting]
        if len(specs) > 1:
            specs = [spec for spec in specs if _takes(spec.validate_python, value)] or specs
        return specs[0] if specs else self

    def _may_be(self, arm: Schema, value: Any) -> bool:
        core = walking.peel(arm, self.definitions)
        if walking.is_union(core):
            return any(self._may_be(inner, value) for inner in walking.arms(core))
        if core["type"] == "model":
            return isinstance(value, core["cls"])
        return isinstance(value, _PYTHON_TYPES.get(core["type"], object))

    def _derived(
        self, schema: Schema, config: Schema | None = None, *, in_union: bool = False
    ) -> ValueSpec:
        config = self.config if config is None else config
        return ValueSpec(schema, self.definitions, config, self._origin, in_union=in_union)

    def _child(self, cache_key: Any, schema: Schema | None) -> ValueSpec:
        spec = self._made(cache_key)
        if spec is None:
            spec = self._children[cache_key] = self._derived(ANY if schema is None else schema)
        return spec

    def _made(self, cache_key: Any) -> ValueSpec | None:
        """The spec of a part, if it was made and is still right: one that names no class always is."""
        spec = self._children.get(cache_key)
        if spec is None or spec._origin is not None:
            self._agree()
            spec = self._children.get(cache_key)
        return spec

    @property
    def item(self) -> ValueSpec:
        """The spec of a list's items."""
        return self._child(list, self.core.get("items_schema"))

    @property
    def value(self) -> ValueSpec:
        """The spec of a dict's values."""
        return self._child(dict, self.core.get("values_schema"))

    @property
    def key(self) -> ValueSpec:
        """The spec of a dict's keys; of a typed dict, the names that it may have."""
        core = self.core
        if core["type"] == "typed-dict" and core.get("extra_behavior") != "allow":
            return self._child(str, {"type": "literal", "expected": self.field_names()})
        return self._child(str, core.get("keys_schema") or {"type": "str"})

    def key_text(self, key: Any) -> str:
        """The name that the entry under ``key`` has in the stored object of a dict."""
        keys = {"type": "dict", "keys_schema": self.key.schema, "values_schema": {"type": "none"}}
        written: dict[str, None] = json.loads(self._child("keys", keys).to_json({key: None}))
        return next(iter(written))

    @cached_property
    def _fields(self) -> dict[str, Schema]:
        return walking.fields_of(self.core, self.definitions)

    @cached_property
    def extras(self) -> ValueSpec | None:
        """The spec of a model's extra fields, where something is said of them."""
        core = self.core
        if core["type"] == "model":
            core = walking.peel(core["schema"], self.definitions)
        schema = core.get("extras_schema")
        return None if schema is None else self._derived(schema)

    def field_names(self) -> list[str]:
        """The names of a model's (or typed dict's) fields; empty for anything else."""
        return list(self._fields)

    def field(self, name: str) -> ValueSpec:
        """The spec of a model's field."""
        spec = self._made(name)
        if spec is None:
            config = walking.config_of(self.core)
            schema = standing_alone(self._fields[name], self.core.get("cls"))
            spec = self._children[name] = self._derived(schema, config)
        return spec

    @property
    def extra(self) -> ValueSpec:
        """The spec of a model's fields beyond those that it declares (``extra="allow"``)."""
        core = self.core
        inner = walking.peel(core["schema"], self.definitions) if core["type"] == "model" else core
        return self._child(..., inner.get("extras_schema"))

    def child(self, segment: str | int) -> ValueSpec:
        """The spec of what ``segment`` leads to; accepts anything where nothing is known.

        Where the value may be one of several (a union, subclasses), that of the first that has such a
        part.
        """
        self._agree()
        kind = self.core["type"]
        if kind == "list" and isinstance(segment, int):
            return self.item
        if kind == "dict":
            return self.value
        if isinstance(segment, str) and segment in self._fields:
            return self.field(segment)
        for spec in self._alternatives:
            child = spec.child(segment)
            if child.schema is not ANY:
                return child
        return self.extra

    @cached_property
    def _alternatives(self) -> list[ValueSpec]:
        """The arms of a union; the subclasses of a declared class."""
        choices = next(
            (
                layer
                for layer in walking.layers(self.schema, self.definitions)
                if layer["type"] in ("union", "tagged-union")
            ),
            None,
        )
        if choices is None:
            return []
        declared = choices.get("metadata", {}).get(walking.DECLARED)
        return [self._derived(arm) for arm in walking.arms(choices) if arm is not declared]

    def at(self, path: Path) -> ValueSpec:
        """The spec of the place at ``path`` below this value, through fields, items and entries."""
        spec = self
        for segment in path:
            spec = spec.child(segment)
        return spec

    def guard(self, path: Path) -> int | None:
        """How much of ``path`` leads to the outermost value that has to be validated again as a whole.

        0 is the value of this spec (the document), None the ordinary case: nobody looks at more than the
        place that changes. A model or dataclass with validators or an initialiser of its own, a validator
        or serializer around a list or dict, and a union of several containers look at everything below
        them. (What looks at the place itself is said by :attr:`bounds`, :attr:`constrained`,
        :attr:`has_validators` and :attr:`is_unlimited` of its own spec.)

        The value is validated again by ``spec.at(path[:guard]).validate_json`` of its changed text;
        ``validate_python`` takes instances of models as they are.
        """
        self._agree()
        if not self.has_guards:
            return None
        spec = self
        for depth, segment in enumerate(path):
            if spec._looks_at_whole:
                return depth
            spec = spec.child(segment)
        return None

    @cached_property
    def has_guards(self) -> bool:
        return constraints.has_any(self.schema, self.definitions)

    @cached_property
    def _looks_at_whole(self) -> bool:
        return constraints.looks_at_whole(self.schema, self.definitions)

    # -- describing ------------------------------------------------------------------------------

    @property
    def python_type(self) -> type:
        """The builtin type of the value, its model class, or ``object`` where that is not known."""
        core = self.core
        if core["type"] in _OF_CLASSES:
            return cast(type, core["cls"])
        return _PYTHON_TYPES.get(core["type"], object)

    @property
    def model(self) -> type[BaseModel] | None:
        """The model class of the value, if it is a model."""
        return cast("type[BaseModel]", self.core["cls"]) if self.core["type"] == "model" else None

    @cached_property
    def accepts_none(self) -> bool:
        """Whether None is a valid value."""
        return walking.accepts_none(self.schema, self.definitions)

    @cached_property
    def has_validators(self) -> bool:
        """Whether functions of the user's take part in validating or writing the value as a whole."""
        return constraints.calls_the_user(self.schema, self.definitions)

    @cached_property
    def bounds(self) -> Bounds | None:
        """The bounds of a number, or None when only Pydantic can check what it may be.

        None is also the answer for everything that is no plain number: literals, enums, unions.
        """
        if self._in_union:
            return None
        return constraints.bounds_of(self.schema, self.definitions, self.config)

    @cached_property
    def encoded_bounds(self) -> tuple[bytes, ...]:
        """:attr:`bounds` as the script takes them; those that do not bind are empty."""
        return tuple(bound.encode() for bound in self.bounds or ())

    @cached_property
    def min_length(self) -> int | None:
        """The least length of a list, dict or string; the number of keys a typed dict must have."""
        return constraints.least_length(self.core)

    @property
    def max_length(self) -> int | None:
        """The greatest length of a list, dict or string."""
        return cast("int | None", self.core.get("max_length"))

    @cached_property
    def is_unlimited(self) -> bool:
        """Whether entries may come and go as they like: nobody validates the whole, nobody counts.

        Never of a typed dict, whose keys are not any keys.
        """
        return (
            not self.has_validators
            and self.core["type"] != "typed-dict"
            and self.min_length is None
            and self.max_length is None
        )

    @cached_property
    def takes_any_text(self) -> bool:
        """Whether every ``str`` is a value as it is."""
        return not self.constrained

    @cached_property
    def constrained(self) -> bool:
        """Whether a text field has constraints that only Pydantic can check; so has all but plain text.

        Constraints that the configuration of the model sets for its texts are among them.
        """
        if self._in_union:
            return True
        return not constraints.is_plain_text(self.schema, self.definitions, self.config)

    def describe(self) -> str:
        """The annotation as a person would write it, with its constraints: ``list[int >= 0]``."""
        return wording.describe(self.schema, self.definitions)

    def example(self) -> str:
        """A value a person could type for this annotation: one that says something, where there is one."""
        plain, empty = wording.example(self.schema, self.definitions), None
        for text in chain((plain,), self._written_examples()):
            if _takes(self.parse_text, text):
                if text not in _EMPTY:
                    return text
                empty = empty or text
        return empty or plain

    def _written_examples(self) -> Iterator[str]:
        from rapyer.schema.examples import examples

        for value in examples(self.schema, self.definitions):
            with suppress(ValueError, TypeError):
                text = self.to_json(value).decode()
                yield str(json.loads(text)) if text.startswith('"') else text

    def choices(self) -> list[str]:
        """The values of an enum, Literal or bool; empty for open types."""
        return wording.choices(self.core)


def _takes(validate: Callable[[Any], Any], value: Any) -> bool:
    try:
        validate(value)
    except ValueError:
        return False
    return True


def _as_json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text


def any_spec() -> ValueSpec:
    """The spec that accepts every JSON value."""
    return ValueSpec(ANY, {}, {})
