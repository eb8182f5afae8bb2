"""What is in force and where it came from: server, profile, models.

Reads ``config.toml`` of the user and the nearest ``pyproject.toml``; connects to nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rapyer_cli.environment import Environment
from rapyer_cli.failures import ConnectionRefused, NotFound, UsageError
from rapyer_cli.trust import why_not_own

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
    note: str = ""
    """What the user is to be told when it is connected to."""

    @property
    def is_default(self) -> bool:
        """Whether nobody named a server, so that the embedded one is used."""
        return self.source == "default"


class ModelSources(NamedTuple):
    """The modules to load models from, and where they were named. Files are relative to ``base``.

    ``refused`` are modules that are not to be loaded, and why; ``is_base_own`` says whether what is imported may be
    looked for in ``base``.
    """

    modules: tuple[str, ...] = ()
    source: str = "nowhere"
    base: Path = Path()
    refused: tuple[tuple[str, str], ...] = ()
    is_base_own: bool = True


@dataclass(slots=True)
class Settings:
    """The files, read once."""

    environment: Environment
    config: dict[str, Any]
    config_path: Path
    project: dict[str, Any]
    project_path: Path | None
    foreign: dict[str, Any]
    """What the project's file says, if others may have written it: nothing of it is used."""
    distrust: str = ""
    """Why that is so, in words."""

    @classmethod
    def read(cls, environment: Environment) -> Settings:
        """Read config.toml and the nearest pyproject.toml; missing files are as good as empty ones."""
        config_path = environment.config_directory / "config.toml"
        project_path = _nearest_project(environment)
        project: dict[str, Any] = {}
        foreign: dict[str, Any] = {}
        distrust = ""
        if project_path is not None:
            distrust = why_not_own((project_path, project_path.parent), environment)
            if distrust:
                foreign = _tool_table(_read_foreign_toml(project_path))
            else:
                project = _tool_table(_read_toml(project_path))
        config = _read_toml(config_path)
        return cls(environment, config, config_path, project, project_path, foreign, distrust)

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
        if "password_command" in values:
            distrust = why_not_own((self.config_path,), self.environment)
            if distrust:
                raise UsageError(f"{where}: password_command is not run: {distrust}")
        return Profile(name=name, **values)

    def aliases(self, verbs: Collection[str]) -> dict[str, str]:
        """The lines of ``[aliases]`` in config.toml by their names.

        Raises :class:`UsageError` for what is no line, and for the name of one of ``verbs``.
        """
        found = self.config.get("aliases", {})
        where = f"[aliases] in {self.config_path}"
        if not isinstance(found, dict):
            raise UsageError(f'{where} must be lines such as top = "find BlogPost views > 100"')
        for name, line in found.items():
            if not isinstance(line, str) or not line.strip() or "\n" in line:
                raise UsageError(f"{where}: {name} must be one line of text")
            if name in verbs:
                raise UsageError(f"{where}: {name} is a verb, which no alias may stand for")
        return found

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
        note = ""
        if "url" in self.foreign:
            note = f"the server that {self.project_path} names is not used: {self._remedy()}"
        default = self.config.get("default_profile")
        if default:
            named = self.profile(str(default))
            return Server(
                named.url, f"default_profile {default!r} in {self.config_path}", named, note
            )
        return Server(EMBEDDED_URL, "default", note=note)

    def models(self, given: Sequence[str] = ()) -> ModelSources:
        """The modules to load: of -m, else of RAPYER_MODELS, else of pyproject.toml."""
        cwd = self.environment.cwd
        if given:
            return ModelSources(tuple(given), "-m", cwd)
        variable = self.environment.environ.get("RAPYER_MODELS", "")
        if variable.strip():
            return self._own(variable.replace(",", " ").split(), "RAPYER_MODELS", cwd)
        if self.project_path is None:
            return ModelSources()
        source, base = f"[tool.rapyer] in {self.project_path}", self.project_path.parent
        if self.distrust:
            named = self.foreign.get("models", ())
            named = [named] if isinstance(named, str) else named
            refused = tuple((str(name), self._remedy()) for name in named or ())
            return ModelSources((), source, base, refused, is_base_own=False)
        configured = self.project.get("models")
        if not configured:
            return ModelSources()
        if isinstance(configured, str):
            configured = [configured]
        if not isinstance(configured, list) or not all(isinstance(m, str) for m in configured):
            raise UsageError(f"[tool.rapyer] models in {self.project_path} must be a list of texts")
        return self._own(configured, source, base)

    def _own(self, modules: Sequence[str], source: str, base: Path) -> ModelSources:
        """``modules`` without those that others may have written. A whole path names its file whoever wrote that."""
        distrust = why_not_own((base,), self.environment)
        kept, refused = [], []
        for name in modules:
            files = [] if Path(name).is_absolute() else _files_of(name, base)
            reason = distrust if files else ""
            reason = reason or why_not_own(files, self.environment)
            if reason:
                given = files[0] if files[0].is_file() else name
                refused.append((name, f"{reason}; -m {given} loads it all the same"))
            else:
                kept.append(name)
        return ModelSources(tuple(kept), source, base, tuple(refused), is_base_own=not distrust)

    def _remedy(self) -> str:
        directory = self.project_path.parent if self.project_path is not None else ""
        return f"{self.distrust}; 'rapyer trust {directory}' uses what is named there"


def _files_of(name: str, base: Path) -> list[Path]:
    """The files and directories below ``base`` that are run when the module or file ``name`` is imported."""
    path = base / Path(name).expanduser()
    if name.endswith(".py") or path.is_file():
        return [path]
    parts = name.split(".")
    inside = [base.joinpath(*parts[:end]) for end in range(1, len(parts) + 1)]
    files = [
        file
        for package in inside
        for file in (package, package / "__init__.py", package.with_name(f"{package.name}.py"))
    ]
    return [file for file in files if file.exists()]


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


def _nearest_project(environment: Environment) -> Path | None:
    """The nearest pyproject.toml: not above a repository, and not above the user's home directory."""
    directory = environment.cwd.absolute()
    home = environment.environ.get("HOME")
    for candidate in (directory, *directory.parents):
        path = candidate / "pyproject.toml"
        if path.is_file():
            return path
        if (candidate / ".git").exists() or (home and candidate == Path(home)):
            return None
    return None


def _tool_table(content: dict[str, Any]) -> dict[str, Any]:
    tool = content.get("tool", {})
    table = tool.get("rapyer", {}) if isinstance(tool, dict) else {}
    return table if isinstance(table, dict) else {}


def _read_foreign_toml(path: Path) -> dict[str, Any]:
    """What a file of others says, only to tell that it is not used."""
    try:
        return _read_toml(path)
    except (UsageError, RecursionError):
        return {}


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
