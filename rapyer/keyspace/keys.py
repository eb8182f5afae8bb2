"""From what a user names a document by, a key or a pk of whatever type, to its key."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import Enum
from typing import Any, cast
from uuid import UUID

from pydantic import ValidationError

from rapyer.errors import InvalidValueError, WrongModelError
from rapyer.fields import RapyerKey
from rapyer.keyspace import registry
from rapyer.keyspace.model_class import ModelClass
from rapyer.schema.of_models import model_spec


def key_of(model: type[ModelClass], name: Any) -> str:
    """The key of the document of ``model`` that ``name`` names.

    ``name`` is a whole key (``User:42``), a pk as text (``42``), or a pk as its type (``42`` for
    ``Key[int]``, a UUID, a date, an enum's member).

    Raises :class:`~rapyer.errors.WrongModelError` for a key of another model, a pk that falls under a
    longer prefix of another model included, and :class:`~rapyer.errors.InvalidValueError` for what is no
    pk of the model.
    """
    prefix = registry.prefix_of(model)
    if type(name) is str and name.startswith(prefix):
        if not name.startswith(registry.longer_prefixes(prefix)):
            return name
    elif type(name) is str and not name.startswith(registry.every_prefix()):
        return own_key(model, name)
    return keys_of(model, (name,))[0]


def keys_of(model: type[ModelClass], names: Iterable[Any]) -> list[str]:
    """:func:`key_of` of many."""
    prefix = registry.prefix_of(model)
    longer = registry.longer_prefixes(prefix)
    return [
        str(name)
        if isinstance(name, str) and name.startswith(prefix) and not name.startswith(longer)
        else _completed(model, prefix, name)
        for name in names
    ]


def own_key(model: type[ModelClass], pk: str) -> str:
    """The key of the document of ``model`` with the pk ``pk``.

    Raises :class:`~rapyer.errors.WrongModelError` when that is a key of a model with a longer prefix.
    """
    prefix = registry.prefix_of(model)
    key = prefix + pk
    if key.startswith(registry.longer_prefixes(prefix)):
        raise _of_longer_prefix(model, key)
    return key


def _completed(model: type[ModelClass], prefix: str, name: Any) -> str:
    text = name if isinstance(name, str) and not isinstance(name, Enum) else pk_text(model, name)
    if text is name and (isinstance(name, RapyerKey) or name.startswith(registry.every_prefix())):
        raise WrongModelError(
            f"{name!r} is not a key of {model.__name__}: those begin with {prefix!r}"
        )
    return own_key(model, text)


def _of_longer_prefix(model: type[ModelClass], key: str) -> WrongModelError:
    others = registry.owners(key, registry.models())
    names = " and ".join(other.__name__ for other in others) or "another model"
    return WrongModelError(
        f"{key!r} is a key of {names}, whose prefix is longer: {model.__name__} cannot have this pk"
    )


def pk_text(model: type[ModelClass], value: Any) -> str:
    """The pk, as it stands in keys, that ``value`` of the ``Key`` field's type is.

    Raises :class:`~rapyer.errors.InvalidValueError` for anything else.
    """
    field = model.__rapyer_key_field__
    if field is None:
        if isinstance(value, UUID):
            return str(value)
        raise InvalidValueError(
            f"{model.__name__} is read by a key or a pk as text, not by {value!r}"
        )
    spec = model_spec(cast(Any, model)).field(field)
    refusal = f"{value!r} is no pk of {model.__name__}: its {field} is {spec.describe()}"
    if value is None or (isinstance(value, bool) and spec.python_type is not bool):
        raise InvalidValueError(refusal)
    try:
        valid = spec.validate_python(value)
    except ValidationError as error:
        raise InvalidValueError(refusal) from error
    if isinstance(value, bytes) and not isinstance(valid, bytes):
        raise InvalidValueError(refusal)
    return key_text(spec.to_json(valid))


def key_text(text: bytes) -> str:
    """The pk that a ``Key`` field with the stored form ``text`` gives."""
    written = json.loads(text)
    return written if isinstance(written, str) else text.decode()
