"""Whole processes against ``python -c 'import pydantic, redis'``: the time from start to end, or to the prompt."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from rapyer.embedded import EmbeddedServer
from tests.benchmarks.measure import Measure, Pair, measure, sum_of
from tests.benchmarks.setting import Setting
from tests.benchmarks.terminal import seconds_to_prompt

BASE = ("-c", "import pydantic, redis")
YARDSTICK = f"python -c '{BASE[1]}'"
COMMAND = ("-m", "rapyer_cli", "-m", "tests.benchmarks.models")
ROOT = Path(__file__).parents[2]

_NEW = (
    *("new", "Document", "title=A title", "body=some text", "views=5", "score=1.5", "data=eA=="),
    *("at=2024-05-01T12:00:00Z", 'tags:=["a","b"]', 'counts:={"a":1}', "nested:={}", "likes=7"),
)
Once = Callable[[], Awaitable[float]]


def _user(setting: Setting, home: Path, **variables: str) -> dict[str, str]:
    """The environment of a user who has configured nothing, and whose files are in ``home``."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RAPYER_", "PYTHONDONTWRITEBYTECODE"))
        and name not in ("REDIS_URL", "NO_COLOR")
    }
    # An installed package is compiled; here it is in the first, uncounted round.
    own["PYTHONPYCACHEPREFIX"] = str(setting.directory / "bytecode")
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        own[f"XDG_{name}_HOME"] = str(home / name.lower())
    return {**own, **variables}


def _seconds_of(arguments: tuple[str, ...], environment: Mapping[str, str]) -> float:
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment,
        cwd=ROOT,
        check=False,
    )
    spent = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(f"{arguments} ended with {done.returncode}: {done.stderr.decode()}")
    return spent


def _against_base(setting: Setting, once: Once) -> Pair:
    environment = _user(setting, setting.directory / "home")

    async def base() -> float:
        return _seconds_of(BASE, environment)

    return Pair(sum_of(once), sum_of(base))


def _whole(
    name: str, target: float | None, stretch: float | None, *arguments: str, cold: bool = False
) -> Measure:
    """A command from start to end; ``cold`` if nothing that earlier ones kept is there."""

    @measure(name, YARDSTICK, target, stretch, unit="wall")
    async def setup(setting: Setting) -> Pair:
        await setting.fresh()()
        given = tuple(argument.replace("KEY", setting.key) for argument in arguments)
        warm = _user(setting, setting.directory / "home", RAPYER_URL=setting.url)

        async def once() -> float:
            if not cold:
                return _seconds_of(given, warm)
            with tempfile.TemporaryDirectory() as cache:
                return _seconds_of(given, {**warm, "XDG_CACHE_HOME": cache})

        return _against_base(setting, once)

    return setup


@measure("REPL to its first prompt", YARDSTICK, 2.1, 1.7, unit="wall")
async def first_prompt(setting: Setting) -> Pair:
    await setting.fresh()()
    environment = _user(setting, setting.directory / "home", RAPYER_URL=setting.url)

    async def once() -> float:
        return seconds_to_prompt((*COMMAND, "repl"), environment, ROOT)

    return _against_base(setting, once)


@measure("first use of the embedded server, whole process", YARDSTICK, 2.0, 1.6, unit="wall")
async def first_use(setting: Setting) -> Pair:
    async def once() -> float:
        with tempfile.TemporaryDirectory() as home:
            environment = _user(setting, Path(home))
            try:
                return _seconds_of((*COMMAND, *_NEW), environment)
            finally:
                EmbeddedServer(Path(environment["XDG_DATA_HOME"], "rapyer", "embedded")).stop()

    return _against_base(setting, once)


_GET = (*COMMAND, "get", "KEY/views")

MEASURES: tuple[Measure, ...] = (
    _whole("import of the library", 1.25, 1.05, "-c", "from rapyer import AtomicRedisModel"),
    _whole("rapyer get KEY/views, whole process", 1.4, 1.0, *_GET),
    _whole("rapyer get KEY/views, nothing cached", None, None, *_GET, cold=True),
    _whole("rapyer --version", 0.3, 0.15, "-m", "rapyer_cli", "--version"),
    _whole("rapyer --help", 0.9, 0.5, "-m", "rapyer_cli", "--help"),
    first_prompt,
    first_use,
)
