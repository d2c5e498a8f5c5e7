# SPDX-License-Identifier: GPL-2.0-only
"""What is known of a value once it is stored to a variable of a type: ranges, cut to its width."""

from __future__ import annotations

from patchgen.analysis.values.types import BOOL, INT, CType
from patchgen.analysis.values.value import FAR, NOT_NEGATIVE, ONE, Known, truth

#: Types of this many bits or more hold what kernel code counts, but for what is negative.
_WIDE = 32


def bounds(kind: CType) -> Known | None:
    """What is known of every value of a type, None for nothing."""
    if kind.bits >= _WIDE or not kind.bits:
        return NOT_NEGATIVE if kind.bits and not kind.signed else None
    low, high = kind.bounds
    return None if kind.plain else Known(low, high)


def is_plain(known: Known) -> bool:
    """Whether a value is no number that an int cannot hold.

    One is another number in a variable that is an int: where its type is not known it is open.
    """
    low, high = INT.bounds
    return known.lo != known.hi or low <= known.lo <= high


def fitted(known: Known, kind: CType) -> tuple[Known, bool]:
    """``known`` as a value of a type, and whether that is less than what the code makes of it.

    Numbers are cut as C cuts them.  A range that does not fit may be anything of the type;
    what is open at one end, as a loop's counter, is taken to fit there.
    """
    if not kind.bits:
        return known, False
    low, high = kind.bounds
    if low <= known.lo and known.hi <= high:
        return known, False
    if known.lo == known.hi:
        if kind.plain:
            return Known(), True
        value = kind.wrapped(known.lo, OverflowError)
        return Known(value, value), False
    if kind == BOOL:
        return (ONE, False) if truth(known) else (Known(0, 1), False)
    within = (known.lo == -FAR or known.lo >= low) and (known.hi == FAR or known.hi <= high)
    if within or (kind.signed and kind.bits >= _WIDE):
        return known, False
    return bounds(kind) or Known(), True
