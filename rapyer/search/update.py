"""Setting fields of found documents: each in one atomic step, while it is what was read."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic.fields import FieldInfo

from rapyer import errors
from rapyer.config import refresh_of
from rapyer.errors import (
    ConflictError,
    ConstraintError,
    DocumentError,
    InvalidValueError,
    UnknownFieldError,
)
from rapyer.keyspace.model_class import ModelClass
from rapyer.keyspace.scan import session_of_model
from rapyer.keyspace.texts import Entry
from rapyer.models.loading import loader
from rapyer.schema.native import native
from rapyer.schema.of_models import model_spec
from rapyer.script.call import Primitive, Refused, Step, submit
from rapyer.script.in_python import dumps
from rapyer.search.results import Found, Problems


class Changes:
    """New values of fields, in their stored form, for each of several models.

    Raises what :meth:`rapyer.search.find.Find.update` raises before anything is sent.
    """

    def __init__(self, values: Mapping[str, Any], models: Iterable[type[ModelClass]]) -> None:
        self.texts = {model: _stored(model, values) for model in models}
        self.lost: errors.ConnectionError | None = None
        """Why nothing more is sent."""

    def steps(self, entry: Entry, text: bytes) -> list[Step]:
        """What the script does to the document at ``entry``, of which ``text`` was read.

        Raises :class:`~rapyer.errors.ConstraintError` when its model could not read the result.
        """
        model, key = entry
        texts = self.texts[model]
        content = {**json.loads(text), **{name: json.loads(new) for name, new in texts.items()}}
        try:
            loader(cast(Any, model))(key, dumps(content))
        except DocumentError as error:
            raise ConstraintError(f"with these changes {error}") from error
        digest = hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
        primitives = [Primitive("watch", (), (digest,))]
        primitives += [Primitive("set", (name,), (new, b"")) for name, new in texts.items()]
        refresh = refresh_of(model.Meta)
        if refresh is not None:
            primitives.append(Primitive("refresh", (), (b"%d" % refresh,)))
        return [(key, primitive) for primitive in primitives]


def _stored(model: type[ModelClass], values: Mapping[str, Any]) -> dict[str, bytes]:
    fields: dict[str, FieldInfo] = model.__pydantic_fields__
    spec = model_spec(cast(Any, model))
    texts = {}
    for name, value in values.items():
        if name not in fields:
            raise UnknownFieldError(
                f"{model.__name__} has no field {name!r}; it has {', '.join(fields)}"
            )
        if name == model.__rapyer_key_field__:
            raise InvalidValueError(f"{name} is what the keys of {model.__name__} are made of")
        if fields[name].frozen or cast(Any, model).model_config.get("frozen"):
            raise InvalidValueError(f"{model.__name__}.{name} is frozen")
        field = spec.field(name)
        texts[name] = field.to_json(field.accept(native(value)))
    return texts


async def update_unchanged(
    found: Found, changes: Changes, problems: Problems
) -> tuple[int, list[Entry]]:
    """Change the documents that are still as they were read.

    How many were changed, and those that somebody else has changed or deleted. ``problems`` gets the others.
    """
    answers = await asyncio.gather(
        *(
            _update(entry, text, changes)
            for entry, text in zip(found.entries, found.texts, strict=True)
        )
    )
    done, again = 0, []
    for entry, answer in zip(found.entries, answers, strict=True):
        if answer is None:
            done += 1
        elif isinstance(answer, ConflictError):
            again.append(entry)
        else:
            problems.failures[entry[1]] = answer
    return done, again


async def _update(entry: Entry, text: bytes, changes: Changes) -> Exception | None:
    """Why the document at ``entry`` was not changed; None if it was."""
    model, key = entry
    if changes.lost is not None:
        return errors.ConnectionError(f"{key} was not sent: {changes.lost}")
    try:
        await submit(session_of_model(model), changes.steps(entry, text))
    except Refused as refused:
        return refused.error
    except ConstraintError as error:
        return error
    except errors.ConnectionError as error:
        changes.lost = error
        return error
    return None
