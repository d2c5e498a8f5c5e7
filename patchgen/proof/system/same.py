# SPDX-License-Identifier: GPL-2.0-only
"""Objects of one function by a text that is the same for the same object.

A pointer that is set once stands for what it is set to; casts and ``READ_ONCE()`` are left
out.  What is set several times, or whose address is taken, stands for itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from patchgen.model.code import Decl, Expr, Function
from patchgen.proof.extract import vocabulary as words
from patchgen.source.c.text import bare, every, statements, text

#: Calls whose value is made of their arguments alone: virt/kvm/kvm_main.c, linux/kernel.h.
_MADE = frozenset({"mmu_notifier_to_kvm", "container_of"})


class Objects:
    """What the expressions of ``function`` lead to; ``given`` are the callers' arguments."""

    def __init__(self, function: Function, given: Mapping[str, str] | None = None) -> None:
        self._set: dict[str, Expr] = {}
        self.given = dict(given or {})
        often: set[str] = {p.name for p in function.params}
        for stmt in statements(function.body):
            for variable in stmt.variables if isinstance(stmt, Decl) else ():
                if variable.init is not None:
                    self._note(variable.name, variable.init, often)
        for expr in every(function.body):
            target = bare(expr.args[0]) if expr.args else expr
            if target.kind != "name":
                continue
            if expr.kind == "assign" and expr.name == "=":
                self._note(target.name, expr.args[1], often)
            elif changes(expr):
                often.add(target.name)
        for name in often:
            self._set.pop(name, None)

    def _note(self, name: str, value: Expr, often: set[str]) -> None:
        if name in self._set:
            often.add(name)
        self._set[name] = value

    def same(self, expr: Expr) -> str:
        """The text of what ``expr`` leads to, for comparison alone."""
        return text(self._resolved(expr, 0))

    def _resolved(self, expr: Expr, depth: int) -> Expr:
        expr = plain(expr)
        if expr.kind == "name":
            if expr.name in self.given:
                return Expr("name", self.given[expr.name], (), expr.span, expr.line)
            value = self._set.get(expr.name)
            if value is None or depth > 8 or not _simple(value):
                return expr
            return self._resolved(value, depth + 1)
        args = tuple(self._resolved(arg, depth) for arg in expr.args)
        return Expr(expr.kind, expr.name, args, expr.span, expr.line, expr.body)


def _simple(value: Expr) -> bool:
    """Whether a value is an object that is named, not one that is looked for."""
    value = plain(value)
    if value.kind == "call":
        return value.name in _MADE
    return value.kind in ("name", "arrow", "member") or (
        value.kind == "unary" and value.name in "&*"
    )


def changes(expr: Expr) -> bool:
    """Whether an expression may change its first operand, at once or by its address."""
    if expr.kind == "assign" or (expr.kind in ("postfix", "unary") and expr.name in ("++", "--")):
        return True
    return expr.kind == "unary" and expr.name == "&"


def plain(expr: Expr) -> Expr:
    """``expr`` without casts and ``READ_ONCE()``."""
    expr = bare(expr)
    if expr.kind == "call" and expr.name in words.READS and len(expr.args) == 2:
        return plain(expr.args[1])
    return expr
