"""What a line of the REPL gives, for a command of the user's shell or a file instead of the screen."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from rapyer_cli.environment import Environment
from rapyer_cli.failures import CliError
from rapyer_cli.language.redirecting import Typed
from rapyer_cli.session.session import Session


class _Pipe(io.TextIOBase):
    """What is written goes to the standard input of a process that runs beside."""

    def __init__(self, stream: asyncio.StreamWriter) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if self._stream.transport.is_closing():
            raise BrokenPipeError
        self._stream.write(text.encode("utf-8", "surrogateescape"))
        return len(text)


def _plain(environment: Environment, stdout: io.TextIOBase) -> Environment:
    """The same surroundings with an output that is no terminal, so that it gets what a pipe gets."""
    return replace(environment, stdout=stdout, stdout_is_terminal=False)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def output_of(session: Session, typed: Typed) -> AsyncIterator[None]:
    """In the block, what the session writes goes where ``typed`` says."""
    if typed.command:
        async with _to_command(session, typed.command):
            yield
    elif typed.file:
        async with _to_file(session, typed):
            yield
    else:
        yield


@contextlib.asynccontextmanager
async def _to_command(session: Session, command: str) -> AsyncIterator[None]:
    environment = session.environment
    environment.stdout.flush()
    process = await _started(command, environment, feeds=True)
    assert process.stdin is not None
    session.environment = _plain(environment, _Pipe(process.stdin))
    try:
        with contextlib.suppress(BrokenPipeError):
            yield
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        process.stdin.close()
        await _shown(process, environment)
    finally:
        session.environment = environment
        await _ended(process)


@contextlib.asynccontextmanager
async def _to_file(session: Session, typed: Typed) -> AsyncIterator[None]:
    environment = session.environment
    path, is_new, file = _opened(environment, typed.file)
    written = io.StringIO()
    session.environment = _plain(environment, written)
    try:
        with file:
            try:
                yield
            except BaseException:
                if is_new:
                    path.unlink(missing_ok=True)
                raise
            if not typed.append:
                file.truncate(0)
            file.write(written.getvalue())
    finally:
        session.environment = environment


def _opened(environment: Environment, name: str) -> tuple[Path, bool, TextIO]:
    """The file, whether it was not there before, and it opened: before the verb does anything."""
    path = environment.cwd / Path(name).expanduser()
    is_new = not path.exists()
    try:
        return path, is_new, path.open("a", encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise CliError(f"cannot write {path}: {error.strerror}; nothing was done") from error


async def run_command(command: str, environment: Environment) -> int:
    """Run ``command`` in the user's shell, with this terminal; its exit code."""
    if not command:
        raise CliError("a command has to follow '!'")
    process = await _started(command, environment, feeds=False)
    try:
        await _shown(process, environment)
    finally:
        await _ended(process)
    return process.returncode or 0


async def _started(
    command: str, environment: Environment, *, feeds: bool
) -> asyncio.subprocess.Process:
    owns = environment.owns_terminal
    shell = environment.environ.get("SHELL") or "/bin/sh"
    try:
        return await asyncio.create_subprocess_exec(
            *(shell, "-c", command),
            stdin=asyncio.subprocess.PIPE
            if feeds
            else None
            if owns
            else asyncio.subprocess.DEVNULL,
            stdout=None if owns else asyncio.subprocess.PIPE,
            stderr=None if owns else asyncio.subprocess.STDOUT,
            env=dict(environment.environ),
            cwd=environment.cwd,
        )
    except OSError as error:
        raise CliError(f"cannot run {shell}: {error.strerror}") from error


async def _shown(process: asyncio.subprocess.Process, environment: Environment) -> None:
    """Wait for a command; what it wrote is shown where it could not write to the terminal itself."""
    if process.stdout is not None:
        async for line in process.stdout:
            environment.write(line.decode("utf-8", "backslashreplace"))
    if await process.wait():
        environment.note(f"rapyer: the command ended with {process.returncode}")


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(2):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


def clear_screen(environment: Environment) -> None:
    """Clear the terminal, where there is one."""
    if environment.stdout_is_terminal:
        environment.stdout.write("\x1b[2J\x1b[3J\x1b[H")
        environment.stdout.flush()
