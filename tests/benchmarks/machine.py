"""What the numbers were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from redis.asyncio import Redis


async def machine(raw: Redis) -> dict[str, object]:
    """The machine, and the versions of what takes part."""
    info = await raw.info("server")
    return {
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "redis_py": _version("redis"),
        "pydantic": _version("pydantic"),
        "hiredis": _version("hiredis"),
        "server": info["redis_version"],
    }


def in_words(found: dict[str, object]) -> str:
    """The same in one line."""
    cpu = f" ({found['cpu']})" if found["cpu"] else ""
    hiredis = f"hiredis {found['hiredis']}" if found["hiredis"] else "no hiredis"
    return (
        f"{found['machine']}{cpu}, {found['cores']} cores, Python {found['python']}, "
        f"redis-py {found['redis_py']} with {hiredis}, pydantic {found['pydantic']}, "
        f"server {found['server']}"
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, None)
