"""The map is true: the rooms that it draws are the ones there are, in the order that the contracts check."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import rapyer

ROOT = Path(__file__).parents[2]
ARCHITECTURE = ROOT / ".github" / "ARCHITECTURE.md"
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"


def layers(package: str) -> list[str]:
    """The rooms of ``package`` in its contract, from the top."""
    configuration: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for contract in configuration["tool"]["importlinter"]["contracts"]:
        if contract.get("containers") == [package]:
            return [room for layer in contract["layers"] for room in re.split(r" [|:] ", layer)]
    raise AssertionError(f"no contract for {package}")


def drawn(package: str) -> list[str]:
    """The rooms of ``package`` in the tables of the architecture, from the top."""
    rows = [
        line for line in ARCHITECTURE.read_text().splitlines() if line.startswith(f"| `{package}/")
    ]
    names = (name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1]))
    return [name.removeprefix(f"{package}/").rstrip("/").removesuffix(".py") for name in names]


@pytest.mark.parametrize("package", ["rapyer", "rapyer_cli"])
def test_every_room_is_on_its_floor(package: str) -> None:
    there = {
        path.stem
        for path in (ROOT / package).iterdir()
        if (path.suffix == ".py" and path.name != "__init__.py") or (path / "__init__.py").exists()
    }
    assert set(layers(package)) == there
    assert len(layers(package)) == len(there)


def test_the_map_draws_the_floors_of_the_library() -> None:
    assert drawn("rapyer") == layers("rapyer")
    assert rapyer.__doc__ is not None
    listed = re.findall(r"^:mod:`rapyer\.(\w+)`  ", rapyer.__doc__, re.MULTILINE)
    assert listed == layers("rapyer")


def test_the_map_draws_the_floors_of_the_command_line() -> None:
    assert drawn("rapyer_cli") == layers("rapyer_cli")


@pytest.mark.parametrize("document", [ARCHITECTURE, CONTRIBUTING], ids=lambda path: path.name)
def test_files_that_are_named_exist(document: Path) -> None:
    named = re.findall(r"\b(?:tests|rapyer|rapyer_cli|\.ci)/[\w./-]*[\w/]", document.read_text())
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []
