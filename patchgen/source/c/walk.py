# SPDX-License-Identifier: GPL-2.0-only
"""Walking statement trees: every statement and expression, in source order.

Iterative, so that deep trees cost no Python stack.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.model.code import (
    Block,
    Case,
    Decl,
    DoWhile,
    Expr,
    ExprStmt,
    For,
    Function,
    If,
    MacroLoop,
    Return,
    Stmt,
    Switch,
    While,
)


def children(node: Stmt | Expr) -> tuple[Stmt | Expr, ...]:
    """The direct parts of a statement or an expression, in source order."""
    match node:
        case Expr():
            return (*node.args, *node.body)
        case Block():
            return node.body
        case ExprStmt():
            return (node.expr,)
        case Decl():
            return tuple(v.init for v in node.variables if v.init is not None)
        case If():
            rest = () if node.orelse is None else (node.orelse,)
            return (node.test, node.then, *rest)
        case While():
            return (node.test, node.body)
        case DoWhile():
            return (node.body, node.test)
        case For():
            parts = (node.init, node.test, node.step, node.body)
            return tuple(part for part in parts if part is not None)
        case MacroLoop():
            return (node.call, node.body)
        case Switch():
            return (node.value, node.body)
        case Case() | Return():
            return () if node.value is None else (node.value,)
        case _:
            return ()


def walk(node: Stmt | Expr) -> Iterator[Stmt | Expr]:
    """``node`` and everything below it, parents first, in source order."""
    stack: list[Stmt | Expr] = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def expressions(node: Stmt | Expr) -> Iterator[Expr]:
    """The expressions below ``node``, parents first, in source order."""
    return (found for found in walk(node) if isinstance(found, Expr))


def calls(node: Stmt | Expr, *names: str) -> Iterator[Expr]:
    """The calls below ``node``; with ``names``, only calls of these."""
    for found in expressions(node):
        if found.kind == "call" and (not names or found.name in names):
            yield found


def callees(function: Function) -> frozenset[str]:
    """Names that the function calls, or mentions (a callback passed on)."""
    return frozenset(
        found.name for found in expressions(function.body) if found.kind == "name" and found.name
    )


def text_of(expr: Expr, source: bytes) -> str:
    """The expression as written, white space folded to single spaces."""
    return " ".join(source[expr.span.start : expr.span.end].decode("utf-8", "replace").split())


def plain(expr: Expr) -> tuple[object, ...]:
    """An expression without its place: equal for equal structure."""
    return (expr.kind, expr.name, *(plain(arg) for arg in expr.args), expr.body)


def operands(expr: Expr, operator: str) -> list[Expr]:
    """``a``, ``b`` and ``c`` of ``a || b || c``, from the left."""
    if expr.kind == "binary" and expr.name == operator:
        return [*operands(expr.args[0], operator), *operands(expr.args[1], operator)]
    return [expr]
