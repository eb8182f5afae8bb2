"""The directory of an embedded server: which files lie in it, who holds its locks, how long paths
become socket addresses.

Starting, watching and stopping a server live next door; nothing here speaks to one.

=================  ==============================================================================
``start.lock``     held (flock) while somebody starts or stops the server
``server.lock``    held by the server process itself through an inherited descriptor, so that the
                   kernel gives it back whichever way the server ends
``watchdog.lock``  held by the process that stops the server when it is idle
``redis.sock``     the socket; ``redis.sock.closing`` while the watchdog decides about the end
``server.log``     what the server and the watchdog have to say
=================  ==============================================================================
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from typing import IO

from rapyer.embedded.faults import configuration_error

# sun_path holds 108 bytes on Linux and 104 on macOS, the terminating NUL included.
_LONGEST_ADDRESS = 100
_WATCHDOG_ARRIVES_SECONDS = 5.0
_LARGEST_LOG = 1_000_000


class Place:
    """One directory and the files of its server.

    :param directory: absolute path; need not exist yet.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.start_lock = os.path.join(directory, "start.lock")
        self.server_lock = os.path.join(directory, "server.lock")
        self.watchdog_lock = os.path.join(directory, "watchdog.lock")
        self.socket = os.path.join(directory, "redis.sock")
        self.parked_socket = self.socket + ".closing"
        self.pid = os.path.join(directory, "redis.pid")
        self.log = os.path.join(directory, "server.log")

    def prepare(self) -> None:
        """Create the directory if it is missing and make sure that it is private.

        :raises ConfigurationError: it cannot be created or written, belongs to somebody else, or
            holds files that are not an embedded server's.
        """
        try:
            _make_private(self.directory)
            found = os.stat(self.directory)
            if found.st_uid != os.geteuid():
                raise configuration_error(
                    f"{self.directory} belongs to another user (uid {found.st_uid}); "
                    "choose a directory of your own for the embedded server"
                )
            foreign = sorted(set(os.listdir(self.directory)) - {"start.lock"})
            # asked last: another process may have begun to start the server while the files were listed
            if foreign and not os.path.exists(self.server_lock):
                raise configuration_error(
                    f"{self.directory} holds files that are not an embedded server's "
                    f"({foreign[0]} …); choose an empty or a new directory"
                )
            if stat.S_IMODE(found.st_mode) != 0o700:
                os.chmod(self.directory, 0o700)
        except OSError as error:
            raise self.refusal(error) from error

    def refusal(self, error: OSError) -> Exception:
        """A failure of the file system as one sentence about this directory."""
        remedy = {
            errno.ENOSPC: "free some space on the disk or choose a directory on another one",
            errno.EDQUOT: "free some of your disk quota or choose another directory",
            errno.EROFS: "the file system is read-only; choose a directory on another one",
            errno.ENAMETOOLONG: "choose a shorter path",
        }.get(error.errno or 0, "choose a directory you can write to, as embedded:///path/to/it")
        reason = error.strerror or str(error)
        return configuration_error(
            f"the embedded server cannot use {self.directory}: {reason}; {remedy}"
        )

    @contextlib.contextmanager
    def starting(self, timeout: float) -> Iterator[None]:
        """Hold ``start.lock``, so that nobody else starts or stops the server meanwhile.

        :raises OSError: ``TimeoutError`` after ``timeout`` seconds; others from the file system.
        """
        descriptor = os.open(self.start_lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            wait_for_lock(descriptor, timeout)
            yield
        finally:
            os.close(descriptor)

    def server_alive(self) -> bool:
        """Whether a server process of this directory exists, reachable or not."""
        return _is_locked(self.server_lock)

    def being_started(self) -> bool:
        """Whether somebody starts or stops the server right now."""
        return _is_locked(self.start_lock)

    def abandoned(self) -> bool:
        """Whether the server has lost its watchdog; a young server's may still be on its way."""
        return (
            not _is_locked(self.watchdog_lock)
            and time.time() - os.stat(self.socket).st_mtime > _WATCHDOG_ARRIVES_SECONDS
        )

    def agree_on_idle(self, seconds: float) -> None:
        """Note after how much idle time the server that is being started shall stop."""
        with open(self.server_lock, "w", encoding="ascii") as file:
            file.write(str(seconds))

    def agreed_idle(self) -> float:
        """What the process that started the server noted; 0 keeps the server."""
        with open(self.server_lock, encoding="ascii") as file:
            return float(file.read())

    def address(self) -> str:
        """A path of the socket that is short enough to connect to.

        For a deep directory it goes through a symbolic link in a private directory of the user.
        Two processes may use different links: the socket they reach is the same.
        """
        if len(os.fsencode(self.socket)) <= _LONGEST_ADDRESS:
            return self.socket
        import hashlib

        name = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        link = os.path.join(_links_directory(), name)
        try:
            os.symlink(self.directory, link)
        except FileExistsError:
            if os.readlink(link) != self.directory:
                raise configuration_error(
                    f"{link} does not lead to {self.directory}; remove it"
                ) from None
        return os.path.join(link, os.path.basename(self.socket))

    def open_log(self) -> IO[bytes]:
        """The log, to be appended to; emptied first when it has grown large."""
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if os.fstat(descriptor).st_size > _LARGEST_LOG:
            os.ftruncate(descriptor, 0)
        log = open(descriptor, "ab")  # noqa: SIM115
        log.seek(0, os.SEEK_END)
        return log

    def last_words(self, start: int = 0) -> str:
        """What the log says after byte ``start``: warnings and errors, else its last line."""
        try:
            with open(self.log, "rb") as log:
                log.seek(start)
                lines = log.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return ""
        grave = [
            text
            for text in (line.strip() for line in lines)
            if " # " in text or "rror" in text or "ailed" in text
        ]
        quiet = ("WARNING", "overcommit", "Warning:")
        telling = [text for text in grave if not any(word in text for word in quiet)]
        chosen = telling[-2:] or [line.strip() for line in lines[-1:]]
        return " / ".join(text.split(" # ")[-1] for text in chosen)


def _make_private(directory: str) -> None:
    """Create ``directory``, and what is missing above it, for this user alone, whatever the umask says."""
    missing = []
    while not os.path.isdir(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process was quicker, or it is a file
            os.mkdir(path, 0o700)


def wait_for_lock(descriptor: int, timeout: float) -> None:
    """Take the exclusive lock of an open file.

    :raises TimeoutError: somebody else kept it for ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while not take_lock(descriptor):
        if time.monotonic() > deadline:
            raise TimeoutError(errno.ETIMEDOUT, "somebody else holds its lock")
        # flock has no timeout of its own, and signals for one belong to the application.
        time.sleep(0.002)


def _flock(descriptor: int, kind: str) -> None:
    """Take a lock without waiting; only systems with ``flock`` have an embedded server."""
    try:
        import fcntl
    except ImportError as error:
        raise configuration_error(
            "the embedded server needs file locks, which this system lacks: use the URL of a real server"
        ) from error
    fcntl.flock(descriptor, getattr(fcntl, kind) | fcntl.LOCK_NB)


def take_lock(descriptor: int) -> bool:
    """Try to take the exclusive lock of an open file, without waiting."""
    try:
        _flock(descriptor, "LOCK_EX")
    except BlockingIOError:
        return False
    return True


def _is_locked(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        _flock(descriptor, "LOCK_SH")
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _links_directory() -> str:
    import tempfile

    uid = os.geteuid()
    candidates = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]
    for parent in candidates:
        path = os.path.join(parent, f"rapyer-{uid}")
        # 16 characters of name, the socket's own name and two slashes still have to fit.
        if not os.path.isdir(parent) or len(os.fsencode(path)) > _LONGEST_ADDRESS - 30:
            continue
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
            found = os.lstat(path)
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077:
            return path
    raise configuration_error(
        "no private directory for a short socket path can be made in XDG_RUNTIME_DIR or the "
        "temporary directory; choose a shorter directory for the embedded server"
    )


def absolute_directory(directory: str | os.PathLike[str] | None) -> str:
    """``directory``, or where the embedded server keeps its data for this user, as an absolute path."""
    if directory is None:
        data_home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
        directory = os.path.join(data_home, "rapyer", "embedded")
    path = os.path.expanduser(os.fspath(directory))
    if path.startswith("~"):
        raise configuration_error(
            "there is no home directory for the embedded server; set HOME or XDG_DATA_HOME, "
            "or name a directory: embedded:///path/to/it"
        )
    return os.path.realpath(path)
