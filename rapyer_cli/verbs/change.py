"""``new set update del toggle``: changing documents and places as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import CliError, NotFound, UsageError
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Verb
from rapyer_cli.language.values import assignments_of, text_given, typed
from rapyer_cli.verbs.arguments import ANEW, ASSIGNMENTS, CHANGE_EXITS, MANY_DETAILS, TARGET

if TYPE_CHECKING:
    from rapyer.models.places import Place
    from rapyer_cli.session.plan import Plan
    from rapyer_cli.session.session import Session


async def new(session: Session, invocation: Invocation) -> Plan:
    """Plan to create a document; an existing one is never overwritten."""
    from rapyer.models.places import resolve
    from rapyer_cli.change.execute import batch_for
    from rapyer_cli.change.new_document import document_from
    from rapyer_cli.session.plan import plan_change

    document = document_from(session, invocation)
    key = str(document.key)
    if invocation.flag("dry_run"):
        await _refuse_existing(session, key)

    async def apply() -> list[Any]:
        return [await document.save(nx=True)]

    return await plan_change(
        "new",
        "write",
        [resolve(document, ())],
        apply,
        batch=batch_for(session, invocation),
        read=session.read,
        read_result=lambda answers: key,
        creates=True,
    )


async def _refuse_existing(session: Session, key: str) -> None:
    """Say in a dry run what the server would say. Sends EXISTS."""
    from rapyer.errors import KeyExistsError
    from rapyer.keyspace.spelling import as_sent
    from rapyer_cli.reading.commands import ask

    if await ask(await session.client(), "EXISTS", as_sent(key)):
        raise KeyExistsError(f"{key} exists already")


async def set_value(session: Session, invocation: Invocation) -> Plan:
    """Plan to give a place a value."""
    from rapyer_cli.change.execute import batch_for
    from rapyer_cli.session.plan import plan_change
    from rapyer_cli.session.resolve import place_at

    address = session.address(invocation.text("target"))
    text = text_given(invocation.text("value") or "", session.environment)
    place = await place_at(session, invocation.text("target"))
    value = value_for(place, text, str(address), as_json=invocation.flag("json"))

    async def replace() -> list[Any]:
        return [await place.set(value)]

    return await plan_change(
        "set", "write", [place], replace, batch=batch_for(session, invocation), read=session.read
    )


def value_for(place: Place, text: str, where: str, *, as_json: bool) -> Any:
    """The value that ``text`` means at ``place``; a stored text stays text where no model says more."""
    untyped = place.spec.core["type"] == "any"
    if untyped and not as_json and place.exists and isinstance(place.value, str):
        return text
    return typed(place.spec, text, where, as_json=as_json)


async def update(session: Session, invocation: Invocation) -> Any:
    """Plan to set several fields of a document, or entries of a dict, in one step; or of many documents."""
    from rapyer_cli.language.conditions import condition_and_settings, is_where

    if is_where(invocation.texts("assignments")):
        from rapyer_cli.change.update_many import plan_update_many

        condition, settings = condition_and_settings(
            invocation.texts("assignments"), "update MODEL where EXPRESSION set FIELD=VALUE…"
        )
        return await plan_update_many(
            session,
            invocation.text("target"),
            condition,
            settings,
            as_json=invocation.flag("json"),
            anew=invocation.flag("anew"),
        )
    return await _update_one(session, invocation)


async def _update_one(session: Session, invocation: Invocation) -> Plan:
    from rapyer.models.places import resolve
    from rapyer_cli.change.execute import batch_for
    from rapyer_cli.session.plan import plan_change
    from rapyer_cli.session.resolve import place_at
    from rapyer_cli.verbs.operations import plan_operation

    text = invocation.text("target")
    words = invocation.texts("assignments")
    if text and session.here.key is not None and await _is_assignment(session, text):
        words = [text, *words]
        text = None
    target = await place_at(session, text)
    if not words:
        raise UsageError("update needs field=value; usage: update TARGET FIELD=VALUE…")
    if isinstance(target.value, dict):
        return await plan_operation(session, invocation, "update", target, words)
    where = session.address(text)
    pairs: list[tuple[Place, Any]] = []
    for assignment in assignments_of(words):
        segments = assignment.name.split("/")
        place = resolve(target.document, [*map(str, target.path), *segments])
        text = text_given(assignment.text, session.environment)
        as_json = assignment.is_json or invocation.flag("json")
        value = value_for(place, text, f"{where}/{assignment.name}", as_json=as_json)
        pairs.append((place, value))

    async def apply() -> list[Any]:
        return [await place.set(value) for place, value in pairs]

    places = [place for place, _ in pairs]
    return await plan_change(
        "update", "write", places, apply, batch=batch_for(session, invocation), read=session.read
    )


async def _is_assignment(session: Session, word: str) -> bool:
    """Whether the first word of an update inside a document is an assignment already, not a target."""
    from rapyer.errors import PathNotFound
    from rapyer_cli.session.resolve import place_at

    if "=" not in word:
        return False
    try:
        return not (await place_at(session, word)).exists
    except PathNotFound:
        return True


async def delete(session: Session, invocation: Invocation) -> Any:
    """Plan to delete a document, a dict entry or a list item; or many documents."""
    words = invocation.texts("condition")
    if words:
        from rapyer_cli.change.update_many import plan_delete_many
        from rapyer_cli.language.conditions import condition_of

        text = condition_of(words, "del MODEL where EXPRESSION")
        return await plan_delete_many(
            session, invocation.text("target"), text, anew=invocation.flag("anew")
        )
    return await _delete_one(session, invocation)


async def _delete_one(session: Session, invocation: Invocation) -> Plan:
    from rapyer.models.places import resolve
    from rapyer_cli.change.execute import batch_for
    from rapyer_cli.reading.many import ttls_of
    from rapyer_cli.session.plan import plan_change
    from rapyer_cli.session.resolve import place_at

    address = session.address(invocation.text("target"))
    place = await place_at(session, invocation.text("target"))
    if not place.exists:
        raise NotFound(f"{address} is not there")
    touched = place
    if address.pointer:
        touched = resolve(place.document, [str(segment) for segment in place.path[:-1]])

    async def apply() -> list[Any]:
        return [await place.delete()]

    plan = await plan_change(
        "del",
        "destructive",
        [touched],
        apply,
        batch=batch_for(session, invocation),
        read=session.read,
        question=f"delete {address}?",
        removes=not address.pointer,
    )
    if not address.pointer:
        key = str(address.key)
        plan.touches[0].ttl = (await ttls_of(await session.client(), [key]))[key]
    return plan


async def toggle(session: Session, invocation: Invocation) -> Plan:
    """Plan to turn a truth value into its opposite."""
    from rapyer_cli.change.execute import batch_for
    from rapyer_cli.session.plan import plan_change
    from rapyer_cli.session.resolve import place_at

    place = await place_at(session, invocation.text("target"))
    if not isinstance(place.value, bool):
        where = session.address(invocation.text("target"))
        raise CliError(
            f"{where} is {place.spec.describe()}, not a bool; only a bool can be toggled"
        )

    async def apply() -> list[Any]:
        return [await place.toggle()]

    return await plan_change(
        "toggle",
        "write",
        [place],
        apply,
        batch=batch_for(session, invocation),
        read=session.read,
        read_result=lambda answers: answers[0],
    )


VERBS = (
    Verb(
        "new",
        "create a document; refuses to overwrite one",
        "change",
        new,
        arguments=(
            Argument("model", Kind.MODEL, "a model, or Model:pk to choose the pk"),
            ASSIGNMENTS,
        ),
        examples=(
            "new BlogPost title='Hello world' views=5",
            "new BlogPost:42 title=Hello tags:='[\"a\"]'",
            "new BlogPost - < post.json",
        ),
        details="- in place of the first field=value reads a JSON object from standard input, @file from a file.",
        effect="write",
        exits=CHANGE_EXITS,
    ),
    Verb(
        "set",
        "give a field, dict entry or list item a value",
        "change",
        set_value,
        arguments=(
            TARGET,
            Argument("value", Kind.VALUE, "the value, @file, or - for standard input"),
        ),
        examples=(
            "set BlogPost:42/title 'Hello again'",
            "set BlogPost:42/settings/theme dark",
            'set BlogPost:42/tags \'["a", "b"]\'',
        ),
        effect="write",
        exits=CHANGE_EXITS,
    ),
    Verb(
        "update",
        "set several fields of a document in one step, or of many documents",
        "change",
        update,
        arguments=(TARGET, ASSIGNMENTS),
        options=(ANEW,),
        examples=(
            "update BlogPost:42 title='New title' views:=0",
            "update BlogPost:42/settings theme=dark",
            "update BlogPost where 'views >= 10' set status=live tags+=hot views-=1",
        ),
        aliases=("aupdate",),
        effect="write",
        exits=CHANGE_EXITS,
        details=MANY_DETAILS,
        clauses=("where", "set"),
    ),
    Verb(
        "del",
        "delete a document, a dict entry or a list item, or many documents",
        "change",
        delete,
        arguments=(
            TARGET,
            Argument(
                "condition", Kind.EXPRESSION, "after a model: where EXPRESSION", False, many=True
            ),
        ),
        options=(ANEW,),
        examples=(
            "del BlogPost:42 --yes",
            "del BlogPost:42/tags/0",
            "del BlogPost where \"status == 'draft' and views == 0\"",
        ),
        aliases=("delete", "adelete"),
        effect="destructive",
        exits=CHANGE_EXITS,
        details=MANY_DETAILS,
        clauses=("where",),
    ),
    Verb(
        "toggle",
        "turn true into false and false into true",
        "change",
        toggle,
        arguments=(TARGET,),
        examples=("toggle BlogPost:42/published",),
        effect="write",
        exits=CHANGE_EXITS,
    ),
)
