"""``infer PREFIX > models.py``: models from stored documents, tried on them before they are shown."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer_cli.exits import Exit
from rapyer_cli.failures import NotFound
from rapyer_cli.language.grammar import Argument, Invocation, Kind, Option, Verb
from rapyer_cli.render.shapes import Lines
from rapyer_cli.render.text import counted, printable
from rapyer_cli.verbs.look import number_of

if TYPE_CHECKING:
    from rapyer_cli.reading.model_source import Root
    from rapyer_cli.session.session import Session

_SAMPLE = 1000


class Sample(NamedTuple):
    """The documents of a prefix that were looked at: keys and stored texts; ``more`` says that there are others."""

    prefix: str
    documents: list[tuple[str, bytes]]
    more: bool


async def infer(session: Session, invocation: Invocation) -> Lines:
    """Show the source of a module of models that fit the stored documents."""
    prefixes = invocation.texts("prefixes") or await _all_prefixes(session)
    most = number_of(invocation, "sample", _SAMPLE)
    samples = []
    for prefix in dict.fromkeys(prefix.removesuffix(":") for prefix in prefixes):
        sample = await _sample(session, prefix, most)
        if sample.documents:
            samples.append(sample)
        else:
            session.environment.note(
                f"rapyer: there are no documents whose keys begin with {printable(prefix)}: and that are "
                "JSON objects"
            )
    if not samples:
        raise NotFound("there is nothing to infer models from")
    source = inferred(samples)
    seen = sum(len(sample.documents) for sample in samples)
    more = "; there are more (--sample N)" if any(sample.more for sample in samples) else ""
    session.environment.note(
        f"rapyer: {counted(len(samples), 'model')} from {counted(seen, 'document')}{more}"
    )
    return Lines(tuple(source.rstrip("\n").split("\n")), source)


def inferred(samples: Sequence[Sample]) -> str:
    """The source of the module. Every document of the samples checks clean against it."""
    from rapyer_cli.reading.inferring import key_field, shape_of
    from rapyer_cli.reading.model_source import Root, source_of

    roots = []
    for sample in samples:
        data = [json.loads(text) for _, text in sample.documents]
        start = len(sample.prefix) + 1
        pks = [(key[start:], one) for (key, _), one in zip(sample.documents, data, strict=True)]
        roots.append(_fitting(Root(sample.prefix, shape_of(data), key_field(pks)), sample))
    said = [
        f"{printable(sample.prefix)}: {counted(len(sample.documents), 'document')}".replace(
            '"', "'"
        ).replace("\\", "/")
        for sample in samples
    ]
    return source_of(roots, said)[0]


def _fitting(root: Root, sample: Sample) -> Root:
    """The root with each field as fine as all documents of the sample allow."""
    from rapyer_cli.reading.model_source import COARSEST

    while True:
        bad = _misfits(root, sample)
        if not bad:
            return root
        if None in bad and root.key_field is not None:
            root = root._replace(key_field=None)
            continue
        levels = dict(root.levels)
        named = [name for name in root.shape.names if name in bad or None in bad]
        changed = [name for name in named if levels.get(name, 0) < COARSEST]
        if not changed:
            return root
        levels |= {name: levels.get(name, 0) + 1 for name in changed}
        root = root._replace(levels=levels)


def _misfits(root: Root, sample: Sample) -> set[str | None]:
    """The fields that do not fit some document; None where that cannot be told."""
    from rapyer.errors import DocumentError
    from rapyer.keyspace.registry import forget
    from rapyer_cli.reading.drift import drift_of
    from rapyer_cli.reading.model_source import source_of

    source, classes = source_of([root])
    namespace: dict[str, Any] = {"__name__": "inferred"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(
                compile(source, "models.py", "exec", dont_inherit=True), namespace
            )  # written above, names escaped
        model = namespace[classes[root.prefix]]
        found: set[str | None] = set()
        for key, text in sample.documents:
            try:
                problems = drift_of(model, key, text)
            except DocumentError:
                found.add(None)
                continue
            found |= {_stored_name(model, str(path[0])) if path else None for path in problems}
        return found
    except Exception:  # whatever keeps the module from being one
        return _one_by_one(root, sample)
    finally:
        for tried in namespace.values():
            if isinstance(tried, type) and tried.__module__ == "inferred":
                forget(tried)  # what was only tried is not to be found among the models


def _one_by_one(root: Root, sample: Sample) -> set[str | None]:
    """The fields with which alone there is no class; None where each is fine by itself."""
    if len(root.shape.names) <= 1:
        return {*root.shape.names} or {None}
    from rapyer_cli.reading.inferring import Shape

    bad: set[str | None] = set()
    for name, inner in root.shape.names.items():
        shape = Shape(seen=root.shape.seen, objects=root.shape.objects, names={name: inner})
        key = root.key_field if root.key_field == name else None
        alone = root._replace(shape=shape, key_field=key)
        part = sample._replace(
            documents=[
                (k, json.dumps({n: v for n, v in json.loads(t).items() if n == name}).encode())
                for k, t in sample.documents
            ]
        )
        if _misfits(alone, part):
            bad.add(name)
    return bad or {None}


def _stored_name(model: Any, name: str) -> str:
    field = model.__pydantic_fields__.get(name)
    alias = None if field is None else field.validation_alias
    return alias if isinstance(alias, str) else name


async def _all_prefixes(session: Session) -> list[str]:
    from rapyer_cli.reading.many import counts_by_prefix

    counts, _ = await counts_by_prefix(await session.client(), ())
    return sorted(counts)


async def _sample(session: Session, prefix: str, most: int) -> Sample:
    from rapyer_cli.reading.many import stored_texts

    documents: list[tuple[str, bytes]] = []
    async for key, text in stored_texts(await session.client(), prefix):
        if len(documents) == most:
            return Sample(prefix, documents, True)
        if text.startswith(b"{"):
            documents.append((key, text))
    return Sample(prefix, sorted(documents), False)


VERBS = (
    Verb(
        "infer",
        "write models that fit stored documents, as the source of a module",
        "many",
        infer,
        arguments=(
            Argument(
                "prefixes",
                Kind.MODEL,
                "what keys begin with, before the colon; all without",
                False,
                many=True,
            ),
        ),
        options=(Option("sample", ("--sample",), "look at so many documents (1000)", Kind.NUMBER),),
        examples=("infer BlogPost > models.py", "infer User Order --sample 5000"),
        exits=(Exit.NOT_FOUND,),
        details="Optional fields, unions, enums, times, UUIDs, nested classes and the field that is the key are "
        "found in a sample; each document of it checks clean against the result. A name that Python or a model "
        "cannot have is read by an alias, and written under the field's own name. Comments say where an index "
        "would be of use. Then: rapyer -m models.py check.",
    ),
)
