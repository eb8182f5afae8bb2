"""``run FILE``: the lines of a file, as typed at the prompt; ``--atomic`` makes them one pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rapyer_cli.exits import Exit
from rapyer_cli.failures import CliError, NotFound, UsageError, failure_of
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Option, Verb
from rapyer_cli.render.shapes import Ended
from rapyer_cli.verbs.arguments import CHANGE_EXITS

_NOT_IN_FILES = (
    "repl",
    "run",
    "begin",
    "commit",
    "discard",
    "undo",
    "use",
    "writable",
    "history",
    "watch",
)

if TYPE_CHECKING:
    from rapyer_cli.session.session import Session


async def run_file(session: Session, invocation: Invocation) -> Any:
    """Run each line; stops at the first that fails, unless ``--keep-going``."""
    from rapyer_cli.change.execute import commit_transaction, refuse_if_read_only
    from rapyer_cli.session.plan import Transaction

    lines = _parsed(session, invocation)
    atomic = invocation.flag("atomic")
    if atomic and session.transaction is not None:
        raise CliError("changes are being queued already: 'commit' or 'discard' first")
    if atomic:
        if not invocation.flag("dry_run"):
            refuse_if_read_only(session)
        session.transaction = Transaction()
    here = session.here
    try:
        code = await _run_all(
            session,
            invocation,
            lines,
            keep_going=not atomic and invocation.flag("keep_going"),
            ending=_ending(invocation),
        )
        if not atomic:
            return Ended(None, code)
        return await commit_transaction(session, invocation)
    finally:
        session.here = here
        if atomic and session.transaction is not None:
            session.transaction.batch.discard()
            session.transaction = None


async def _run_all(
    session: Session,
    invocation: Invocation,
    lines: list[tuple[int, Invocation]],
    *,
    keep_going: bool,
    ending: str,
) -> Exit:
    from rapyer_cli.change.execute import run

    name = invocation.text("file") or ""
    code = Exit.DONE
    for number, line in lines:
        try:
            await run(session, line)
        except Exception as error:
            failure = failure_of(error)
            if not keep_going:
                where = f"{name}:{number}: {failure.message}"
                raise failed_line(failure.code, where + ending) from error
            session.environment.note(f"rapyer: {name}:{number}: {failure.message}")
            code = failure.code
    return code


def _ending(invocation: Invocation) -> str:
    """What a line that fails means for the others."""
    if invocation.flag("dry_run"):
        return ""
    if invocation.flag("atomic"):
        return "; nothing was sent"
    return "; the lines before it were run, those after it not"


def failed_line(code: Exit, message: str) -> CliError:
    """The error of one line of a file, with the exit code that the line alone would have had."""
    error = CliError(message)
    error.code = code
    return error


def _parsed(session: Session, invocation: Invocation) -> list[tuple[int, Invocation]]:
    """All lines, parsed before the first is run: a typing mistake stops everything."""
    from rapyer_cli.language.lines import invocation_of, lines_of

    name = invocation.text("file") or ""
    verbs = session.all_verbs()
    passed_on = {flag: True for flag in ("yes", "json") if invocation.flag(flag)}
    if invocation.flag("dry_run") and not invocation.flag("atomic"):
        passed_on["dry_run"] = True
    parsed: list[tuple[int, Invocation]] = []
    for number, line in enumerate(lines_of(_text(session, name)), 1):
        try:
            found = invocation_of(line, verbs)
        except UsageError as error:
            raise UsageError(f"{name}:{number}: {error}") from error
        if found is None:
            continue
        if found.verb.name in _NOT_IN_FILES:
            raise UsageError(f"{name}:{number}: {found.verb.name} does not go into a file")
        options = {option.name for option in found.verb.all_options()}
        extra: dict[str, Any] = {flag: True for flag in passed_on if flag in options}
        extra |= {"output": invocation.text("output")} if "output" in options else {}
        parsed.append((number, found._replace(values={**extra, **_given(found.values)})))
    return parsed


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, False)}


def _text(session: Session, name: str) -> str:
    if name == "-":
        return session.environment.stdin.read()
    path = session.environment.cwd / name
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(
            f"cannot read {path}: {getattr(error, 'strerror', None) or error}"
        ) from error


VERBS = (
    Verb(
        "run",
        "run the lines of a file, as typed at the prompt",
        "many",
        run_file,
        arguments=(Argument("file", Kind.FILE, "a file with one line for each command, or -"),),
        options=(
            Option("atomic", ("--atomic",), "apply all changes in one step, or none"),
            Option("keep_going", ("--keep-going", "-k"), "go on after a line that fails"),
        ),
        examples=("run fixes.rapyer --dry-run", "run fixes.rapyer --atomic"),
        effect="write",
        exits=CHANGE_EXITS,
        details="Blank lines and lines that begin with # are left out. All lines are parsed before the "
        "first one runs. Without --atomic the lines run one after the other, and the first that "
        "fails ends the run.",
    ),
)
