"""Starting, asking after and stopping the server of one directory.

The life of a server: whoever needs it first starts it under ``start.lock``, detached from every
terminal and parent, together with a watchdog (``watchdog.py``) that shuts it down when nobody has
been connected for a while. Data is append-only on disk; the socket is the only way in.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from rapyer.embedded.binaries import INSTALL_HINT, find_binaries, remedy
from rapyer.embedded.directory import Place, absolute_directory, wait_for_lock
from rapyer.embedded.faults import configuration_error, connection_error, is_fault
from rapyer.embedded.processes import await_exit, pid_in
from rapyer.embedded.wire import ReplyError, Wire

SCHEME = "embedded://"
DEFAULT_IDLE_SECONDS = 300.0
# Replaying a large append-only file takes its time; the server says that it is loading.
_START_SECONDS = 120.0
_STOP_SECONDS = 30.0

# Runs the watchdog without the package's own __init__, which would import what it does not need.
_WATCHDOG = (
    "import sys, types; package = types.ModuleType('rapyer'); package.__path__ = [sys.argv[1]]; "
    "sys.modules['rapyer'] = package; "
    "from rapyer.embedded.watchdog import main; main(sys.argv[2], float(sys.argv[3]))"
)


class EmbeddedStatus(NamedTuple):
    """What is known about the server of a directory; the numbers are None when it is not running."""

    directory: str
    running: bool
    address: str
    pid: int | None = None
    version: str | None = None
    uptime_seconds: int | None = None
    clients: int | None = None
    memory_bytes: int | None = None


class EmbeddedServer:
    """The server that keeps its data in ``directory``, shared by all processes that name it.

    :param directory: where data, socket and log live; default ``$XDG_DATA_HOME/rapyer/embedded``.
    :param idle: seconds without any client after which the server stops; 0 keeps it. The process
        that starts the server decides. Default ``$RAPYER_EMBEDDED_IDLE``, else 300.
    :raises ConfigurationError: ``idle`` is not a number of seconds, or there is no home directory.
    """

    def __init__(
        self, directory: str | os.PathLike[str] | None = None, *, idle: float | None = None
    ) -> None:
        self._place = Place(absolute_directory(directory))
        self._idle = _idle_seconds(idle)

    def __repr__(self) -> str:
        return f"EmbeddedServer({self.directory!r})"

    @classmethod
    def from_url(cls, url: str) -> EmbeddedServer:
        """The server of ``embedded://[directory][?idle=seconds]``; ``~`` is the home directory.

        :raises ConfigurationError: another scheme or an unknown parameter.
        """
        if not url.startswith(SCHEME):
            raise configuration_error(f"an embedded server's URL starts with {SCHEME}")
        from urllib.parse import parse_qs, unquote

        path, _, query = url[len(SCHEME) :].partition("?")
        options = parse_qs(query, keep_blank_values=True)
        idle = options.pop("idle", [None])[0]
        if options:
            raise configuration_error(
                f"embedded:// takes no parameter {next(iter(options))!r}, only idle=seconds"
            )
        return cls(unquote(path) or None, idle=None if idle is None else _idle_seconds(idle))

    @property
    def directory(self) -> str:
        """The absolute path of the directory."""
        return self._place.directory

    @property
    def address(self) -> str:
        """The path of the Unix socket to connect to, whether the server runs or not."""
        return self._place.address()

    @property
    def url(self) -> str:
        """The URL that leads to this server from every process of the user."""
        from urllib.parse import quote

        return SCHEME + quote(self.directory)

    def ensure_running(self) -> str:
        """Start the server unless it answers, and return the path of its socket.

        :raises ConfigurationError: there is no server to start, it does not start, or the directory
            cannot be used; the message says what to do.
        :raises ConnectionError: a server process exists but does not answer.

        Sends ``PING``.
        """
        place = self._place
        if self._answers():
            if place.abandoned():
                self._run_watchdog(place.agreed_idle())
            return self.address
        place.prepare()
        try:
            with place.starting(timeout=_START_SECONDS):
                if not self._answers() and not self._revive():
                    self._start()
        except OSError as error:
            if is_fault(error):
                raise
            raise place.refusal(error) from error
        return self.address

    def status(self) -> EmbeddedStatus:
        """Whether the server runs, and some numbers if so. Starts nothing, creates nothing.

        Sends ``INFO``.
        """
        if not os.path.exists(self._place.socket):
            return EmbeddedStatus(self.directory, False, self._place.socket)
        try:
            with Wire(self.address) as wire:
                info = {
                    name: value
                    for section in ("server", "clients", "memory")
                    for name, value in wire.info(section).items()
                }
        except (OSError, ReplyError):
            return EmbeddedStatus(self.directory, False, self.address)
        return EmbeddedStatus(
            self.directory,
            True,
            self.address,
            pid=int(info["process_id"]),
            version=info["redis_version"],
            uptime_seconds=int(info["uptime_in_seconds"]),
            clients=int(info["connected_clients"]) - 1,
            memory_bytes=int(info["used_memory"]),
        )

    def stop(self) -> bool:
        """Stop the server, with its data safely on disk, even while clients are connected.

        :return: whether a server was running.
        :raises ConnectionError: the server refuses or does not end in time.

        Sends ``SHUTDOWN``.
        """
        place = self._place
        if not place.server_alive():
            return False
        try:
            with place.starting(timeout=_START_SECONDS):
                if not place.server_alive():
                    return False
                pid = pid_in(place.pid)
                try:
                    with Wire(self.address) as wire:
                        wire.call("SHUTDOWN")
                except ReplyError as error:
                    raise connection_error(f"{self!r} refuses to stop: {error}") from error
                except OSError:
                    # The connection ends without a reply; one that never came up is for the signal.
                    if not self._await_end(1.0):
                        self._terminate()
                if not self._await_end(_STOP_SECONDS):
                    raise connection_error(f"{self!r} has not ended after {_STOP_SECONDS:.0f} s")
                await_exit(pid, 1.0)  # until then its clients' sockets may look alive
        except TimeoutError as error:
            raise connection_error(f"{self!r} is being started by another process") from error
        return True

    def flush(self) -> None:
        """Delete everything in all databases, starting the server if need be.

        Sends ``FLUSHALL``.
        """
        with Wire(self.ensure_running()) as wire:
            wire.call("FLUSHALL")

    def _answers(self) -> bool:
        """Whether the server is there and ready; one that is loading its data is waited for."""
        deadline = time.monotonic() + _START_SECONDS
        try:
            with Wire(self.address) as wire:
                while time.monotonic() < deadline:
                    try:
                        wire.call("PING")
                    except ReplyError as error:
                        if str(error).startswith("LOADING"):
                            time.sleep(0.02)
                            continue
                    # Any other complaint (of a full disk, say) is for the commands that meet it.
                    return True
        except OSError:
            pass
        return False

    def _revive(self) -> bool:
        """Wait for, or get back to, a server process that exists and does not answer.

        :return: whether it answers now; if not it is gone.
        """
        place = self._place
        if not place.server_alive():
            return False
        if os.path.exists(place.parked_socket) and not os.path.exists(place.socket):
            # A watchdog was killed while it decided about the end.
            os.rename(place.parked_socket, place.socket)
        deadline = time.monotonic() + _STOP_SECONDS
        while place.server_alive():
            if self._answers():
                return True
            if not os.path.exists(place.socket):
                # Alive and out of reach for good, as its socket was removed.
                self._terminate()
            if time.monotonic() > deadline:
                raise connection_error(
                    f"the server process of {self.directory} exists but does not answer; "
                    f"see {place.log}"
                )
            time.sleep(0.002)
        return False

    def _start(self) -> None:
        """Start server and watchdog, and wait until the server answers. ``start.lock`` is held."""
        binaries = find_binaries()
        if binaries is None:
            raise configuration_error(f"no Redis server to embed was found; {INSTALL_HINT}")
        place = self._place
        for leftover in (place.socket, place.parked_socket, place.pid):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(leftover)
        descriptor = os.open(place.server_lock, os.O_RDWR | os.O_CREAT, 0o600)
        place.agree_on_idle(self._idle)
        # First, so that a server never runs without one, whenever this process is killed.
        self._run_watchdog(self._idle)
        words = ""
        try:
            for modules in binaries.module_choices():
                wait_for_lock(descriptor, 5.0)
                log_start = self._launch(binaries.server, modules, descriptor)
                os.close(descriptor)
                descriptor = -1
                if self._await_start():
                    break
                words = place.last_words(log_start)
                if "load module" not in words:
                    raise self._no_start(words)
                descriptor = os.open(place.server_lock, os.O_RDWR)
            else:
                raise self._no_start(words)
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        self._require_json(binaries.server)

    def _no_start(self, words: str) -> Exception:
        return configuration_error(
            f"the embedded server of {self.directory} did not start: {words} "
            f"(log: {self._place.log}){remedy(words)}"
        )

    def _launch(self, binary: str, modules: Sequence[str], lock: int) -> int:
        """Run the server, which detaches itself and keeps ``lock``; return where its log begins."""
        import subprocess

        place = self._place
        options = {
            "port": "0",
            "unixsocket": os.path.basename(place.socket),
            "unixsocketperm": "700",
            "dir": ".",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",
            "save": "",
            "logfile": os.path.basename(place.log),
            "pidfile": os.path.basename(place.pid),
            "daemonize": "yes",
        }
        words = [binary]
        for name, value in options.items():
            words += [f"--{name}", value]
        for module in modules:
            words += ["--loadmodule", module]
        with place.open_log() as log:
            start = log.tell()
            subprocess.run(
                words,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                start_new_session=True,
                umask=0o077,
                check=False,
            )
        return start

    def _await_start(self) -> bool:
        """Wait until the server that was just launched answers; False if it ended instead."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._answers():
                return True
            if not self._place.server_alive():
                return False
            # There is nothing to wait on: the socket appears, or the process is gone.
            time.sleep(0.0005)
        raise connection_error(
            f"the embedded server of {self.directory} does not answer; see {self._place.log}"
        )

    def _require_json(self, binary: str) -> None:
        with Wire(self.address) as wire:
            if wire.call("COMMAND", "INFO", "JSON.SET") != [None]:
                return
            with contextlib.suppress(OSError):
                wire.call("SHUTDOWN")
        self._await_end(_STOP_SECONDS)
        raise configuration_error(f"{binary} has no JSON module; {INSTALL_HINT}")

    def _run_watchdog(self, idle: float) -> None:
        if idle == 0:
            return
        import subprocess

        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        with self._place.open_log() as log:
            # A shell that puts it into the background returns at once, and leaves nothing to reap.
            subprocess.run(
                [
                    *("/bin/sh", "-c", '"$@" &', "sh"),
                    *(sys.executable, "-I", "-S", "-c", _WATCHDOG),
                    *(package, self.directory, str(idle)),
                ],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=False,
            )

    def _await_end(self, timeout: float) -> bool:
        return await_end(self._place, timeout)

    def _terminate(self) -> None:
        """Ask the process that holds ``server.lock`` to end; it saves its data first."""
        pid = pid_in(self._place.pid)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def await_end(place: Place, timeout: float) -> bool:
    """Wait until the server process has gone; False when it is still there after ``timeout``."""
    deadline = time.monotonic() + timeout
    while place.server_alive():
        if time.monotonic() > deadline:
            return False
        # The kernel gives the lock back when the process ends, and tells nobody.
        time.sleep(0.001)
    return True


def _idle_seconds(idle: float | str | None) -> float:
    if idle is None:
        idle = os.environ.get("RAPYER_EMBEDDED_IDLE") or DEFAULT_IDLE_SECONDS
    try:
        seconds = float(idle)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise configuration_error(
            f"idle must be a number of seconds, 0 for never, not {idle!r} "
            "(?idle= of the URL or RAPYER_EMBEDDED_IDLE)"
        )
    return seconds
