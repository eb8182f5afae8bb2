"""One verb for every typed operation of the library's registry: nothing is listed here by name."""

from __future__ import annotations

import inspect
import json
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import CliError, NotFound, UsageError, ValueRefused
from rapyer_cli.language.grammar import Argument, Effect, Invocation, Kind, Verb
from rapyer_cli.language.values import amount_of, assignments_of, index_of, text_given, typed
from rapyer_cli.render.text import readable
from rapyer_cli.verbs.arguments import CHANGE_EXITS, TARGET

if TYPE_CHECKING:
    from rapyer.models.places import Place
    from rapyer.operations import Operation, Parameter
    from rapyer.schema.spec import ValueSpec
    from rapyer_cli.session.plan import Plan
    from rapyer_cli.session.session import Session

_SEVERITY: tuple[Effect, ...] = ("read", "write", "destructive")


def operation_verbs(taken: Container[str]) -> list[Verb]:
    """A verb for each operation whose name is not ``taken`` by a verb already."""
    import rapyer.types  # noqa: F401 - fills the registry
    from rapyer.operations import REGISTRY

    return [verb_for(REGISTRY.named(name)) for name in REGISTRY.names() if name not in taken]


def verb_for(entries: Sequence[Operation]) -> Verb:
    """The verb of an operation, which several field types may have in their own way."""
    from rapyer_cli.knowledge.describing import examples_of, signature_of

    first = entries[0]
    shapes = {
        tuple((p.name, p.required, p.variadic) for p in entry.parameters) for entry in entries
    }
    if len(shapes) == 1:
        arguments = tuple(
            Argument(p.name, Kind.OPERAND, _role_help(p), p.required, p.variadic)
            for p in first.parameters
        )
        details = ""
    else:
        arguments = (
            Argument("arguments", Kind.OPERAND, "see above, by the type of the field", False, True),
        )
        details = "\n".join(
            f"On a {entry.python_type.__name__}: {first.name} {signature_of(entry)}. {entry.help}"
            for entry in entries
        )
    spellings = [s for entry in entries for s in (entry.method, *entry.aliases)]
    return Verb(
        name=first.name,
        help="; ".join(dict.fromkeys(_as_clause(entry.help) for entry in entries)),
        group="operation",
        run=operate,
        arguments=(TARGET, *arguments),
        examples=tuple(dict.fromkeys(examples_of(entry) for entry in entries)),
        aliases=tuple(s for s in dict.fromkeys(spellings) if s != first.name),
        effect=max((entry.effect for entry in entries), key=_SEVERITY.index),
        exits=CHANGE_EXITS,
        details=details,
    )


async def operate(session: Session, invocation: Invocation) -> Any:
    """Plan a typed operation on the target."""
    from rapyer_cli.session.resolve import place_at

    place = await place_at(session, invocation.text("target"))
    words = [
        word
        for argument in invocation.verb.arguments[1:]
        for word in _words(invocation, argument.name)
    ]
    return await plan_operation(session, invocation, invocation.verb.name, place, words)


async def plan_operation(
    session: Session, invocation: Invocation, name: str, place: Place, words: Sequence[str]
) -> Plan:
    """The plan of the operation ``name`` on ``place``. Raises :class:`CliError` when it has none."""
    import rapyer.types  # noqa: F401 - fills the registry
    from rapyer.operations import REGISTRY
    from rapyer_cli.change.execute import batch_for
    from rapyer_cli.knowledge.describing import type_of
    from rapyer_cli.session.plan import plan_change

    where = place.target
    if not place.exists:
        raise NotFound(f"{where} is not there; 'set' gives it a value")
    kind = type_of(place)
    spec = place.spec.of(place.value)
    operation = REGISTRY.find(name, kind)
    if operation is None or not hasattr(place.value, operation.method):
        raise CliError(no_such_operation(name, place, kind))
    arguments = bind(operation, spec, words, where, session, as_json=invocation.flag("json"))

    async def apply() -> list[Any]:
        try:
            return [await getattr(place.value, operation.method)(*arguments)]
        except (LookupError, ValueError, ArithmeticError) as error:
            said = as_said(error, where)
            if said is error:
                raise
            raise said from error

    returns = returns_something(type(place.value), operation.method)
    return await plan_change(
        operation.name,
        operation.effect,
        [place],
        apply,
        batch=batch_for(session, invocation),
        read=session.read,
        read_result=(lambda answers: result_json(kind, spec, answers[0])) if returns else None,
        question=f"{operation.name} {where}: {operation.help.rstrip('.').lower()}?",
    )


def as_said(error: Exception, where: str) -> Exception:
    """An error of Python's own as one that names the place; rapyer's own errors do so already."""
    from pydantic import ValidationError

    from rapyer.errors import RapyerError

    if isinstance(error, (RapyerError, ValidationError, CliError)):
        return error
    said = f"{where}: {error.args[0] if error.args else type(error).__name__}"
    return CliError(said) if isinstance(error, LookupError) else ValueRefused(said)


def no_such_operation(name: str, place: Place, kind: type) -> str:
    """Why the operation does not fit, and which do."""
    from rapyer.operations import REGISTRY
    from rapyer_cli.knowledge.describing import type_label
    from rapyer_cli.reading.drift import problems_in
    from rapyer_cli.session.plan import stored

    if place.value is None:
        return f"{place.target} is null now, so it has no {name}; 'set' gives it a value"
    data = stored(place)
    if problems_in(place.spec, data):
        return (
            f"{place.target} is stored as {readable(data, 60)}, which does not fit "
            f"{place.spec.describe()}; 'set' gives it a value that does"
        )
    fitting = [entry.name for entry in REGISTRY.for_type(kind)]
    does = f"it has {', '.join(fitting)} and set" if fitting else "it has only set and del"
    label = type_label(place.spec) or kind.__name__
    return f"{place.target} is {label} and has no {name}; {does}"


def bind(
    operation: Operation,
    spec: ValueSpec,
    words: Sequence[str],
    where: str,
    session: Session,
    *,
    as_json: bool,
) -> list[Any]:
    """The typed arguments of ``operation`` that ``words`` mean."""
    rest = list(words)
    values: list[Any] = []
    for parameter in operation.parameters:
        if not rest:
            if parameter.required:
                raise UsageError(
                    f"{operation.name} needs {parameter.name.upper()}; "
                    f"usage: {operation.name} {_signature(operation)}"
                )
            break
        taken, rest = (rest, []) if parameter.variadic else (rest[:1], rest[1:])
        texts = [text_given(word, session.environment) for word in taken]
        values.append(
            _typed_argument(operation, parameter, spec, texts, values, where, as_json=as_json)
        )
    if rest:
        raise UsageError(
            f"{operation.name} does not take {rest[0]!r}; usage: {operation.name} {_signature(operation)}"
        )
    return values


def _typed_argument(
    operation: Operation,
    parameter: Parameter,
    spec: ValueSpec,
    texts: list[str],
    before: list[Any],
    where: str,
    *,
    as_json: bool,
) -> Any:
    text = texts[0] if texts else ""
    match parameter.role:
        case "index":
            return index_of(text, where)
        case "amount":
            return amount_of(text, operation.python_type, where)
        case "item":
            return typed(spec.item, text, f"an item of {where}", as_json=as_json)
        case "items":
            return [typed(spec.item, one, f"an item of {where}", as_json=as_json) for one in texts]
        case "key":
            return typed(spec.key, text, f"a key of {where}")
        case "value":
            return typed(
                spec.value, text, f"{where}/{before[0] if before else ''}", as_json=as_json
            )
        case "entries":
            entries = {}
            for assignment in assignments_of(texts):
                key = typed(spec.key, assignment.name, f"a key of {where}")
                entries[key] = typed(
                    spec.value,
                    assignment.text,
                    f"{where}/{assignment.name}",
                    as_json=as_json or assignment.is_json,
                )
            return entries


def result_json(kind: type, spec: ValueSpec, result: Any) -> Any:
    """What an operation on a field of type ``kind`` returned, as the JSON it was stored as."""
    if result is None:
        return None
    if kind is dict and isinstance(result, tuple):
        key, value = result
        return [_json(spec.key, key), _json(spec.value, value)]
    if kind in (list, dict):
        return _json(spec.item if kind is list else spec.value, result)
    return _json(spec, result)


def _json(spec: ValueSpec, value: Any) -> Any:
    return json.loads(spec.to_json(value))


def returns_something(cls: type, method: str) -> bool:
    """Whether an operation's method is annotated to return a value."""
    return inspect.signature(getattr(cls, method)).return_annotation not in (None, "None")


def _words(invocation: Invocation, name: str) -> list[str]:
    text = invocation.text(name)
    return [text] if text is not None else invocation.texts(name)


def _signature(operation: Operation) -> str:
    from rapyer_cli.knowledge.describing import signature_of

    return signature_of(operation)


_ROLE_HELP = {
    "item": "an item, typed as the list says",
    "items": "items, typed as the list says",
    "key": "a key of the dict",
    "value": "a value, typed as the dict says",
    "entries": "key=value, or key:=JSON",
    "index": "an index, negative from the end",
    "amount": "how much to add; may be negative",
}


def _role_help(parameter: Parameter) -> str:
    default = (
        "" if parameter.required or parameter.default is None else f" (default {parameter.default})"
    )
    return _ROLE_HELP[parameter.role] + default


def _as_clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
