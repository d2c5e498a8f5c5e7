# SPDX-License-Identifier: GPL-2.0-only
"""What expressions are worth, and what asking for it does."""

from __future__ import annotations

from patchgen.analysis.paths.base import Base, Values
from patchgen.analysis.paths.events import Condition, Odd, Store
from patchgen.analysis.paths.put import address_of, with_args
from patchgen.analysis.paths.state import State, constant, is_own, is_settled, named, number
from patchgen.model.code import (
    Expr,
    ExprStmt,
    Stmt,
)
from patchgen.source.c.text import bare, text


class Evaluation(Base):
    """Values, places and conditions."""

    def truth(self, expr: Expr, state: State) -> list[tuple[bool, State]]:
        """The answers that an expression may have, each with the state behind it."""
        expr = bare(expr)
        if expr.kind == "unary" and expr.name == "!":
            return [(not holds, then) for holds, then in self.truth(expr.args[0], state)]
        if expr.kind == "binary" and expr.name in ("&&", "||"):
            ends = expr.name == "||"
            found = []
            for holds, then in self.truth(expr.args[0], state):
                found += [(holds, then)] if holds == ends else self.truth(expr.args[1], then)
            return found
        answers = []
        for value, then in self.value(expr, state):
            answers += self._asked(value, expr.line, then)
        return answers

    def _asked(self, value: Expr, line: int, state: State) -> list[tuple[bool, State]]:
        value = bare(value)
        known = constant(value)
        if known is not None:
            return [(known, state)]
        if value.kind == "unary" and value.name == "!":
            return [(not h, s) for h, s in self._asked(value.args[0], line, state)]
        if value.kind == "binary" and value.name in ("==", "!="):
            sides = [side for side in value.args if constant(side) is not False]
            if len(sides) == 1:
                same = value.name == "!="
                return [(h == same, s) for h, s in self._asked(sides[0], line, state)]
        if value.kind == "binary" and value.name in ("<", "<=", ">"):
            # All are asked as ``>=``: ``a < b`` is its opposite, ``a <= b`` is ``b >= a``.
            left, right = value.args if value.name == "<" else value.args[::-1]
            asked_ = Expr("binary", ">=", (left, right), value.span, value.line)
            turned = value.name != "<="
            return [(h != turned, s) for h, s in self._asked(asked_, line, state)]
        what = text(value)
        if is_settled(value):
            for asked in state.conditions:
                if asked.text == what:
                    return [(asked.holds, state)]
        place = self._at(state, line)
        return [
            (h, state._replace(conditions=(*state.conditions, Condition(what, h, place, value))))
            for h in (True, False)
        ]

    def value(self, expr: Expr, state: State) -> Values:
        """What an expression may be worth, each with the state behind it."""
        match expr.kind:
            case "const" | "string" | "type":
                return [(expr, state)]
            case "cast":
                return self.value(expr.args[0], state)
            case "name" | "member" | "arrow" | "index":
                found = self.place(expr, state)
                return [(then.read(place), then) for place, then in found]
            case "call":
                return self._call(expr, state)
            case "assign":
                return self._assigned(expr, state)
            case "postfix":
                return self._stepped(expr, state)
            case "unary":
                return self._unary(expr, state)
            case "cond":
                found = []
                for holds, then in self.truth(expr.args[0], state):
                    found += self.value(expr.args[1 if holds else 2], then)
                return found
            case "binary" if expr.name in ("&&", "||"):
                return [(number(int(h)), then) for h, then in self.truth(expr, state)]
            case "comma":
                lefts = self.value(expr.args[0], state)
                return [one for _, then in lefts for one in self.value(expr.args[1], then)]
            case "stmtexpr":
                return self._block_value(expr.body, state)
            case "unknown":
                odd = Odd(expr.name, self._at(state, expr.line))
                return [(self._fresh("unknown"), state.happened(odd))]
            case _:
                return [(with_args(expr, args), then) for args, then in self._all(expr.args, state)]

    def _all(self, exprs: tuple[Expr, ...], state: State) -> list[tuple[tuple[Expr, ...], State]]:
        found: list[tuple[tuple[Expr, ...], State]] = [((), state)]
        for expr in exprs:
            found = [
                ((*before, value), after)
                for before, then in found
                for value, after in self.value(expr, then)
            ]
        return found

    def _unary(self, expr: Expr, state: State) -> Values:
        inner = expr.args[0]
        if expr.name == "sizeof":
            return [(expr, state)]
        if expr.name in ("++", "--"):
            return self._stepped(expr, state)
        if expr.name == "*":
            return [(then.read(place), then) for place, then in self.place(expr, state)]
        if expr.name == "&":
            return [(address_of(place), then) for place, then in self.place(inner, state)]
        if expr.name == "!":
            found = []
            for value, then in self.value(inner, state):
                known = constant(value)
                found.append(
                    (with_args(expr, (value,)) if known is None else number(not known), then)
                )
            return found
        return [(with_args(expr, (value,)), then) for value, then in self.value(inner, state)]

    def place(self, expr: Expr, state: State) -> Values:
        """The place that an expression names, each with the state behind it."""
        expr = bare(expr)
        if expr.kind == "name":
            own = state.scope.get(expr.name)
            return [(named(own) if own else expr, state)]
        if expr.kind == "member":
            return [(with_args(expr, (at,)), then) for at, then in self.place(expr.args[0], state)]
        if expr.kind == "arrow":
            found = []
            for at, then in self.value(expr.args[0], state):
                at = bare(at)
                if at.kind == "unary" and at.name == "&":
                    whole = Expr("member", expr.name, (at.args[0],), expr.span, expr.line)
                    found.append((whole, then))
                else:
                    found.append((with_args(expr, (at,)), then))
            return found
        if expr.kind == "index":
            return [
                (with_args(expr, (at, index)), after)
                for at, then in self.place(expr.args[0], state)
                for index, after in self.value(expr.args[1], then)
            ]
        if expr.kind == "unary" and expr.name == "*":
            found = []
            for at, then in self.value(expr.args[0], state):
                at = bare(at)
                pointed = at.args[0] if at.kind == "unary" and at.name == "&" else None
                found.append((pointed or with_args(expr, (at,)), then))
            return found
        return self.value(expr, state)

    def _stepped(self, expr: Expr, state: State) -> Values:
        op = "+=" if expr.name == "++" else "-="
        found = []
        for at, then in self.place(expr.args[0], state):
            old = then.read(at)
            after = self._written(at, op, number(1), expr.line, then)
            found.append((old if expr.kind == "postfix" else after.read(at), after))
        return found

    def _assigned(self, expr: Expr, state: State) -> Values:
        found = []
        for value, then in self.value(expr.args[1], state):
            for at, after in self.place(expr.args[0], then):
                done = self._written(at, expr.name, value, expr.line, after)
                found.append((value if expr.name == "=" else done.read(at), done))
        return found

    def _written(self, at: Expr, op: str, value: Expr, line: int, state: State) -> State:
        if is_own(at):
            if op == "=":
                return state.holding(text(at), value)
            made = Expr("binary", op[:-1], (state.read(at), value), at.span, line)
            return state.holding(text(at), made)
        if op == "=":
            op, value = _step_of(at, value)
        return state.happened(Store(at, op, value, self._at(state, line)))

    def _block_value(self, stmts: tuple[Stmt, ...], state: State) -> Values:
        last = stmts[-1] if stmts else None
        found: Values = []
        before = stmts[:-1] if isinstance(last, ExprStmt) else stmts
        for then, exit_ in self.run(before, state):
            if exit_.kind:
                odd = Odd(f"{exit_.kind} within an expression", self._at(state, stmts[0].line))
                found.append((self._fresh("block"), then.happened(odd)))
            elif isinstance(last, ExprStmt):
                found += self.value(last.expr, then)
            else:
                found.append((self._fresh("block"), then))
        return [(value, then._replace(scope=state.scope)) for value, then in found]


def _step_of(at: Expr, value: Expr) -> tuple[str, Expr]:
    """``at = at + x`` as ``at += x``, in either order; any other assignment as it is."""
    plain = bare(value)
    if plain.kind != "binary" or plain.name not in ("+", "-"):
        return "=", value
    left, right = (bare(side) for side in plain.args)
    if plain.name == "+" and text(right) == text(at):
        left, right = right, left
    return (f"{plain.name}=", right) if text(left) == text(at) else ("=", value)
