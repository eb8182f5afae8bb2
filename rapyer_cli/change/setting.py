"""``field=value``, ``field+=value`` and ``field-=value`` as what they make of a document's JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import UsageError, ValueRefused
from rapyer_cli.language.conditions import Setting
from rapyer_cli.language.values import text_given, typed
from rapyer_cli.render.differences import MISSING, same
from rapyer_cli.render.text import printable, readable
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer.schema.spec import ValueSpec

_COLLECTIONS = (list, set, frozenset)
_NUMBERS = (int, float, Decimal)
_CHANGEABLE = (*_COLLECTIONS, *_NUMBERS, dict, str)


@dataclass(slots=True)
class Edit:
    """What one assignment does, to each document alike."""

    where: str
    segments: tuple[str, ...]
    sign: str
    text: str
    spec: ValueSpec
    as_json: bool
    typed_model: bool
    _operands: dict[type, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, session: Session, name: str, model: Any, setting: Setting, *, as_json: bool
    ) -> Edit:
        """From the text of an assignment. Raises :class:`UsageError` for what no document of the model could take,
        :class:`ValueRefused` for a value that does not fit."""
        from rapyer.paths import unescape_pointer
        from rapyer.schema.spec import any_spec

        segments = tuple(unescape_pointer(part) for part in setting.name.split("/"))
        spec = any_spec() if model is None else _spec_at(name, model, segments)
        text = text_given(setting.text, session.environment)
        where = f"{name}/{setting.name}"
        edit = cls(
            where, segments, setting.sign, text, spec, setting.is_json or as_json, model is not None
        )
        if not setting.sign:
            value = typed(spec, text, where, as_json=edit.as_json)
            edit._operands[object] = json.loads(spec.to_json(value))
        elif spec.python_type in _CHANGEABLE:
            edit._operand(spec, spec.python_type)
        elif model is not None and spec.core["type"] in ("bool", "datetime", "model", "none"):
            raise UsageError(f"{where} is {spec.describe()}: it has no {setting.sign}=")
        return edit

    def is_there(self, data: Any) -> bool:
        """Whether the place holds anything, null included."""
        return _at(data, self.segments) is not MISSING

    def apply(self, data: Any, document: Any) -> Any:
        """``data`` with the assignment carried out; what is there already is given back as it is.

        ``document`` is what ``data`` loads as, for the values that are not stored yet.
        """
        now = _at(data, self.segments)
        if now is MISSING and self.typed_model:
            now = _default(document, self.segments)
        new = self._operands[object] if not self.sign else self._changed(now)
        if now is not MISSING and same(now, new):
            return data
        return _put(data, document if self.typed_model else None, self.segments, (), new)

    def _changed(self, now: Any) -> Any:
        if now is MISSING or now is None:
            shown = "not there" if now is MISSING else "null"
            raise ValueRefused(f"{self.where} is {shown}: it has no {self.sign}=")
        native = self.spec.validate_json(json.dumps(now))
        spec = self.spec.of(native)
        kind = next((k for k in _CHANGEABLE if isinstance(native, k)), None)
        if kind is None or isinstance(native, bool):
            raise ValueRefused(f"{self.where} is {readable(now, 40)}: it has no {self.sign}=")
        operand = self._operand(spec, kind)
        if kind in _NUMBERS:
            total = native + operand if self.sign == "+" else native - operand
            return json.loads(spec.to_json(spec.validate_python(total)))
        if kind is str:
            if self.sign == "-":
                raise ValueRefused(f"{self.where} is a text: it has no -=")
            return now + operand
        if kind is dict:
            if self.sign == "+":
                return {**now, **operand}
            return {name: value for name, value in now.items() if name not in operand}
        return self._collection(now, operand, unique=kind is not list)

    def _collection(self, now: list[Any], operand: list[Any], *, unique: bool) -> list[Any]:
        items = list(now)
        for one in operand:
            place = next((i for i, item in enumerate(items) if same(item, one)), None)
            if self.sign == "+" and (place is None or not unique):
                items.append(one)
            elif self.sign == "-" and place is not None:
                del items[place]
        return items

    def _operand(self, spec: ValueSpec, kind: type) -> Any:
        if kind not in self._operands:
            self._operands[kind] = self._read(spec, kind)
        return self._operands[kind]

    def _read(self, spec: ValueSpec, kind: type) -> Any:
        if kind in _NUMBERS:
            return _amount(kind, self.text, self.where)
        if kind is str:
            return self.text
        whole = self.as_json and self.text.lstrip()[:1] == ("{" if kind is dict else "[")
        if kind is dict:
            if self.sign == "-":
                key = typed(spec.key, self.text, f"a key of {self.where}")
                return {spec.key_text(key) if self.typed_model else str(key)}
            return json.loads(spec.to_json(typed(spec, self.text, self.where, as_json=True)))
        if whole:
            return json.loads(spec.to_json(typed(spec, self.text, self.where, as_json=True)))
        item = spec.item
        value = typed(item, self.text, f"an item of {self.where}", as_json=self.as_json)
        return [json.loads(item.to_json(value))]


def _amount(kind: type, text: str, where: str) -> Any:
    try:
        return kind(text)
    except (ValueError, InvalidOperation):
        example = "a whole number such as 5" if kind is int else "a number such as 2.5"
        raise ValueRefused(f"{where} expects {example}, not {printable(text)!r}") from None


def _spec_at(name: str, model: Any, segments: Sequence[str]) -> ValueSpec:
    from rapyer.schema.of_models import model_spec

    fields = model.__pydantic_fields__
    if segments[0] == model.__rapyer_key_field__:
        raise UsageError(f"{segments[0]} is what the keys of {name} are made of: it cannot be set")
    if segments[0] in fields and (fields[segments[0]].frozen or model.model_config.get("frozen")):
        raise UsageError(f"{name}/{segments[0]} is frozen")
    spec = model_spec(model)
    where = name
    for segment in segments:
        names = spec.field_names()
        if names and segment not in names:
            raise UsageError(f"{where} has no field {segment!r}; it has: {', '.join(names)}")
        index = spec.python_type is list and segment.lstrip("-").isdigit()
        spec = spec.child(int(segment) if index else segment)
        where += f"/{segment}"
    return spec


def _at(data: Any, segments: Sequence[str]) -> Any:
    for segment in segments:
        try:
            data = data[int(segment) if isinstance(data, list) else segment]
        except (LookupError, TypeError, ValueError):
            return MISSING
    return data


def _default(document: Any, segments: Sequence[str]) -> Any:
    """What a place holds that is not stored yet, as the model fills it in."""
    from rapyer.errors import PathNotFound
    from rapyer.models.places import resolve
    from rapyer_cli.session.plan import stored

    try:
        return stored(resolve(document, segments))
    except PathNotFound:
        return MISSING


def _put(
    data: Any, document: Any, segments: Sequence[str], above: tuple[str, ...], new: Any
) -> Any:
    """``data`` with ``new`` at the place; what is on the way is copied, and taken from the model where it is not there."""
    if not segments:
        return new
    first, *rest = segments
    here = (*above, first)
    if isinstance(data, list):
        items = list(data)
        items[int(first)] = _put(items[int(first)], document, rest, here, new)
        return items
    if not isinstance(data, dict):
        raise ValueRefused(
            f"{'/'.join(above) or 'the document'} is {readable(data, 40)}: it has no {first}"
        )
    inner = data.get(first, MISSING)
    if inner is MISSING and rest:
        inner = _default(document, here) if document is not None else {}
        inner = {} if inner is MISSING else inner
    return {**data, first: _put(inner, document, rest, here, new)}
