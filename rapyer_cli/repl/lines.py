"""One line as it was typed at the prompt: ``!command``, ``time``, aliases, ``_`` and where its output goes."""

from __future__ import annotations

import time

from rapyer_cli.change.execute import run
from rapyer_cli.exits import Exit
from rapyer_cli.failures import CliError
from rapyer_cli.language.aliases import expanded
from rapyer_cli.language.lines import invocation_of
from rapyer_cli.language.quoting import scan
from rapyer_cli.language.redirecting import parted, with_last
from rapyer_cli.repl.outputs import clear_screen, output_of, run_command
from rapyer_cli.session.session import Session


async def run_typed(session: Session, line: str) -> int:
    """Run ``line``; its exit code. Raises what running it raises."""
    if line.lstrip().startswith("!"):
        code = await run_command(line.lstrip()[1:].strip(), session.environment)
        return Exit.FAILED if code else Exit.DONE
    words = scan(line)
    if words and words[0].source == "time":
        return await _timed(session, line[words[0].end :])
    if [word.text for word in words] == ["clear"]:
        clear_screen(session.environment)
        return Exit.DONE
    verbs = session.all_verbs()
    line = expanded(line, session.settings.aliases(verbs.spellings()))
    typed = parted(line, verbs)
    line = with_last(typed.line, session.last.target, session.last.value)
    invocation = invocation_of(line, verbs)
    if invocation is None:
        return Exit.DONE
    if invocation.flag("help"):
        invocation = invocation_of(f"help {invocation.verb.name}", verbs)
        assert invocation is not None
    for name in ("url", "profile", "models", "read_only", "write"):
        if invocation.values.get(name):
            flag = "--" + name.replace("_", "-")
            raise CliError(f"{flag} is given when the REPL is opened; 'use' changes the server")
    async with output_of(session, typed):
        return await run(session, invocation)


async def _timed(session: Session, line: str) -> int:
    started, sent = time.perf_counter(), session.sent
    code = await run_typed(session, line)
    took, sent = time.perf_counter() - started, session.sent - sent
    commands = f"{sent} command{'' if sent == 1 else 's'}"
    session.environment.note(f"rapyer: {took * 1000:.1f} ms, {commands} sent")
    return code
