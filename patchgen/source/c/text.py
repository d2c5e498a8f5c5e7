# SPDX-License-Identifier: GPL-2.0-only
"""Expressions as canonical text, and what they mention.

Two expressions with the same text mean the same as long as nothing that they
mention changed in between: the walker's facts are keyed by this text.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.model.base import Span
from patchgen.model.code import Block, Decl, Expr, ExprStmt, Stmt

_NO_SPAN = Span(0, 0)
_BINDS_TIGHT = frozenset({"name", "const", "string", "call", "member", "arrow", "index", "type"})


def text(expr: Expr) -> str:
    """Canonical C text of ``expr``; casts are dropped, spacing is fixed."""
    kind, args = expr.kind, expr.args
    if kind in ("name", "const", "string", "type"):
        return expr.name
    if kind == "call":
        return f"{text(args[0])}({', '.join(text(arg) for arg in args[1:])})"
    if kind == "member":
        base = args[0]
        if base.kind == "unary" and base.name == "*":
            return f"{_tight(base.args[0])}->{expr.name}"
        return f"{_tight(base)}.{expr.name}"
    if kind == "arrow":
        base = args[0]
        if base.kind == "unary" and base.name == "&":
            return f"{_tight(base.args[0])}.{expr.name}"
        return f"{_tight(base)}->{expr.name}"
    if kind == "index":
        return f"{_tight(args[0])}[{text(args[1])}]"
    if kind == "unary":
        return _unary(expr)
    if kind == "postfix":
        return f"{_tight(args[0])}{expr.name}"
    if kind in ("binary", "assign"):
        return f"{_loose(args[0])} {expr.name} {_loose(args[1])}"
    if kind == "cond":
        return f"{_loose(args[0])} ? {_loose(args[1])} : {_loose(args[2])}"
    if kind == "cast":
        return text(args[0])
    if kind == "comma":
        return f"{text(args[0])}, {text(args[1])}"
    if kind in ("init", "compound"):
        return f"({expr.name}){{{', '.join(text(arg) for arg in args)}}}"
    if kind == "field":
        return f".{expr.name} = {text(args[0])}" if args else f".{expr.name}"
    return f"<{kind} {expr.name} {expr.span.start}>"


def _unary(expr: Expr) -> str:
    inner = expr.args[0]
    if inner.kind == "unary" and {expr.name, inner.name} == {"&", "*"}:
        return text(inner.args[0])
    gap = " " if expr.name.isalpha() else ""
    return f"{expr.name}{gap}{_tight(inner)}"


def _tight(expr: Expr) -> str:
    while expr.kind == "cast":
        expr = expr.args[0]
    return text(expr) if expr.kind in _BINDS_TIGHT else f"({text(expr)})"


def _loose(expr: Expr) -> str:
    while expr.kind == "cast":
        expr = expr.args[0]
    if expr.kind in ("binary", "cond", "assign", "comma"):
        return f"({text(expr)})"
    return text(expr)


def bare(expr: Expr) -> Expr:
    """``expr`` without casts around it."""
    while expr.kind == "cast":
        expr = expr.args[0]
    return expr


def subexpressions(expr: Expr) -> Iterator[Expr]:
    """``expr`` and all expressions below it, parents first, in source order.

    The bodies of statement expressions are not entered.
    """
    stack = [expr]
    while stack:
        top = stack.pop()
        yield top
        stack.extend(reversed(top.args))


def expressions(stmt: Stmt) -> Iterator[Expr]:
    """All outermost expressions below a statement, roughly in source order."""
    stack: list[Stmt] = [stmt]
    while stack:
        top = stack.pop()
        for found, inner in _parts(top):
            if found is not None:
                yield found
                stack.extend(
                    part for sub in subexpressions(found) if sub.body for part in reversed(sub.body)
                )
            if inner is not None:
                stack.append(inner)


def _parts(stmt: Stmt) -> Iterator[tuple[Expr | None, Stmt | None]]:
    if isinstance(stmt, Block):
        for part in reversed(stmt.body):
            yield None, part
        return
    if isinstance(stmt, Decl):
        for variable in stmt.variables:
            if variable.init is not None:
                yield variable.init, None
        return
    if isinstance(stmt, ExprStmt):
        yield stmt.expr, None
        return
    for field in ("orelse", "body", "then", "init"):
        inner = getattr(stmt, field, None)
        if inner is not None:
            yield None, inner
    for field in ("test", "call", "step", "value"):
        found = getattr(stmt, field, None)
        if found is not None:
            yield found, None


#: Expressions that are kept in lists; beyond it all are dropped.
_KEPT = 200_000


class _Lists:
    """Lists of the expressions of bodies, told by the identity of these."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[Block, tuple[Expr, ...]]] = {}
        self._size = 0

    def of(self, body: Block) -> tuple[Expr, ...]:
        known = self._found.get(id(body))
        if known is None or known[0] is not body:
            known = (body, tuple(_every(body)))
            if self._size > _KEPT:
                self._found.clear()
                self._size = 0
            self._found[id(body)] = known
            self._size += len(known[1])
        return known[1]


_lists = _Lists()


def every(stmt: Stmt) -> tuple[Expr, ...]:
    """Every expression of a statement, inner ones included.

    A function's body is asked for by one question after the other: its list is kept while it
    is one of the last ones, told by its identity.
    """
    return _lists.of(stmt) if isinstance(stmt, Block) else tuple(_every(stmt))


def _every(stmt: Stmt) -> Iterator[Expr]:
    stack: list[Stmt] = [stmt]
    while stack:
        for outer, inner in _parts(stack.pop()):
            if outer is not None:
                bodies: list[Stmt] = []
                pending = [outer]
                while pending:
                    part = pending.pop()
                    yield part
                    if part.args:
                        pending.extend(reversed(part.args))
                    if part.body:
                        bodies.extend(reversed(part.body))
                stack.extend(bodies)
            if inner is not None:
                stack.append(inner)


def statements(stmt: Stmt) -> Iterator[Stmt]:
    """``stmt`` and every statement below it, in source order."""
    stack: list[Stmt] = [stmt]
    while stack:
        top = stack.pop()
        yield top
        if isinstance(top, Block):
            stack.extend(reversed(top.body))
        elif not isinstance(top, (ExprStmt, Decl)):
            inner = [getattr(top, field, None) for field in ("init", "then", "body", "orelse")]
            stack.extend(
                part for part in reversed(inner) if part is not None and not isinstance(part, tuple)
            )


def root(expr: Expr) -> str:
    """The variable that an lvalue starts at (``range`` in ``range->mm->x``), or ""."""
    while expr.args and expr.kind in ("member", "arrow", "index", "cast", "unary", "postfix"):
        expr = expr.args[0]
    return expr.name if expr.kind == "name" else ""


def name(identifier: str, line: int = 0) -> Expr:
    """A ``name`` expression that stands nowhere in the source."""
    return Expr("name", identifier, (), _NO_SPAN, line)


def call(function: str, args: tuple[Expr, ...], line: int, span: Span = _NO_SPAN) -> Expr:
    """A ``call`` expression made up by the engine, such as a guard's release."""
    return Expr("call", function, (name(function, line), *args), span, line)


def substitute(expr: Expr, values: dict[str, Expr]) -> Expr:
    """``expr`` with variables replaced: a callee's parameters by arguments."""
    if expr.kind == "name":
        return values.get(expr.name, expr)
    if not expr.args:
        return expr
    args = tuple(substitute(arg, values) for arg in expr.args)
    if expr.kind == "call" and expr.name == "container_of":
        args = (*args[:2], *expr.args[2:])  # a type and a member, no variables
    return Expr(expr.kind, expr.name, args, expr.span, expr.line, expr.body)
