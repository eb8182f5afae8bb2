"""What somebody may have changed without any validation is looked at before it is written.

Pydantic hands out, and takes as they are, dataclasses, sets, what stands in tuples, and models that are part of no
document yet; lists and dicts can be changed past their methods; nobody looks at defaults. Any of these may have
become what its model could not read any more once it is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any, cast

from pydantic_core import PydanticUndefined

from rapyer.models.loading import unread_fields
from rapyer.models.node import open_places
from rapyer.paths import Path
from rapyer.schema.document_errors import located
from rapyer.schema.of_models import model_spec
from rapyer.state.document import local_text
from rapyer.state.known import ABSENT, Known


def refuse_unreadable(
    document: Any, known: Known | None, changed: Sequence[Path] | None = None
) -> None:
    """Raise :class:`pydantic.ValidationError` where ``document``, about to be written, could not be read again.

    Where it was read or written before, ``known`` are the places that may have changed since; only those with
    something in ``changed`` are written, if that is given.
    """
    cls = type(document)
    places: Iterable[Path]
    if known is None:
        places = open_places(document)
        doubtful = _doubtful_defaults(cast(Any, cls))
        if doubtful:
            unset = doubtful - document.__pydantic_fields_set__
            places = (*places, *((name,) for name in unset))
        unread: Collection[str] = ()
    else:
        places = list(known.places)
        if changed is not None:
            above = {path[:end] for path in changed for end in range(len(path) + 1)}
            places = [at for at in places if at in above]
        unread = unread_fields(document) if places else ()
    for path in places:
        if not path or path[0] in unread:
            continue
        text = local_text(document, path)
        if text is ABSENT or (known is not None and known.places[path].is_text(text)):
            continue
        with located(cls, *path):
            model_spec(cls).at(path).validate_json(text)


@cache
def _doubtful_defaults(cls: Any) -> frozenset[str]:
    """The fields whose default, at which Pydantic does not look, their annotation forbids, or which a function makes."""
    return frozenset(
        name
        for name, field in cls.__pydantic_fields__.items()
        if field.default_factory is not None
        or (
            field.default is not PydanticUndefined
            and not field.validate_default
            and not _is_readable(cls, name, field.default)
        )
    )


def _is_readable(cls: type[Any], name: str, value: Any) -> bool:
    spec = model_spec(cls).field(name)
    try:
        spec.validate_json(spec.to_json(value))
    except ValueError:
        return False
    return True
