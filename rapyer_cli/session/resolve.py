"""From an address to what is there: a model, a document, a place inside one. Only reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import ModelsError, NotFound, UsageError, one_line
from rapyer_cli.language.addresses import Address, address_of
from rapyer_cli.render.text import cut, printable
from rapyer_cli.session.session import Session

if TYPE_CHECKING:
    from rapyer.models.places import Place

_LONGEST_NOTE = 300


async def document_at(session: Session, address: Address) -> Any:
    """The document at ``address``: a model instance, or a raw document when no model has such keys.

    In a document that does not fit its model only the places that do not lose their type; one line says which.
    Sends JSON.GET. Raises ``KeyNotFound``.
    """
    from rapyer.errors import DocumentError
    from rapyer.models.raw import RawDocument
    from rapyer_cli.reading.drift import in_words, load_as_far

    key = await key_at(session, address)
    if session.transaction is not None and key in session.transaction.documents:
        return session.transaction.documents[key]
    model = session.models.of_key(key)
    if model is None:
        return await _untyped(session, address, key)
    text = await _stored_text(session, key)
    session.read[key] = text
    try:
        document, problems = load_as_far(model, key, text)
    except DocumentError as error:
        session.environment.note(f"rapyer: {one_line(str(error))}; it is taken as plain JSON")
        return RawDocument(key, json.loads(text))
    if problems:
        session.drifted[key] = problems
        said = cut(one_line(in_words(problems)), _LONGEST_NOTE)
        session.environment.note(
            f"rapyer: {printable(key)} does not fit {model.__name__} ({said}); the rest of it has its types"
        )
    return document


async def _stored_text(session: Session, key: str) -> bytes:
    import redis.exceptions

    from rapyer.errors import KeyNotFound
    from rapyer.keyspace.not_json import is_not_json, not_json
    from rapyer.keyspace.spelling import as_sent
    from rapyer_cli.reading.commands import ask

    try:
        text = await ask(await session.client(), "JSON.GET", as_sent(key))
    except redis.exceptions.ResponseError as error:
        if is_not_json(error):
            raise not_json(key) from error
        raise
    if text is None:
        raise KeyNotFound(f"{key} does not exist", key=key)
    return bytes(text)


async def _untyped(session: Session, address: Address, key: str) -> Any:
    from rapyer.errors import KeyNotFound
    from rapyer.models.raw import RawDocument

    try:
        text = session.read[key] = await _stored_text(session, key)
        return RawDocument(key, json.loads(text))
    except KeyNotFound as error:
        if not session.models and not session.models.failures:
            raise
        # The key is not there because the model was misspelled, or its module failed to import.
        try:
            session.models.require(address.name)
        except (ModelsError, NotFound) as reason:
            raise type(reason)(f"{key} does not exist; {reason}") from error
        raise


async def address_at(session: Session, text: str | None) -> Address:
    """The address that a target means for looking.

    Where only what is stored can tell, a model's name or a key means itself unless there is such an entry
    where one is. Sends JSON.TYPE then.
    """
    from rapyer_cli.reading.peek import peek

    address = session.address(text)
    first = (text or "").partition("/")[0]
    names = session.models.names()
    if session.here.is_root or session.transaction is not None:
        return address
    if (first not in names and ":" not in first) or address != _below(session.here, text or "."):
        return address
    client = await session.client()
    if await peek(client, session.address(f"./{first}")) is not None:
        return address
    whole = address_of(text or "", names)
    if first in names or await peek(client, address_of(first, names)) is not None:
        return whole
    return address


def _below(here: Address, text: str) -> Address:
    return address_of(f"./{text}", (), here)


async def require_known(session: Session, name: str) -> None:
    """Nothing, when ``name`` is a model or the prefix of stored keys, or when no models are in use at all.

    Raises what :meth:`Models.require` does otherwise. Sends SCAN.
    """
    from rapyer_cli.reading.many import some_keys_of

    models = session.models
    if models.named(name) is not None or not (models or models.failures):
        return
    keys, more = await some_keys_of(await session.client(), name, "", 1)
    if not keys and not more:
        models.require(name)


async def place_at(session: Session, text: str | None) -> Place:
    """The place that a target means. Raises ``KeyNotFound``, ``PathNotFound`` or :class:`UsageError`."""
    address = session.address(text)
    return place_in(session, await document_at(session, address), address.pointer)


def place_in(session: Session, document: Any, pointer: Sequence[str]) -> Place:
    """The place in a document that was read. What is stored where its model has nothing is reached as plain JSON.

    Raises ``PathNotFound``.
    """
    from rapyer.errors import PathNotFound, WrongTypeError
    from rapyer.models.places import resolve
    from rapyer.models.raw import RawDocument

    key = str(document.key)
    try:
        return resolve(document, pointer)
    except (PathNotFound, WrongTypeError):
        text = session.read.get(key)
        if text is None or isinstance(document, RawDocument):
            raise
        try:
            found = resolve(RawDocument(key, json.loads(text)), pointer)
        except (PathNotFound, WrongTypeError):
            found = None
        if found is None or not found.exists:
            raise
        return found


async def key_at(session: Session, address: Address) -> str:
    """The Redis key of the document at ``address``; a bare word may be a key without a colon."""
    if address.key is not None:
        return address.key
    if address.is_root:
        raise UsageError("the target is the root: name a document, as Model:pk")
    if session.models.named(address.name) is not None:
        raise UsageError(
            f"{address.name} is a model: name one of its documents, as {address.name}:pk "
            f"('ls {address.name}' lists them)"
        )
    from rapyer.keyspace.spelling import as_sent
    from rapyer_cli.reading.commands import ask

    if await ask(await session.client(), "EXISTS", as_sent(address.name)):
        return address.name
    if session.models or session.models.failures:
        session.models.require(address.name)
    raise NotFound(f"there is no key {address.name!r}, and no model of this name is loaded")
