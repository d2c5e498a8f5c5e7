# SPDX-License-Identifier: GPL-2.0-only
"""Values of one path as terms: numbers, unknowns, and C's operators on them.

A term with a type is a value of that type: what is computed from it is converted as C converts
(C11 6.3.1.8), wraps around as unsigned types do, and has no value where C gives it none.  A
term without one is a number of which only the mathematics is known: a pointer, or a value
whose declaration is not at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from patchgen.analysis.values.types import CHAR, FLOATING, INT, CType, common


class Number(NamedTuple):
    """A number of a type."""

    value: int
    type: CType | None = None


class Unknown(NamedTuple):
    """A value that the path does not fix, told apart by ``key``.

    ``loose`` tells that code on the path does, in a way that is not followed, or that other
    code may.
    """

    key: Hashable
    type: CType | None = None
    loose: bool = False


class Address(NamedTuple):
    """The address of an object: a variable, or what a pointer leads to, and the way on."""

    base: Hashable
    path: tuple[Hashable, ...]
    type: CType | None = None


class Applied(NamedTuple):
    """An operator applied to terms: C's, ``?:``, or ``conv`` to the term's type."""

    operator: str
    args: tuple[Term, ...]
    type: CType | None = None


class Unclear(NamedTuple):
    """A value that is not understood; no test of it is known to come out one way."""

    why: str
    type: CType | None = None


Term: TypeAlias = "Number | Unknown | Address | Applied | Unclear"

#: Values of the unknowns.
Model: TypeAlias = Mapping[Hashable, int]

ZERO, ONE = Number(0, INT), Number(1, INT)

_COMPARED: Mapping[str, Callable[[int, int], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}
_SHIFTS = frozenset({"<<", ">>"})
COMPUTED = frozenset({"+", "-", "*", "/", "%", "&", "|", "^"}) | _SHIFTS
COMPARED = frozenset(_COMPARED)


class NoValue(Exception):
    """C gives an expression no value, or what it is made of is not understood."""


def converted(term: Term, to: CType | None) -> Term:
    """``term`` as a value of a type."""
    if to is None or term.type == to:
        return term
    if to == FLOATING or term.type == FLOATING or isinstance(term, Unclear):
        return Unclear("floating point", to)
    if isinstance(term, Address):
        return term if to.bits >= 64 else Unclear("an address as a number", to)
    return _folded(Applied("conv", (term,), to))


def binary(operator: str, left: Term, right: Term) -> Term:
    """``left operator right`` with C's conversions."""
    if isinstance(left, Unclear) or isinstance(right, Unclear):
        return left if isinstance(left, Unclear) else right
    if operator in _COMPARED:
        if left == right:
            return ONE if operator in ("==", "<=", ">=") else ZERO
        both = common(left.type, right.type)
        return _folded(Applied(operator, (converted(left, both), converted(right, both)), INT))
    if operator not in COMPUTED:
        return Unclear(f"operator {operator}")
    if operator in _SHIFTS:
        kind = common(left.type, left.type)
        return _folded(Applied(operator, (converted(left, kind), right), kind))
    kind = common(left.type, right.type)
    return _folded(Applied(operator, (converted(left, kind), converted(right, kind)), kind))


def unary(operator: str, inner: Term) -> Term:
    """``-x``, ``~x``, ``+x``, ``!x``."""
    if isinstance(inner, Unclear):
        return inner
    if operator == "!":
        return binary("==", inner, Number(0, inner.type))
    kind = common(inner.type, inner.type)
    inner = converted(inner, kind)
    if operator == "-":
        return binary("-", Number(0, kind), inner)
    if operator == "~":
        return binary("-", Number(-1, kind), inner) if kind is None or kind.signed else binary(
            "^", inner, Number((1 << kind.bits) - 1, kind)
        )  # fmt: skip
    return inner if operator == "+" else Unclear(f"operator {operator}")


def chosen(test: Term, then: Term, orelse: Term) -> Term:
    """``test ? then : orelse``."""
    if isinstance(test, Number):
        return then if test.value else orelse
    if then == orelse:
        return then
    if isinstance(test, Unclear):
        return test
    kind = common(then.type, orelse.type)
    return Applied("?:", (test, converted(then, kind), converted(orelse, kind)), kind)


def truth(term: Term) -> Term:
    """1 where a term is not zero, else 0."""
    return term if _is_truth(term) else unary("!", unary("!", term))


def _is_truth(term: Term) -> bool:
    return isinstance(term, Applied) and term.operator in COMPARED


def _folded(term: Applied) -> Term:
    if all(isinstance(part, Number) for part in term.args):
        try:
            return Number(evaluated(term, {}), term.type)
        except NoValue:
            return Unclear("no value")
    return term


def evaluated(term: Term, model: Model) -> int:
    """The value of a term; NoValue where it has none."""
    match term:
        case Number(value, _):
            return value
        case Unknown(key):
            return model[key]
        case Address():
            return model[term]
        case Unclear(why, _):
            raise NoValue(why)
        case Applied("?:", (test, then, orelse), _):
            return evaluated(then if evaluated(test, model) else orelse, model)
        case Applied("conv", (inner,), kind):
            assert kind is not None
            return kind.wrapped(evaluated(inner, model), NoValue)
        case Applied(operator, (left, right), kind):
            one, two = evaluated(left, model), evaluated(right, model)
            if operator in _COMPARED:
                return int(_COMPARED[operator](one, two))
            return _computed(operator, one, two, kind)
    raise NoValue("not a term")


def _computed(operator: str, one: int, two: int, kind: CType | None) -> int:
    if operator in ("/", "%"):
        if not two:
            raise NoValue("division by zero")
        whole = abs(one) // abs(two) * (1 if (one < 0) == (two < 0) else -1)
        found = whole if operator == "/" else one - whole * two
    elif operator in _SHIFTS:
        if not 0 <= two < (64 if kind is None else kind.bits):
            raise NoValue("shift out of range")
        found = one << two if operator == "<<" else one >> two
    else:
        found = {
            "+": one + two, "-": one - two, "*": one * two, "&": one & two, "|": one | two,
            "^": one ^ two,
        }[operator]  # fmt: skip
    if kind is None:
        return found
    return kind.within(found, NoValue)


def leaves(term: Term) -> Iterator[Unknown | Address]:
    """The unknowns and addresses in a term, each as often as it stands there."""
    pending: list[Term] = [term]
    while pending:
        top = pending.pop()
        if isinstance(top, Unknown | Address):
            yield top
        elif isinstance(top, Applied):
            pending += top.args


def numbers(term: Term) -> Iterator[int]:
    """The numbers in a term."""
    pending: list[Term] = [term]
    while pending:
        top = pending.pop()
        if isinstance(top, Number):
            yield top.value
        elif isinstance(top, Applied):
            pending += top.args


__all__ = [
    "CHAR", "Address", "Applied", "Model", "NoValue", "Number", "Term", "Unclear", "Unknown",
    "binary", "chosen", "converted", "evaluated", "leaves", "numbers", "truth", "unary",
]  # fmt: skip
