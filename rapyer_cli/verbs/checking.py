"""``check``: every stored document against its model; which keys and fields have drifted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rapyer_cli.exits import Exit
from rapyer_cli.failures import ModelsError, UsageError
from rapyer_cli.language.addresses import escape_key
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Verb
from rapyer_cli.render.shapes import Column, Ended, Table
from rapyer_cli.render.text import counted

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session


@dataclass(slots=True)
class Drift:
    """What a check found: documents seen, documents that do not fit, and how often each field fails."""

    checked: int = 0
    bad: int = 0
    fields: dict[tuple[str, str, str], list[Any]] = field(default_factory=dict)


async def check(session: Session, invocation: Invocation) -> Any:
    """Validate all documents of the models; exit code 1 when some do not fit."""
    from rapyer_cli.render.progress import progress

    models = _models(session, invocation)
    drift = Drift()
    environment = session.environment
    in_pipe = not environment.stdout_is_terminal or invocation.text("output") in (
        "json",
        "jsonl",
        "raw",
    )
    with progress(environment, "checking", None) as advance:
        bad = [row async for row in misfits(session, models, drift, advance)]
    environment.note(
        f"checked {counted(drift.checked, 'document')}: "
        + (f"{counted(drift.bad, 'document')} with drift" if drift.bad else "all fit")
    )
    code = Exit.FAILED if bad else Exit.DONE
    if in_pipe:
        return Ended(
            Table((Column("key", "document"), Column("fields", "fields")), bad, raw="key"), code
        )
    rows = [
        {"model": model, "field": name, "problem": problem, "documents": number, "example": example}
        for (model, name, problem), (number, example) in sorted(
            drift.fields.items(), key=lambda entry: -entry[1][0]
        )
    ]
    columns = (
        Column("model", "model"),
        Column("field", "field"),
        Column("problem", "problem"),
        Column("documents", "documents", numeric=True),
        Column("example", "for example"),
    )
    return Ended(Table(columns, rows, empty="no drift"), code)


async def misfits(
    session: Session,
    models: list[type[Any]],
    drift: Drift,
    advance: Any,
    most: int | None = None,
) -> AsyncIterator[dict[str, Any]]:
    """The documents that do not fit their model, with their bad fields; counts everything in ``drift``."""
    from rapyer.errors import DocumentError
    from rapyer_cli.reading.drift import drift_of
    from rapyer_cli.reading.many import stored_texts

    client = await session.client()
    for model in models:
        name = model.class_key_initials()
        seen = 0
        async for key, text in stored_texts(client, name):
            if session.models.of_key(key) != model:
                continue
            seen += 1
            drift.checked += 1
            advance(1)
            try:
                problems = {
                    ".".join(map(str, place)): problem
                    for place, problem in drift_of(model, key, text).items()
                }
            except DocumentError as error:
                problems = error.fields
            if problems:
                drift.bad += 1
                for where, problem in problems.items():
                    entry = drift.fields.setdefault((name, where, problem), [0, key])
                    entry[0] += 1
                yield {"key": escape_key(key, name), "fields": dict(problems)}
            if seen == most:
                break


def _models(session: Session, invocation: Invocation) -> list[Any]:
    names = invocation.texts("models_to_check")
    if not names:
        if not session.models:
            raise ModelsError(
                "there is nothing to check against: no models are loaded; name them with "
                "-m module, -m file.py, RAPYER_MODELS or [tool.rapyer] models"
            )
        return list(session.models)
    found = []
    for name in names:
        address = session.model_address(name)
        if not address.is_model:
            raise UsageError(f"check takes models, such as BlogPost, not {address}")
        found.append(session.models.require(address.name))
    return found


VERBS = (
    Verb(
        "check",
        "validate every stored document against its model",
        "many",
        check,
        arguments=(
            Argument(
                "models_to_check", Kind.MODEL, "models; all loaded ones without", False, many=True
            ),
        ),
        examples=("check", "check BlogPost", "check BlogPost -o jsonl > drifted.jsonl"),
        exits=(Exit.MODELS,),
        details="The exit code is 0 when all documents fit and 1 when some do not.",
    ),
)
