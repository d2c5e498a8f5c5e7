# SPDX-License-Identifier: GPL-2.0-only
"""Functions in which no two variables have one name: inner ones that hide others get new ones."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from patchgen.model.code import (
    Block,
    Decl,
    Declarator,
    Expr,
    ExprStmt,
    For,
    Function,
    Stmt,
)
from patchgen.source.c.text import every, statements

_PARTS = ("init", "test", "step", "call", "value", "then", "orelse", "body")

#: Macros whose later arguments are a type and a member (include/linux/container_of.h, list.h).
_MEMBERS = frozenset({"container_of", "list_entry", "list_first_entry", "hlist_entry", "rb_entry"})


def distinct(function: Function) -> Function:
    """``function`` itself, where no variable hides another one."""
    names = [param.name for param in function.params]
    names += [one.name for one in _declared(function.body)]
    if len(names) == len(set(names)):
        return function
    used = set(names) | {part.name for part in every(function.body) if part.kind == "name"}
    body = _Renamer(used).block(
        function.body, {param.name: param.name for param in function.params}
    )
    return msgspec.structs.replace(function, body=body)


def _declared(body: Stmt) -> list[Declarator]:
    found = [one for stmt in statements(body) if isinstance(stmt, Decl) for one in stmt.variables]
    inner = [stmt for part in every(body) for stmt in part.body]
    return found + [one for stmt in inner for one in _declared(stmt)]


class _Renamer:
    """Goes through scopes; ``seen`` maps what a name means to what it is called now."""

    def __init__(self, used: set[str]) -> None:
        self._used = used
        self._taken: set[str] = set()

    def block(self, block: Block, seen: Mapping[str, str]) -> Block:
        """A block's statements, in a scope of their own."""
        body = self._all(block.body, dict(seen))
        return msgspec.structs.replace(block, body=body)

    def _all(self, body: tuple[Stmt, ...], scope: dict[str, str]) -> tuple[Stmt, ...]:
        return tuple(self._statement(stmt, scope) for stmt in body)

    def _statement(self, stmt: Stmt, scope: dict[str, str]) -> Stmt:
        if isinstance(stmt, Block):
            return self.block(stmt, scope)
        if isinstance(stmt, Decl):
            variables = tuple(self._variable(one, scope) for one in stmt.variables)
            return msgspec.structs.replace(stmt, variables=variables)
        if isinstance(stmt, ExprStmt):
            return msgspec.structs.replace(stmt, expr=self._expression(stmt.expr, scope))
        scope = dict(scope) if isinstance(stmt, For) else scope
        changed: dict[str, object] = {}
        for part in _PARTS:
            inner = getattr(stmt, part, None)
            if isinstance(inner, Expr):
                changed[part] = self._expression(inner, scope)
            elif inner is not None and not isinstance(inner, (str, tuple)):
                changed[part] = self._statement(inner, scope)
        return msgspec.structs.replace(stmt, **changed) if changed else stmt

    def _variable(self, one: Declarator, scope: dict[str, str]) -> Declarator:
        name = one.name
        if name in self._taken or name in scope:
            number = 2
            while f"{name}_{number}" in self._used:
                number += 1
            name = f"{name}_{number}"
            self._used.add(name)
        self._taken.add(one.name)
        scope[one.name] = name  # from here on, its own initialiser included
        init = None if one.init is None else self._expression(one.init, scope)
        return msgspec.structs.replace(one, name=name, init=init)

    def _expression(self, expr: Expr, scope: dict[str, str]) -> Expr:
        if expr.kind == "name":
            name = scope.get(expr.name, expr.name)
            return expr if name == expr.name else msgspec.structs.replace(expr, name=name)
        if expr.body:
            return msgspec.structs.replace(expr, body=self._all(expr.body, dict(scope)))
        if not expr.args or expr.kind == "type":
            return expr
        args = tuple(self._expression(part, scope) for part in expr.args)
        if expr.kind == "call" and expr.name in _MEMBERS:
            args = (*args[:2], *expr.args[2:])
        if all(new is old for new, old in zip(args, expr.args, strict=True)):
            return expr
        name = expr.name
        if expr.kind == "call" and expr.args[0].kind == "name":
            name = args[0].name
        return msgspec.structs.replace(expr, name=name, args=args)


__all__ = ["distinct"]
