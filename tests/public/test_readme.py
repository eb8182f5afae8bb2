"""README tells the truth: its Python runs, its sessions are what the program prints, the examples run."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rapyer
from rapyer.keyspace import registry
from tests.readme_sessions import README, ROOT, true_readme

PYTHON = re.compile(r"(?<=```python\n).*?(?=```)", re.DOTALL)


async def test_the_python_of_the_readme_runs_block_after_block(rapyer_url, monkeypatch):
    pages = (README, ROOT / ".docs" / "library" / "models.md")
    blocks = [block for page in pages for block in PYTHON.findall(page.read_text(encoding="utf-8"))]
    assert len(blocks) > 3
    namespace = {"__name__": "readme"}
    known = dict(registry._models)
    try:
        for block in blocks:
            source = block.replace("embedded://", rapyer_url)
            code = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, namespace)
            if inspect.isawaitable(result):
                await result
    finally:
        await rapyer.teardown_rapyer()
        registry._models.clear()
        registry._models.update(known)


def test_the_sessions_of_the_readme_are_what_the_program_prints(rapyer_url):
    text = README.read_text(encoding="utf-8")
    assert true_readme(text, rapyer_url) == text, "run: python -m tests.readme_sessions"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("blog_demo.py", "sold 10 of 10 to 40 buyers"),
        ("music_demo.py", ""),
        ("cookbook/cart.py", "carts filled: 3 - left in stock: 1"),
        ("cookbook/feature_flags.py", "grace True - unknown False"),
        ("cookbook/job_queue.py", "done 20 - results 20 - waiting 0"),
        ("cookbook/leaderboard.py", "1 ada 35 points in 10 games\n2 grace 25 points in 5 games"),
        ("cookbook/rate_limiter.py", "allowed 5 of 20\nsomebody else is allowed: True"),
        ("cookbook/session_store.py", "after logging out: None"),
    ],
)
def test_the_example_scripts_run(name, said, rapyer_url):
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name), rapyer_url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert len(done.stdout.splitlines()) >= (6 if name.endswith("_demo.py") else 1)


def test_every_example_is_run_here():
    (named,) = (
        mark.args[1]
        for mark in test_the_example_scripts_run.pytestmark
        if mark.name == "parametrize"
    )
    scripts = [path for path in (ROOT / "examples").rglob("*.py") if "__main__" in path.read_text()]
    assert {name for name, _ in named} == {
        str(path.relative_to(ROOT / "examples")) for path in scripts
    }


def test_the_first_command_creates_counts_and_pops_in_processes_of_their_own(tmp_path):
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    done = subprocess.run(
        ["sh", str(ROOT / "examples" / "first_steps.sh")],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    subprocess.run(
        [str(Path(sys.executable).parent / "rapyer"), "server", "stop"], env=environment, check=True
    )
    assert done.returncode == 0, done.stderr
    created, views, popped, tags, again = done.stdout.splitlines()
    assert created.split()[1].startswith("BlogPost:")
    assert (views, popped) == ("views     5", 'popped    "draft"')
    assert (tags, again) == ('tags      ["redis","json"]', "views     5")
