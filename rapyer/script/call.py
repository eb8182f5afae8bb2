"""Batches on the wire: primitives are encoded for ``lua/batch.lua``, sent, and its answers decoded.

One EVALSHA carries a whole batch. A primitive that must be computed in Python (``rewrite``) is sent as
compare-and-set and computed again when somebody else was faster. Local values are not touched here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, cast

from rapyer.errors import ConflictError
from rapyer.paths import Path, addressable_prefix, is_addressable, json_path
from rapyer.schema.numbers import is_fragile
from rapyer.script import in_python
from rapyer.script.exactly import exactly
from rapyer.script.lua import read_script
from rapyer.script.primitives import PRIMITIVES, Instruction
from rapyer.script.refusals import error_of
from rapyer.script.runs import Run, StoppedError, gathered
from rapyer.script.steps import (
    ECHO_LIMIT,
    Answer,
    Digest,
    Primitive,
    Refused,
    Rewrite,
    Step,
)

if TYPE_CHECKING:
    from rapyer.connections import Session

__all__ = [
    "ECHO_LIMIT",
    "Answer",
    "Digest",
    "Primitive",
    "Refused",
    "Rewrite",
    "Step",
    "check",
    "submit",
]

MAX_ATTEMPTS = 1000
"""How often a compare-and-set is computed again before :class:`ConflictError` is raised."""

_SCRIPT = read_script("batch")
_UNKNOWN = b"-"
_REFUSED = b"refused"
_UNCHANGED = b""
_CONTAINERS = (b"[", b"{")
_NAMED_ENTRY = ("take", "popitem")
_USERS = (ValueError, TypeError, ArithmeticError, LookupError)
"""What computing a value raises where it cannot be what the operation would make it."""
_OTHER_ON_WIRE = tuple(code for code, known in PRIMITIVES.items() if known.wire)


class _Wire(NamedTuple):
    """How a primitive is called on the wire, also when the server would misread a number in its arguments.

    ``json`` are the arguments that are JSON; None: none is.
    """

    name: bytes
    fragile: bytes
    json: slice | None


def _wire(code: str, instruction: Instruction) -> _Wire:
    name = f"{instruction.part}.{code}"
    return _Wire(name.encode(), f"{name}!".encode(), instruction.json)


_WIRES = {code: _wire(code, instruction) for code, instruction in PRIMITIVES.items()}


@lru_cache(maxsize=4096)
def _address(path: Path) -> bytes | None:
    """The JSONPath of ``path``; None where there is none."""
    return json_path(path).encode() if addressable_prefix(path) == len(path) else None


@lru_cache(maxsize=1024)
def _digits(number: int) -> bytes:
    return b"%d" % number


def _addressed(primitive: Primitive) -> Primitive:
    """``primitive``, where no JSONPath names its place, by way of the nearest container that has one.

    What cannot refuse reads the container. Anything else becomes a compare-and-set of it, also a read
    that may refuse: only here can be told whether the place is there.
    """
    code, path, args = primitive[:3]
    prefix = addressable_prefix(path)
    if prefix == len(path) and (
        code not in _NAMED_ENTRY or not args or is_addressable(args[0].decode())
    ):
        return primitive
    if in_python.is_lenient(code, args):
        return Primitive("read", path[:prefix], (b"lenient",))
    below, inner = path[prefix:], primitive.rewrite

    def rewrite(text: bytes) -> tuple[bytes, Any]:
        if inner is None:
            changed, answer = in_python.apply(code, text, below, args)
            return (changed if PRIMITIVES[code].writes else _UNCHANGED), answer
        _, old = in_python.apply("read", text, below, (b"strict",))
        new, answer = inner(old)
        return in_python.apply("set", text, below, (new, b"present"))[0], answer

    return Primitive("cas", path[:prefix], (), rewrite)


def _read_out(asked: Primitive, answer: bytes | None) -> bytes | Digest | None:
    """What the script's answer to a lenient read or an echo means.

    Below a key that no JSONPath names, it is the text of a container above.
    """
    below = asked.path[addressable_prefix(asked.path) :]
    if answer is None:
        return None
    if below:
        answer = cast("bytes | None", in_python.apply("read", answer, below, (b"lenient",))[1])
    if asked.code == "read" or answer is None or answer[:1] in _CONTAINERS:
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


def _wire_arguments(primitive: Primitive) -> tuple[bytes, ...]:
    """The arguments of a primitive whose arguments are others on the wire: it gets the paths it needs."""
    code, path, args = primitive[:3]
    if code == "remove":
        return (json_path(path[:-1]).encode(),)
    if not args:
        return (b"", b"")
    entry = json_path((*path, args[0].decode())).encode()
    return (entry,) if code == "take" else (args[0], entry)


class Call:
    """A batch as it is sent, as often as it takes: what the script gets, and what its reply means.

    :param echoes: reads that follow the steps and cannot refuse.
    """

    __slots__ = ("_asked", "_carried", "_computed", "_count", "_read_out", "_refusable", "_steps")

    def __init__(self, steps: Sequence[Step], echoes: Sequence[Step]) -> None:
        sent = gathered(steps)
        self._carried = None if sent is None else [one.positions for one in sent]
        """The positions of the steps that each step which is sent carries out; None: its own."""
        self._count = len(steps)
        if sent is not None:
            steps = [one.step for one in sent]
        self._refusable = len(steps)
        while self._refusable and steps[self._refusable - 1][1].code == "refresh":
            self._refusable -= 1
        self._asked = [*steps, *echoes]
        self._steps = list(self._asked)  # some become compare-and-sets
        self._computed: dict[int, _Computed] = {}
        self._read_out = set(range(len(steps), len(self._asked)))

    def words(self) -> tuple[list[str], list[bytes]]:
        """The script's KEYS and ARGV, as things are now."""
        keys: dict[str, bytes] = {}
        steps = self._steps
        argv = [_digits(len(steps)), _digits(self._refusable)]
        for place, (key, (code, path, args, rewrite, _)) in enumerate(steps):
            where = _address(path)
            if where is None or rewrite is not None or code in _OTHER_ON_WIRE:
                code, where, args = self._special(place)
            name, fragile, json = _WIRES[code]
            if json is not None and any(map(is_fragile, args[json])):
                args, doubtful = exactly(code, args, json)
                if doubtful is not None:
                    name = fragile + doubtful
            number = keys.get(key)
            if number is None:
                number = keys[key] = _digits(len(keys) + 1)
            argv += (name, number, where, _digits(len(args)), *args)
        return list(keys), argv

    def _special(self, place: int) -> tuple[str, bytes, tuple[bytes, ...]]:
        """Code, path and arguments of a step that no JSONPath leads to, or that is computed here."""
        key, step = self._steps[place]
        if step.code in _NAMED_ENTRY or _address(step.path) is None:
            step = _addressed(step)
            if step.code == "read":
                self._read_out.add(place)
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
        other = step.code in _OTHER_ON_WIRE
        return step.code, where, _wire_arguments(step) if other else step.args

    def answer(self, stamp: int, values: list[Any]) -> Answer | None:
        """What the script's reply means; None: the batch has to be sent again, as it is now.

        Raises :class:`Refused`.
        """
        if values and values[0] == _REFUSED:
            self._understand_refusal(*values[1:])
            return None
        for position, result in self._computed.items():
            values[position] = result.answer
        for position in self._read_out:
            values[position] = _read_out(self._asked[position][1], values[position])
        return Answer(stamp, values if self._carried is None else self._handed_out(values))

    def _handed_out(self, values: list[Any]) -> list[Any]:
        """The answers to the steps that were given, in their order."""
        assert self._carried is not None
        answers: list[Any] = [None] * self._count
        for positions, value in zip(self._carried, values, strict=False):
            if len(positions) == 1:
                answers[positions[0]] = value
            else:
                for position, answer in zip(positions, value, strict=True):
                    answers[position] = answer
        return answers + values[len(self._carried) :]

    def _refused(self, position: int, error: Exception, within: int = 0) -> Refused:
        """``error`` as the refusal of a step that was given: the one ``within`` that at ``position``."""
        if self._carried is not None and position < len(self._carried):
            position = self._carried[position][within]
        return Refused(position, error)

    def _understand_refusal(self, position: int, why: bytes, detail: bytes, more: bytes) -> None:
        key, step = self._steps[position]
        asked = self._asked[position]
        reason = why.decode()
        if reason != "retry":
            error = error_of(reason, detail.decode(), more.decode(), *asked)
            raise self._refused(position, error)
        if step.rewrite is None:
            step = _as_rewrite(step)
            self._steps[position] = key, step
        try:
            self._computed[position] = _compute(step, detail)
        except StoppedError as stopped:
            within = stopped.position
            asked = key, cast(Run, asked[1].rewrite).steps[within]
            self._not_computed(position, within, asked, cast(Exception, stopped.__cause__))
        except Exception as error:
            self._not_computed(position, 0, asked, error)

    def _not_computed(self, position: int, within: int, asked: Step, why: Exception) -> NoReturn:
        if isinstance(why, in_python.Refusal):
            key, step = asked
            error = error_of(why.reason, why.detail, why.more, key, why.step or step)
            raise self._refused(position, error, within) from None
        if isinstance(why, _USERS):
            raise self._refused(position, why, within) from why
        raise why


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
        keys, argv = call.words()
        stamp, *values = await session.evalsha(_SCRIPT.sha, _SCRIPT.source, keys, argv)
        try:
            answer = call.answer(stamp, values)
        except Refused as refused:
            await session.heed(refused.error)
            raise
        if answer is not None:
            return answer
    names = ", ".join(dict.fromkeys(key for key, _ in steps))
    raise Refused(
        0, ConflictError(f"gave up after {MAX_ATTEMPTS} attempts: others keep changing {names}")
    )


def _as_rewrite(primitive: Primitive) -> Primitive:
    def rewrite(text: bytes) -> tuple[bytes, Any]:
        return in_python.apply(primitive.code, text, (), primitive.args)

    return primitive._replace(rewrite=rewrite)
