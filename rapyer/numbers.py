"""Numbers and RedisJSON: which it cannot hold, and which it misreads.

RedisJSON turns the text of a number into a double in two rounded steps (the digits, then a power of
ten), so that about one random double in ten comes out one step off: ``0.24840464517448202`` is stored as
``0.248404645174482``. A text with such a number is *fragile*: the script reads what was stored back and
adds the difference. (A server that restarts from an RDB file reads its own text again, and may be one
step off again; nothing that a client does can prevent that.)
"""

from __future__ import annotations

import math
import re

from rapyer.errors import InvalidValueError

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

# Long runs of digits, large exponents at the end of a value, and what is no number: cheap to look for,
# and rarely there.
_SUSPICIOUS = re.compile(rb"[0-9.]{17}|[0-9]e[-+]?[0-9]{2,3}(?:[,\]}]|\Z)|NaN|Infinity")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|NaN|-?Infinity')
_LARGEST_SIGNIFICAND = 2**64 - 1
_POWERS = [float(f"1e{exponent}") for exponent in range(309)]


def is_fragile(data: bytes) -> bool:
    """Whether the server would misread a number in JSON text ``data``.

    Raises :class:`~rapyer.errors.InvalidValueError` for what it cannot hold at all: an integer beyond
    64 bits, NaN and infinities.
    """
    if _SUSPICIOUS.search(data) is None:
        return False
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


def read_by_server(text: str) -> float:
    """What RedisJSON makes of the text of a float."""
    mantissa, _, exponent_text = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    significand, exponent = 0, int(exponent_text or 0)
    full = False
    for position, digit in enumerate(whole + fraction):
        in_fraction = position >= len(whole)
        larger = significand * 10 + int(digit)
        if full or larger > _LARGEST_SIGNIFICAND:
            full = True  # further digits are ignored
            exponent += 0 if in_fraction else 1
            continue
        significand = larger
        exponent -= 1 if in_fraction else 0
    result = float(significand)
    while abs(exponent) > 308 and result:
        if exponent > 0:
            return math.inf
        result /= _POWERS[308]
        exponent += 308
    if result:
        result = result * _POWERS[exponent] if exponent >= 0 else result / _POWERS[-exponent]
    return -result if text.startswith("-") else result
