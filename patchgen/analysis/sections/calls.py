# SPDX-License-Identifier: GPL-2.0-only
"""Questions about calls and their arguments, as far as ranges go."""

from __future__ import annotations

from patchgen.analysis.sections.sites import NONBLOCK, role
from patchgen.model.code import Expr, ExprStmt, Function
from patchgen.source.c.text import bare, statements


def root_of(key: str) -> str:
    """The variable that a key starts at."""
    name = key.lstrip("*(")
    for stop in ("->", ".", "[", ")"):
        name = name.partition(stop)[0]
    return name if name.isidentifier() else ""


def shown(key: str) -> str:
    """A key for messages: the pointer's name for what a pointer means."""
    return key[1:] if key.startswith("*") else key


def known_pointer(expr: Expr, given: dict[str, bool]) -> bool | None:
    """Whether a pointer expression (or a test of one) is set; None if open."""
    expr = bare(expr)
    if expr.kind == "name":
        return False if expr.name == "NULL" else given.get(expr.name)
    if expr.kind == "unary" and expr.name == "&":
        return True
    if expr.kind == "unary" and expr.name == "!":
        inner = known_pointer(expr.args[0], given)
        return None if inner is None else not inner
    if expr.kind == "binary" and expr.name in ("==", "!="):
        left, right = (bare(arg) for arg in expr.args)
        if right.name in ("NULL", "0") and left.kind == "name" and left.name in given:
            return given[left.name] == (expr.name == "!=")
    return None


def may_lead_to_range(argument: Expr) -> bool:
    """Whether an argument may be, or lead to, a range of the caller."""
    argument = bare(argument)
    if argument.kind == "unary" and argument.name == "&":
        return True
    return argument.kind in ("name", "arrow", "member") and argument.name != "NULL"


def takes_range(function: Function) -> bool:
    """Whether a function has a pointer to a structure among its parameters."""
    return any("struct" in param.type and "*" in param.type for param in function.params)


def passes_bounds(call: Expr) -> bool:
    """Whether a call gets the address of a member ``start`` or ``end``."""
    return any(
        target.kind == "unary"
        and target.name == "&"
        and bare(target.args[0]).kind in ("member", "arrow")
        and bare(target.args[0]).name in ("start", "end")
        for target in map(bare, call.args[1:])
    )


def ignored_results(function: Function) -> frozenset[int]:
    """Where a non-blocking start stands as a statement of its own."""
    return frozenset(
        bare(stmt.expr).span.start
        for stmt in statements(function.body)
        if isinstance(stmt, ExprStmt) and role(bare(stmt.expr)) == NONBLOCK
    )
