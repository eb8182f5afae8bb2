"""Batches on the wire: primitives are encoded for ``scripts/batch.lua``, sent, and its answers decoded.

One EVALSHA carries a whole batch. A primitive that must be computed in Python (``rewrite``) is sent as
compare-and-set and computed again when somebody else was faster. Local values are not touched here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from rapyer import jsontree
from rapyer.errors import (
    ConflictError,
    ConstraintError,
    EmptyContainerError,
    IntegerOverflowError,
    InvalidValueError,
    ItemIndexError,
    KeyExistsError,
    KeyNotFound,
    PathNotFound,
    RapyerError,
    WrongTypeError,
)
from rapyer.numbers import is_fragile
from rapyer.paths import Path, addressable_prefix, field_path, is_addressable, json_path

if TYPE_CHECKING:
    from rapyer.connections import Session

Rewrite: TypeAlias = Callable[[bytes], tuple[bytes, Any]]
"""From the stored text of a value to its new text and the operation's answer; may raise."""

MAX_ATTEMPTS = 1000
"""How often a compare-and-set is computed again before :class:`ConflictError` is raised."""

ECHO_LIMIT = 256
"""A list or dict of up to so many items is sent back with the answer, so that the local one is exact."""

_SOURCE = (files("rapyer") / "scripts" / "batch.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(_SOURCE.encode(), usedforsecurity=False).hexdigest()
_UNKNOWN = b"-"


class Primitive(NamedTuple):
    """One step of the script: ``code`` at ``path`` of the document ``key``.

    With ``rewrite`` it is a compare-and-set; ``guess`` is what the stored text is believed to be.
    """

    code: str
    path: Path
    args: tuple[bytes, ...] = ()
    rewrite: Rewrite | None = None
    guess: bytes | None = None
    key: str = ""


def keyed(primitives: Sequence[Primitive], key: str) -> list[Primitive]:
    """``primitives`` of the document ``key``."""
    return [
        Primitive(code, path, args, rewrite, guess, key)
        for code, path, args, rewrite, guess, _ in primitives
    ]


class Answer(NamedTuple):
    """What the server said: its clock in microseconds, and one answer a primitive."""

    stamp: int
    values: list[Any]


class Refused(Exception):  # noqa: N818 - an answer, not a failure of the program
    """The batch was refused as a whole because of the primitive at ``position``."""

    def __init__(self, position: int, error: Exception) -> None:
        super().__init__(position, error)
        self.position, self.error = position, error


def _addressed(primitive: Primitive) -> Primitive:
    """``primitive``, as compare-and-set of the nearest container where no JSONPath names its place."""
    code, path, args = primitive[:3]
    prefix = addressable_prefix(path)
    if prefix == len(path) and (
        code not in _NAMED_ENTRY or not args or is_addressable(args[0].decode())
    ):
        return primitive
    below, inner = path[prefix:], primitive.rewrite

    def rewrite(text: bytes) -> tuple[bytes, Any]:
        if inner is None:
            return jsontree.apply(code, text, below, args)
        _, old = jsontree.apply("read", text, below, (b"strict",))
        new, answer = inner(old)
        return jsontree.apply("set", text, below, (new, b"present"))[0], answer

    return Primitive("cas", path[:prefix], (), rewrite, None, primitive.key)


def _addressed_echo(echo: Primitive) -> Primitive:
    """``echo``, as a read of the nearest container where no JSONPath names its place."""
    prefix = addressable_prefix(echo.path)
    if prefix == len(echo.path):
        return echo
    return Primitive("read", echo.path[:prefix], (b"lenient",), key=echo.key)


def _echoed(echo: Primitive, text: bytes | None) -> bytes | None:
    below = echo.path[addressable_prefix(echo.path) :]
    if not below or text is None:
        return text
    try:
        return cast(bytes, jsontree.apply("read", text, below, (b"strict",))[1])
    except jsontree.Refusal:
        return None


def _sha1(text: bytes) -> bytes:
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()


class _Computed(NamedTuple):
    sha: bytes
    text: bytes
    answer: Any


def _compute(primitive: Primitive, old: bytes) -> _Computed:
    assert primitive.rewrite is not None
    text, answer = primitive.rewrite(old)
    return _Computed(_sha1(old), text, answer)


_NAMED_ENTRY = ("take", "popitem")
_JSON_FROM = {b"set": 0, b"save": 0, b"append": 1, b"insert": 2, b"setat": 1, b"cas": 1}
"""From which argument on a primitive's arguments are JSON values (``set`` and ``save`` have one)."""


def _marked(code: bytes, arguments: Sequence[bytes]) -> bytes:
    """``code``, marked when the server would misread a number in the arguments."""
    start = _JSON_FROM.get(code)
    if start is None:
        return code
    values = arguments[:1] if start == 0 else arguments[start:]
    for value in values:
        if is_fragile(value):
            return code + b"!"
    return code


def _arguments(primitive: Primitive, computed: _Computed | None) -> tuple[bytes, ...]:
    if primitive.rewrite is not None:
        return (_UNKNOWN, b"") if computed is None else (computed.sha, computed.text)
    if primitive.code not in _NAMED_ENTRY:
        return primitive.args
    if not primitive.args:
        return (b"", b"")
    if primitive.code == "take":
        return (json_path((*primitive.path, primitive.args[0].decode())).encode(),)
    name = primitive.args[0]
    return (name, json_path((*primitive.path, name.decode())).encode())


async def check(session: Session, primitives: Sequence[Primitive]) -> None:
    """Find out whether :func:`submit` would refuse ``primitives`` now; nothing is changed."""
    try:
        await submit(session, [*primitives, Primitive("check", (), key=primitives[0].key)])
    except Refused as refused:
        if refused.position < len(primitives):
            raise


async def submit(
    session: Session, primitives: Sequence[Primitive], echoes: Sequence[Primitive] = ()
) -> Answer:
    """Apply all ``primitives``, or none; ``echoes`` are reads that follow and cannot refuse.

    Raises :class:`Refused` when one cannot apply (nothing is changed), and what the connection raises.
    Sends EVALSHA, and EVAL once where the server does not know the script.
    """
    steps = [_addressed(primitive) for primitive in primitives]
    steps += [_addressed_echo(echo) for echo in echoes]
    computed: list[_Computed | None] = [None] * len(steps)
    for position, step in enumerate(steps):
        if step.rewrite is not None and step.guess is not None:
            try:
                computed[position] = _compute(step, step.guess)
            except (ValueError, TypeError, ArithmeticError, LookupError, jsontree.Refusal):
                continue  # the guess was wrong; what is stored will tell
    keys = list(dict.fromkeys(step.key for step in steps))
    positions = {key: str(position).encode() for position, key in enumerate(keys, 1)}
    for _ in range(MAX_ATTEMPTS):
        argv: list[bytes] = [b"%d" % len(steps), b"%d" % len(primitives)]
        for position, step in enumerate(steps):
            arguments = _arguments(step, computed[position])
            code = b"cas" if step.rewrite is not None else step.code.encode()
            argv += (
                _marked(code, arguments),
                positions[step.key],
                json_path(step.path).encode(),
                b"%d" % len(arguments),
                *arguments,
            )
        reply = await session.evalsha(_SHA, _SOURCE, keys, argv)
        if reply[0] != -1:
            values = reply[1:]
            for position, result in enumerate(computed):
                if result is not None:
                    values[position] = result.answer
            for position, echo in enumerate(echoes, len(primitives)):
                values[position] = _echoed(echo, values[position])
            return Answer(reply[0], values)
        position, reason = reply[1], reply[2].decode()
        step = steps[position]
        if reason != "retry":
            error = _error(reason, reply[3].decode(), reply[4].decode(), step)
            raise Refused(position, error) if position < len(primitives) else error
        try:
            if step.rewrite is None:
                step = steps[position] = _as_rewrite(step)
            computed[position] = _compute(step, reply[3])
        except jsontree.Refusal as refusal:
            raise Refused(
                position, _error(refusal.reason, refusal.detail, refusal.more, step)
            ) from None
        except (ValueError, TypeError, ArithmeticError, LookupError) as error:
            raise Refused(position, error) from error
    raise Refused(
        0, ConflictError(f"gave up after {MAX_ATTEMPTS} attempts: others keep changing {keys}")
    )


def _as_rewrite(primitive: Primitive) -> Primitive:
    def rewrite(text: bytes) -> tuple[bytes, Any]:
        return jsontree.apply(primitive.code, text, (), primitive.args)

    return primitive._replace(rewrite=rewrite)


_KINDS = {"integer": "an integer", "array": "a list", "object": "an object", "null": "null"}


def _a(kind: str) -> str:
    return _KINDS.get(kind, f"a {kind}")


def _error(reason: str, detail: str, more: str, step: Primitive) -> RapyerError:
    where = f"{step.key}/{field_path(step.path)}" if step.path else step.key
    if reason == "nokey":
        return KeyNotFound(f"{step.key} does not exist; save the document first", key=step.key)
    if reason == "nopath":
        return PathNotFound(f"{where}: there is no such place in the stored document", key=step.key)
    if reason == "type":
        return WrongTypeError(f"{where} holds {_a(detail)}, the operation needs {_a(more)}")
    if reason == "key":
        return WrongTypeError(f"{step.key} is not a JSON document but another Redis type")
    if reason == "index":
        return ItemIndexError(f"{where}: index {detail} is out of range of a list of {more}")
    if reason == "empty":
        return EmptyContainerError(f"{where} is empty")
    if reason == "bound":
        return ConstraintError(f"{where} would become {detail}, it must be {more}")
    if reason == "length":
        return ConstraintError(f"{where} would have length {detail}, the limit is {more}")
    if reason == "overflow":
        return IntegerOverflowError(
            f"{where}: {detail} and {more} together exceed the number's range"
        )
    if reason == "inexact":
        return InvalidValueError(
            f"{where}: the float under the key {detail!r} cannot be stored exactly: no path names that key"
        )
    if reason == "conflict":
        return ConflictError(f"{step.key} was changed by somebody else; nothing was applied")
    if reason == "exists":
        return KeyExistsError(f"{step.key} exists already")
    return RapyerError(f"{where}: the server refused: {detail}")
