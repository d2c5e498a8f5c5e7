# SPDX-License-Identifier: GPL-2.0-only
"""Macros put in the place of their calls, and expressions made of others."""

from __future__ import annotations

import msgspec

from patchgen.analysis.paths.bodies import MacroBody, NotUnderstood
from patchgen.model.code import (
    Block,
    Decl,
    Declarator,
    DoWhile,
    Expr,
    ExprStmt,
    For,
    If,
    MacroLoop,
    Return,
    Stmt,
    While,
)


def with_args(expr: Expr, args: tuple[Expr, ...]) -> Expr:
    return Expr(expr.kind, expr.name, args, expr.span, expr.line, expr.body)


def assignment(expr: Expr) -> Expr:
    """``WRITE_ONCE(a, b)`` as ``a = b``."""
    return Expr("assign", "=", expr.args[1:], expr.span, expr.line)


def address_of(place: Expr) -> Expr:
    if place.kind == "unary" and place.name == "*":
        return place.args[0]
    return Expr("unary", "&", (place,), place.span, place.line)


def given_to(macro: MacroBody, expr: Expr) -> dict[str, Expr]:
    params = macro.params
    if params is None or len(params) != len(expr.args) - 1:
        text_ = f"{macro.name} is used with other arguments than it takes"
        raise NotUnderstood(macro.path, macro.line, text_)
    return dict(zip(params, expr.args[1:], strict=True))


def put(expr: Expr, given: dict[str, Expr]) -> Expr:
    """``expr`` with a macro's parameters replaced by the arguments as written."""
    if expr.kind == "name":
        return given.get(expr.name, expr)
    args = tuple(put(arg, given) for arg in expr.args)
    body = tuple(put_stmt(one, given) for one in expr.body)
    return Expr(expr.kind, expr.name, args, expr.span, expr.line, body)


def put_stmt(stmt: Stmt, given: dict[str, Expr]) -> Stmt:
    changes = {}
    for field in stmt.__struct_fields__:
        changes[field] = _put_any(getattr(stmt, field), given)
    return msgspec.structs.replace(stmt, **changes)


def _put_any(part: object, given: dict[str, Expr]) -> object:
    if isinstance(part, Expr):
        return put(part, given)
    if isinstance(part, tuple):
        return tuple(_put_any(one, given) for one in part)
    if isinstance(part, Declarator) and part.init is not None:
        return msgspec.structs.replace(part, init=put(part.init, given))
    if isinstance(part, Block | ExprStmt | Decl | If | While | DoWhile | For | MacroLoop | Return):
        return put_stmt(part, given)
    return part
