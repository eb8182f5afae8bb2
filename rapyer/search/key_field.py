"""Conditions on the ``Key`` field: the keys that they name, so that nothing has to be searched for."""

from __future__ import annotations

from typing import Any, cast

from rapyer.errors import InvalidValueError, WrongModelError
from rapyer.expressions.conditions import And, Comparison, Expression
from rapyer.expressions.navigating import kinds
from rapyer.expressions.place import Place
from rapyer.keyspace.keys import own_key, pk_text
from rapyer.keyspace.model_class import ModelClass
from rapyer.schema.of_models import model_spec

_ONE_SPELLING = {"str", "int", "bool", "uuid", "date", "enum", "literal"}
"""Kinds of which equal values have one text: not Decimals (1.0 and 1.00), nor times in two zones."""


def keys_named_by(model: type[ModelClass], expression: Expression | None) -> list[str] | None:
    """The keys of all documents that may match, where ``expression`` says what their pk is; else None.

    A document that stands under another key than its ``Key`` field says is found by that key alone.
    """
    field = model.__rapyer_key_field__
    if field is None or expression is None:
        return None
    if isinstance(expression, And):
        for part in expression.parts:
            named = keys_named_by(model, part)
            if named is not None:
                return named
        return None
    if (
        not isinstance(expression, Comparison)
        or expression.place.path != (field,)
        or isinstance(expression.operand, Place)
        or not kinds((model_spec(cast(Any, model)).field(field),)) <= _ONE_SPELLING
    ):
        return None
    if expression.operator == "==":
        return _keys(model, (expression.operand,))
    return _keys(model, expression.operand) if expression.operator == "in" else None


def _keys(model: type[ModelClass], values: tuple[Any, ...]) -> list[str] | None:
    keys: dict[str, None] = {}
    for value in values:
        try:
            keys[own_key(model, pk_text(model, value))] = None
        except WrongModelError:
            continue  # another model's documents have such keys
        except InvalidValueError:
            return None
    return list(keys)
