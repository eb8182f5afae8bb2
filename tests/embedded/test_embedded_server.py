"""What the embedded server promises: there when needed, gone when not, never in two minds."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rapyer.embedded import EmbeddedServer, binaries, watchdog
from rapyer.embedded.directory import Place
from rapyer.embedded.wire import ReplyError, Wire
from rapyer.errors import ConfigurationError
from tests.servers import wait_until


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def server(directory: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(directory)
    yield server
    server.stop()


def call(server: EmbeddedServer, *words: str | int) -> object:
    with Wire(server.ensure_running()) as wire:
        return wire.call(*words)


def pid_of(server: EmbeddedServer) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


def is_gone(pid: int) -> bool:
    """Whether a process has ended; where nobody reaps orphans it stays as a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return state.rpartition(")")[2].split()[0] == "Z"


def watchdogs(directory: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        ours = b"embedded.watchdog" in command and os.fsencode(directory) in command
        if ours and not is_gone(int(process.name)):
            found.append(int(process.name))
    return found


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid))


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own, in a session of its own as under another terminal."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class TestStarting:
    def test_first_use_starts_the_server_and_the_next_finds_it(
        self, server: EmbeddedServer
    ) -> None:
        assert not server.status().running
        first = server.ensure_running()
        pid = pid_of(server)
        assert server.ensure_running() == first
        assert pid_of(server) == pid

    def test_asking_for_the_status_creates_nothing(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        assert server.status() == (str(directory), False, str(directory / "redis.sock")) + (
            (None,) * 5
        )
        assert not directory.exists()

    def test_server_stores_json_and_searches(self, server: EmbeddedServer) -> None:
        assert call(server, "JSON.SET", "k", "$", '{"n":1}') == b"OK"
        assert call(server, "FT._LIST") == []

    def test_processes_that_start_it_at_once_share_one_server(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        code = (
            "import sys; from rapyer.embedded import EmbeddedServer; "
            "s = EmbeddedServer(sys.argv[1]); s.ensure_running(); print(s.status().pid)"
        )
        processes = [python(code, directory) for _ in range(8)]
        pids = {process.communicate()[0] for process in processes}
        assert len(pids) == 1
        assert pids == {f"{pid_of(server)}\n"}
        assert (directory / "server.log").read_text().count("Ready to accept connections") == 1

    def test_path_of_the_directory_may_be_deep(self, tmp_path: Path) -> None:
        server = EmbeddedServer(tmp_path / ("x" * 100) / ("y" * 100))
        try:
            assert call(server, "PING") == b"PONG"
            assert len(server.address) < 104
            links = Path(server.address).parent.parent
            assert stat.S_IMODE(links.stat().st_mode) == 0o700
        finally:
            server.stop()

    @pytest.mark.parametrize("name", ["with space", "quo'te\"s", "ünï", "per%20cent", "#?&"])
    def test_path_of_the_directory_may_hold_any_character(self, tmp_path: Path, name: str) -> None:
        server = EmbeddedServer.from_url(EmbeddedServer(tmp_path / name).url)
        try:
            assert server.directory == str(tmp_path / name)
            assert call(server, "PING") == b"PONG"
        finally:
            server.stop()

    def test_nothing_of_the_first_use_imports_what_takes_long(self, directory: Path) -> None:
        code = (
            "import sys, types; package = types.ModuleType('rapyer'); "
            "package.__path__ = [sys.argv[1]]; sys.modules['rapyer'] = package; "
            "from rapyer.embedded import EmbeddedServer; s = EmbeddedServer(sys.argv[2]); "
            "s.ensure_running(); s.stop(); "
            "print({'redis', 'asyncio', 'pydantic', 'pathlib', 'dataclasses'} & set(sys.modules))"
        )
        package = Path(binaries.__file__).parent.parent
        assert python(code, package, directory).communicate()[0] == "set()\n"


class TestPrivacy:
    def test_only_the_user_can_reach_directory_socket_and_data(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        call(server, "SET", "k", "v")
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        for path in directory.rglob("*"):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path

    def test_nothing_is_open_to_others_whatever_the_umask_says(self, tmp_path: Path) -> None:
        directory = tmp_path / "new" / "parents" / "data"
        code = (
            "import os, sys; os.umask(0); from rapyer.embedded import EmbeddedServer; "
            "EmbeddedServer(sys.argv[1]).ensure_running()"
        )
        process = python(code, directory)
        process.communicate()
        assert process.returncode == 0
        try:
            for path in (*directory.parents[:2], directory, *directory.rglob("*")):
                assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
        finally:
            EmbeddedServer(directory).stop()

    def test_loose_permissions_of_an_empty_directory_are_tightened(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        directory.mkdir(mode=0o755)
        server.ensure_running()
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700

    def test_no_tcp_port_is_opened(self, server: EmbeddedServer) -> None:
        assert call(server, "CONFIG", "GET", "port") == [b"port", b"0"]


class TestDirectory:
    def test_a_server_that_another_process_begins_to_start_meanwhile_is_no_foreign_file(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        directory.mkdir()
        place = Place(str(directory))
        listing = os.listdir

        def begins(path: str) -> list[str]:
            """Another process begins just before the files are listed."""
            place.agree_on_idle(1)
            return listing(path)

        monkeypatch.setattr(os, "listdir", begins)
        place.prepare()
        assert Path(place.server_lock).exists()

    def test_a_file_in_its_place_is_one_clear_error(self, directory: Path) -> None:
        directory.write_text("")
        with pytest.raises(ConfigurationError, match="cannot use"):
            Place(str(directory)).prepare()


class TestPersistence:
    def test_data_is_there_after_a_stop(self, server: EmbeddedServer) -> None:
        call(server, "JSON.SET", "k", "$", '{"n":1}')
        assert server.stop()
        assert not server.stop()
        assert call(server, "JSON.GET", "k") == b'{"n":1}'

    def test_data_is_there_after_the_server_was_killed(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        call(server, "SET", "k", "v")
        kill(pid_of(server))
        assert (directory / "redis.sock").exists()
        assert call(server, "GET", "k") == b"v"

    def test_torn_end_of_the_log_is_cut_off(self, server: EmbeddedServer, directory: Path) -> None:
        call(server, "SET", "whole", "v")
        server.stop()
        (log,) = (directory / "appendonlydir").glob("*.incr.aof")
        with log.open("ab") as file:
            file.write(b"*3\r\n$3\r\nSET\r\n$4\r\nto")
        assert call(server, "GET", "whole") == b"v"

    def test_killed_client_takes_nothing_with_it(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        code = (
            "import os, sys, signal; from rapyer.embedded import EmbeddedServer\n"
            "from rapyer.embedded.wire import Wire\n"
            "Wire(EmbeddedServer(sys.argv[1]).ensure_running()).call('SET', 'k', 'v')\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        client = python(code, directory)
        client.communicate()
        assert client.returncode == -signal.SIGKILL
        assert server.status().running
        assert call(server, "GET", "k") == b"v"


class TestDetachment:
    def test_interrupting_the_starter_does_not_reach_server_or_watchdog(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        code = (
            "import sys; from rapyer.embedded import EmbeddedServer; "
            "EmbeddedServer(sys.argv[1]).ensure_running(); print(); sys.stdout.flush(); "
            "sys.stdin.read()"
        )
        starter = subprocess.Popen(
            [sys.executable, "-c", code, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with starter:
            assert starter.stdout is not None
            starter.stdout.readline()
            wait_until(lambda: watchdogs(directory))
            os.killpg(starter.pid, signal.SIGINT)
            os.killpg(starter.pid, signal.SIGHUP)
        pids = [pid_of(server), *watchdogs(directory)]
        assert len(pids) == 2
        assert all(os.getpgid(pid) != starter.pid for pid in pids)
        assert not any(is_gone(pid) for pid in pids)

    def test_starter_has_no_children_left(self, server: EmbeddedServer) -> None:
        server.ensure_running()
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


class TestIdleness:
    def test_server_stops_when_nobody_is_connected(self, directory: Path) -> None:
        server = EmbeddedServer(directory, idle=0.1)
        server.ensure_running()
        pid = pid_of(server)
        wait_until(lambda: is_gone(pid))
        wait_until(lambda: not watchdogs(directory))
        assert "ready to exit" in (directory / "server.log").read_text()

    def test_server_stops_though_the_starter_was_killed(self, directory: Path) -> None:
        code = (
            "import os, sys, signal; from rapyer.embedded import EmbeddedServer; "
            "s = EmbeddedServer(sys.argv[1], idle=0.2); s.ensure_running(); "
            "print(s.status().pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
        )
        pid = int(python(code, directory).communicate()[0])
        wait_until(lambda: is_gone(pid))

    def test_server_stays_while_somebody_is_connected(self, directory: Path) -> None:
        server = EmbeddedServer(directory, idle=0.1)
        started = time.monotonic()
        with Wire(server.ensure_running()) as wire:
            pid = pid_of(server)
            wait_until(lambda: time.monotonic() > started + 0.6)
            assert wire.call("PING") == b"PONG"
        wait_until(lambda: is_gone(pid))

    def test_connections_that_come_and_go_keep_the_server(self, directory: Path) -> None:
        server = EmbeddedServer(directory, idle=0.5)
        server.ensure_running()
        pid = pid_of(server)
        started = time.monotonic()
        while time.monotonic() < started + 1.2:
            assert call(server, "PING") == b"PONG"
            since = time.monotonic()
            wait_until(lambda since=since: time.monotonic() > since + 0.1)
        assert pid_of(server) == pid
        server.stop()

    def test_nobody_is_ever_cut_off_by_a_stop(self, directory: Path) -> None:
        code = """
import random, sys, time
from rapyer.embedded import EmbeddedServer
from rapyer.embedded.wire import Wire
server = EmbeddedServer(sys.argv[1], idle=0.01)
for _ in range(40):
    for attempt in range(5):
        try:
            wire = Wire(server.ensure_running())
            wire.call("PING")  # accepted: from here on nothing may fail
            break
        except OSError:
            assert attempt < 4
    time.sleep(random.random() / 50)
    with wire:
        wire.call("INCR", "n")
    time.sleep(random.random() / 15)
"""
        processes = [python(code, directory) for _ in range(3)]
        for process in processes:
            process.communicate()
        assert [process.returncode for process in processes] == [0, 0, 0]
        server = EmbeddedServer(directory)
        assert call(server, "GET", "n") == b"120"
        server.stop()
        assert (directory / "server.log").read_text().count("ready to exit") > 2

    def test_server_stops_though_its_directory_was_deleted(self, directory: Path) -> None:
        server = EmbeddedServer(directory, idle=0.3)
        server.ensure_running()
        pid = pid_of(server)
        wait_until(lambda: server.status().clients == 1)  # the watchdog
        shutil.rmtree(directory)
        wait_until(lambda: is_gone(pid))

    def test_client_that_connects_while_the_watchdog_decides_keeps_the_server(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        place = Place(str(directory))
        with Wire(server.ensure_running()) as client:
            wait_until(lambda: server.status().clients == 2)  # the real watchdog, and the client
            with Wire(server.address) as wire:
                assert not watchdog._retire(place, wire)
            assert client.call("PING") == b"PONG"
        assert not (directory / "redis.sock.closing").exists()
        assert call(server, "PING") == b"PONG"

    def test_zero_means_that_it_never_stops(self, directory: Path) -> None:
        server = EmbeddedServer(directory, idle=0)
        server.ensure_running()
        age(directory)
        EmbeddedServer(directory, idle=0.01).ensure_running()
        assert watchdogs(directory) == []
        assert server.stop()

    def test_killed_watchdog_is_replaced_on_the_next_use(self, directory: Path) -> None:
        server = EmbeddedServer(directory, idle=0.5)
        server.ensure_running()
        wait_until(lambda: watchdogs(directory))
        (watchdog,) = watchdogs(directory)
        kill(watchdog)
        age(directory)
        server.ensure_running()
        pid = pid_of(server)
        wait_until(lambda: is_gone(pid))

    def test_watchdog_killed_while_it_decided_leaves_a_usable_server(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        server.ensure_running()
        pid = pid_of(server)
        (directory / "redis.sock").rename(directory / "redis.sock.closing")
        assert call(server, "PING") == b"PONG"
        assert pid_of(server) == pid

    def test_removed_socket_never_makes_two_servers_of_one_directory(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        call(server, "SET", "k", "v")
        pid = pid_of(server)
        (directory / "redis.sock").unlink()
        assert call(server, "GET", "k") == b"v"
        assert pid_of(server) != pid
        assert is_gone(pid)


def age(directory: Path) -> None:
    """Make the server look as if it had been started a minute ago."""
    old = time.time() - 60
    os.utime(directory / "redis.sock", (old, old))


class TestSettings:
    def test_default_directory_is_in_the_users_data(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        for server in (EmbeddedServer(), EmbeddedServer.from_url("embedded://")):
            assert server.directory == str(tmp_path / "rapyer" / "embedded")

    def test_home_and_relative_directories_are_understood(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.chdir(tmp_path)
        assert EmbeddedServer.from_url("embedded://~/a").directory == str(tmp_path / "home" / "a")
        assert EmbeddedServer.from_url("embedded://a/b").directory == str(tmp_path / "a" / "b")

    @pytest.mark.parametrize("how", ["url", "environment"])
    def test_idle_time_can_be_set(
        self, directory: Path, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        query = "?idle=0.1" if how == "url" else ""
        if how == "environment":
            monkeypatch.setenv("RAPYER_EMBEDDED_IDLE", "0.1")
        server = EmbeddedServer.from_url(f"embedded://{directory}{query}")
        server.ensure_running()
        pid = pid_of(server)
        wait_until(lambda: is_gone(pid))

    @pytest.mark.parametrize("query", ["idle=", "idle=x", "idle=-1", "idle=nan", "idle=inf"])
    def test_idle_that_is_no_number_of_seconds_is_refused(self, query: str) -> None:
        with pytest.raises(ConfigurationError, match="idle must be a number of seconds"):
            EmbeddedServer.from_url(f"embedded:///tmp/x?{query}")

    def test_unknown_parameter_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="'idel'"):
            EmbeddedServer.from_url("embedded:///tmp/x?idel=3")


class TestRefusals:
    def test_directory_with_other_peoples_files_is_refused_and_left_alone(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        directory.mkdir(mode=0o755)
        (directory / "thesis.tex").touch()
        with pytest.raises(ConfigurationError, match=r"not an embedded server's \(thesis.tex"):
            server.ensure_running()
        assert [path.name for path in directory.iterdir()] == ["thesis.tex"]
        assert stat.S_IMODE(directory.stat().st_mode) == 0o755

    def test_directory_that_cannot_be_made_is_one_clear_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ConfigurationError, match="Not a directory; choose a directory"):
            EmbeddedServer(tmp_path / "file" / "data").ensure_running()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
    def test_directory_of_another_user_is_refused(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        directory.mkdir()
        os.chown(directory, 12345, -1)
        with pytest.raises(ConfigurationError, match="belongs to another user"):
            server.ensure_running()

    def test_full_disk_is_one_clear_error(self, server: EmbeddedServer, directory: Path) -> None:
        # A limit on the size of files stands in for the disk: the first byte is one too many.
        code = (
            "import resource, signal, sys; from rapyer.embedded import EmbeddedServer\n"
            "from rapyer.errors import ConfigurationError\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
            "try: EmbeddedServer(sys.argv[1]).ensure_running()\n"
            "except ConfigurationError as error: print(error)"
        )
        assert (
            f"the embedded server cannot use {directory}"
            in python(code, directory).communicate()[0]
        )

    def test_damaged_data_is_an_error_with_the_servers_words(
        self, server: EmbeddedServer, directory: Path
    ) -> None:
        call(server, "SET", "k", "v")
        server.stop()
        (log,) = (directory / "appendonlydir").glob("*.incr.aof")
        log.write_bytes(b"this is not a log of commands\r\n" * 9)
        with pytest.raises(
            ConfigurationError, match=r"did not start: Bad file format.*server\.log"
        ):
            server.ensure_running()

    def test_machine_without_any_server_is_told_what_to_install(
        self, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hide_wheels(monkeypatch)
        monkeypatch.setenv("PATH", "/nonexistent")
        with pytest.raises(ConfigurationError, match=r"pip install 'rapyer\[embedded\]'"):
            server.ensure_running()

    def test_server_without_json_is_stopped_and_refused(
        self, server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        only_in_path(tmp_path, monkeypatch)
        hide_wheels(monkeypatch)
        with pytest.raises(ConfigurationError, match=r"has no JSON module; install it with"):
            server.ensure_running()
        assert not server.status().running

    def test_server_from_path_serves_where_the_wheels_do_not_exist(
        self, server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        only_in_path(tmp_path, monkeypatch)
        monkeypatch.setattr(binaries, "_from_wheels", lambda: None)
        assert call(server, "JSON.SET", "k", "$", "1") == b"OK"

    def test_server_too_old_for_the_search_module_still_stores_json(
        self, server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = binaries.find_binaries()
        assert found is not None
        broken = tmp_path / "redisearch.so"
        broken.write_bytes(b"not for this server")
        broken.chmod(0o755)
        replaced = found._replace(search=str(broken))
        monkeypatch.setattr("rapyer.embedded.server.find_binaries", lambda: replaced)
        assert call(server, "JSON.SET", "k", "$", "1") == b"OK"
        with pytest.raises(ReplyError, match="unknown command"):
            call(server, "FT._LIST")


def hide_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_inside_package", lambda *_: None)


def only_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = binaries.find_binaries()
    assert found is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "redis-server").symlink_to(found.server)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
