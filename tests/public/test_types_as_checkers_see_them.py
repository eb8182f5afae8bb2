"""The public API as type checkers see it."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NATURAL_USE = Path(__file__).parent / "natural_use.py"


def test_mypy_strict_accepts_the_natural_use_of_every_documented_call():
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(NATURAL_USE)],
        cwd=NATURAL_USE.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


# basedpyright is Pyright as a package that needs nothing but Python's index to install and run.
def test_pyright_accepts_the_natural_use_of_every_documented_call():
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "basedpyright", "--level", "error"),
            *("--pythonpath", sys.executable, str(NATURAL_USE)),
        ],
        cwd=NATURAL_USE.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


PLAIN_ANNOTATIONS = Path(__file__).parent / "plain_annotations.py"
PLUGINS = ["rapyer.mypy", "pydantic.mypy, rapyer.mypy", "rapyer.mypy, pydantic.mypy"]


def with_plugin(tmp_path: Path, source: str, plugins: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = True\nplugins = {plugins}\n")
    (tmp_path / "service.py").write_text(source, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "mypy", "service.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("plugins", PLUGINS)
def test_with_the_plugin_plain_annotations_have_the_live_types(plugins: str, tmp_path: Path):
    checked = with_plugin(tmp_path, PLAIN_ANNOTATIONS.read_text(), plugins)
    assert checked.returncode == 0, checked.stdout


def test_with_the_plugin_the_readme_has_no_errors(tmp_path: Path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    body = "\n".join(re.findall(r"(?<=```python\n).*?(?=```)", text, re.DOTALL))
    begin = body.index("await rapyer.init_rapyer")
    inside = textwrap.indent(body[begin:], "    ")
    source = (
        f"from __future__ import annotations\n{body[:begin]}\n\nasync def main() -> None:\n{inside}"
    )
    checked = with_plugin(tmp_path, source, "rapyer.mypy")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("await user.age.aappend(1)", "has no attribute"),
        ("user.name = 5", "Incompatible types"),
        ("user.tags = [1]", "List item 0|Incompatible types"),
        ("await user.tags.aappend(5)", "incompatible type"),
        ("text: str = await user.age.increase()", "Incompatible types"),
        ("await user.address.zips.increase()", "has no attribute|union-attr"),
        ("User(name='x', age='y')", "incompatible type"),
    ],
)
def test_with_the_plugin_mistakes_are_still_errors(line: str, says: str, tmp_path: Path):
    source = PLAIN_ANNOTATIONS.read_text().replace(
        '    assert user.name.upper() == "ADA"\n', f"    {line}\n"
    )
    checked = with_plugin(tmp_path, source, "rapyer.mypy")
    assert checked.returncode == 1, checked.stdout
    assert re.search(says, checked.stdout), checked.stdout
