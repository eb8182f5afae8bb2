"""The public API as type checkers see it."""

import subprocess
import sys
from pathlib import Path

import pytest

NATURAL_USE = Path(__file__).parent / "typing" / "natural_use.py"


def test_mypy_strict_accepts_the_natural_use_of_every_documented_call():
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(NATURAL_USE)],
        cwd=NATURAL_USE.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_pyright_accepts_the_natural_use_of_every_documented_call():
    pytest.importorskip("pyright")
    checked = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(NATURAL_USE)],
        cwd=NATURAL_USE.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
