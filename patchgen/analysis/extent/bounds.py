# SPDX-License-Identifier: GPL-2.0-only
"""Addresses as sums, to compare the bounds of ranges.

An address is a sum of terms (canonical text, with how often each occurs) and bytes.
Local variables that are set once stand for their value where nothing in it changes.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property

import msgspec

from patchgen.analysis.values.kept import Kept
from patchgen.analysis.values.subjects import constant_of
from patchgen.kernel.knowledge import load
from patchgen.model.code import Decl, Expr, Function
from patchgen.source.c.text import bare, every, statements, subexpressions, substitute, text

_DEPTH = 4
_WRITING = frozenset({"++", "--", "&"})


class Sum(msgspec.Struct, frozen=True):
    """``terms`` (text, factor) in order of the text, plus ``size`` bytes."""

    terms: tuple[tuple[str, int], ...] = ()
    size: int = 0

    def minus(self, other: Sum) -> Sum:
        """The difference."""
        found = Counter(dict(self.terms))
        for term, factor in other.terms:
            found[term] -= factor
        terms = tuple(sorted((term, n) for term, n in found.items() if n))
        return Sum(terms, self.size - other.size)

    def plus(self, size: int) -> Sum:
        """This many bytes further."""
        return Sum(self.terms, self.size + size)

    @property
    def number(self) -> int | None:
        """The bytes, if no term is left."""
        return None if self.terms else self.size


class Bounds:
    """Sums of the expressions of one function."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self._stores: Counter[str] = Counter()
        self._values: dict[str, Expr] = {}
        # A parameter is set by the caller: one that is assigned is set twice.
        self._stores.update(param.name for param in function.params)
        for part in every(function.body):
            if part.kind == "assign":
                self._store(part.args[0], part.args[1] if part.name == "=" else None)
            elif part.kind == "postfix" or (part.kind == "unary" and part.name in _WRITING):
                self._store(part.args[0], None)
        for stmt in statements(function.body):
            for variable in stmt.variables if isinstance(stmt, Decl) else ():
                if variable.init is not None:
                    self._stores[variable.name] += 1
                    self._values[variable.name] = variable.init

    def _store(self, left: Expr, value: Expr | None) -> None:
        left = bare(left)
        if left.kind == "name":
            self._stores[left.name] += 1 if value is not None else 2
            if value is not None:
                self._values[left.name] = value

    def steady(self, expr: Expr) -> bool:
        """Whether the variables in ``expr`` have one value throughout."""
        return all(
            self._stores[part.name] <= 1 for part in subexpressions(expr) if part.kind == "name"
        )

    def sum(self, expr: Expr, depth: int = 0) -> Sum:
        """``expr`` as a sum; what is no sum is a term by itself."""
        expr = bare(expr)
        constant = constant_of(expr)
        if isinstance(constant, int):
            return Sum((), constant)
        size = load("ranges")["sizes"].get(expr.name) if expr.kind == "name" else None
        if size is not None:
            return Sum((), int(size))
        if expr.kind == "binary" and expr.name in ("+", "-"):
            left, right = (self.sum(part, depth) for part in expr.args)
            if expr.name == "-":
                return left.minus(right)
            return left.minus(Sum().minus(right))
        if expr.kind == "name" and depth < _DEPTH:
            value = self._values.get(expr.name)
            if value is not None and self._stores[expr.name] == 1 and self.steady(value):
                return self.sum(value, depth + 1)
        return Sum(((text(expr), 1),))

    def resolved(self, expr: Expr, depth: int = 0) -> Expr:
        """``expr`` with variables that are set once replaced by their values."""
        values = {
            part.name: self._values[part.name]
            for part in subexpressions(expr)
            if part.kind == "name"
            and part.name in self._values
            and self._stores[part.name] == 1
            and self.steady(self._values[part.name])
        }
        if not values or depth >= _DEPTH:
            return expr
        return self.resolved(substitute(expr, values), depth + 1)

    def tested(self, variable: str, before: int) -> bool:
        """Whether a condition above the offset ``before`` asks about the variable."""
        return self._tests.get(variable, before) < before

    @cached_property
    def _tests(self) -> dict[str, int]:
        """Variable → offset of the first condition that asks about it."""
        found: dict[str, int] = {}
        for stmt in statements(self.function.body):
            test: Expr | None = getattr(stmt, "test", None)
            if test is None:
                continue
            at = test.span.start
            for part in subexpressions(test):
                if part.kind == "name":
                    found[part.name] = min(at, found.get(part.name, at))
        return found


#: The sums of one function's expressions.
bounds_of = Kept(Bounds)
