"""The public API as type checkers see it."""

import subprocess
import sys
from pathlib import Path

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
