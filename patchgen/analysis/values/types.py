# SPDX-License-Identifier: GPL-2.0-only
"""C's arithmetic types on a kernel's 64-bit machine: widths, signs, conversions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple


class CType(NamedTuple):
    """An integer type of ``bits``, or floating point (0 bits).

    ``char`` is signed or not as the architecture (since 6.2 the kernel's Makefile) has it: only
    what both can hold is a value of it.
    """

    bits: int
    signed: bool
    plain: bool = False

    @property
    def bounds(self) -> tuple[int, int]:
        """The lowest and the highest value."""
        if self.plain:
            return 0, (1 << self.bits - 1) - 1
        if self.signed:
            return -(1 << self.bits - 1), (1 << self.bits - 1) - 1
        return 0, (1 << self.bits) - 1

    def wrapped(self, value: int, error: type[Exception]) -> int:
        """``value`` converted to this type; ``error`` where that is not certain."""
        low, high = self.bounds
        if low <= value <= high:
            return value
        if self.plain:
            raise error("a char that may be signed or not")
        if self.bits == 1:
            return 1
        value &= (1 << self.bits) - 1
        return value - (1 << self.bits) if value > high else value

    def within(self, value: int, error: type[Exception]) -> int:
        """The result of arithmetic: unsigned wraps around, signed must not overflow."""
        low, high = self.bounds
        if self.signed and not low <= value <= high:
            raise error("signed overflow")
        return self.wrapped(value, error)


FLOATING = CType(0, True)
BOOL = CType(1, False)
CHAR = CType(8, True, plain=True)
INT = CType(32, True)
UNSIGNED = CType(32, False)
LONG = CType(64, True)

#: include/linux/types.h, include/uapi/asm-generic/int-ll64.h, posix_types.h
_NAMED = {
    "bool": BOOL, "_Bool": BOOL, "size_t": CType(64, False), "ssize_t": LONG, "loff_t": LONG,
    "uint": UNSIGNED, "ulong": CType(64, False), "ushort": CType(16, False),
    "uintptr_t": CType(64, False), "pgoff_t": CType(64, False), "gfp_t": UNSIGNED,
}  # fmt: skip
_SIZED = re.compile(r"(?:__)?(s|u|le|be)(8|16|32|64)$|(u?)int(8|16|32|64)_t$")
_WORDS = frozenset({"char", "short", "int", "long", "signed", "unsigned", "float", "double",
                    "__signed__"})  # fmt: skip
_LEFT_OUT = frozenset({"const", "volatile", "static", "register", "extern", "inline"})


def of_type(written: str, alias: Callable[[str], str] = lambda name: "") -> CType | None:
    """The type that is written so; None for pointers, structures and what is not known.

    ``alias`` gives what a typedef stands for, or "".
    """
    for _ in range(8):
        if "*" in written or "[" in written or "(" in written or "{" in written:
            return None
        words = [word for word in written.split() if word not in _LEFT_OUT]
        if words and _WORDS.issuperset(words):
            return _basic(words)
        words = [word for word in words if word in _NAMED or not _is_attribute(word)]
        if len(words) != 1:
            return None
        if words[0] in _NAMED:
            return _NAMED[words[0]]
        sized = _SIZED.match(words[0])
        if sized is not None:
            bits = int(sized[2] or sized[4])
            return CType(bits, sized[1] == "s" or (sized[1] is None and not sized[3]))
        written = alias(words[0])
    return None


def _is_attribute(word: str) -> bool:
    return word.startswith("__") and _SIZED.match(word) is None


def _basic(words: list[str]) -> CType:
    if {"float", "double"} & set(words):
        return FLOATING
    signed = "unsigned" not in words
    if "char" in words:
        explicit = not signed or {"signed", "__signed__"} & set(words)
        return CType(8, signed) if explicit else CHAR
    if "short" in words:
        return CType(16, signed)
    return CType(64 if "long" in words else 32, signed)


def promoted(kind: CType) -> CType:
    """The type as which a value is computed with."""
    return INT if 0 < kind.bits < INT.bits else kind


def common(one: CType | None, two: CType | None) -> CType | None:
    """The type to which two operands are converted; None where it is not known."""
    if one is None or two is None:
        return None
    if FLOATING in (one, two):
        return FLOATING
    one, two = promoted(one), promoted(two)
    if one.bits != two.bits:
        return one if one.bits > two.bits else two
    return one if not one.signed else two
