"""Which server and which models are in force, and where that was decided."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from rapyer_cli.environment import Environment
from rapyer_cli.failures import ConnectionRefused, NotFound, UsageError
from rapyer_cli.settings import Settings, password_of


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    streams = io.StringIO(), io.StringIO(), io.StringIO()
    (tmp_path / "work" / "deep").mkdir(parents=True)
    return Environment(
        *streams,
        environ={"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")},
        cwd=tmp_path / "work" / "deep",
    )


def configure(environment: Environment, text: str) -> None:
    environment.config_directory.mkdir(parents=True, exist_ok=True)
    (environment.config_directory / "config.toml").write_text(text)


PROFILES = """
default_profile = "local"
[profiles.local]
url = "redis://localhost/1"
[profiles.live]
url = "redis://live/0"
environment = "prod"
"""


def test_the_server_comes_from_the_first_place_that_names_one(environment: Environment) -> None:
    def url(*given: str | None) -> str:
        return Settings.read(environment).server(*given).url

    assert url() == "embedded://"
    configure(environment, PROFILES)
    assert url() == "redis://localhost/1"
    (environment.cwd.parent / "pyproject.toml").write_text(
        '[tool.rapyer]\nurl = "redis://project"\n'
    )
    assert url() == "redis://project"
    environment.environ = {**environment.environ, "REDIS_URL": "redis://redis-url"}
    assert url() == "redis://redis-url"
    environment.environ = {**environment.environ, "RAPYER_URL": "redis://rapyer-url"}
    assert url() == "redis://rapyer-url"
    assert url(None, "live") == "redis://live/0"
    assert url("redis://given") == "redis://given"
    with pytest.raises(UsageError, match="--url and --profile name two servers"):
        url("redis://given", "live")


def test_models_come_from_the_first_place_that_names_some(environment: Environment) -> None:
    project = environment.cwd.parent
    (project / "pyproject.toml").write_text('[tool.rapyer]\nmodels = ["shop.models"]\n')
    sources = Settings.read(environment).models()
    assert (sources.modules, sources.base) == (("shop.models",), project)
    environment.environ = {**environment.environ, "RAPYER_MODELS": "a.b, c.py"}
    assert Settings.read(environment).models().modules == ("a.b", "c.py")
    assert Settings.read(environment).models(["x.py"]).modules == ("x.py",)


def test_a_profile_that_is_not_there_is_named_with_those_that_are(environment: Environment) -> None:
    configure(environment, PROFILES)
    with pytest.raises(NotFound, match=r"'stage'.*live, local"):
        Settings.read(environment).profile("stage")


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        "[profiles.x]\n",
        '[profiles.x]\nurl = "redis://x"\nread_onyl = true\n',
        '[profiles.x]\nurl = "redis://x"\nread_only = "yes"\n',
    ],
)
def test_a_mistake_in_the_configuration_is_said_and_not_passed_over(
    environment: Environment, text: str
) -> None:
    configure(environment, text)
    with pytest.raises(UsageError, match=r"config\.toml"):
        Settings.read(environment).profile("x")


def test_passwords_come_from_variable_file_or_command(
    environment: Environment, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from file\n")
    configure(
        environment,
        f"""
        [profiles.variable]
        url = "redis://x"
        password_env = "SECRET"
        [profiles.file]
        url = "redis://x"
        password_file = "{secret}"
        [profiles.command]
        url = "redis://x"
        password_command = "printf 'from command'"
        [profiles.failing]
        url = "redis://x"
        password_command = "false"
        [profiles.none]
        url = "redis://x"
        """,
    )
    environment.environ = {**environment.environ, "SECRET": "from variable"}

    def password(name: str) -> str | None:
        return password_of(Settings.read(environment).profile(name), environment)

    assert password("variable") == "from variable"
    assert password("file") == "from file"
    assert password("command") == "from command"
    assert password("none") is None
    with pytest.raises(ConnectionRefused):
        password("failing")
    environment.environ = {}
    environment.environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    with pytest.raises(ConnectionRefused, match="SECRET"):
        password("variable")
