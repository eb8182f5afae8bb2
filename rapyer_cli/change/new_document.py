"""From ``new Model field=value…`` to a document that is not stored yet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import UsageError, ValueRefused, validation_lines
from rapyer_cli.language.grammar import Invocation
from rapyer_cli.language.values import Assignment, assignments_of, text_given, typed
from rapyer_cli.render.text import json_text
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer.base import AtomicRedisModel
    from rapyer.schema.spec import ValueSpec


def document_from(session: Session, invocation: Invocation) -> Any:
    """The new document: a model instance, or a raw document when no model has this prefix.

    Raises :class:`ValueRefused` for a value or a missing field, :class:`UsageError` for an unknown field.
    """
    address = session.model_address(invocation.text("model"))
    if address.pointer or address.is_root:
        raise UsageError("new takes a model (BlogPost) or the key of a new document (BlogPost:42)")
    model = session.models.named(address.name)
    pk = None if address.key is None else address.key[len(address.name) + 1 :]
    if model is None:
        if session.models or session.models.failures or address.key is None:
            session.models.require(address.name)
        return _raw_document(session, invocation, str(address.key))
    return _model_document(session, invocation, model, address.name, pk)


def _model_document(
    session: Session,
    invocation: Invocation,
    model: type[AtomicRedisModel],
    name: str,
    pk: str | None,
) -> AtomicRedisModel:
    from pydantic import ValidationError

    from rapyer.models.document_node import set_identity
    from rapyer.schema.of_models import model_spec

    spec = model_spec(model)
    values: dict[str, Any] = {}
    words, given = _whole_document(session, invocation)
    for assignment in [*given, *assignments_of(words)]:
        if assignment.name not in spec.field_names():
            raise UsageError(
                f"{name} has no field {assignment.name!r}; it has: {', '.join(spec.field_names())}"
            )
        text = assignment.text
        if assignment not in given:
            text = text_given(text, session.environment)
        as_json = assignment.is_json or invocation.flag("json")
        field = spec.child(assignment.name)
        values[assignment.name] = typed(field, text, f"{name}/{assignment.name}", as_json=as_json)
    key_field = model.__rapyer_key_field__
    if pk is not None and key_field is not None:
        values.setdefault(key_field, typed(spec.child(key_field), pk, f"{name}/{key_field}"))
    try:
        document = model.model_validate(values, by_name=True, by_alias=False)
    except ValidationError as error:
        raise ValueRefused(_missing(error, spec, name)) from error
    if pk is not None and key_field is None:
        set_identity(document, pk, None)
    if pk is not None and document.pk != pk:
        raise UsageError(
            f"the pk of {name} is its field {key_field}: {document.pk!r} is not {pk!r}"
        )
    return document


def _raw_document(session: Session, invocation: Invocation, key: str) -> Any:
    from rapyer.models.raw import RawDocument
    from rapyer.schema.spec import any_spec

    values: dict[str, Any] = {}
    words, given = _whole_document(session, invocation)
    for assignment in [*given, *assignments_of(words)]:
        text = assignment.text
        if assignment not in given:
            text = text_given(text, session.environment)
        where = f"{key}/{assignment.name}"
        as_json = assignment.is_json or invocation.flag("json")
        values[assignment.name] = typed(any_spec(), text, where, as_json=as_json)
    return RawDocument(key, values)


def _whole_document(session: Session, invocation: Invocation) -> tuple[list[str], list[Assignment]]:
    """The assignments among the words, and those that a JSON object after ``-`` or ``@file`` stands for."""
    words = invocation.texts("assignments")
    if not words or not (words[0] == "-" or (words[0].startswith("@") and "=" not in words[0])):
        return words, []
    text = text_given(words[0], session.environment)
    source = "standard input" if words[0] == "-" else words[0][1:]
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ValueRefused(f"{source} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueRefused(
            f'{source} is not a JSON object, such as {{"title": "x"}}; \'import\' takes several documents'
        )
    names = {assignment.name for assignment in assignments_of(words[1:])}
    given = [
        Assignment(name, json_text(value), True)
        for name, value in data.items()
        if name not in names
    ]
    return words[1:], given


def _missing(error: Any, spec: ValueSpec, name: str) -> str:
    missing = [
        str(problem["loc"][0])
        for problem in error.errors(include_url=False)
        if problem["type"] == "missing" and len(problem["loc"]) == 1
    ]
    if not missing:
        return f"{name}: {'; '.join(validation_lines(error))}"
    wanted = ", ".join(f"{field} ({spec.child(field).describe()})" for field in missing)
    example = " ".join(f"{field}={spec.child(field).example()}" for field in missing)
    return f"{name} needs {wanted}; for example: new {name} {example}"
