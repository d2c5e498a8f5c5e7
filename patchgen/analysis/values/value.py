# SPDX-License-Identifier: GPL-2.0-only
"""What is known about a value on one path: a range, a symbol, exclusions.

Error pointers are negative, NULL is 0 and valid pointers are positive, as the
kernel's IS_ERR() has it: one range serves integers and pointers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

#: A constant: its number, or the name of an enumerator or macro.
Constant: TypeAlias = int | str

FAR = 1 << 70

#: Masks of which each value is told apart.
_SMALL = 64


class Known(NamedTuple):
    """``lo <= value <= hi``, equal to ``symbol`` if any, to none of ``not_``."""

    lo: int = -FAR
    hi: int = FAR
    symbol: str = ""
    not_: frozenset[Constant] = frozenset()


ANY = Known()
ZERO = Known(0, 0)
ONE = Known(1, 1)
NONZERO = Known(not_=frozenset({0}))
NEGATIVE = Known(-FAR, -1)
POSITIVE = Known(1, FAR)
NOT_NEGATIVE = Known(0, FAR)


def constant(value: Constant) -> Known:
    """The value that is exactly ``value``."""
    if isinstance(value, int):
        return Known(value, value)
    if value.startswith("&"):  # the address of an object
        return Known(1, FAR, value)
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
            if symbol[0] == other[0] == "&":
                return _same_object(symbol, other)
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


def _same_object(one: str, two: str) -> bool | None:
    """Whether two addresses are of one object: of two variables never, else it is open."""
    if one == two:
        return True
    named = all(not {"-", "[", "*", "("} & set(address) for address in (one, two))
    return False if named else None


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


def without(value: Known, gone: Iterable[Constant]) -> Known | None:
    """``value`` where it is none of some constants; None if nothing is left."""
    return _normal(value.lo, value.hi, value.symbol, value.not_.union(gone))


def _normal(lo: int, hi: int, symbol: str, excluded: frozenset[Constant]) -> Known | None:
    if not excluded:
        return None if lo > hi else Known(lo, hi, symbol)
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
    lo, hi, symbol, excluded = one
    low, high, other, also = two
    if symbol and other and symbol != other:
        return None
    return _normal(
        max(lo, low), min(hi, high), symbol or other, excluded | also if also else excluded
    )


def combine(operator: str, one: Known, two: Known) -> Known:
    """What is known of ``one operator two``; comparisons are 1 or 0."""
    if operator in ("==", "<", "<="):
        decided = _compared(operator, one, two)
        return ANY if decided is None else ONE if decided else ZERO
    if ZERO in (one, two) and operator in ("&", "*"):
        return ZERO
    if one.lo == one.hi and two.lo == two.hi:
        found = _computed(operator, one.lo, two.lo)
        return ANY if found is None else Known(found, found)
    if operator == "+":
        return _moved(one, two)
    if operator == "-" and two.lo == two.hi:
        return _moved(one, Known(-two.lo, -two.lo))
    if operator == "&" and max(one.lo, two.lo) >= 0:
        high = min(part.hi for part in (one, two) if part.lo >= 0)
        mask = next((part.lo for part in (one, two) if part.lo == part.hi), -1)
        missing = (x for x in range(1, high) if x & ~mask) if 0 <= mask <= _SMALL else ()
        return Known(0, high, "", frozenset(missing))
    if operator in (">>", "/") and one.lo >= 0 and two.lo == two.hi > 0:
        high = FAR if one.hi == FAR else _computed(operator, one.hi, two.lo) or 0
        return Known(_computed(operator, one.lo, two.lo) or 0, high)
    if operator == "&" and two.lo == two.hi < 0:
        low = two.lo & -two.lo
        return Known(not_=frozenset(range(1, min(low, _SMALL * 4))))
    if operator == "|":
        if min(one.lo, two.lo) >= 0:
            return Known(max(one.lo, two.lo), FAR)
        # A flag's name is not zero.
        return NONZERO if two.symbol or True in (truth(one), truth(two)) else ANY
    if operator == "%" and two.lo == two.hi > 0 and one.lo >= 0:
        return Known(0, two.lo - 1)
    return ANY


def _compared(operator: str, one: Known, two: Known) -> bool | None:
    if two.lo == two.hi:
        return compare(one, operator, two.lo)
    if operator == "==":
        if one.lo == one.hi:
            return compare(two, "==", one.lo)
        return False if one.hi < two.lo or two.hi < one.lo else None
    if one.hi < two.lo or (operator == "<=" and one.hi == two.lo):
        return True
    if one.lo > two.hi or (operator == "<" and one.lo == two.hi):
        return False
    return None


def _computed(operator: str, one: int, two: int) -> int | None:
    """C's arithmetic on numbers; None where it is undefined or too large to follow."""
    if operator in ("/", "%"):
        if not two:
            return None
        whole = abs(one) // abs(two) * (1 if (one < 0) == (two < 0) else -1)
        return whole if operator == "/" else one - whole * two
    if operator in ("<<", ">>"):
        if not 0 <= two < 64:
            return None
        return one << two if operator == "<<" else one >> two
    found = {
        "+": one + two, "-": one - two, "*": one * two, "&": one & two, "|": one | two,
        "^": one ^ two,
    }.get(operator)  # fmt: skip
    return found if found is None or abs(found) < FAR else None


def _moved(one: Known, two: Known) -> Known:
    """The sum of two ranges; exclusions move along with a number that is added."""
    lo = -FAR if -FAR in (one.lo, two.lo) else one.lo + two.lo
    hi = FAR if FAR in (one.hi, two.hi) else one.hi + two.hi
    by = two if two.lo == two.hi else one
    base = one if by is two else two
    moved: frozenset[Constant] = frozenset()
    if by.lo == by.hi:
        moved = frozenset(x + by.lo for x in base.not_ if isinstance(x, int))
    return Known(max(lo, -FAR), min(hi, FAR), "", moved)


def widened(old: Known, new: Known, steps: tuple[int, ...]) -> Known:
    """A value that has both, and whose bounds lie at ``steps`` (sorted) or nowhere."""
    lo, hi = old.lo, old.hi
    if new.lo < lo:
        lo = next((step for step in reversed(steps) if step <= new.lo), -FAR)
    if new.hi > hi:
        hi = next((step for step in steps if step >= new.hi), FAR)
    symbol = old.symbol if old.symbol == new.symbol else ""
    return Known(lo, hi, symbol, frozenset(old.not_ & new.not_))


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
