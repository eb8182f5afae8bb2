"""The public names, and what importing them costs."""

import json
import subprocess
import sys

import rapyer


def test_every_public_name_is_there():
    for name in rapyer.__all__:
        assert getattr(rapyer, name) is not None
    assert {*rapyer.__all__} <= {*dir(rapyer)}


def test_async_spellings_are_the_same_functions():
    for name in ("get", "find", "find_one", "insert", "delete_many", "pipeline", "lock_from_key"):
        assert getattr(rapyer, f"a{name}") is getattr(rapyer, name)


def _modules_after(statement: str) -> set[str]:
    code = f"{statement}; import sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_library_never_imports_the_command_line_or_its_packages():
    loaded = _modules_after("import rapyer; [getattr(rapyer, name) for name in rapyer.__all__]")
    assert "pydantic" in loaded
    assert not loaded & {"rapyer_cli", "typer", "click", "rich", "prompt_toolkit", "pytest"}


def test_importing_the_package_alone_imports_neither_pydantic_nor_redis():
    loaded = _modules_after("import rapyer, rapyer.paths, rapyer.embedded, rapyer.operations")
    assert not loaded & {"pydantic", "redis", "asyncio"}
