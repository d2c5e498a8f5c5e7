# SPDX-License-Identifier: GPL-2.0-only
"""What is known about a value on one path: a range, a symbol, exclusions.

Error pointers are negative, NULL is 0 and valid pointers are positive, as the
kernel's IS_ERR() has it: one range serves integers and pointers.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

#: A constant: its number, or the name of an enumerator or macro.
Constant: TypeAlias = int | str

FAR = 1 << 70


class Known(NamedTuple):
    """``lo <= value <= hi``, equal to ``symbol`` if any, to none of ``not_``."""

    lo: int = -FAR
    hi: int = FAR
    symbol: str = ""
    not_: frozenset[Constant] = frozenset()


ANY = Known()
ZERO = Known(0, 0)
NONZERO = Known(not_=frozenset({0}))
NEGATIVE = Known(-FAR, -1)
POSITIVE = Known(1, FAR)
NOT_NEGATIVE = Known(0, FAR)


def constant(value: Constant) -> Known:
    """The value that is exactly ``value``."""
    if isinstance(value, int):
        return Known(value, value)
    if value.startswith("-E"):  # an errno that the data does not number
        return Known(-FAR, -1, value)
    return Known(symbol=value)


def compare(value: Known, operator: str, other: Constant) -> bool | None:
    """Whether ``value operator other`` holds: True, False, or None if open.

    ``operator`` is ``==``, ``<`` or ``<=``; a symbol is only ever equal to
    itself and different from other symbols (enumerators of one enum).
    """
    lo, hi, symbol, excluded = value
    if isinstance(other, str):
        if operator != "==":
            return None
        if symbol:
            return symbol == other
        if other in excluded or (other.startswith("-E") and lo >= 0):
            return False
        return None
    if operator == "==":
        if lo == hi == other:
            return True
        if other < lo or other > hi or other in excluded:
            return False
        return None
    if operator == "<":
        return True if hi < other else False if lo >= other else None
    return True if hi <= other else False if lo > other else None


def refine(value: Known, operator: str, other: Constant, holds: bool) -> Known | None:
    """``value`` with the outcome of a comparison; None if that cannot be."""
    decided = compare(value, operator, other)
    if decided is not None:
        return value if decided == holds else None
    lo, hi, symbol, excluded = value
    if operator == "==":
        if not holds:
            return _normal(lo, hi, symbol, excluded | {other})
        if isinstance(other, int):
            return Known(other, other, symbol)
        return Known(max(lo, constant(other).lo), min(hi, constant(other).hi), other)
    if not isinstance(other, int):
        return value
    if operator == "<":
        lo, hi = (lo, min(hi, other - 1)) if holds else (max(lo, other), hi)
    else:
        lo, hi = (lo, min(hi, other)) if holds else (max(lo, other + 1), hi)
    return _normal(lo, hi, symbol, excluded)


def _normal(lo: int, hi: int, symbol: str, excluded: frozenset[Constant]) -> Known | None:
    while lo in excluded:
        lo += 1
    while hi in excluded:
        hi -= 1
    if lo > hi:
        return None
    kept = frozenset(x for x in excluded if isinstance(x, str) or lo < x < hi)
    return Known(lo, hi, symbol, kept)


def meet(one: Known, two: Known) -> Known | None:
    """What holds when both are known of the same value; None if impossible."""
    if one.symbol and two.symbol and one.symbol != two.symbol:
        return None
    return _normal(
        max(one.lo, two.lo), min(one.hi, two.hi), one.symbol or two.symbol, one.not_ | two.not_
    )


def truth(value: Known) -> bool | None:
    """Whether the value is non-zero, or None if that is open."""
    equal = compare(value, "==", 0)
    return None if equal is None else not equal


def show(value: Known) -> str:
    """For messages: ``-11``, ``MMU_NOTIFY_CLEAR``, ``negative``, ``non-zero``."""
    if value.symbol:
        return value.symbol
    if value.lo == value.hi:
        return str(value.lo)
    if value.hi < 0:
        return "negative"
    if value.lo > 0:
        return "positive"
    return "non-zero" if 0 in value.not_ else "anything"
