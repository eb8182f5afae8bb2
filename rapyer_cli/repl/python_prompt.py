"""Reading and running Python in the event loop that runs already: statements may await."""

from __future__ import annotations

import ast
import asyncio
import codeop
import contextlib
import inspect
import sys
import traceback
from collections.abc import Iterator
from typing import Any

from rapyer_cli.environment import Environment


async def run_python(environment: Environment, names: dict[str, Any]) -> bool:
    """Run what is typed (or what standard input has, as one script) with ``names``; whether a script failed."""
    names = {"__name__": "__main__", "__builtins__": __builtins__, **names}
    if not environment.interactive:
        source = environment.stdin.read()
        with _printing_to(environment):
            return not await _ran(_compiled(source, "exec", environment), names, environment)
    await _interactively(environment, names)
    return False


async def _interactively(environment: Environment, names: dict[str, Any]) -> None:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import InMemoryHistory

    prompt: PromptSession[str] = PromptSession(history=InMemoryHistory())
    compiler = codeop.CommandCompiler()
    compiler.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    lines: list[str] = []
    while True:
        try:
            lines.append(await prompt.prompt_async("... " if lines else ">>> "))
        except KeyboardInterrupt:
            lines.clear()
            continue
        except EOFError:
            return
        try:
            code = compiler("\n".join(lines), "<rapyer>", "single")
        except (SyntaxError, ValueError, OverflowError):
            _say_what_failed(environment)
            lines.clear()
            continue
        if code is not None:
            lines.clear()
            with _printing_to(environment):
                await _interruptibly(code, names, environment)


async def _interruptibly(code: Any, names: dict[str, Any], environment: Environment) -> None:
    from rapyer_cli.repl.interrupting import interrupts

    task = asyncio.ensure_future(_ran(code, names, environment))
    async with interrupts(task.cancel):
        try:
            await task
        except asyncio.CancelledError:
            environment.note("rapyer: interrupted")


def _compiled(source: str, mode: str, environment: Environment) -> Any:
    try:
        return compile(source, "<stdin>", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError):
        _say_what_failed(environment)
        return None


async def _ran(code: Any, names: dict[str, Any], environment: Environment) -> bool:
    """Run ``code``; whether nothing was raised."""
    if code is None:
        return False
    try:
        result = eval(code, names)
        if inspect.iscoroutine(result):
            await result
    except asyncio.CancelledError:
        raise
    except SystemExit as error:
        return not error.code
    except BaseException:
        _say_what_failed(environment)
        return False
    return True


def _say_what_failed(environment: Environment) -> None:
    """The traceback, without the frames of this module."""
    kind, error, trace = sys.exc_info()
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    for line in traceback.format_exception(kind, error, trace):
        environment.note(line.rstrip("\n"))


@contextlib.contextmanager
def _printing_to(environment: Environment) -> Iterator[None]:
    """In the block, ``print`` and the values of expressions go where the command's output goes."""
    with contextlib.redirect_stdout(environment.stdout):
        try:
            yield
        finally:
            environment.stdout.flush()
