"""Ctrl-C while something runs: it ends that, and not the sitting."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any


@contextlib.asynccontextmanager
async def interrupts(cancel: Callable[[], Any]) -> AsyncIterator[None]:
    """In the block, Ctrl-C calls ``cancel``."""
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)
    try:
        loop.add_signal_handler(signal.SIGINT, cancel)
    except (NotImplementedError, RuntimeError, ValueError):
        yield  # no signals here: another thread, or another system
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
