"""Starting a search: in one model, or over whatever models keys and expressions belong to."""

from __future__ import annotations

from typing import Any, cast

from rapyer.errors import InvalidValueError, WrongModelError
from rapyer.expressions.conditions import Expression
from rapyer.expressions.expression import FieldReference
from rapyer.fields import RapyerKey
from rapyer.keyspace import registry
from rapyer.keyspace.keys import keys_of
from rapyer.keyspace.model_class import ModelClass
from rapyer.keyspace.texts import Entry
from rapyer.models.storage import Storage
from rapyer.search.find import Find
from rapyer.search.matching import Condition, all_of


def find_in(
    model: type[ModelClass],
    conditions: tuple[Condition, ...],
    *,
    missing_ok: bool = False,
    subclasses: bool = False,
) -> Find[Any]:
    """The search in one model for these keys and expressions; for all its documents without any."""
    names = [condition for condition in conditions if not isinstance(condition, Expression)]
    rest = [condition for condition in conditions if isinstance(condition, Expression)]
    for name in names:
        if name is None or isinstance(name, bool | FieldReference):
            raise TypeError(f"find takes keys and expressions such as User.age > 30: {name!r}")
    given = _given(model, names) if names else None
    expression = all_of(model, None, tuple(rest))
    return Find(model, given, expression, missing_ok=missing_ok, subclasses=subclasses)


def _given(model: type[ModelClass], names: list[Any]) -> tuple[Entry, ...]:
    try:
        return tuple([(model, key) for key in keys_of(model, names)])
    except InvalidValueError as error:
        raise TypeError(
            f"find takes keys and expressions such as User.age > 30: {error}"
        ) from error


def find(*conditions: Condition, missing_ok: bool = False) -> Find[Any]:
    """The documents of these keys, of whatever models, in order; or those that match expressions.

    Each model is read through its own client. Without arguments there are no results. Raises
    :class:`~rapyer.errors.WrongModelError` for a key of no known model and
    :class:`~rapyer.errors.AmbiguousModelError` when two models share its prefix; see :class:`Find` for
    what running it raises and sends.
    """
    keys = [condition for condition in conditions if isinstance(condition, str)]
    rest = tuple(condition for condition in conditions if not isinstance(condition, str))
    expression = all_of(None, None, rest)
    if keys or expression is None:
        given = tuple((registry.of_key(key), str(key)) for key in keys)
        return Find(None, given=given, expression=expression, missing_ok=missing_ok)
    models = list(dict.fromkeys(expression.models()))
    if len(models) != 1:
        names = ", ".join(model.__name__ for model in models) or "none"
        raise WrongModelError(f"the expressions must be about one model, not {names}")
    return find_in(cast("type[ModelClass]", models[0]), rest, subclasses=True)


async def find_one(*conditions: Condition) -> Any:
    """The first of what :func:`find` finds, or None."""
    return await find(*conditions, missing_ok=True).first()


async def get(key: str) -> Any:
    """The document with this key, of whatever model it belongs to. Sends JSON.GET.

    Raises :class:`~rapyer.errors.KeyNotFound`, :class:`~rapyer.errors.DocumentError`, and
    :class:`~rapyer.errors.WrongModelError` or :class:`~rapyer.errors.AmbiguousModelError` when the key
    belongs to no model or to more than one.
    """
    model = registry.of_key(_as_key(key))
    return await cast("type[Storage]", model).get(RapyerKey(key))


def _as_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a whole key is needed, such as User:42, not {key!r}")
    return key
