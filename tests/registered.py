"""Which models a test knows: those of its own module, and for others not those that it defines itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rapyer.keyspace import registry


@contextmanager
def models_of(module: str) -> Iterator[None]:
    """Inside of the block only models of ``module`` are registered, and afterwards what was before."""
    before = dict(registry._models)
    try:
        _know({name: model for name, model in before.items() if name[0] == module})
        yield
    finally:
        _know(before)


def _know(models: dict[tuple[str, str], object]) -> None:
    registry._models.clear()
    registry._models.update(models)  # type: ignore[arg-type]
    registry._forget_prefixes(None)
