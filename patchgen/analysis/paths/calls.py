# SPDX-License-Identifier: GPL-2.0-only
"""Calls: looked into, put in as macros, or kept as they are."""

from __future__ import annotations

from patchgen.analysis.paths.base import WAYS, Base, Values
from patchgen.analysis.paths.bodies import MacroBody, NotUnderstood
from patchgen.analysis.paths.events import Call
from patchgen.analysis.paths.put import assignment, given_to, put, put_stmt, with_args
from patchgen.analysis.paths.state import State, is_own, named
from patchgen.kernel.knowledge import names
from patchgen.model.base import Place
from patchgen.model.code import (
    Expr,
    Function,
)
from patchgen.source.c.text import bare, text

#: Calls in calls; the longest of the kernel's here are six deep.
_DEPTH = 12
_TRANSPARENT = names("paths", "calls", "transparent")
_PURE = names("paths", "calls", "pure")
_WRITES = names("paths", "calls", "writes")


class Calls(Base):
    """Calls."""

    def _call(self, expr: Expr, state: State) -> Values:
        found: Values = []
        # ``FNAME(f)()``: a function that is defined by that name (arch/x86/kvm/mmu).
        made = text(expr.args[0]) if expr.args[0].kind == "call" else ""
        known = made and (made in self._stop or self._bodies.functions(made, state.path))
        callees = [(named(made), state)] if known else self.value(expr.args[0], state)
        for callee, then in callees:
            callee = bare(callee)
            if callee.kind == "unary" and callee.name in ("&", "*"):
                inner = bare(callee.args[0])
                callee = inner if inner.kind == "name" else callee
            found += self._called(expr, callee, then)
            if len(found) > WAYS:
                raise NotUnderstood(state.path, expr.line, "too many ways to follow")
        return found

    def _called(self, expr: Expr, callee: Expr, state: State) -> Values:
        name = callee.name if callee.kind == "name" and "'" not in callee.name else ""
        wanted = name not in self._stop
        macros = self._bodies.macros(name) if name and wanted else ()
        functions = self._bodies.functions(name, state.path) if name and wanted else ()
        if (macros or functions) and state.depth > _DEPTH:
            raise NotUnderstood(state.path, expr.line, f"{name}() is too deep to follow")
        found: Values = []
        for macro in macros:
            found += self._expanded(macro, expr, state)
        for function in functions if not macros else ():
            found += self._entered(function, expr, state)
        if macros or functions:
            return found
        if name in _TRANSPARENT and len(expr.args) >= 2:
            return self.value(expr.args[1], state)
        if name in _WRITES and len(expr.args) == 3:
            return self._assigned(assignment(expr), state)
        for args, then in self._all(expr.args[1:], state):
            if name in _PURE:
                found.append((with_args(expr, (callee, *args)), then))
                continue
            result = self._fresh(callee.name or "call")
            place = self._at(state, expr.line)
            after = then.happened(Call(callee, args, place, result.name, _held(args, then)))
            for arg in args:
                inner = bare(arg)
                if inner.kind == "unary" and inner.name == "&" and is_own(inner.args[0]):
                    after = after.holding(text(inner.args[0]), self._fresh("given"))
            found.append((result, after))
        return found

    def _entered(self, function: Function, expr: Expr, state: State) -> Values:
        found: Values = []
        self._bodies.put_in[Place(function.path, function.line)] = f"{function.name}()"
        if len(function.params) != len(expr.args) - 1:
            text_ = f"{function.name}() is called with other arguments than it takes"
            raise NotUnderstood(state.path or function.path, expr.line or function.line, text_)
        for args, then in self._all(expr.args[1:], state):
            scope, inside = {}, then
            for param, arg in zip(function.params, args, strict=True):
                self._made += 1
                scope[param.name] = f"{param.name}'{self._made}"
                inside = inside.holding(scope[param.name], arg)
            inside = inside._replace(scope=scope, path=function.path, depth=state.depth + 1)
            for after, exit_ in self.body(function.body.body, inside):
                back = after._replace(scope=then.scope, path=then.path, depth=state.depth)
                found.append((exit_.value or self._fresh(function.name), back))
        return found

    def _expanded(self, macro: MacroBody, expr: Expr, state: State) -> Values:
        given = given_to(macro, expr)
        self._bodies.put_in[Place(macro.path, macro.line)] = f"{macro.name}()"
        inside = state._replace(path=macro.path, depth=state.depth + 1)
        whole = macro.expression()
        if whole is not None:
            found = self.value(put(whole, given), inside)
        else:
            stmts = tuple(put_stmt(one, given) for one in macro.statements())
            ways = self.run(stmts, inside)
            found = [(self._fresh(macro.name), then) for then, exit_ in ways if not exit_.kind]
            if len(found) != len(ways):
                raise NotUnderstood(macro.path, macro.line, f"{macro.name}() jumps")
        return [
            (value, then._replace(scope=state.scope, path=state.path, depth=state.depth))
            for value, then in found
        ]


def _held(args: tuple[Expr, ...], state: State) -> tuple[tuple[str, Expr], ...]:
    """What the variables hold whose addresses are among ``args``."""
    found: list[tuple[str, Expr]] = []
    for arg in map(bare, args):
        if arg.kind == "unary" and arg.name == "&" and is_own(arg.args[0]):
            own = text(arg.args[0])
            found += [(key, value) for key, value in state.values.items()
                      if key == own or key.startswith(f"{own}.")]  # fmt: skip
    return tuple(found)
