"""Running the tests of a room on a copy of the tree in which one line is broken."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tests.mutants.choice import ROOT
from tests.mutants.mutant import Mutant

_LEFT_OUT = (
    ".git",
    ".venv",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "*.egg-info",
    "dist",
    "build",
)
_MEMORY = 8 << 30  # a broken loop must not take the machine with it
WIDE = ("state", "batch", "models", "script", "schema", "keyspace", "errors", "expressions", "types", "bulk", "search", "connections", "cli")  # fmt: skip


class Outcome(NamedTuple):
    """What became of a run: ``killer`` is the test that failed (or why there was none), None when all passed."""

    killer: str | None
    seconds: float


class Workshop:
    """A copy of the tree."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "tree"
        shutil.copytree(ROOT, self.root, ignore=shutil.ignore_patterns(*_LEFT_OUT))

    def run(self, rooms: tuple[str, ...], seconds: float, *, broken: bool) -> Outcome:
        """Run the tests of ``rooms`` up to the first failure, for at most that long."""
        paths = [f"tests/{room}" for room in rooms if (self.root / "tests" / room).exists()]
        words = ("-q", "-x", "--no-header", "--tb=no", "-p", "no:cacheprovider")
        environment = {**os.environ, "PYTHONPATH": str(self.root)}
        if broken:  # its bytecode must not outlive it
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *words, *paths],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=_as_at_a_prompt,
        )
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return Outcome("nothing: it did not end in time", time.monotonic() - began)
        taken = time.monotonic() - began
        return Outcome(_killer(output) if process.returncode else None, taken)

    def try_out(self, mutant: Mutant, rooms: tuple[str, ...], seconds: float) -> Outcome:
        """Run the tests with ``mutant`` in place of the code."""
        path = self.root / mutant.file
        source = path.read_bytes()
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
            compiled.unlink()
        path.write_bytes(mutant.applied(source))
        try:
            return self.run(rooms, seconds, broken=True)
        finally:
            path.write_bytes(source)


def _as_at_a_prompt() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # a shell makes what runs in its background ignore it


def _killer(output: str) -> str:
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    return found.group(1) if found else "nothing: the tests cannot be collected"
