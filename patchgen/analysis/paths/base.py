# SPDX-License-Identifier: GPL-2.0-only
"""What the parts of the run through a function share, and what they ask of each other."""

from __future__ import annotations

from typing import NamedTuple

from patchgen.analysis.paths.bodies import Bodies
from patchgen.analysis.paths.state import State, named
from patchgen.model.base import Place
from patchgen.model.code import DoWhile, Expr, For, MacroLoop, Stmt, While


class Exit(NamedTuple):
    """How a statement is left: as in :class:`patchgen.analysis.paths.events.Path`."""

    kind: str = ""
    value: Expr | None = None
    label: str = ""


ON = Exit()
Ways = list[tuple[State, Exit]]
Values = list[tuple[Expr, State]]
#: Ways through one function at most.
WAYS = 4000


class Base:
    """The files, the callees that are not looked into, and names that were made up."""

    def __init__(self, bodies: Bodies, stop: frozenset[str]) -> None:
        self._bodies = bodies
        self._stop = stop
        self._made = 0

    def _fresh(self, stem: str) -> Expr:
        self._made += 1
        return named(f"{stem}#{self._made}")

    def _at(self, state: State, line: int) -> Place:
        return Place(state.path, line)

    def value(self, expr: Expr, state: State) -> Values:
        """What an expression may be worth, each with the state behind it."""
        raise NotImplementedError

    def truth(self, expr: Expr, state: State) -> list[tuple[bool, State]]:
        """The answers that an expression may have, each with the state behind it."""
        raise NotImplementedError

    def stmt(self, stmt: Stmt, state: State) -> Ways:
        """The ways through one statement."""
        raise NotImplementedError

    def run(self, stmts: tuple[Stmt, ...], state: State) -> Ways:
        """The ways through statements in a row; a jump ends one."""
        raise NotImplementedError

    def body(self, stmts: tuple[Stmt, ...], state: State) -> Ways:
        """The ways through a function's statements, jumps to its labels included."""
        raise NotImplementedError

    def _loop(self, stmt: While | For | DoWhile | MacroLoop, state: State) -> Ways:
        raise NotImplementedError

    def _forgotten(self, stmt: Stmt, state: State) -> State:
        raise NotImplementedError

    def _call(self, expr: Expr, state: State) -> Values:
        raise NotImplementedError

    def _assigned(self, expr: Expr, state: State) -> Values:
        raise NotImplementedError

    def _all(self, exprs: tuple[Expr, ...], state: State
             ) -> list[tuple[tuple[Expr, ...], State]]:  # fmt: skip
        raise NotImplementedError
