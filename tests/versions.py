"""A short suite on the lowest declared version of each dependency, and on the newest.

    python -m tests.versions            both
    python -m tests.versions lowest     one of them
    python -m tests.versions pydantic==2.13.4 redis==7.1.0     versions of your own

Each makes an environment of its own in a temporary directory, with pip and its index as they are set up. It
takes some minutes and is not part of the default run; ``RAPYER_EXAMPLES`` raises the number of random values.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
SUITE = (
    "tests/schema",
    "tests/library/test_pydantic.py",
    "tests/library/test_models.py",
    "tests/test_connections.py",
    "tests/test_index.py",
    "tests/cli/test_verbs.py",
)
TOOLS = ("hypothesis", "pytest", "pytest-asyncio", "pytest-xdist", "pyte", "pexpect", "trustme")


def lowest_versions() -> list[str]:
    """The lower bounds of the dependencies in pyproject.toml, as exact requirements."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [re.sub(r">=", "==", requirement) for requirement in project["dependencies"]]


def run(name: str, requirements: list[str]) -> int:
    """Install the project with ``requirements`` and run the suite; the exit code of pytest."""
    with tempfile.TemporaryDirectory(prefix="rapyer-versions.") as directory:
        venv.create(directory, with_pip=True)
        python = str(Path(directory) / "bin" / "python")
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "-e", f"{ROOT}[embedded]", *TOOLS, *requirements], check=True)
        print(f"== {name}: {', '.join(requirements) or 'the newest versions'}", flush=True)
        pytest = [python, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", *SUITE]
        return subprocess.run(pytest, cwd=ROOT, check=False).returncode


def main(arguments: list[str]) -> int:
    """Run what ``arguments`` name; the number of environments in which something failed."""
    environments = {"lowest": lowest_versions(), "newest": []}
    if not arguments:
        chosen = environments
    elif set(arguments) <= environments.keys():
        chosen = {name: environments[name] for name in arguments}
    else:
        chosen = {"chosen": arguments}
    return sum(run(name, requirements) != 0 for name, requirements in chosen.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
