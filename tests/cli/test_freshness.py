"""A read that imports no models is answered only while they would be what they were; else it imports them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rapyer_cli.oneshot import run_thoroughly
from rapyer_cli.shortcut import answer
from tests.cli import blog_models
from tests.cli.conftest import Cli, Ran, Store
from tests.cli.test_quick import WHOLE, learned
from tests.cli.test_startup import HEAVY
from tests.servers import wait_until

ROOT = Path(__file__).parents[2]
PROBE = """
import json, sys
sys.argv = ["rapyer", *json.loads(sys.argv[1])]
from rapyer_cli.__main__ import main
code = main()
sys.stdout.flush()
sys.stderr.write("LOADED " + json.dumps([int(code), sorted(sys.modules)]))
"""


def learn(cli: Cli, *words: str) -> Callable[[], bool]:
    """Run an ordinary command; whether a read is quick after it."""

    def known() -> bool:
        run_thoroughly(["models", *words], cli.environment())
        return answer(["get", "FreshThing:1/n", *words], cli.environment()) is not None

    return known


@pytest.fixture
def thing(cli: Cli, store: Store, tmp_path: Path) -> Cli:
    """The command line with models of its own, of which it knows what it needs to be quick."""
    directory = tmp_path / "code"
    directory.mkdir()
    base = f"base_{abs(hash(str(tmp_path)))}"
    (directory / f"{base}.py").write_text("START = 0\n")
    (directory / "things.py").write_text(
        "from rapyer import AtomicRedisModel\n"
        f"from {base} import START\n"
        "class FreshThing(AtomicRedisModel):\n    n: int = START\n"
    )
    cli.environ["RAPYER_MODELS"] = str(directory / "things.py")
    cli.environ["BASE"] = base
    store.put("FreshThing:1", {"n": 1})
    wait_until(learn(cli))
    return cli


def quick(cli: Cli) -> bool:
    return answer(["get", "FreshThing:1/n"], cli.environment()) is not None


def test_an_edited_model_file_is_noticed_at_once(thing: Cli) -> None:
    path = Path(thing.environ["RAPYER_MODELS"])
    text = path.read_text()
    assert quick(thing)
    path.write_text(text.replace("int", "str"))  # as long as before
    assert not quick(thing)


def test_an_edited_module_that_the_models_import_is_noticed(thing: Cli) -> None:
    path = Path(thing.environ["RAPYER_MODELS"]).with_name(thing.environ["BASE"] + ".py")
    found = path.stat()
    path.write_text("START = 1\n")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert not quick(thing)


def test_a_new_module_that_could_be_imported_instead_is_noticed(thing: Cli) -> None:
    directory = Path(thing.environ["RAPYER_MODELS"]).parent
    (directory / "notes.txt").write_text("no code")
    assert quick(thing)
    (directory / thing.environ["BASE"]).mkdir()
    assert not quick(thing)


def test_a_link_that_leads_elsewhere_is_noticed(thing: Cli, tmp_path: Path) -> None:
    path = Path(thing.environ["RAPYER_MODELS"])
    other = path.with_name("others.py")
    other.write_text(path.read_text().replace("int", "str"))
    (tmp_path / "released").symlink_to(path.parent)
    link = path.with_name("link.py")
    link.symlink_to(path)
    for named in (link, tmp_path / "released" / path.name):
        thing.environ["RAPYER_MODELS"] = str(named)
        wait_until(learn(thing))
        assert quick(thing)
        moved = link if named == link else tmp_path / "released"
        moved.unlink()
        moved.symlink_to(other if named == link else tmp_path)
        assert not quick(thing)


def test_a_place_that_a_package_gets_later_is_searched_as_well(
    thing: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"space_{abs(hash(str(tmp_path)))}"
    for place in ("first", "second"):
        (tmp_path / place / package).mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second"), *sys.path])
    text = Path(thing.environ["RAPYER_MODELS"]).read_text()
    (tmp_path / "second" / package / "things.py").write_text(text)
    thing.environ["RAPYER_MODELS"] = f"{package}.things"
    wait_until(learn(thing))
    assert quick(thing)
    (tmp_path / "first" / package / "things.py").write_text(text)
    assert not quick(thing)


def test_another_directory_and_other_warnings_may_mean_other_models(
    thing: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    for name in ("here", "there"):
        (project / name).mkdir(parents=True)
    models = thing.environ.pop("RAPYER_MODELS")
    (project / "pyproject.toml").write_text(f"[tool.rapyer]\nmodels = [{json.dumps(models)}]\n")
    thing.cwd = project / "here"
    wait_until(learn(thing))
    assert quick(thing)
    thing.cwd = project / "there"
    assert not quick(thing), "python -m finds modules in the directory it is started in"
    thing.cwd = project / "here"
    monkeypatch.setattr(sys, "warnoptions", [*sys.warnoptions, "error"])
    assert not quick(thing)


@pytest.mark.parametrize("variable", ["RAPYER_ANYTHING", "STAGE", "PYTHONPATH"])
def test_another_variable_may_mean_other_models(thing: Cli, variable: str) -> None:
    thing.environ.update(SSH_CLIENT="says nothing", TERM="dumb")
    assert quick(thing)
    thing.environ[variable] = "1"
    assert not quick(thing)


def test_processes_that_find_the_same_models_do_not_make_each_other_slow(thing: Cli) -> None:
    wait_until(learn(thing))
    thing.environ["STAGE"] = "1"
    wait_until(learn(thing))
    del thing.environ["STAGE"]
    assert quick(thing)
    thing.environ["STAGE"] = "1"
    assert quick(thing)


def test_processes_with_other_models_are_not_joined(thing: Cli) -> None:
    path = Path(thing.environ["RAPYER_MODELS"])
    wait_until(learn(thing))
    path.write_text(path.read_text() + "\n")
    thing.environ["STAGE"] = "1"
    wait_until(learn(thing))
    del thing.environ["STAGE"]
    assert not quick(thing), "nobody has seen the edited file without the variable"


def test_other_modules_are_other_models(thing: Cli) -> None:
    thing.environ["RAPYER_MODELS"] += " " + str(Path(blog_models.__file__))
    assert not quick(thing)


def test_a_lost_or_foreign_cache_is_none(thing: Cli) -> None:
    (path,) = Path(thing.environ["XDG_CACHE_HOME"]).glob("rapyer/models-*.json")
    whole = path.read_text()
    for text in (
        "",
        "[" * 100_000,
        "[]",
        "{}",
        whole[:-10],
        json.dumps({**json.loads(whole), "format": 1}),
    ):
        path.write_text(text)
        assert not quick(thing)
    stamp = json.loads(whole)["stamp"]
    path.write_text(json.dumps({**json.loads(whole), "stamp": {**stamp, "marks": {"\0": 1}}}))
    assert thing("get", "FreshThing:1/n").code == 0
    for part in ("stamp", "types", "models"):
        path.write_text(json.dumps({**json.loads(whole), part: {"process": []}}))
        assert answer(["get", "FreshThing:1/n/0"], thing.environment()) is None
        assert run_thoroughly(["get", "FreshThing:1/n"], thing.environment()) == 0
    path.write_text(whole)
    assert quick(thing)
    path.unlink()
    assert not quick(thing)


def test_two_models_with_one_prefix_are_not_told_apart(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "twins.py"
    path.write_text(
        "from rapyer import AtomicRedisModel\n"
        "class A(AtomicRedisModel):\n    n: int\n"
        "    @classmethod\n    def class_key_initials(cls): return 'FreshThing'\n"
        "class B(A):\n    n: str\n"
    )
    cli.environ["RAPYER_MODELS"] = str(path)
    store.put("FreshThing:1", {"n": 1})
    wait_until(lambda: learned(cli))
    assert not quick(cli)


# -- whole processes ------------------------------------------------------------------------------


def process(environ: dict[str, str], *words: str) -> tuple[Ran, set[str]]:
    """What one process does, and what it imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(words)],
        env={**environ, "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        cwd=ROOT,
    )
    err, _, told = done.stderr.rpartition("LOADED ")
    code, names = json.loads(told)
    return Ran(code, done.stdout, err), set(names)


@pytest.mark.parametrize(
    "words",
    [
        ("get", "BlogPost:1/title"),
        ("get", "BlogPost:1/tags/0", "-o", "raw"),
        ("get", "BlogPost:1", "-o", "json"),
        ("ttl", "BlogPost:1", "--read-only"),
    ],
)
def test_the_second_read_imports_neither_library_nor_user_code(
    environ: dict[str, str], store: Store, words: tuple[str, ...]
) -> None:
    store.put("BlogPost:1", WHOLE)
    first, names = process(environ, *words)
    assert "blog_models" in names
    second, names = process(environ, *words)
    assert second == first
    assert second.code == 0
    assert not names & {*HEAVY, "blog_models"} - {"rapyer"}


def test_a_read_sees_an_edited_model(environ: dict[str, str], store: Store, tmp_path: Path) -> None:
    path = tmp_path / "edited.py"
    text = "from rapyer import AtomicRedisModel\nclass FreshThing(AtomicRedisModel):\n    n: int\n"
    path.write_text(text)
    environ["RAPYER_MODELS"] = str(path)
    store.put("FreshThing:1", {"n": 1})
    wait_until(lambda: "pydantic" not in process(environ, "get", "FreshThing:1")[1])
    path.write_text(text.replace("int", "str"))
    ran, _ = process(environ, "get", "FreshThing:1")
    assert "does not fit FreshThing" in ran.err


@pytest.mark.parametrize(
    "line",
    [
        "print('hello')",
        "import sys; sys.stderr.write('hello')",
        "import warnings; warnings.warn('hello', stacklevel=1)",
        "import no_such_module_of_mine",
    ],
)
def test_models_that_say_something_are_imported_each_time(
    environ: dict[str, str], store: Store, tmp_path: Path, line: str
) -> None:
    path = tmp_path / "loud.py"
    path.write_text(
        f"from rapyer import AtomicRedisModel\nclass FreshThing(AtomicRedisModel):\n    n: int\n{line}\n"
    )
    environ["RAPYER_MODELS"] = f"{path} {blog_models.__file__}"
    store.put("FreshThing:1", {"n": 1})
    first, _ = process(environ, "get", "FreshThing:1")
    assert first.err
    for _ in range(2):
        again, names = process(environ, "get", "FreshThing:1")
        assert again == first
        assert "pydantic" in names
