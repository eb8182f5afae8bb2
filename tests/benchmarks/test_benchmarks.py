"""The benchmark can be run, and compares like with like. No time is looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_every_measure_runs_and_both_of_its_sides_store_the_same() -> None:
    # In a process of its own, since it gives all models another client.
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--check"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 20
