"""``pipeline()``: the ``async with`` block whose changes are collected in one batch and committed at its end."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Generic, TypeVar

from rapyer.batch.batch import Batch, current_batch
from rapyer.errors import ConfigurationError

T = TypeVar("T")


class _Block:
    """The ``async with`` block of a pipeline, whatever it gives its body."""

    __slots__ = ("_batch", "_collecting", "_documents", "_nested", "_watch")

    def __init__(self, documents: tuple[Any, ...], watch: bool) -> None:
        self._documents, self._watch = documents, watch

    async def _enter(self) -> Batch:
        outer = current_batch()
        self._nested = outer is not None
        batch = self._batch = Batch() if outer is None else outer
        for document in self._documents:
            document.__rapyer_node__.link_below(document)
            if self._watch:
                await batch.watch(document)
        self._collecting = batch.collecting()
        self._collecting.__enter__()
        for document in self._documents:
            batch.join(document)
            document.__rapyer_node__.lend_handed_out(document, batch)
        return batch

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._collecting.__exit__(kind, error, trace)
        if kind is None and not self._nested:
            await self._batch.commit()


class Pipeline(_Block):
    """The ``async with`` block of :func:`pipeline`, which gives the batch."""

    __slots__ = ()

    async def __aenter__(self) -> Batch:
        return await self._enter()


class ModelPipeline(_Block, Generic[T]):
    """The ``async with`` block of a model's ``pipeline()``, which gives that model."""

    __slots__ = ("_model",)

    def __init__(self, model: T, document: Any, watch: bool) -> None:
        super().__init__((document,), watch)
        self._model = model

    async def __aenter__(self) -> T:
        await self._enter()
        return self._model


def refuse_ignoring(ignore_redis_error: bool) -> None:
    """Raise for a pipeline that is asked to pass over what the server refuses."""
    if ignore_redis_error:
        raise ConfigurationError(
            "a pipeline is applied whole or not at all, so it cannot ignore errors: leave ignore_redis_error "
            "out, and write 'try: async with …pipeline(): …' with 'except rapyer.errors.PipelineError'"
        )


def pipeline(*documents: Any, watch: bool = False, ignore_redis_error: bool = False) -> Pipeline:
    """Collect every change made in an ``async with`` block and apply all of them, or none, at its end.

    ``watch=True`` makes the block fail with :class:`~rapyer.errors.ConflictError` when somebody else
    writes one of ``documents`` meanwhile. A block inside another joins it: its changes are sent with
    the outer ones, and an exception that leaves the inner block drops only the inner block's changes.
    The block is given the :class:`Batch`; changes are made to the documents themselves.

    Raises :class:`~rapyer.errors.ConfigurationError` for ``ignore_redis_error=True``, which cannot be.
    Raises :class:`~rapyer.errors.PipelineError` when an operation cannot apply; nothing is applied and
    local values are what they were. Sends one EVALSHA when the block ends (and JSON.GET of each watched
    document when it begins).
    """
    if watch and not documents:
        raise ConfigurationError(
            "pipeline(watch=True) needs the documents to watch: pipeline(a, b, watch=True)"
        )
    refuse_ignoring(ignore_redis_error)
    return Pipeline(documents, watch)
