"""The process that shuts an embedded server down when nobody has been connected for a while.

It runs on its own (see ``server.py``), so that neither a killed client nor a closed terminal leaves
a server behind for good. It decides under ``start.lock`` and with the socket moved aside: whoever
connected before is seen and keeps the server, whoever comes later waits for the lock and starts it
again. Nobody is ever cut off.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

from rapyer.embedded.directory import Place, wait_for_lock
from rapyer.embedded.wire import ReplyError, Wire

_LONGEST_NAP = 15.0


def main(directory: str, idle: float) -> None:
    """Watch until the server is gone or was shut down.

    :param directory: the server's directory.
    :param idle: seconds without any other client after which the server is shut down.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    place = Place(directory)
    # Held until this process ends; a second watchdog waits a moment for a first one that is leaving.
    lock = os.open(place.watchdog_lock, os.O_RDWR | os.O_CREAT, 0o600)
    with contextlib.suppress(OSError):
        wait_for_lock(lock, 5.0)
        if wire := _meet(place):
            with wire:
                _watch(place, wire, idle)


def _meet(place: Place) -> Wire | None:
    """Connect to the server, which may still be starting; None when there will be none."""
    while True:
        coming = place.being_started() or place.server_alive()
        with contextlib.suppress(OSError):
            return Wire(place.address(), timeout=60.0)
        if not coming:
            return None
        time.sleep(0.01)


def _watch(place: Place, wire: Wire, idle: float) -> None:
    nap = min(max(idle / 4, 0.01), _LONGEST_NAP)
    seen = -1
    since = time.monotonic()
    while True:
        readable, _, _ = select.select([wire], [], [], nap)
        if readable:
            return  # the server closed the connection: it is gone
        # Connections that came and went between two looks count as use as well.
        received = int(wire.info("stats")["total_connections_received"])
        if received != seen or _others(wire):
            seen, since = received, time.monotonic()
        elif time.monotonic() - since >= idle:
            if _retire(place, wire):
                return
            since = time.monotonic()


def _others(wire: Wire) -> int:
    """How many clients are connected besides the watchdog."""
    return int(wire.info("clients")["connected_clients"]) - 1


def _retire(place: Place, wire: Wire) -> bool:
    """Shut the server down if it can be done without anybody noticing."""
    if not os.path.isdir(place.directory):
        # Deleted under the server: nobody can find it any more, and its data is gone already.
        with contextlib.suppress(OSError):
            wire.call("SHUTDOWN", "NOSAVE", "FORCE")
        return True
    with place.starting(timeout=60.0):
        os.rename(place.socket, place.parked_socket)
        # Twice: a client that connected just before the rename is accepted by the second reply.
        if _others(wire) or _others(wire):
            os.rename(place.parked_socket, place.socket)
            return False
        try:
            wire.call("SHUTDOWN")
        except ReplyError:
            os.rename(place.parked_socket, place.socket)
            return False
        except OSError:
            pass  # the end, as asked for
        while place.server_alive():
            time.sleep(0.005)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place.parked_socket)
        return True
