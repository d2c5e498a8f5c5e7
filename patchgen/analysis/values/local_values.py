# SPDX-License-Identifier: GPL-2.0-only
"""What the variables of one function hold at a place, as far as its text tells.

A variable stands for what it was last set to, if no branch lies between; for itself
where nothing set it yet (a parameter).  In a loop that changes it, and where it cannot
be told, it gets a name of its own: two places with the same name have the same value,
nothing else is known of it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping

import msgspec

from patchgen.kernel.knowledge import names
from patchgen.model.base import Span
from patchgen.model.code import (
    Block,
    Break,
    Continue,
    Decl,
    DoWhile,
    Expr,
    For,
    Function,
    If,
    MacroLoop,
    Return,
    Stmt,
    Switch,
    While,
)
from patchgen.source.c.text import bare, expressions, subexpressions, text

_DEPTH = 6
Loop = For | While | DoWhile | MacroLoop


class Store(msgspec.Struct, frozen=True):
    """A variable is set at ``at``: to ``value``, None where that is not one expression.

    ``inside`` are the branches and loops around it.
    """

    at: float
    value: Expr | None
    inside: tuple[Span, ...]


class Values:
    """The variables of ``function``."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.loops: list[Loop] = []
        self._leaving: dict[Span, Span | None] = {}
        self._stores: dict[str, list[Store]] = {}
        self._visit(function.body, ())
        for stores in self._stores.values():
            stores.sort(key=lambda store: store.at)

    def at(self, expr: Expr, place: float, known: Mapping[str, Expr] | None = None) -> Expr:
        """``expr`` with its variables replaced by what they hold at the offset ``place``.

        ``known`` gives the values of members by their text.
        """
        return self._at(expr, place, known or {}, 0)

    def _at(self, expr: Expr, place: float, known: Mapping[str, Expr], depth: int) -> Expr:
        expr = bare(expr)
        if expr.kind == "name":
            return self._variable(expr, place, known, depth)
        if expr.kind in ("member", "arrow") and text(expr) in known:
            return known[text(expr)]
        if not expr.args:
            return expr
        callee = expr.args[:1] if expr.kind == "call" else ()
        given = expr.args[len(callee) :]
        args = tuple(self._at(arg, place, known, depth) for arg in given)
        return Expr(expr.kind, expr.name, (*callee, *args), expr.span, expr.line, expr.body)

    def _variable(self, expr: Expr, place: float, known: Mapping[str, Expr], depth: int) -> Expr:
        stores = self._stores.get(expr.name)
        if stores is None or depth > _DEPTH:
            return expr
        number = bisect_left(stores, place, key=lambda store: store.at)
        last, others = None, stores[number:]
        for store in reversed(stores[:number]):
            if not self._left(store, place):
                last = store
                break
            others = [store, *others]
        for loop in self.loops:  # outer ones first
            span = loop.span
            around = span.start < place < span.end
            fresh = last is not None and span.start < last.at
            if around and not fresh and any(span.start < s.at <= span.end for s in others):
                return _named(expr, span.start)
        if last is None:
            return expr
        sure = all(s.start <= place < s.end for s in last.inside)
        if sure and last.value is not None and _is_arithmetic(last.value):
            return self._at(last.value, last.at, known, depth + 1)
        return _named(expr, last.at)

    def _left(self, store: Store, place: float) -> bool:
        """Whether the path of a store leaves, or goes on to the next round, before ``place``."""
        for span in store.inside:
            if not span.start <= place < span.end and span in self._leaving:
                within = self._leaving[span]
                if within is None or within.start <= place < within.end:
                    return True
        return False

    def _branch(self, stmt: Stmt, inside: tuple[Span, ...]) -> None:
        """A branch of a condition; noted if it ends in a jump, with the loop that it is about."""
        last = stmt.body[-1] if isinstance(stmt, Block) and stmt.body else stmt
        around = [loop.span for loop in self.loops if stmt.span.start in loop.span]
        if isinstance(last, Return):
            self._leaving[stmt.span] = None
        elif isinstance(last, Continue | Break) and around:
            self._leaving[stmt.span] = around[-1]
        self._visit(stmt, (*inside, stmt.span))

    # -- stores -----------------------------------------------------------------

    def _visit(self, stmt: Stmt, inside: tuple[Span, ...]) -> None:
        if isinstance(stmt, Block):
            for part in stmt.body:
                self._visit(part, inside)
        elif isinstance(stmt, Decl):
            for variable in stmt.variables:
                self._note(variable.name, variable.span.end, variable.init, inside)
                if variable.init is not None:
                    self._effects(variable.init, inside)
        elif isinstance(stmt, If):
            self._effects(stmt.test, inside)
            self._branch(stmt.then, inside)
            if stmt.orelse is not None:
                self._branch(stmt.orelse, inside)
        elif isinstance(stmt, Loop):
            self._loop(stmt, inside)
        elif isinstance(stmt, Switch):
            self._effects(stmt.value, inside)
            self._visit(stmt.body, (*inside, stmt.body.span))
        else:
            for outer in expressions(stmt):
                self._effects(outer, inside)

    def _loop(self, loop: Loop, inside: tuple[Span, ...]) -> None:
        self.loops.append(loop)
        within = (*inside, loop.span)
        if isinstance(loop, For):
            begin = loop.span.start - 0.5
            if isinstance(loop.init, Decl):
                for variable in loop.init.variables:
                    self._note(variable.name, begin, variable.init, inside)
            elif loop.init is not None:
                self._effects(loop.init.expr, inside, begin)
            if loop.step is not None:
                self._effects(loop.step, within, loop.span.end)
        test = loop.call if isinstance(loop, MacroLoop) else loop.test
        if test is not None:
            self._effects(test, within)
        if isinstance(loop, MacroLoop):
            for arg in loop.call.args[1:]:
                if bare(arg).kind == "name":
                    self._note(bare(arg).name, loop.body.span.start - 0.5, None, within)
        self._visit(loop.body, within)

    def _effects(self, expr: Expr, inside: tuple[Span, ...], at: float | None = None) -> None:
        for part in subexpressions(expr):
            place = part.span.end if at is None else at
            if part.kind == "assign" and bare(part.args[0]).kind == "name":
                value = part.args[1] if part.name == "=" else None
                self._note(bare(part.args[0]).name, place, value, inside)
            elif _may_set(part) and bare(part.args[0]).kind == "name":
                self._note(bare(part.args[0]).name, place, None, inside)
            for stmt in part.body:
                self._visit(stmt, inside)

    def _note(self, name: str, at: float, value: Expr | None, inside: tuple[Span, ...]) -> None:
        self._stores.setdefault(name, []).append(Store(at, value, inside))

    def changes(self, name: str, span: Span) -> bool:
        """Whether the variable is set inside of ``span``."""
        return any(span.start < s.at <= span.end for s in self._stores.get(name, ()))


def _is_arithmetic(value: Expr) -> bool:
    """Whether a value can be told again: no call but of arithmetic on addresses."""
    known = names("ranges", "boundary")
    for group in ("highest", "lowest", "up", "down"):
        known |= names("ranges", "arithmetic", group)
    return all(
        part.kind not in ("assign", "postfix", "stmtexpr", "unknown")
        and (part.kind != "call" or part.name in known)
        for part in subexpressions(value)
    )


def _may_set(part: Expr) -> bool:
    """A step, or an address that somebody gets."""
    return part.kind == "postfix" or (part.kind == "unary" and part.name in ("++", "--", "&"))


def _named(expr: Expr, at: float) -> Expr:
    return Expr("name", f"{expr.name}#{round(at * 2)}", (), expr.span, expr.line)


def unnamed(shown: str) -> str:
    """A text without the numbers of the names, for messages."""
    return re.sub(r"#\d+", "", shown)
