# SPDX-License-Identifier: GPL-2.0-only
"""Functions with some of their expressions replaced."""

from __future__ import annotations

import sys
from collections.abc import Callable

import msgspec

from patchgen.model.code import Decl, Expr, Function, Stmt

#: Members of statements that hold expressions or statements.
_PARTS = ("init", "test", "step", "call", "value", "expr", "then", "orelse", "body")

#: Python frames that the deepest statement tree may need (600 nested statements).
_FRAMES = 20000


def rewritten(function: Function, change: Callable[[Expr], Expr]) -> Function:
    """``function`` with ``change`` made of every expression, outermost first.

    What ``change`` gives back is looked into as well, unless it is what it was given.
    """
    if sys.getrecursionlimit() < _FRAMES:
        sys.setrecursionlimit(_FRAMES)
    body = _statement(function.body, change)
    return function if body == function.body else msgspec.structs.replace(function, body=body)


def _statement(stmt: Stmt, change: Callable[[Expr], Expr]) -> Stmt:
    if isinstance(stmt, Decl):
        made = tuple(
            v if v.init is None else msgspec.structs.replace(v, init=_expression(v.init, change))
            for v in stmt.variables
        )
        return msgspec.structs.replace(stmt, variables=made)
    changed: dict[str, object] = {}
    for part in _PARTS:
        inner = getattr(stmt, part, None)
        if isinstance(inner, Expr):
            changed[part] = _expression(inner, change)
        elif isinstance(inner, tuple):
            changed[part] = tuple(_statement(one, change) for one in inner)
        elif inner is not None and not isinstance(inner, str):
            changed[part] = _statement(inner, change)
    return msgspec.structs.replace(stmt, **changed) if changed else stmt


def _expression(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    made = change(expr)
    if made is not expr:
        return made
    args = tuple(_expression(arg, change) for arg in expr.args)
    body = tuple(_statement(one, change) for one in expr.body)
    if args == expr.args and body == expr.body:
        return expr
    return msgspec.structs.replace(expr, args=args, body=body)
