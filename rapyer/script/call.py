"""Batches on the wire: primitives are encoded for ``lua/batch.lua``, sent, and its answers decoded.

One EVALSHA carries a whole batch. A primitive that must be computed in Python (``rewrite``) is sent as
compare-and-set and computed again when somebody else was faster. Local values are not touched here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

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
from rapyer.paths import Path, addressable_prefix, field_path, is_addressable, json_path
from rapyer.schema.numbers import is_fragile
from rapyer.script import in_python

if TYPE_CHECKING:
    from rapyer.connections import Session

Rewrite: TypeAlias = Callable[[bytes], tuple[bytes, Any]]
"""From the stored text of a value to its new text and the operation's answer; may raise."""

MAX_ATTEMPTS = 1000
"""How often a compare-and-set is computed again before :class:`ConflictError` is raised."""

ECHO_LIMIT = 256
"""A list or dict of up to so many items is sent back with the answer, so that the local one is exact."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What ``echo`` answers of a list or dict that is too large to be sent: the SHA-1 of its stored text.

    In hexadecimal digits; the text is that of ``JSON.GET``, without the brackets around it.
    """

    sha1: bytes


_SOURCE = (files("rapyer") / "script" / "lua" / "batch.lua").read_text(encoding="utf-8")
_SHA = hashlib.sha1(_SOURCE.encode(), usedforsecurity=False).hexdigest()
_NUMBER_BITS = 10  # of a stamp: batches that one command carried out have one clock and an order
_UNKNOWN = b"-"
_REFUSED = b"refused"
_CONTAINERS = (b"[", b"{")


class Primitive(NamedTuple):
    """One step of the script: ``code`` at ``path`` of a document.

    With ``rewrite`` it is a compare-and-set; ``guess`` is what the stored text is believed to be.
    """

    code: str
    path: Path
    args: tuple[bytes, ...] = ()
    rewrite: Rewrite | None = None
    guess: bytes | None = None


Step: TypeAlias = tuple[str, Primitive]
"""A primitive, and the key of its document."""


class Answer(NamedTuple):
    """What the server said: a stamp that is greater the later it was said, and one answer a primitive."""

    stamp: int
    values: list[Any]


class Refused(Exception):  # noqa: N818 - an answer, not a failure of the program
    """The batch was refused as a whole because of the primitive at ``position``."""

    def __init__(self, position: int, error: Exception) -> None:
        super().__init__(position, error)
        self.position, self.error = position, error


class _Wire(NamedTuple):
    """How a primitive is called on the wire, also when the server would misread a number in its arguments.

    Those from ``json`` on, or that one alone, are JSON values; None: none is.
    """

    name: bytes
    fragile: bytes
    json: slice | None


def _wire(name: str, json: slice | None = None) -> _Wire:
    return _Wire(name.encode(), f"{name}!".encode(), json)


_FIRST, _FROM_SECOND, _FROM_THIRD = slice(1), slice(1, None), slice(2, None)
_WIRES = {
    "set": _wire("value.set", _FIRST),
    "strapp": _wire("value.strapp"),
    "cas": _wire("value.cas", _FROM_SECOND),
    "incr": _wire("number.incr"),
    "setat": _wire("list.setat", _FROM_SECOND),
    "append": _wire("list.append", _FROM_SECOND),
    "insert": _wire("list.insert", _FROM_THIRD),
    "pop": _wire("list.pop"),
    "take": _wire("object.take"),
    "remove": _wire("object.remove"),
    "popitem": _wire("object.popitem"),
    "read": _wire("reading.read"),
    "echo": _wire("reading.echo"),
    "check": _wire("reading.check"),
    "watch": _wire("document.watch"),
    "save": _wire("document.save", _FIRST),
    "drop": _wire("document.drop"),
    "expire": _wire("document.expire"),
    "refresh": _wire("document.refresh"),
}
_NAMED_ENTRY = ("take", "popitem")


@lru_cache(maxsize=4096)
def _address(path: Path) -> bytes | None:
    """The JSONPath of ``path``; None where there is none."""
    return json_path(path).encode() if addressable_prefix(path) == len(path) else None


@lru_cache(maxsize=1024)
def _digits(number: int) -> bytes:
    return b"%d" % number


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
            return in_python.apply(code, text, below, args)
        _, old = in_python.apply("read", text, below, (b"strict",))
        new, answer = inner(old)
        return in_python.apply("set", text, below, (new, b"present"))[0], answer

    return Primitive("cas", path[:prefix], (), rewrite)


def _addressed_echo(echo: Primitive) -> Primitive:
    """``echo``, as a read of the nearest container where no JSONPath names its place."""
    prefix = addressable_prefix(echo.path)
    return Primitive("read", echo.path[:prefix], (b"lenient",))


def _echoed(echo: Primitive, answer: bytes | None) -> bytes | Digest | None:
    """What the script's answer to an echo means; below an odd key it is the text of a container."""
    if answer is None:
        return None
    if below := echo.path[addressable_prefix(echo.path) :]:
        try:
            answer = cast(bytes, in_python.apply("read", answer, below, (b"strict",))[1])
        except in_python.Refusal:
            return None
    if echo.code == "read" or answer[:1] in _CONTAINERS:
        return answer
    return None if below else Digest(answer)


class _Computed(NamedTuple):
    sha: bytes
    text: bytes
    answer: Any


def _compute(primitive: Primitive, old: bytes) -> _Computed:
    assert primitive.rewrite is not None
    text, answer = primitive.rewrite(old)
    return _Computed(hashlib.sha1(old, usedforsecurity=False).hexdigest().encode(), text, answer)


def _entry_arguments(primitive: Primitive) -> tuple[bytes, ...]:
    """The arguments of ``take`` and ``popitem``, with the path of the entry they name."""
    if not primitive.args:
        return (b"", b"")
    path = json_path((*primitive.path, primitive.args[0].decode())).encode()
    return (path,) if primitive.code == "take" else (primitive.args[0], path)


class Call:
    """A batch as it is sent, as often as it takes: what the script gets, and what its reply means.

    :param echoes: reads that follow the steps and cannot refuse.
    :ivar number: its position among those that are carried out by the same command.
    """

    __slots__ = ("_computed", "_echoes", "_refusable", "_steps", "number")

    def __init__(self, steps: Sequence[Step], echoes: Sequence[Step]) -> None:
        self._echoes, self._refusable = echoes, len(steps)
        self._steps = [*steps, *echoes]
        self._computed: dict[int, _Computed] = {}
        self.number = 0
        for place, (_, step) in enumerate(steps):
            if step.guess is not None:
                # by the task that asks for it: another's may be the one that calls arguments()
                self._special(place)

    def size(self) -> int:
        """About how many bytes the batch takes."""
        size = 0
        for result in self._computed.values():
            size += len(result.text)
        for _, step in self._steps:
            for argument in step.args:
                size += len(argument)
        return size

    def arguments(self, keys: dict[str, bytes]) -> list[bytes]:
        """The script's ARGV. ``keys`` are its KEYS with their positions; new ones are added."""
        steps = self._steps
        argv = [_digits(len(steps)), _digits(self._refusable)]
        for place, (key, (code, path, args, rewrite, _)) in enumerate(steps):
            where = _address(path)
            if where is None or rewrite is not None or code in _NAMED_ENTRY:
                code, where, args = self._special(place)
            name, fragile, json = _WIRES[code]
            if json is not None:
                for text in args[json]:
                    if is_fragile(text):
                        name = fragile
                        break
            number = keys.get(key)
            if number is None:
                number = keys[key] = _digits(len(keys) + 1)
            argv += (name, number, where, _digits(len(args)), *args)
        return argv

    def _special(self, place: int) -> tuple[str, bytes, tuple[bytes, ...]]:
        """Code, path and arguments of a step that no JSONPath leads to, or that is computed here."""
        key, step = self._steps[place]
        if step.code in _NAMED_ENTRY or _address(step.path) is None:
            step = _addressed(step) if place < self._refusable else _addressed_echo(step)
        known = self._computed.get(place)
        if step.rewrite is not None and step.guess is not None and known is None:
            # where the guess is wrong, what is stored will tell; a user's validator may raise anything
            with suppress(Exception):
                known = self._computed[place] = _compute(step, step.guess)
            step = step._replace(guess=None)
        self._steps[place] = key, step
        where = cast(bytes, _address(step.path))
        if step.rewrite is not None:
            return "cas", where, (_UNKNOWN, b"") if known is None else (known.sha, known.text)
        named = step.code in _NAMED_ENTRY
        return step.code, where, _entry_arguments(step) if named else step.args

    def answer(self, stamp: int, values: list[Any]) -> Answer | None:
        """What the script's reply means; None: the batch has to be sent again, as it is now.

        Raises :class:`Refused`.
        """
        if values and values[0] == _REFUSED:
            self._understand_refusal(*values[1:])
            return None
        for position, result in self._computed.items():
            values[position] = result.answer
        for position, (_, echo) in enumerate(self._echoes, self._refusable):
            values[position] = _echoed(echo, values[position])
        return Answer(stamp << _NUMBER_BITS | self.number, values)

    def _understand_refusal(self, position: int, why: bytes, detail: bytes, more: bytes) -> None:
        key, step = self._steps[position]
        reason = why.decode()
        if reason != "retry":
            error = _error(reason, detail.decode(), more.decode(), key, step)
            raise Refused(position, error) if position < self._refusable else error
        try:
            if step.rewrite is None:
                step = _as_rewrite(step)
                self._steps[position] = key, step
            self._computed[position] = _compute(step, detail)
        except in_python.Refusal as refusal:
            raise Refused(
                position, _error(refusal.reason, refusal.detail, refusal.more, key, step)
            ) from None
        except (ValueError, TypeError, ArithmeticError, LookupError) as error:
            raise Refused(position, error) from error


async def check(session: Session, steps: Sequence[Step]) -> None:
    """Find out whether :func:`submit` would refuse ``steps`` now; nothing is changed."""
    try:
        await submit(session, [*steps, (steps[0][0], Primitive("check", ()))])
    except Refused as refused:
        if refused.position < len(steps):
            raise


async def submit(session: Session, steps: Sequence[Step], echoes: Sequence[Step] = ()) -> Answer:
    """Apply all ``steps``, or none; ``echoes`` are reads that follow and cannot refuse.

    Raises :class:`Refused` when one cannot apply (nothing is changed), and what the connection raises.
    Sends EVALSHA, and EVAL once where the server does not know the script.
    """
    call = Call(steps, echoes)
    for _ in range(MAX_ATTEMPTS):
        stamp, values = await session.evalsha_merged(call, _merged, _SOURCE)
        answer = call.answer(stamp, values)
        if answer is not None:
            return answer
    keys = ", ".join(dict.fromkeys(key for key, _ in steps))
    raise Refused(
        0, ConflictError(f"gave up after {MAX_ATTEMPTS} attempts: others keep changing {keys}")
    )


def _merged(calls: Sequence[Call]) -> tuple[bytes | str | int, ...]:
    """The command that carries out all ``calls``, each of them whole or not at all."""
    keys: dict[str, bytes] = {}
    argv = [b"%d" % len(calls)]
    for number, call in enumerate(calls):
        call.number = number
        argv += call.arguments(keys)
    return ("EVALSHA", _SHA, len(keys), *keys, *argv)


def _as_rewrite(primitive: Primitive) -> Primitive:
    def rewrite(text: bytes) -> tuple[bytes, Any]:
        return in_python.apply(primitive.code, text, (), primitive.args)

    return primitive._replace(rewrite=rewrite)


_KINDS = {"integer": "an integer", "array": "a list", "object": "an object", "null": "null"}


def _a(kind: str) -> str:
    return _KINDS.get(kind, f"a {kind}")


def _error(reason: str, detail: str, more: str, key: str, step: Primitive) -> RapyerError:
    where = f"{key}/{field_path(step.path)}" if step.path else key
    if reason == "nokey":
        return KeyNotFound(f"{key} does not exist; save the document first", key=key)
    if reason == "nopath":
        return PathNotFound(f"{where}: there is no such place in the stored document", key=key)
    if reason == "type":
        return WrongTypeError(f"{where} holds {_a(detail)}, the operation needs {_a(more)}")
    if reason == "key":
        return WrongTypeError(f"{key} is not a JSON document but another Redis type")
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
    if reason == "halfway":
        return RapyerError(
            f"{where}: the server refused: {detail}; and what had been applied could not be undone: {more}"
        )
    if reason == "conflict":
        return ConflictError(f"{key} was changed by somebody else; nothing was applied")
    if reason == "exists":
        return KeyExistsError(f"{key} exists already")
    return RapyerError(f"{where}: the server refused: {detail}")
