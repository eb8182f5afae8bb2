"""What a directory names is run only where the user alone (or root) could have written it, or where it is trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rapyer_cli.trust import trust_path
from tests.cli.conftest import Cli, Store

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
CODE = """
from pathlib import Path
from rapyer import AtomicRedisModel
Path({marker!r}).write_text("it was run")
class Thing(AtomicRedisModel):
    n: int = 0
"""


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def project(tmp_path: Path, marker: Path) -> Path:
    """A directory that names two modules: a file, and one of a package."""
    directory = tmp_path / "project"
    (directory / "shop").mkdir(parents=True)
    (directory / "pyproject.toml").write_text('[tool.rapyer]\nmodels = ["things.py"]\n')
    (directory / "things.py").write_text(CODE.format(marker=str(marker)))
    (directory / "shop" / "__init__.py").write_text("")
    (directory / "shop" / "models.py").write_text(CODE.format(marker=str(marker)))
    return directory


@pytest.fixture
def cli(project: Path, environ: dict[str, str]) -> Cli:
    below = project / "deep" / "deeper"
    below.mkdir(parents=True)
    environ.pop("RAPYER_MODELS")
    return Cli(below, environ)


def _by_everybody(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o002)


def _by_a_group(path: Path) -> None:
    os.chown(path, -1, 54321)
    path.chmod(path.stat().st_mode | 0o020)


def _by_its_owner(path: Path) -> None:
    os.chown(path, 54321, -1)


WAYS = [
    pytest.param(_by_everybody, "everybody may write {}", id="everybody"),
    *(
        pytest.param(
            way,
            said,
            id=name,
            marks=pytest.mark.skipif(not IS_ROOT, reason="only root can give files away"),
        )
        for way, said, name in (
            (_by_a_group, "group 54321 may write {}", "group"),
            (_by_its_owner, "{} belongs to user 54321", "owner"),
        )
    ),
]
PLACES = ["pyproject.toml", ".", "things.py"]


def _is_loaded(cli: Cli, store: Store, marker: Path, *words: str) -> bool:
    """Whether the code is run by a look at the models, in a process of its own."""
    marker.unlink(missing_ok=True)
    subprocess.run(
        [sys.executable, "-m", "rapyer_cli", "models", *words],
        cwd=cli.cwd,
        env={**cli.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        check=False,
    )
    return marker.exists()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("way", "said"), WAYS)
def test_what_others_may_have_written_is_named_and_not_run(
    cli: Cli,
    store: Store,
    project: Path,
    marker: Path,
    place: str,
    way: Callable[[Path], None],
    said: str,
) -> None:
    assert _is_loaded(cli, store, marker)
    way(project / place)
    assert not _is_loaded(cli, store, marker)
    store.put("Thing:1", {"n": 1})
    ran = cli("get", "Thing:1/n")
    assert (ran.code, ran.out) == (0, "1\n"), "what needs no models works"
    assert said.format((project / place).resolve()) in ran.err
    assert ran.err.count("things.py are not loaded") == 1
    assert cli("schema", "Thing").code == 7
    assert _is_loaded(cli, store, marker, "-m", str(project / "things.py")), "that is asked for"


@pytest.mark.parametrize("place", ["shop", "shop/__init__.py", "shop/models.py"])
def test_a_package_is_looked_at_down_to_the_module(
    cli: Cli, store: Store, project: Path, marker: Path, place: str
) -> None:
    (project / "pyproject.toml").write_text('[tool.rapyer]\nmodels = ["shop.models"]\n')
    assert _is_loaded(cli, store, marker)
    _by_everybody(project / place)
    assert not _is_loaded(cli, store, marker)


def test_a_variable_does_not_make_the_directory_one_is_in_ones_own(
    cli: Cli, store: Store, project: Path, marker: Path
) -> None:
    cli.cwd = project
    for named in ("things.py", "shop.models"):
        cli.environ["RAPYER_MODELS"] = named
        project.chmod(0o755)
        assert _is_loaded(cli, store, marker)
        _by_everybody(project)
        assert not _is_loaded(cli, store, marker)
    cli.environ["RAPYER_MODELS"] = str(project / "things.py")
    assert _is_loaded(cli, store, marker), "a whole path names one file, wherever one is"


def test_a_directory_is_trusted_until_that_is_revoked(
    cli: Cli, store: Store, project: Path, marker: Path
) -> None:
    _by_everybody(project)
    assert cli("trust", str(project.parent), "--revoke", "-o", "json").json["new"] is False
    assert cli("trust", str(project), "-o", "json").json == {"directory": str(project), "new": True}
    assert cli("trust", "-o", "json").json == [str(project)]
    path = trust_path(cli.environment())
    assert path.stat().st_mode & 0o777 == 0o600
    assert _is_loaded(cli, store, marker)
    assert cli("trust", str(project), "--revoke", "-o", "json").json["new"] is True
    assert not _is_loaded(cli, store, marker)
    assert cli("trust", str(project / "nowhere")).code == 2


def test_the_server_that_others_name_is_not_used(cli: Cli, project: Path, rapyer_url: str) -> None:
    (project / "pyproject.toml").write_text(f'[tool.rapyer]\nurl = "{rapyer_url}"\n')
    cli.environ.pop("RAPYER_URL")
    assert cli("config").lines[0]["value"] == rapyer_url
    _by_everybody(project / "pyproject.toml")
    assert cli("config").lines[0]["value"] == "embedded://"
    (project / "pyproject.toml").write_text("not [ toml")
    assert cli("config").code == 0, "nor does it get in the way"


def test_a_link_is_as_trusted_as_what_it_leads_to(
    cli: Cli, store: Store, project: Path, marker: Path, tmp_path: Path
) -> None:
    real = tmp_path / "elsewhere.py"
    (project / "things.py").rename(real)
    (project / "things.py").symlink_to(real)
    assert _is_loaded(cli, store, marker)
    _by_everybody(real)
    assert not _is_loaded(cli, store, marker)


def test_looking_upwards_ends_at_a_repository_and_at_home(
    cli: Cli, store: Store, project: Path, marker: Path
) -> None:
    assert _is_loaded(cli, store, marker)
    (cli.cwd / ".git").mkdir()
    assert not _is_loaded(cli, store, marker)
    (cli.cwd / ".git").rmdir()
    cli.environ["HOME"] = str(cli.cwd)
    assert not _is_loaded(cli, store, marker)


def test_a_password_command_is_run_only_from_ones_own_configuration(cli: Cli, marker: Path) -> None:
    config = cli.environment().config_directory / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        f'[profiles.x]\nurl = "redis://127.0.0.1:1"\npassword_command = "touch {marker}"\n'
    )
    cli.environ.pop("RAPYER_URL")
    assert cli("get", "K:1", "--profile", "x").code == 5
    assert marker.exists()
    marker.unlink()
    _by_everybody(config)
    ran = cli("get", "K:1", "--profile", "x")
    assert (ran.code, marker.exists()) == (2, False)
    assert f"password_command is not run: everybody may write {config}" in ran.err
