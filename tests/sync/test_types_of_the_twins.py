"""Type checkers see the synchronous twins as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sync.stub import STUB, text

HERE = Path(__file__).parent


def test_what_type_checkers_read_is_what_the_library_has() -> None:
    assert STUB.read_text(encoding="utf-8") == text(), "run python -m tests.sync.stub"


@pytest.mark.parametrize(
    "words",
    [("mypy", "--strict"), ("basedpyright", "--level", "error", "--pythonpath", sys.executable)],
    ids=["mypy", "pyright"],
)
def test_a_service_with_explicit_types_has_no_errors(words: tuple[str, ...]) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", *words, str(HERE / "natural_use.py")],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_a_service_with_plain_annotations_has_none_with_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = True\nplugins = rapyer.mypy\n")
    source = (HERE / "plain_annotations.py").read_text(encoding="utf-8")
    (tmp_path / "service.py").write_text(source, encoding="utf-8")
    (tmp_path / "wrong.py").write_text(source + "    _: str = user.age.increase()\n")
    codes = []
    for name in ("service.py", "wrong.py"):
        checked = subprocess.run(
            [sys.executable, "-m", "mypy", name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        codes.append((checked.returncode, checked.stdout))
    assert codes[0][0] == 0, codes[0][1]
    assert 'expression has type "int"' in codes[1][1]
