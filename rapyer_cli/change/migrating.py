"""``migrate FILE``: steps that each document of the named models goes through, one after the other, in one change.

A step is a line: ``rename MODEL OLD NEW``, ``remove MODEL FIELD``, ``set MODEL FIELD=VALUE [where EXPR]``,
``add MODEL FIELD=VALUE`` (where it is missing), ``convert MODEL FIELD``, ``repair MODEL``, ``del MODEL where EXPR``.
Conditions are asked of the stored JSON, as it may not fit the model yet; the result has to.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple, TypeAlias

from rapyer_cli.change.repairing import in_short, repaired
from rapyer_cli.change.setting import Edit
from rapyer_cli.failures import CliError, UsageError, one_line
from rapyer_cli.language.conditions import Setting, condition_of, is_where, setting_of
from rapyer_cli.language.quoting import split
from rapyer_cli.reading.matching import condition_from
from rapyer_cli.render.differences import MISSING
from rapyer_cli.session.plan_many import ManyPlan, Rewrite, Unfit
from rapyer_cli.session.session import Session

Act: TypeAlias = "Callable[[str, Any], Any]"
"""From key and JSON of a document to its JSON afterwards; ``MISSING`` when it is to go."""

_USAGE = {
    "rename": "rename MODEL OLD NEW",
    "remove": "remove MODEL FIELD",
    "set": "set MODEL FIELD=VALUE [where EXPR]",
    "add": "add MODEL FIELD=VALUE",
    "convert": "convert MODEL FIELD",
    "repair": "repair MODEL",
    "del": "del MODEL where EXPR",
}


class Step(NamedTuple):
    """One line of the file: what it does to the documents of ``name``."""

    line: str
    name: str
    act: Act


def plan_migration(session: Session, file: str, text: str, *, anew: bool) -> ManyPlan:
    """The plan of a file of steps. Raises :class:`UsageError` with the number of a line that is none."""
    steps = [*_steps(session, file, text)]
    if not steps:
        raise UsageError(f"{file} has no steps; a step is, for example: {_USAGE['rename']}")
    names = list(dict.fromkeys(step.name for step in steps))

    async def documents() -> AsyncIterator[Rewrite | Unfit]:
        from rapyer_cli.reading.many import stored_texts

        client = await session.client()
        for name in names:
            mine = [step for step in steps if step.name == name]
            model = session.models.named(name)
            async for key, stored in stored_texts(client, name):
                if model is not None and session.models.of_key(key) is not model:
                    continue
                yield _migrated(model, mine, key, stored)

    lines = "\n".join(step.line for step in steps)
    return ManyPlan(
        "migrate",
        f"migrate {lines}",
        "destructive",
        f"of {', '.join(names)} by the {len(steps)} steps of {file}",
        documents,
        anew=anew,
        groups=True,
    )


def _migrated(model: Any, steps: list[Step], key: str, text: bytes) -> Rewrite | Unfit:
    from rapyer.errors import DocumentError, RapyerError
    from rapyer.models.loading import load_document
    from rapyer.schema.spec import any_spec

    before = data = json.loads(text)
    done = []
    try:
        for step in steps:
            after = step.act(key, data)
            if after is not data:
                done.append(step.line)
            data = after
            if data is MISSING:
                break
        if done and data is not MISSING and model is not None:
            load_document(model, key, any_spec().to_json(data))
    except (DocumentError, RapyerError, CliError, ValueError, TypeError, LookupError) as error:
        return Unfit(key, f"{key} is left as it is: {one_line(str(error))}")
    return Rewrite(key, before, data, text, why=tuple(done))


def _steps(session: Session, file: str, text: str) -> list[Step]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            words = [word.text for word in split(line)]
            if words and not words[0].startswith("#"):
                found.append(_step(session, line.strip(), words))
        except CliError as error:
            error.args = (f"{file}:{number}: {error}",)
            raise
    return found


def _step(session: Session, line: str, words: list[str]) -> Step:
    verb, rest = words[0], words[1:]
    if verb not in _USAGE:
        raise UsageError(f"there is no step {verb!r}; there are: {', '.join(_USAGE)}")
    if not rest:
        raise UsageError(f"usage: {_USAGE[verb]}")
    address = session.model_address(rest[0])
    if not address.is_model:
        raise UsageError(f"{verb} takes a model, such as BlogPost, not {address}")
    name, model = address.name, session.models.named(address.name)
    make = _MAKERS[verb]
    return Step(line, name, make(session, name, model, rest[1:], f"usage: {_USAGE[verb]}"))


def _rename(session: Session, name: str, model: Any, words: list[str], usage: str) -> Act:
    if len(words) != 2:
        raise UsageError(usage)
    old, new = words

    def act(key: str, data: Any) -> Any:
        if not isinstance(data, dict) or old not in data:
            return data
        if new in data:
            raise CliError(f"it has both {old} and {new}")
        return {(new if one == old else one): value for one, value in data.items()}

    return act


def _remove(session: Session, name: str, model: Any, words: list[str], usage: str) -> Act:
    if len(words) != 1:
        raise UsageError(usage)
    path = words[0].split("/")

    def act(key: str, data: Any) -> Any:
        return _without(data, path)

    return act


def _without(data: Any, path: list[str]) -> Any:
    first, *rest = path
    if not isinstance(data, dict) or first not in data:
        return data
    if not rest:
        return {name: value for name, value in data.items() if name != first}
    inner = _without(data[first], rest)
    return data if inner is data[first] else {**data, first: inner}


def _set(session: Session, name: str, model: Any, words: list[str], usage: str) -> Act:
    where = next((i for i, word in enumerate(words) if word == "where"), len(words))
    settings = [setting_of(word) for word in words[:where]]
    if not settings or any(setting.sign for setting in settings):
        raise UsageError(usage)
    condition = condition_from(None, condition_of(words[where:], usage)) if words[where:] else None
    edits = [_edit(session, name, model, setting) for setting in settings]

    def act(key: str, data: Any) -> Any:
        if condition is not None and not condition.matches(data):
            return data
        for edit in edits:
            data = edit.apply(data, None)
        return data

    return act


def _add(session: Session, name: str, model: Any, words: list[str], usage: str) -> Act:
    if len(words) != 1:
        raise UsageError(usage)
    setting = setting_of(words[0])
    edit = _edit(session, name, model, setting)

    def act(key: str, data: Any) -> Any:
        return data if edit.is_there(data) else edit.apply(data, None)

    return act


def _edit(session: Session, name: str, model: Any, setting: Setting) -> Edit:
    edit = Edit.of(session, name, model, setting, as_json=False)
    edit.typed_model = False  # it is asked of the stored JSON, which may not load yet
    return edit


def _repair(session: Session, name: str, model: Any, words: list[str], usage: str) -> Act:
    model = model or session.models.require(name)
    only = words[0] if words else None

    def act(key: str, data: Any) -> Any:
        from rapyer.schema.spec import any_spec

        found = repaired(model, key, any_spec().to_json(data), only)
        if found.left:
            raise CliError(f"it cannot be repaired: {in_short(found.left)}")
        return found.data if found.done else data

    return act


def _delete(session: Session, name: str, model: Any, words: list[str], usage: str) -> Act:
    if not is_where(words):
        raise UsageError(usage)
    condition = condition_from(None, condition_of(words, usage))

    def act(key: str, data: Any) -> Any:
        return MISSING if condition is None or condition.matches(data) else data

    return act


_MAKERS: dict[str, Callable[[Session, str, Any, list[str], str], Act]] = {
    "rename": _rename,
    "remove": _remove,
    "set": _set,
    "add": _add,
    "convert": _repair,
    "repair": _repair,
    "del": _delete,
}
