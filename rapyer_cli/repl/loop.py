"""The loop of the REPL: read a line, run it as the shell would, say what went wrong, go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rapyer_cli.exits import Exit
from rapyer_cli.failures import failure_of, report
from rapyer_cli.knowledge.gathering import operation_infos, types_of
from rapyer_cli.knowledge.knowledge import Knowledge
from rapyer_cli.language.lines import commands_in
from rapyer_cli.render.text import counted
from rapyer_cli.repl.greeting import greet
from rapyer_cli.repl.interrupting import interrupts
from rapyer_cli.repl.lines import run_typed
from rapyer_cli.repl.status import Status
from rapyer_cli.session.plan import Transaction
from rapyer_cli.session.session import Leave, Session, where_in_words
from rapyer_cli.trust import why_not_own


@dataclass(slots=True)
class Repl:
    """One sitting at the prompt. ``forget`` is called when stored data may have changed."""

    session: Session
    forget: Callable[[], None] = lambda: None
    latency: float | None = None
    trouble: str = ""
    failed: bool = False
    """Whether a line has failed, for whoever looks after it."""

    def status(self) -> Status:
        """What prompt and toolbar show."""
        session = self.session
        profile = session.server.profile
        transaction = session.transaction
        return Status(
            server=shortened(where_in_words(session)),
            place=str(session.here) if not session.here.is_root else "rapyer",
            prod=profile is not None and profile.is_prod,
            read_only=bool(session.read_only_reason),
            queued=len(transaction.plans) if transaction is not None else None,
            latency=self.latency,
            trouble=self.trouble,
        )

    async def run_line(self, line: str) -> int:
        """Run one line; its exit code. Errors are one line, and the sitting goes on."""
        started = time.monotonic()
        self.session.environment.follow_terminal()
        debug = "--debug" in line
        try:
            code = await run_typed(self.session, line)
            self.trouble = ""
        except Leave:
            raise
        except (Exception, asyncio.CancelledError) as error:
            code = report(error, self.session.environment, debug=debug)
            self.failed = True
            if code == Exit.CONNECTION:
                self._lost(error)
        self.latency = time.monotonic() - started
        self.forget()
        return code

    def _lost(self, error: BaseException) -> None:
        # The next line connects again by itself; here stays as it is.
        self.trouble = failure_of(error).message
        transaction = self.session.transaction
        if transaction is not None:
            self.session.transaction = None
            transaction.batch.discard()
            if transaction.plans:
                self.session.environment.note(f"rapyer: {_queued(transaction)} dropped")


@dataclass(slots=True)
class _Pasted:
    """Lines that were pasted and have not been run. Once one fails, the others wait for Enter."""

    lines: list[str] = field(default_factory=list)
    at_once: bool = True

    def wait(self, lines: list[str]) -> None:
        """These come next."""
        self.lines[:0] = lines
        self.at_once = True

    def next(self) -> tuple[str, bool]:
        """What the next prompt begins with, and whether it runs at once: what no end of a line follows does not."""
        if not self.lines:
            return "", False
        return self.lines.pop(0), bool(self.lines) and self.at_once


def _queued(transaction: Transaction) -> str:
    """``2 queued changes are``."""
    count = len(transaction.plans)
    return f"{counted(count, 'queued change')} {'is' if count == 1 else 'are'}"


def shortened(server: str) -> str:
    """A server's name for the toolbar: without the long way to a socket or a directory."""
    scheme, separator, rest = server.partition("://")
    if separator and rest.startswith("/"):
        path = rest.partition("?")[0].rstrip("/")
        return f"{scheme} {path.rpartition('/')[2]}"
    return scheme if not rest and separator else server


def knowledge_for(session: Session) -> Knowledge:
    """What completion knows from the models and the settings."""
    return Knowledge(
        models=tuple(session.models.names()),
        types=types_of(session.models),
        operations=operation_infos(),
        profiles=tuple(session.settings.profile_names()),
    )


async def run_repl(session: Session, **streams: Any) -> int:
    """Read and run lines until the end; the exit code of the sitting.

    Without a terminal the lines come from standard input, as from a file, and the last failure's exit
    code is returned.
    """
    session.in_repl = True
    repl = Repl(session)
    if not streams and not session.environment.stdin_is_terminal:
        return await _run_piped(repl)
    from rapyer_cli.repl.completer import ReplCompleter
    from rapyer_cli.repl.prompt import make_prompt

    verbs = session.all_verbs()
    completer = ReplCompleter(session, verbs, knowledge_for(session))
    repl.forget = completer.forget
    vi = session.settings.config.get("editing_mode") == "vi"
    pasted = _Pasted()
    prompt = make_prompt(
        *(session.environment, verbs, completer, repl.status),
        **{"vi": vi, "wait": pasted.wait, **streams},
    )

    async def ask(question: str) -> str:
        from prompt_toolkit import PromptSession

        try:
            return await PromptSession[str](**streams).prompt_async(question)
        except (KeyboardInterrupt, EOFError):
            return ""

    session.ask = ask
    ended = False
    await greet(session)
    try:
        await _start_up(repl)
    except Leave:
        return _leave(session)
    while True:
        try:
            text, at_once = pasted.next()
            line = await prompt.prompt_async(default=text, accept_default=at_once)
        except KeyboardInterrupt:
            pasted.lines.clear()
            continue
        except EOFError:
            if ended:
                break  # whoever was asked has gone, too
            ended, line = True, "exit"  # which asks before what is queued is dropped
        else:
            ended = False
        line, *others = commands_in(line)
        if others:  # of $EDITOR
            pasted.wait([*others, ""])
        repl.failed = False
        if not await _run_interruptibly(repl, line):
            break
        if repl.failed:
            pasted.at_once = False
    return _leave(session)


async def _start_up(repl: Repl) -> None:
    """Run the lines of the user's start-up file, as if they were typed."""
    environment = repl.session.environment
    path = environment.config_directory / "startup"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        environment.note(f"rapyer: cannot read {path}: {error}")
        return
    distrust = why_not_own((path,), environment)
    if distrust:
        environment.note(f"rapyer: {path} is not run: {distrust}")
        return
    for line in commands_in(text):
        if not await _run_interruptibly(repl, line):
            raise Leave


async def _run_interruptibly(repl: Repl, line: str) -> bool:
    """Run ``line`` so that Ctrl-C cancels it and not the sitting; False when it ends the sitting."""
    task = asyncio.ensure_future(repl.run_line(line))
    async with interrupts(task.cancel):
        try:
            await task
        except Leave:
            return False
        except asyncio.CancelledError:
            repl.session.environment.note("rapyer: interrupted")
    return True


async def _run_piped(repl: Repl) -> int:
    code = 0
    try:
        for line in repl.session.environment.stdin:
            code = await repl.run_line(line.removesuffix("\n").removesuffix("\r")) or code
    except Leave:
        pass
    transaction = repl.session.transaction
    if transaction is not None and transaction.plans:
        code = code or Exit.FAILED  # nobody said commit
    _leave(repl.session)
    return code


def _leave(session: Session) -> int:
    transaction = session.transaction
    if transaction is not None:
        transaction.batch.discard()
        session.transaction = None
        if transaction.plans:
            session.environment.note(f"rapyer: {_queued(transaction)} dropped: nobody said commit")
    return Exit.DONE
