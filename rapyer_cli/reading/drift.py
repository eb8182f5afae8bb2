"""Documents that do not fit their model, read as far as they do; and what the model would write otherwise.

A place that does not fit loses its own type and nothing else: its value stays as it is stored, and every other place of
the document keeps its types, bounds and operations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from rapyer_cli.failures import validation_lines
from rapyer_cli.render.differences import same
from rapyer_cli.render.text import readable

if TYPE_CHECKING:
    from rapyer.base import AtomicRedisModel
    from rapyer.schema.spec import ValueSpec

Path: TypeAlias = "tuple[str | int, ...]"
Problems: TypeAlias = "dict[Path, str]"
"""What is wrong, by place; the empty place is the document as a whole."""

_SHOWN = 60


def load_as_far(model: type[AtomicRedisModel], key: str, text: bytes) -> tuple[Any, Problems]:
    """The document that the stored ``text`` of ``key`` is, as far as it fits, and what does not.

    Its identity is ``key``, whatever its Key field says. Raises :class:`~rapyer.errors.DocumentError` for what is no
    object at all.
    """
    from rapyer.errors import DocumentError
    from rapyer.models.loading import load_document

    problems: Problems = {}
    try:
        document: Any = load_document(model, key, text)
    except DocumentError as error:
        data = json.loads(text)
        if not isinstance(data, dict):
            raise
        document = _built(model, data, (), problems)
        if not problems:  # it is refused as a whole: by a validator of the model, say
            problems = {
                tuple(name.split(".")) if name else (): m for name, m in error.fields.items()
            }
    problems.update(key_problem(model, document, key))
    return document, problems


def drift_of(model: type[AtomicRedisModel], key: str, text: bytes) -> Problems:
    """Every stored place that does not fit, or that the model would not write the same way.

    Fields that are not stored yet, or that the model ignores, are no drift: they stay what they are.
    """
    from rapyer.schema.of_models import model_spec

    document, problems = load_as_far(model, key, text)
    spec = model_spec(model)
    failed = document.failed_fields
    problems.update({(name,): "does not fit; loaded as None (SafeLoad)" for name in failed})
    if not problems or set(problems) <= {(name,) for name in (*failed, model.__rapyer_key_field__)}:
        written = json.loads(spec.to_json(document))
        skipped = {path[0] for path in problems if path}
        data = {name: value for name, value in json.loads(text).items() if name not in skipped}
        for path, stored, other in _written_otherwise(spec, data, written, ()):
            problems[path] = f"is stored as {_shown(stored)}; the model writes {_shown(other)}"
    return problems


def problems_in(spec: ValueSpec, data: Any) -> Problems:
    """What does not fit in a stored value of the type ``spec``."""
    problems: Problems = {}
    _loaded(spec, data, (), problems)
    return problems


def in_words(problems: Problems) -> str:
    """``stock: Input should be a valid integer; tags/0: …``."""
    return "; ".join(f"{place_name(path)}: {problem}" for path, problem in problems.items())


def place_name(path: Path) -> str:
    """The place as the pointer of a target; ``document`` for the whole."""
    from rapyer.paths import escape_pointer

    return "/".join(escape_pointer(str(segment)) for segment in path) or "document"


def _loaded(spec: ValueSpec, data: Any, path: Path, problems: Problems) -> Any:
    """The native value that ``data`` stands for; where it does not fit, as it is, with the reason in ``problems``."""
    from pydantic import ValidationError

    try:
        return spec.validate_json(json.dumps(data, ensure_ascii=False))
    except ValidationError as error:
        reason = "; ".join(validation_lines(error))
    found: Problems = {}
    kind = spec.core["type"]
    value = data
    if isinstance(data, dict) and spec.model is not None and "__class__" not in data:
        value = _built(spec.model, data, path, found)
    elif isinstance(data, dict) and kind == "typed-dict":
        value = {n: _loaded(spec.child(n), one, (*path, n), found) for n, one in data.items()}
    elif isinstance(data, dict) and kind == "dict":
        keys = {name: _key(spec.key, name, (*path, name), found) for name in data}
        value = {keys[n]: _loaded(spec.value, one, (*path, n), found) for n, one in data.items()}
    elif isinstance(data, list) and kind == "list":
        value = [_loaded(spec.item, one, (*path, i), found) for i, one in enumerate(data)]
    problems.update(found or {path: reason})
    return value


def _key(spec: ValueSpec, name: str, path: Path, problems: Problems) -> Any:
    try:
        return spec.parse_text(name)
    except ValueError:
        problems[path] = f"its key does not fit {spec.describe()}"
        return name


def _built(model: type[Any], data: dict[str, Any], path: Path, problems: Problems) -> Any:
    """An instance of ``model`` with everything of ``data`` that fits, and the rest as it is stored."""
    from rapyer.schema.of_models import model_spec

    spec = model_spec(model)
    values = {
        name: _loaded(spec.child(name), data[name], (*path, name), problems)
        for name in spec.field_names()
        if name in data
    }
    for name, field in model.model_fields.items():
        if name not in data and field.is_required() and not spec.field(name).accepts_none:
            problems[*path, name] = "Field required"
    extra = model.model_config.get("extra")
    others = {name: value for name, value in data.items() if name not in values}
    if extra == "forbid":
        problems.update({(*path, name): "there is no such field" for name in others})
    if extra == "allow":
        values.update(others)
    return model.model_construct(set(values), **values)


def key_problem(model: type[Any], document: Any, key: str) -> Problems:
    """Whether the Key field of ``document`` differs from its key, which it is given then: that is what it is called."""
    from rapyer.keyspace.keys import key_text
    from rapyer.schema.of_models import model_spec
    from rapyer.state.document import document_state

    pk = key[len(model.class_key_initials()) + 1 :]
    document_state(document).pk = pk
    name = model.__rapyer_key_field__
    if name is None:
        return {}
    spec = model_spec(model).field(name)
    local = vars(document).get(name)
    if local is not None and key_text(spec.to_json(local)) == pk:
        return {}
    try:
        vars(document)[name] = spec.parse_text(pk)
    except ValueError:
        return {(name,): f"the key says {pk!r}, which does not fit {spec.describe()}"}
    return {(name,): f"differs from the key, which says {pk!r}"}


def _written_otherwise(
    spec: ValueSpec, stored: Any, written: Any, path: Path
) -> Iterator[tuple[Path, Any, Any]]:
    kind = spec.core["type"]
    if isinstance(stored, dict) and isinstance(written, dict):
        if kind == "dict" and stored.keys() != written.keys():
            yield path, stored, written
            return
        for name in stored:
            if name in written:
                below = (*path, name)
                yield from _written_otherwise(spec.child(name), stored[name], written[name], below)
    elif isinstance(stored, list) and isinstance(written, list):
        if kind in ("set", "frozenset"):  # which are written in any order
            stored, written = sorted(stored, key=repr), sorted(written, key=repr)
        if len(stored) != len(written):
            yield path, stored, written
            return
        for index, (one, other) in enumerate(zip(stored, written, strict=True)):
            yield from _written_otherwise(spec.child(index), one, other, (*path, index))
    elif not same(stored, written):
        yield path, stored, written


def _shown(data: Any) -> str:
    return readable(data, _SHOWN)
