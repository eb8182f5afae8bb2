"""Numbers and RedisJSON: which it cannot hold, and which it misreads.

RedisJSON turns the text of a number into a double in two rounded steps (the digits, then a power of
ten), so that about one random double in ten comes out one step off: ``0.24840464517448202`` is stored as
``0.248404645174482``. A text with such a number is *fragile*. It is sent with other digits, which those two
steps do turn into the double that is meant (:func:`as_read_exactly`); where there are none, the script reads
what was stored back and adds the difference. (A server that restarts from an RDB file reads its own text again, and may be one
step off again; nothing that a client does can prevent that.)
"""

from __future__ import annotations

import math
import re

from rapyer.errors import InvalidValueError

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

# What a text with a long run of digits, or a number with a large exponent at its end, looks like when
# digits and points become 0, delimiters a comma and signs a minus: cheap to make and to look into.
_SHAPE = bytes(
    ord("0")
    if byte in b"0123456789."
    else ord(",")
    if byte in b",]}"
    else ord("-")
    if byte in b"+-"
    else byte
    if byte == ord("e")
    else 32
    for byte in range(256)
)
_LONG_RUN = b"0" * 17
_large_exponent = re.compile(rb"0e-?000?(?:,|\Z)").search
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|NaN|-?Infinity')
_LARGEST_SIGNIFICAND = 2**64 - 1
_LARGEST_EXACT = 2**53
_LONG_TOKEN = re.compile(
    rb'"(?:[^"\\]|\\.)*"|-?[0-9.]{16,}(?:[eE][+-]?[0-9]+)?|-?[0-9.]+[eE][+-]?[0-9]+'
)
"""Texts, and the numbers that the server may misread: with few digits and no exponent it does not."""
_POWERS = [float(f"1e{exponent}") for exponent in range(309)]


def is_fragile(data: bytes) -> bool:
    """Whether the server would misread a number in JSON text ``data``.

    Raises :class:`~rapyer.errors.InvalidValueError` for what it cannot hold at all: an integer beyond
    64 bits, NaN and infinities.
    """
    if data[:1] == b'"' or (len(data) < 17 and data.isdigit()) or not _may_be_fragile(data):
        return False  # a text alone has no numbers, and a small integer is what most numbers are
    fragile = False
    for match in _TOKEN.finditer(data):
        token = match[0]
        if token[:1] == b'"':
            continue
        text = token.decode("ascii")
        if text in ("NaN", "Infinity", "-Infinity"):
            raise InvalidValueError(f"{text} cannot be stored: JSON knows only finite numbers")
        if text.lstrip("-").isdigit():
            if not INT64_MIN <= int(text) <= INT64_MAX:
                raise InvalidValueError(f"{text} does not fit into a signed 64-bit integer")
        elif not fragile:
            fragile = read_by_server(text) != float(text)
    return fragile


def _may_be_fragile(data: bytes) -> bool:
    shape = data.translate(_SHAPE)
    if _LONG_RUN in shape:
        return True
    # Looking for one byte costs a quarter of looking for a word.
    if (b"N" in data and b"NaN" in data) or (b"I" in data and b"Infinity" in data):
        return True
    return _large_exponent(shape) is not None


def as_read_exactly(data: bytes) -> tuple[bytes, bool]:
    """JSON text ``data`` with digits that the server reads as the numbers meant, and whether it still misreads one."""
    left = False

    def exact(match: re.Match[bytes]) -> bytes:
        nonlocal left
        token = match[0]
        if token[:1] == b'"' or token.lstrip(b"-").isdigit():
            return token
        text = token.decode("ascii")
        number = float(text)
        if read_by_server(text) == number:
            return token
        other = _other_digits(abs(number))
        left = left or other is None
        return token if other is None else b"-" * (token[:1] == b"-") + other.encode()

    return _LONG_TOKEN.sub(exact, data), left


def _other_digits(number: float) -> str | None:
    """Digits and a power of ten that the server reads as the positive ``number``; None if there are none.

    It rounds the digits to a double, then what it multiplies or divides that by the power. So whole doubles
    around the number times a power of ten are tried, as large as the server's 64 bits of digits allow.
    """
    above, below = number.as_integer_ratio()
    tens = math.floor(math.log10(_LARGEST_SIGNIFICAND)) - math.floor(math.log10(number))
    for exponent in range(tens + 1, tens - 4, -1):
        if abs(exponent) > len(_POWERS) - 1:
            continue
        scaled = above * 10 ** max(exponent, 0) // (below * 10 ** max(-exponent, 0))
        if not _LARGEST_EXACT // 2 <= scaled <= _LARGEST_SIGNIFICAND:
            continue
        near = float(scaled)
        for digits in (near, math.nextafter(near, math.inf), math.nextafter(near, 0.0)):
            power = _POWERS[abs(exponent)]
            read = digits / power if exponent >= 0 else digits * power
            if read != number or digits > _LARGEST_SIGNIFICAND or not digits.is_integer():
                continue
            text = f"{int(digits)}e{-exponent}"
            if float(text) == number:  # as every other reader has it
                return text
    return None


def read_by_server(text: str) -> float:
    """What RedisJSON makes of the text of a float."""
    mantissa, _, exponent_text = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    significand, exponent = int(whole + fraction), int(exponent_text or 0) - len(fraction)
    if significand > _LARGEST_SIGNIFICAND:
        significand, exponent = _cut_off(whole, fraction, int(exponent_text or 0))
    result = float(significand)
    while abs(exponent) > 308 and result:
        if exponent > 0:
            return math.inf
        result /= _POWERS[308]
        exponent += 308
    if result:
        result = result * _POWERS[exponent] if exponent >= 0 else result / _POWERS[-exponent]
    return -result if text.startswith("-") else result


def _cut_off(whole: str, fraction: str, exponent: int) -> tuple[int, int]:
    """As many of the digits as fit into 64 bits, and the power of ten that goes with them."""
    significand, full = 0, False
    for position, digit in enumerate(whole + fraction):
        in_fraction = position >= len(whole)
        larger = significand * 10 + int(digit)
        if full or larger > _LARGEST_SIGNIFICAND:
            full = True  # further digits are ignored
            exponent += 0 if in_fraction else 1
            continue
        significand = larger
        exponent -= 1 if in_fraction else 0
    return significand, exponent
