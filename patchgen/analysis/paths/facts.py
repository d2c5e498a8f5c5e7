# SPDX-License-Identifier: GPL-2.0-only
"""Every path through a function, with what each makes known: small facts, no values.

For functions of the environment whose order matters, and is read rather than assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from patchgen.kernel.knowledge import names
from patchgen.model.code import (
    Block,
    Break,
    Continue,
    Decl,
    Declarator,
    DoWhile,
    Empty,
    Expr,
    ExprStmt,
    For,
    Function,
    Goto,
    If,
    Label,
    MacroLoop,
    Return,
    Stmt,
    Switch,
    While,
)
from patchgen.source.c.text import bare, every, statements

#: Their value is their first argument's.
_TRANSPARENT = names("paths", "calls", "transparent") | names("paths", "calls", "warns")

#: What is known on a path.
Facts = frozenset[str]
States = frozenset[Facts]

_NOTHING: States = frozenset()
#: Rounds until the states at labels are settled, beyond which a function is not understood.
_ROUNDS = 12


class NotFollowed(Exception):
    """Something on a path was not understood: its line, and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class Paths:
    """Follows a function.  ``effect`` is what an expression makes known once it is evaluated,
    ``branch`` what its two answers do (None: nothing of interest), ``relevant`` whether an
    expression is of any interest: a loop around such a one is not followed.

    ``ends`` are the facts at the function's ends: where it answers yes, or nothing, and where
    it answers no.
    """

    def __init__(
        self,
        effect: Callable[[Expr, Facts], Facts],
        branch: Callable[[Expr, Facts], tuple[Facts, Facts] | None],
        relevant: Callable[[Expr], bool],
    ) -> None:
        self.effect = effect
        self.branch = branch
        self.relevant = relevant
        self.yes: States = _NOTHING
        self.no: States = _NOTHING
        self._labels: dict[str, States] = {}
        self._grown = False
        #: Of each loop around: the states at its breaks, and at its continues.
        self._loops: list[list[States]] = []

    def follow(self, function: Function, known: Facts = frozenset()) -> None:
        """Follow all paths of ``function``.  NotFollowed: one was not understood."""
        inner = [s for part in function.body.body for s in statements(part)]
        labels = [s.name for s in function.body.body if isinstance(s, Label)]
        nested = [s for s in inner if isinstance(s, Label) and s.name not in labels]
        if nested:
            raise NotFollowed(nested[0].line, "a label within a statement")
        self._labels = dict.fromkeys(labels, _NOTHING)
        for _ in range(_ROUNDS):
            self._grown = False
            out = self._run(function.body.body, frozenset({known}))
            self.yes |= out
            if not self._grown:
                return
        raise NotFollowed(function.line, "its jumps are not followed")

    # -------------------------------------------------------------- statements

    def _run(self, body: Sequence[Stmt], states: States) -> States:
        for stmt in body:
            states = self._statement(stmt, states)
        return states

    def _statement(self, stmt: Stmt, states: States) -> States:
        if isinstance(stmt, Label):
            return states | self._labels[stmt.name]
        if not states or isinstance(stmt, Empty):
            return states
        if isinstance(stmt, Block):
            return self._run(stmt.body, states)
        if isinstance(stmt, ExprStmt):
            return self._value(stmt.expr, states)
        if isinstance(stmt, Decl):
            for variable in stmt.variables:
                if variable.init is not None:
                    states = self._value(_set(variable, variable.init), states)
            return states
        if isinstance(stmt, If):
            yes, no = self._truth(stmt.test, states)
            return self._statement(stmt.then, yes) | (
                self._statement(stmt.orelse, no) if stmt.orelse else no
            )
        if isinstance(stmt, Return):
            return self._return(stmt, states)
        if isinstance(stmt, Goto) and stmt.name in self._labels:
            self._grown |= not states <= self._labels[stmt.name]
            self._labels[stmt.name] |= states
            return _NOTHING
        return self._other(stmt, states)

    def _return(self, stmt: Return, states: States) -> States:
        yes, no = (states, _NOTHING) if stmt.value is None else self._truth(stmt.value, states)
        self.yes |= yes
        self.no |= no
        return _NOTHING

    def _other(self, stmt: Stmt, states: States) -> States:
        """A loop or a switch in which nothing of interest happens; it may be left anywhere."""
        if isinstance(stmt, Break | Continue) and self._loops:
            self._loops[-1][isinstance(stmt, Continue)] |= states
            return _NOTHING
        relevant = any(self.relevant(e) for e in every(stmt))
        if isinstance(stmt, While | DoWhile) and relevant:
            return self._loop(stmt, states)
        if relevant or not isinstance(stmt, While | DoWhile | For | MacroLoop | Switch):
            raise NotFollowed(stmt.line, "a statement that is not followed")
        for inner in statements(stmt):
            if isinstance(inner, Return | Goto):
                self._statement(inner, states)
        return states

    def _loop(self, stmt: While | DoWhile, states: States) -> States:
        """A loop of unknown rounds: until no round brings anything new."""
        left = _NOTHING
        for _ in range(_ROUNDS):
            self._loops.append([_NOTHING, _NOTHING])
            if isinstance(stmt, While):
                yes, no = self._truth(stmt.test, states)
                again = self._statement(stmt.body, yes) | self._loops[-1][True]
            else:
                out = self._statement(stmt.body, states) | self._loops[-1][True]
                again, no = self._truth(stmt.test, out)
            left |= no | self._loops.pop()[False]
            if again <= states:
                return left
            states |= again
        raise NotFollowed(stmt.line, "a loop that is not followed")

    # ------------------------------------------------------------- expressions

    def _value(self, expr: Expr, states: States) -> States:
        """The states once ``expr`` is evaluated."""
        if expr.kind in ("unknown", "stmtexpr") and self.relevant(expr):
            raise NotFollowed(expr.line, "an expression that is not followed")
        if expr.kind == "binary" and expr.name in ("&&", "||"):
            yes, no = self._truth(expr, states)
            return yes | no
        if expr.kind == "cond":
            yes, no = self._truth(expr.args[0], states)
            return self._value(expr.args[1], yes) | self._value(expr.args[2], no)
        return self._each(self.effect, expr, self._values(expr.args, states))

    def _values(self, exprs: Iterable[Expr], states: States) -> States:
        for expr in exprs:
            states = self._value(expr, states)
        return states

    def _each(self, effect: Callable[[Expr, Facts], Facts], expr: Expr, states: States) -> States:
        return frozenset(effect(expr, facts) for facts in states)

    def _truth(self, expr: Expr, states: States) -> tuple[States, States]:
        """The states where ``expr`` is true, and where it is not."""
        expr = bare(expr)
        if expr.kind == "call" and expr.name in _TRANSPARENT and len(expr.args) > 1:
            return self._truth(expr.args[1], states)
        if expr.kind == "unary" and expr.name == "!":
            yes, no = self._truth(expr.args[0], states)
            return no, yes
        if expr.kind == "binary" and expr.name in ("&&", "||"):
            yes, no = self._truth(expr.args[0], states)
            if expr.name == "&&":
                yes2, no2 = self._truth(expr.args[1], yes)
                return yes2, no | no2
            yes2, no2 = self._truth(expr.args[1], no)
            return yes | yes2, no2
        if expr.kind in ("const", "name") and expr.name in ("0", "false", "1", "true", "NULL"):
            return (states, _NOTHING) if expr.name in ("1", "true") else (_NOTHING, states)
        asked = {facts: self.branch(expr, facts) for facts in states}
        if None in asked.values():
            after = self._value(expr, states)
            return after, after
        after = self._values(expr.args, states)
        answers = [answer for facts in after if (answer := self.branch(expr, facts))]
        return frozenset(yes for yes, _ in answers), frozenset(no for _, no in answers)


def _set(variable: Declarator, value: Expr) -> Expr:
    """``type variable = value`` as the assignment that it is."""
    target = Expr("name", variable.name, (), value.span, variable.line)
    return Expr("assign", "=", (target, value), value.span, variable.line)
