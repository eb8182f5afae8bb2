"""``edit``: a value in the user's editor, validated when it is saved."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import CliError, Refused, ValueRefused
from rapyer_cli.language.grammar import Invocation, Verb
from rapyer_cli.verbs.arguments import CHANGE_EXITS, TARGET

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session


async def edit(session: Session, invocation: Invocation) -> Any:
    """Plan to set a place to what the editor saved."""
    from rapyer_cli.change.execute import batch_for
    from rapyer_cli.session.plan import plan_change, stored
    from rapyer_cli.session.resolve import place_at
    from rapyer_cli.verbs.change import value_for

    address = session.address(invocation.text("target"))
    place = await place_at(session, invocation.text("target"))
    data = stored(place) if place.exists else ""
    as_text = isinstance(data, str) and not invocation.flag("json")
    before = data if as_text else json.dumps(data, ensure_ascii=False, indent=2)
    text = before
    while True:
        text = await _edited(session, text, ".txt" if as_text else ".json")
        if text == before:
            session.environment.note(f"{address} is unchanged")
            return None
        try:
            value = value_for(place, text, str(address), as_json=not as_text)
            break
        except ValueRefused as error:
            session.environment.note(f"rapyer: {error}")
            ask = session.ask or session.environment.ask
            if (await ask("edit it again? [Y/n] ")).strip().lower() in ("n", "no"):
                raise Refused("the value was not valid; nothing was sent") from error

    async def replace() -> list[Any]:
        return [await place.set(value)]

    return await plan_change(
        "edit",
        "write",
        [place],
        replace,
        batch=batch_for(session, invocation),
        read=session.read,
    )


async def _edited(session: Session, text: str, suffix: str) -> str:
    import asyncio
    import shlex
    import tempfile
    from pathlib import Path

    environ = session.environment.environ
    editor = environ.get("VISUAL") or environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="rapyer-") as directory:
        path = Path(directory) / f"value{suffix}"
        path.write_text(text + "\n", encoding="utf-8")
        path.chmod(0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *shlex.split(editor), str(path), env={**os.environ, **environ}
            )
        except (OSError, ValueError) as error:
            raise CliError(
                f"the editor {editor!r} cannot be started: {error}; set EDITOR"
            ) from error
        if await process.wait() != 0:
            raise Refused(f"the editor ended with {process.returncode}; nothing was sent")
        saved = path.read_text(encoding="utf-8")
    return saved.removesuffix("\n")


VERBS = (
    Verb(
        "edit",
        "change a value in your $EDITOR",
        "change",
        edit,
        arguments=(TARGET,),
        examples=("edit BlogPost:42/settings", "edit BlogPost:42/title"),
        effect="write",
        exits=CHANGE_EXITS,
        details="What is saved is validated; if it is refused you can go on editing it.",
    ),
)
