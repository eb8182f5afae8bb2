"""What is in force and where it came from: server, profile, models.

Reads ``config.toml`` of the user and the nearest ``pyproject.toml``; connects to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rapyer_cli.environment import Environment
from rapyer_cli.failures import ConnectionRefused, NotFound, UsageError

_PROFILE_KEYS = frozenset(
    {"url", "environment", "read_only", "password_env", "password_file", "password_command"}
)
EMBEDDED_URL = "embedded://"


class Profile(NamedTuple):
    """One ``[profiles.NAME]`` of config.toml."""

    name: str
    url: str
    environment: str = ""
    read_only: bool = False
    password_env: str | None = None
    password_file: str | None = None
    password_command: str | None = None

    @property
    def is_prod(self) -> bool:
        """Whether changes need ``--write``."""
        return self.environment.lower() in ("prod", "production")


class Server(NamedTuple):
    """Which server to talk to. ``source`` says in words where this was decided."""

    url: str
    source: str
    profile: Profile | None = None

    @property
    def is_default(self) -> bool:
        """Whether nobody named a server, so that the embedded one is used."""
        return self.source == "default"


class ModelSources(NamedTuple):
    """The modules to load models from, and where they were named. Files are relative to ``base``."""

    modules: tuple[str, ...] = ()
    source: str = "nowhere"
    base: Path = Path()


@dataclass(slots=True)
class Settings:
    """The files, read once."""

    environment: Environment
    config: dict[str, Any]
    config_path: Path
    project: dict[str, Any]
    project_path: Path | None

    @classmethod
    def read(cls, environment: Environment) -> Settings:
        """Read config.toml and the nearest pyproject.toml; missing files are as good as empty ones."""
        config_path = environment.config_directory / "config.toml"
        project_path = _nearest_project(environment.cwd)
        project: dict[str, Any] = {}
        if project_path is not None:
            tool = _read_toml(project_path).get("tool", {})
            project = tool.get("rapyer", {}) if isinstance(tool, dict) else {}
        return cls(environment, _read_toml(config_path), config_path, project, project_path)

    def profile_names(self) -> list[str]:
        """The names of all profiles."""
        profiles = self.config.get("profiles", {})
        return sorted(profiles) if isinstance(profiles, dict) else []

    def profile(self, name: str) -> Profile:
        """The profile called ``name``.

        Raises :class:`NotFound` when there is none, :class:`UsageError` when it is malformed.
        """
        values = self.config.get("profiles", {}).get(name)
        if values is None:
            known = ", ".join(self.profile_names()) or "none"
            raise NotFound(f"there is no profile {name!r} in {self.config_path} (it has: {known})")
        where = f"[profiles.{name}] in {self.config_path}"
        if not isinstance(values, dict) or not isinstance(values.get("url"), str):
            raise UsageError(f'{where} needs url = "redis://…"')
        unknown = sorted(set(values) - _PROFILE_KEYS)
        if unknown:
            raise UsageError(
                f"{where} has the unknown key {unknown[0]!r}; known: {', '.join(sorted(_PROFILE_KEYS))}"
            )
        for key, value in values.items():
            if not isinstance(value, bool if key == "read_only" else str):
                raise UsageError(
                    f"{where}: {key} must be a {'boolean' if key == 'read_only' else 'text'}"
                )
        return Profile(name=name, **values)

    def server(self, url: str | None = None, profile: str | None = None) -> Server:
        """The server that is in force: the first of --url, --profile, RAPYER_URL, REDIS_URL,
        pyproject.toml, default_profile of config.toml, and the embedded one."""
        environ = self.environment.environ
        for flag, given in (("--url", url), ("--profile", profile)):
            if given == "":
                raise UsageError(f"{flag} is empty: perhaps a variable that is not set")
        if url and profile:
            raise UsageError(
                "--url and --profile name two servers: give one of them; a profile's rules hold for its own"
            )
        if url:
            return Server(url, "--url")
        if profile:
            named = self.profile(profile)
            return Server(named.url, f"--profile {profile}", named)
        for variable in ("RAPYER_URL", "REDIS_URL"):
            if environ.get(variable):
                return Server(environ[variable], variable)
        configured = self.project.get("url")
        if configured:
            if not isinstance(configured, str):
                raise UsageError(f"[tool.rapyer] url in {self.project_path} must be a text")
            return Server(configured, f"[tool.rapyer] in {self.project_path}")
        default = self.config.get("default_profile")
        if default:
            named = self.profile(str(default))
            return Server(named.url, f"default_profile {default!r} in {self.config_path}", named)
        return Server(EMBEDDED_URL, "default")

    def models(self, given: Sequence[str] = ()) -> ModelSources:
        """The modules to load: of -m, else of RAPYER_MODELS, else of pyproject.toml."""
        cwd = self.environment.cwd
        if given:
            return ModelSources(tuple(given), "-m", cwd)
        variable = self.environment.environ.get("RAPYER_MODELS", "")
        if variable.strip():
            return ModelSources(tuple(variable.replace(",", " ").split()), "RAPYER_MODELS", cwd)
        configured = self.project.get("models")
        if configured and self.project_path is not None:
            if isinstance(configured, str):
                configured = [configured]
            if not isinstance(configured, list) or not all(isinstance(m, str) for m in configured):
                raise UsageError(
                    f"[tool.rapyer] models in {self.project_path} must be a list of texts"
                )
            source = f"[tool.rapyer] in {self.project_path}"
            return ModelSources(tuple(configured), source, self.project_path.parent)
        return ModelSources()


def password_of(profile: Profile, environment: Environment) -> str | None:
    """The profile's password from its variable, file or command; None when it names none.

    Raises :class:`ConnectionRefused` when the place it names gives none. The message never has it.
    """
    where = f"profile {profile.name}"
    if profile.password_env is not None:
        value = environment.environ.get(profile.password_env)
        if not value:
            raise ConnectionRefused(f"{where}: the variable {profile.password_env} is not set")
        return value
    if profile.password_file is not None:
        path = environment.cwd / Path(profile.password_file).expanduser()
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise ConnectionRefused(f"{where}: cannot read {path}: {error.strerror}") from error
    if profile.password_command is not None:
        return _password_from_command(profile.password_command, where, environment)
    return None


def _password_from_command(command: str, where: str, environment: Environment) -> str:
    import shlex
    import subprocess

    try:
        done = subprocess.run(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=dict(environment.environ),
            timeout=60,
            check=False,
            text=True,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ConnectionRefused(f"{where}: password_command failed: {error}") from None
    if done.returncode != 0 or not done.stdout.strip():
        raise ConnectionRefused(
            f"{where}: password_command ended with {done.returncode} and gave "
            f"{'no password' if not done.stdout.strip() else 'an error'}; run it by hand to see why"
        )
    return done.stdout.splitlines()[0]


def _nearest_project(directory: Path) -> Path | None:
    directory = directory.absolute()
    for candidate in (directory, *directory.parents):
        path = candidate / "pyproject.toml"
        if path.is_file():
            return path
    return None


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error
