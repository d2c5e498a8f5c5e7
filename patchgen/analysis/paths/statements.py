# SPDX-License-Identifier: GPL-2.0-only
"""The ways through statements."""

from __future__ import annotations

from patchgen.analysis.paths.base import ON, WAYS, Base, Exit, Ways
from patchgen.analysis.paths.bodies import NotUnderstood
from patchgen.analysis.paths.events import Condition, Odd
from patchgen.analysis.paths.state import State, named
from patchgen.model.base import Place
from patchgen.model.code import (
    Asm,
    Block,
    Break,
    Case,
    Continue,
    Decl,
    DoWhile,
    Empty,
    ExprStmt,
    For,
    Goto,
    If,
    Label,
    MacroLoop,
    Return,
    Stmt,
    Switch,
    Unknown,
    While,
)
from patchgen.source.c.text import text

#: Jumps on one way.
_JUMPS = 12


class Statements(Base):
    """Statements other than loops."""

    def body(self, stmts: tuple[Stmt, ...], state: State) -> Ways:
        """The ways through a function's statements, jumps to its labels included."""
        done: Ways = []
        todo = [(way, tuple[str, ...]()) for way in self.run(stmts, state)]
        while todo:
            (state, exit_), jumps = todo.pop()
            if exit_.kind != "goto":
                done.append((state, exit_))
                continue
            at = next((n for n, s in enumerate(stmts)
                       if isinstance(s, Label) and s.name == exit_.label), None)  # fmt: skip
            if at is None or len(jumps) > _JUMPS:
                place = Place(state.path, stmts[0].line if stmts else 1)
                done.append((state.happened(Odd(f"a jump to {exit_.label}", place)), ON))
                continue
            if exit_.label in jumps:
                # With nothing known of what is set behind the label: the same ways again.
                behind = Block(named("").span, 0, tuple(stmts[at + 1 :]))
                state = self._forgotten(behind, state)
                if jumps.count(exit_.label) > 1:
                    continue
            todo += [(way, (*jumps, exit_.label)) for way in self.run(stmts[at + 1 :], state)]
        return done

    def run(self, stmts: tuple[Stmt, ...], state: State) -> Ways:
        """The ways through statements in a row; a jump ends one."""
        going, done = [state], list[tuple[State, Exit]]()
        for stmt in stmts:
            after: list[State] = []
            for one in going:
                for then, exit_ in self.stmt(stmt, one):
                    if exit_.kind:
                        done.append((then, exit_))
                    else:
                        after.append(then)
            going = after
            if len(going) + len(done) > WAYS:
                raise NotUnderstood(state.path, stmt.line, "too many ways to follow")
        return done + [(one, ON) for one in going]

    def stmt(self, stmt: Stmt, state: State) -> Ways:
        """The ways through one statement."""
        match stmt:
            case Block():
                ways = self.run(stmt.body, state)
                return [(one._replace(scope=state.scope), exit_) for one, exit_ in ways]
            case ExprStmt():
                return [(then, ON) for _, then in self.value(stmt.expr, state)]
            case Decl():
                return [(then, ON) for then in self._declared(stmt, state)]
            case If():
                found: Ways = []
                for holds, then in self.truth(stmt.test, state):
                    branch = stmt.then if holds else stmt.orelse
                    found += self.stmt(branch, then) if branch is not None else [(then, ON)]
                return found
            case Return():
                if stmt.value is None:
                    return [(state, Exit("return"))]
                given = self.value(stmt.value, state)
                return [(then, Exit("return", value)) for value, then in given]
            case Switch():
                return self._switch(stmt, state)
            case While() | For() | DoWhile() | MacroLoop():
                return self._loop(stmt, state)
            case Break():
                return [(state, Exit("break"))]
            case Continue():
                return [(state, Exit("continue"))]
            case Goto():
                return [(state, Exit("goto", None, stmt.name))]
            case Label() | Empty() | Case():
                return [(state, ON)]
            case Asm():
                return [(state.happened(Odd("assembly", self._at(state, stmt.line))), ON)]
            case Unknown():
                return [(state.happened(Odd(stmt.reason, self._at(state, stmt.line))), ON)]

    def _declared(self, stmt: Decl, state: State) -> list[State]:
        going = [state]
        for variable in stmt.variables:
            if "static" in variable.type.split():
                continue
            after = []
            for one in going:
                self._made += 1
                own = f"{variable.name}'{self._made}"
                values = (
                    self.value(variable.init, one) if variable.init is not None else [(None, one)]
                )
                for value, then in values:
                    then = then._replace(scope={**then.scope, variable.name: own})
                    after.append(then if value is None else then.holding(own, value))
            going = after
        return going

    def _switch(self, stmt: Switch, state: State) -> Ways:
        found: Ways = []
        inner = stmt.body.body if isinstance(stmt.body, Block) else (stmt.body,)
        cases = [(at, s) for at, s in enumerate(inner) if isinstance(s, Case)]
        for value, then in self.value(stmt.value, state):
            for at, case in cases:
                if case.value is not None:
                    what = f"{text(value)} == {text(case.value)}"
                    asked = Condition(what, True, self._at(state, case.line), value)
                    then_ = then._replace(conditions=(*then.conditions, asked))
                else:
                    then_ = then
                found += self.run(inner[at:], then_)
            if not any(case.value is None for _, case in cases):
                found.append((then, ON))
        return [
            (one._replace(scope=state.scope), ON if exit_.kind == "break" else exit_)
            for one, exit_ in found
        ]
