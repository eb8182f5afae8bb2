"""``repair migrate``: documents brought in line with their model, as one plan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import UsageError, one_line
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Option, Verb
from rapyer_cli.language.values import text_given
from rapyer_cli.verbs.arguments import ANEW, CHANGE_EXITS, MODEL

if TYPE_CHECKING:
    from rapyer_cli.session.plan_many import Rewrite, Unfit
    from rapyer_cli.session.session import Session


async def repair(session: Session, invocation: Invocation) -> Any:
    """Plan to make every drifted document of a model what it should be."""
    from rapyer_cli.session.plan_many import ManyPlan

    address = session.model_address(invocation.text("model"))
    if not address.is_model:
        raise UsageError(f"repair takes a model, such as BlogPost, not {address}")
    model = session.models.require(address.name)
    name = model.class_key_initials()
    only = invocation.text("only")
    if only is not None and only not in model.__pydantic_fields__:
        known = ", ".join(model.__pydantic_fields__)
        raise UsageError(f"{name} has no field {only!r}; it has: {known}")

    async def documents() -> AsyncIterator[Rewrite | Unfit]:
        from rapyer_cli.reading.many import stored_texts

        async for key, text in stored_texts(await session.client(), name):
            if session.models.of_key(key) is model:
                yield _repaired(model, key, text, only)

    line = f"repair {name}" + (f" --only {only}" if only else "")
    question = f"of {name}" + (f", {only} alone" if only else "")
    return ManyPlan(
        "repair", line, "write", question, documents, anew=invocation.flag("anew"), groups=True
    )


def _repaired(model: Any, key: str, text: bytes, only: str | None) -> Rewrite | Unfit:
    import json

    from rapyer.errors import DocumentError
    from rapyer.models.loading import load_document
    from rapyer.schema.spec import any_spec
    from rapyer_cli.change.repairing import in_short, repaired
    from rapyer_cli.session.plan_many import Rewrite, Unfit

    try:
        found = repaired(model, key, text, only)
        if found.done and not found.left and only is None:
            load_document(model, key, any_spec().to_json(found.data))
    except (DocumentError, ValueError) as error:
        return Unfit(key, f"{key} cannot be repaired: {one_line(str(error))}")
    if found.left and not found.done:
        return Unfit(key, f"{key} cannot be repaired: {in_short(found.left)}")
    before = json.loads(text)
    why = found.done
    if found.left:
        why = (*why, f"left as it is: {', '.join(map(str, (p[0] for p in found.left if p)))}")
    return Rewrite(key, before, found.data if found.done else before, text, why=why)


async def migrate(session: Session, invocation: Invocation) -> Any:
    """Plan to take the documents of models through the steps of a file."""
    from rapyer_cli.change.migrating import plan_migration

    file = invocation.text("file") or ""
    text = text_given(file if file == "-" else f"@{file}", session.environment)
    shown = "standard input" if file == "-" else file
    return plan_migration(session, shown, text, anew=invocation.flag("anew"))


VERBS = (
    Verb(
        "repair",
        "make the drifted documents of a model what they should be",
        "many",
        repair,
        arguments=(MODEL,),
        options=(
            Option("only", ("--only",), "repair this field alone", Kind.FIELD, metavar="FIELD"),
            ANEW,
        ),
        examples=("repair BlogPost --dry-run", "repair BlogPost --only views"),
        effect="write",
        exits=CHANGE_EXITS,
        details="For each place that 'check' reports: what the model would write itself, the value converted "
        '("3" is 3), a field that is stored under a name much like it, the default, or null. The proposals are '
        "counted by kind with samples, and you are asked; what has none is named and left, and the exit code is "
        "then 1. One undo takes all of it back.",
    ),
    Verb(
        "migrate",
        "take the documents of models through the steps of a file",
        "many",
        migrate,
        arguments=(Argument("file", Kind.FILE, "a file of steps, or -"),),
        options=(ANEW,),
        examples=("migrate steps.txt --dry-run", "migrate steps.txt --yes"),
        effect="destructive",
        exits=CHANGE_EXITS,
        details="A step is a line: rename MODEL OLD NEW; remove MODEL FIELD; set MODEL FIELD=VALUE [where EXPR]; "
        "add MODEL FIELD=VALUE (where it is missing); convert MODEL FIELD; repair MODEL; del MODEL where EXPR. # "
        "begins a comment. Conditions are asked of the stored JSON. Each document goes through all steps, has to fit "
        "its model afterwards, and is changed in one step. Interrupted, the same file again goes on; one undo takes "
        "all of it back.",
    ),
)
