"""Running whole commands in process: real streams, real server, as a terminal or as a pipe."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rapyer.embedded import EmbeddedServer
from rapyer.embedded.wire import Wire
from rapyer_cli.environment import Environment
from rapyer_cli.oneshot import run_words

MODELS = str(Path(__file__).with_name("blog_models.py"))


@dataclass
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON value."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Cli:
    """Runs ``rapyer`` in process. Called with words; ``terminal`` and ``answer`` stand for a person."""

    cwd: Path
    environ: dict[str, str]
    words: list[str] = field(default_factory=list)
    width: int = 80
    height: int = 24

    def environment(self, *, terminal: bool = False, stdin: str = "") -> Environment:
        return Environment(
            io.StringIO(stdin),
            io.StringIO(),
            io.StringIO(),
            stdin_is_terminal=terminal,
            stdout_is_terminal=terminal,
            stderr_is_terminal=terminal,
            width=self.width,
            height=self.height,
            environ=self.environ,
            cwd=self.cwd,
        )

    def __call__(self, *words: str, terminal: bool = False, stdin: str = "") -> Ran:
        environment = self.environment(terminal=terminal, stdin=stdin)
        code = run_words([*words, *self.words], environment)
        out, err = environment.stdout, environment.stderr
        assert isinstance(out, io.StringIO)
        assert isinstance(err, io.StringIO)
        assert "Traceback" not in err.getvalue() or {"--debug", "doctor", "python"} & set(words)
        return Ran(int(code), out.getvalue(), err.getvalue())


@dataclass
class Store:
    """The server, seen directly: what is really stored."""

    address: str

    def call(self, *words: str | bytes | int) -> Any:
        with Wire(self.address) as wire:
            return wire.call(*words)

    def json(self, key: str, path: str = "$") -> Any:
        """The stored JSON at a path; None when the document is not there."""
        text = self.call("JSON.GET", key, path)
        return None if text is None else json.loads(text)[0]

    def text(self, key: str) -> str | None:
        text: bytes | None = self.call("JSON.GET", key)
        return None if text is None else text.decode()

    def put(self, key: str, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        self.call("JSON.SET", key, "$", text)


@pytest.fixture
def store(rapyer_server: EmbeddedServer) -> Store:
    """The empty server."""
    rapyer_server.flush()
    return Store(rapyer_server.ensure_running())


@pytest.fixture
def environ(tmp_path: Path, rapyer_url: str) -> dict[str, str]:
    """The variables of a user whose home is empty and whose server is the test's."""
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "RAPYER_URL": rapyer_url,
        "RAPYER_MODELS": MODELS,
        "TERM": "xterm-256color",
    }


@pytest.fixture
def cli(tmp_path: Path, environ: dict[str, str], store: Store) -> Cli:
    """The command line with the example models and an empty server."""
    return Cli(tmp_path, environ)


@pytest.fixture
def untyped(cli: Cli) -> Cli:
    """The command line without models."""
    return Cli(cli.cwd, {k: v for k, v in cli.environ.items() if k != "RAPYER_MODELS"})


@pytest.fixture
def post(cli: Cli) -> str:
    """A stored post."""
    ran = cli(
        "new", "BlogPost:1", "title=Hello", 'tags:=["a","b","c"]', 'settings:={"theme":"light"}'
    )
    assert ran.code == 0, ran.err
    return "BlogPost:1"


Configure = Callable[[str], None]


@pytest.fixture
def configure(environ: dict[str, str]) -> Configure:
    """Write the user's config.toml."""

    def write(text: str) -> None:
        directory = Path(environ["XDG_CONFIG_HOME"]) / "rapyer"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config.toml").write_text(text)

    return write
