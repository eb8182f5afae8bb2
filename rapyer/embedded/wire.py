"""The few commands that starting, watching and stopping a server needs, over a raw socket.

Replies of RESP2 only, one command at a time. Talking to Redis on behalf of models is not done here.
"""

from __future__ import annotations

import socket
from types import TracebackType

Reply = bytes | int | list["Reply"] | None


class ReplyError(Exception):
    """The server answered with an error; the text is the server's."""


class Wire:
    """One connection to a server.

    :param address: path of a Unix socket, short enough for the operating system, or host and port.
    :param timeout: seconds that connecting, and each reply, may take.
    :raises OSError: nobody listens, or no answer came in time.
    """

    def __init__(self, address: str | tuple[str, int], timeout: float = 5.0) -> None:
        if isinstance(address, str):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._socket.settimeout(timeout)
                self._socket.connect(address)
            except BaseException:
                self._socket.close()
                raise
        else:
            self._socket = socket.create_connection(address, timeout)
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def fileno(self) -> int:
        """The socket, for ``select``: readable means that the server closed it."""
        return self._socket.fileno()

    def call(self, *words: str | bytes | int) -> Reply:
        """Send one command and return its reply.

        :raises ReplyError: the server refused the command.
        :raises OSError: the connection broke or no reply came in time.
        """
        packed = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            packed.append(b"$%d\r\n%b\r\n" % (len(data), data))
        self._socket.sendall(b"".join(packed))
        return self._read()

    def info(self, section: str) -> dict[str, str]:
        """``INFO section`` as a mapping."""
        reply = self.call("INFO", section)
        text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else ""
        pairs = (line.partition(":") for line in text.splitlines() if ":" in line)
        return {name: value for name, _, value in pairs}

    def _read(self) -> Reply:
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"-":
            raise ReplyError(rest.decode("utf-8", "replace"))
        size = int(rest)
        if size < 0:
            return None
        if kind == b"*":
            return [self._read() for _ in range(size)]
        data = self._stream.read(size + 2)
        if len(data) < size + 2:
            raise ConnectionResetError("the server closed the connection")
        return data[:-2]
