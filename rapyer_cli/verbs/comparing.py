"""``diff``: what differs between two documents or places, or between one and a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rapyer_cli.exits import Exit
from rapyer_cli.failures import NotFound, UsageError, ValueRefused, one_line
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Option, Verb
from rapyer_cli.render.shapes import Compared, Ended
from rapyer_cli.verbs.arguments import LOOK_EXITS

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session


async def diff(session: Session, invocation: Invocation) -> Ended:
    """Compare two values; exit code 1 when they differ."""
    from rapyer_cli.render.differences import differences

    other = invocation.text("other")
    if other is not None:
        from rapyer_cli.verbs.comparing_servers import diff_servers

        return await diff_servers(session, invocation, other)
    if invocation.text("right") is None:
        raise UsageError("diff takes two targets, or one and --with PROFILE")
    left, right = invocation.text("left") or "", invocation.text("right") or ""
    found = tuple(differences(await _value(session, left), await _value(session, right)))
    return Ended(Compared(left, right, found), Exit.FAILED if found else Exit.DONE)


async def _value(session: Session, text: str) -> Any:
    if text == "-" or text.startswith("@"):
        return _of_file(session, text)
    from rapyer.errors import PathNotFound
    from rapyer_cli.session.resolve import place_at
    from rapyer_cli.verbs.look import current

    try:
        return current(session, await place_at(session, text))
    except (NotFound, PathNotFound) as error:
        if (session.environment.cwd / text).is_file():
            raise NotFound(f"{one_line(str(error))}; the file is written @{text}") from error
        raise


def _of_file(session: Session, text: str) -> Any:
    environment = session.environment
    try:
        source = (
            environment.stdin.read()
            if text == "-"
            else (environment.cwd / text[1:]).read_text("utf-8")
        )
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(
            f"cannot read {text[1:]}: {getattr(error, 'strerror', None) or error}"
        ) from error
    try:
        return json.loads(source)
    except ValueError as error:
        name = "standard input" if text == "-" else text[1:]
        raise ValueRefused(f"{name} is not JSON: {error}") from error


VERBS = (
    Verb(
        "diff",
        "show what differs between documents, places, files or servers",
        "look",
        diff,
        arguments=(
            Argument("left", Kind.TARGET, "a document or place, @file, or - for standard input"),
            Argument(
                "right", Kind.TARGET, "a document or place, @file, or - for standard input", False
            ),
        ),
        options=(
            Option(
                "other",
                ("--with",),
                "compare with the same on this server",
                Kind.PROFILE,
                metavar="PROFILE",
            ),
        ),
        examples=(
            "diff BlogPost:42 BlogPost:43",
            "diff BlogPost:42 @backup.json",
            "diff BlogPost --profile live --with staging",
        ),
        exits=LOOK_EXITS,
        details="With --with PROFILE (or a URL), a model, a document or a place of the server in force is compared "
        "with the same there. The exit code is 0 when they are the same and 1 when they differ.",
    ),
)
