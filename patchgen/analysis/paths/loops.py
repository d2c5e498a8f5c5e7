# SPDX-License-Identifier: GPL-2.0-only
"""Loops: each way through a round, with variables that it sets unknown."""

from __future__ import annotations

from patchgen.analysis.paths.base import ON, Base, Ways
from patchgen.analysis.paths.bodies import NotUnderstood
from patchgen.analysis.paths.events import Loop, Path
from patchgen.analysis.paths.put import given_to, put, with_args
from patchgen.analysis.paths.state import State, constant, number
from patchgen.model.base import Place
from patchgen.model.code import (
    DoWhile,
    Expr,
    For,
    MacroLoop,
    Stmt,
    While,
)
from patchgen.source.c.text import bare, subexpressions
from patchgen.source.c.walk import expressions

#: Macros in macros.
_DEPTH = 12


class Loops(Base):
    """Loops, and the macros that they are written with."""

    def _loop(self, stmt: While | For | DoWhile | MacroLoop, state: State) -> Ways:
        if isinstance(stmt, DoWhile) and constant(stmt.test) is False:
            ways = self.stmt(stmt.body, state)
            return [(s, ON if e.kind in ("break", "continue") else e) for s, e in ways]
        starts = [state]
        if isinstance(stmt, For) and stmt.init is not None:
            starts = [then for then, _ in self.stmt(stmt.init, state)]
        found: Ways = []
        for start in starts:
            for then, exit_ in self._rounds(stmt, start):
                found.append((then._replace(scope=state.scope), exit_))
        return found

    def _rounds(self, stmt: While | For | DoWhile | MacroLoop, state: State) -> Ways:
        place, macro, args = self._at(state, stmt.line), "", tuple[Expr, ...]()
        start = self._forgotten(stmt, state)
        if isinstance(stmt, MacroLoop):
            call = self._unfolded(stmt.call, state)
            macro = call.name
            args, start = self._headed(call, start)
        elif isinstance(stmt, For):
            args = self._counted(stmt, state, start)
        elif isinstance(stmt, While):
            args = (stmt.test,)
        begun = start._replace(events=(), conditions=())
        ways: Ways = []
        test = None if isinstance(stmt, MacroLoop | DoWhile) else stmt.test
        tested = [(True, begun)] if test is None else self.truth(test, begun)
        for _, then in (one for one in tested if one[0]):
            ways += self.stmt(stmt.body, then)
        rounds = tuple(
            Path(one.events, one.conditions, exit_.kind, exit_.value) for one, exit_ in ways
        )
        loop = Loop(macro, args, rounds, place)
        after = self._forgotten(stmt, state).happened(loop)
        found = [(after, ON)]
        for one, exit_ in ways:
            if exit_.kind in ("return", "goto"):
                left = after._replace(conditions=(*after.conditions, *one.conditions))
                found.append((left, exit_))
        return found

    def _counted(self, stmt: For, before: State, state: State) -> tuple[Expr, ...]:
        """Where ``for (; x < y; x++)`` begins, what it asks and its step; () for others."""
        test = bare(stmt.test) if stmt.test is not None else None
        if test is None:
            return (number(1),)
        if test.kind != "binary" or stmt.step is None:
            return ()
        first = self.value(test.args[0], before)
        last = self.value(test.args[1], state)
        if len(first) != 1 or len(last) != 1:
            return ()
        return (first[0][0], with_args(test, (test.args[0], last[0][0])), stmt.step)

    def _forgotten(self, stmt: Stmt, state: State) -> State:
        """Nothing known of the variables that a loop sets."""
        for expr in expressions(stmt):
            sets = expr.kind == "assign" or (
                expr.kind in ("postfix", "unary") and expr.name in ("++", "--", "&")
            )
            own = state.scope.get(bare(expr.args[0]).name, "") if sets else ""
            if own:
                state = state.holding(own, self._fresh(bare(expr.args[0]).name))
        return state

    def _unfolded(self, call: Expr, state: State) -> Expr:
        """A loop macro's call for that of a macro of the files that stands for it."""
        for _ in range(_DEPTH):
            known = self._bodies.macros(call.name)
            if not known or call.name in self._stop:
                return call
            for one in known:
                self._bodies.put_in[Place(one.path, one.line)] = f"{one.name}()"
            if known[0].tokens.texts[:1] == ["for"]:
                return call
            inner = known[0].expression()
            if len(known) > 1 or inner is None or bare(inner).kind != "call":
                line = known[0].line
                raise NotUnderstood(known[0].path, line, f"what {call.name}() comes by")
            call = bare(put(inner, given_to(known[0], call)))
        return call

    def _headed(self, call: Expr, state: State) -> tuple[tuple[Expr, ...], State]:
        """The arguments of a loop's macro: what it sets, what it goes through, the rest."""
        args = list(call.args[1:])
        for at, arg in enumerate(args[:2]):
            if at == 0 and bare(arg).kind == "name":
                own = state.scope.get(bare(arg).name, bare(arg).name)
                each = self._fresh(bare(arg).name)
                state, args[0] = state.holding(own, each), each
                continue
            values = self.value(arg, state)
            if len(values) == 1:
                args[at], state = values[0]
        for at, arg in enumerate(args[2:], 2):
            # Names of members stand here, too, and are none of the function's variables.
            inner = bare(arg)
            mine = any(p.kind == "name" and p.name in state.scope for p in subexpressions(inner))
            values = self.value(inner, state) if mine else []
            if len(values) == 1:
                args[at], state = values[0]
        return tuple(args), state
