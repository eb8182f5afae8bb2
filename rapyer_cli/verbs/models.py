"""``models schema ops``: what the models say. None of them connects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import ModelsError, NotFound
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Verb
from rapyer_cli.render.shapes import Column, Shape, Table
from rapyer_cli.verbs.arguments import LOOK_EXITS

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session


async def models(session: Session, invocation: Invocation) -> Shape:
    """List the loaded models."""
    loaded = session.models
    if not loaded and loaded.failures:
        raise ModelsError(
            "no models are loaded: every module failed to import; 'rapyer doctor' shows the tracebacks"
        )
    rows = [
        {
            "name": model.class_key_initials(),
            "fields": len(model.model_fields),
            "module": model.__module__,
            "help": (model.__doc__ or "").strip().partition("\n")[0] if _own_doc(model) else "",
        }
        for model in loaded
    ]
    columns = (
        Column("name", "model"),
        Column("fields", "fields", numeric=True),
        Column("module", "module"),
        Column("help", "what it is"),
    )
    hint = "no models are loaded; name them with -m module, -m file.py, RAPYER_MODELS or [tool.rapyer] models"
    return Table(columns, rows, empty=hint, raw="name")


async def schema(session: Session, invocation: Invocation) -> Shape:
    """Show the fields of a model, or of what is below a place in it."""
    from rapyer.schema.of_models import model_spec
    from rapyer_cli.knowledge.describing import operations_for

    address = session.address(invocation.text("target"))
    if address.is_root:
        return await models(session, invocation)
    model = session.models.require(address.name)
    spec = model_spec(model)
    for position, segment in enumerate(address.pointer):
        if spec.field_names() and segment not in spec.field_names():
            where = "/".join((address.name, *address.pointer[:position]))
            raise NotFound(
                f"{where} has no field {segment!r}; it has: {', '.join(spec.field_names())}"
            )
        spec = spec.child(
            int(segment) if spec.python_type is list and _is_index(segment) else segment
        )
    rows: list[dict[str, Any]] = []
    _add_fields(rows, "", spec, 0)
    if not rows:
        rows = [_field_row("", spec, {})]
    for row in rows:
        row["operations"] = [entry.name for entry in operations_for(row.pop("_spec"))]
    columns = (
        Column("field", "field"),
        Column("type", "type"),
        Column("default", "default"),
        Column("operations", "operations"),
    )
    if session.environment.stdout_is_terminal and invocation.text("output") in (
        None,
        "auto",
        "table",
    ):
        for row in rows:
            row["operations"] = ", ".join(row["operations"])
    return Table(columns, rows, raw="field")


async def ops(session: Session, invocation: Invocation) -> Shape:
    """List the typed operations, all or those of a place."""
    import rapyer.types  # noqa: F401 - fills the registry
    from rapyer.operations import REGISTRY
    from rapyer_cli.knowledge.describing import examples_of, signature_of, type_of

    entries = list(REGISTRY)
    text = invocation.text("target")
    if text is not None or session.here.key is not None:
        from rapyer_cli.session.resolve import place_at

        async with session.bound():
            place = await place_at(session, text)
        entries = list(REGISTRY.for_type(type_of(place)))
    rows = [
        {
            "operation": entry.name,
            "on": entry.python_type.__name__,
            "arguments": signature_of(entry),
            "effect": entry.effect,
            "help": entry.help,
            "python": entry.method,
            "example": examples_of(entry),
        }
        for entry in entries
    ]
    columns = (
        Column("operation", "operation"),
        Column("on", "on"),
        Column("arguments", "arguments"),
        Column("effect", "effect"),
        Column("help", "what it does"),
    )
    return Table(
        columns, rows, empty="no typed operations here; 'set' and 'del' work", raw="operation"
    )


def _add_fields(rows: list[dict[str, Any]], prefix: str, spec: Any, depth: int) -> None:
    from pydantic_core import PydanticUndefined

    model = spec.model
    for name in spec.field_names():
        child = spec.child(name)
        info = model.model_fields.get(name) if model is not None else None
        extra: dict[str, Any] = {}
        if info is not None and not info.is_required():
            default = info.get_default(call_default_factory=False)
            if info.default_factory is not None:
                extra["default"] = f"{getattr(info.default_factory, '__name__', 'factory')}()"
            elif default is not PydanticUndefined:
                extra["default"] = _default_of(child, default)
        rows.append(_field_row(f"{prefix}{name}", child, extra))
        if child.model is not None and depth < 4:
            _add_fields(rows, f"{prefix}{name}/", child, depth + 1)


def _field_row(name: str, spec: Any, extra: dict[str, Any]) -> dict[str, Any]:
    return {
        "field": name,
        "type": spec.describe(),
        "required": "default" not in extra,
        **extra,
        "_spec": spec,
    }


def _default_of(spec: Any, default: Any) -> Any:
    try:
        return json.loads(spec.to_json(default))
    except (ValueError, TypeError):
        return repr(default)


def _own_doc(model: type) -> bool:
    return "__doc__" in vars(model)


def _is_index(segment: str) -> bool:
    return segment.lstrip("-").isdigit()


_MODEL_TARGET = Argument("target", Kind.TARGET, "a model, or a place inside one", required=False)

VERBS = (
    Verb(
        "models",
        "list the models that are loaded",
        "look",
        models,
        examples=("models -m examples/blog.py",),
        exits=LOOK_EXITS,
        connects=False,
    ),
    Verb(
        "schema",
        "show the fields of a model with types, defaults and operations",
        "look",
        schema,
        arguments=(_MODEL_TARGET,),
        examples=("schema BlogPost", "schema BlogPost:42/settings"),
        exits=LOOK_EXITS,
        connects=False,
    ),
    Verb(
        "ops",
        "list the typed operations, or those that fit a target",
        "look",
        ops,
        arguments=(Argument("target", Kind.TARGET, "a place in a document", required=False),),
        examples=("ops", "ops BlogPost:42/tags"),
        exits=LOOK_EXITS,
        connects=False,
    ),
)
