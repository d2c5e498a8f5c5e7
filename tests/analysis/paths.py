# SPDX-License-Identifier: GPL-2.0-only
"""A small checker and C in, ways out of functions out."""

from __future__ import annotations

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Checker, Here, Outcome, WalkResult, walk
from patchgen.analysis.values.value import NONZERO, ZERO, show
from patchgen.model.code import Function
from patchgen.source.c.body import functions_in


class Trace(Checker[frozenset[str]]):
    """Follows lock(x)/unlock(x)/trylock(x); notes held locks and the value at each exit."""

    kinds = frozenset({"call"})

    def __init__(self) -> None:
        self.exits: list[tuple[tuple[str, ...], str]] = []
        self.steps: list[tuple[str, ...]] = []

    def initial(self, function: Function) -> frozenset[str]:
        return frozenset()

    def event(self, state, event: Event, here: Here):
        assert event.expr is not None
        name = event.expr.name
        args = event.expr.args[1:]
        lock = args[0].name if args and args[0].name not in ("&", "*") else name
        if args and args[0].kind == "unary":
            lock = args[0].args[0].name
        if name in ("lock", "mutex_lock", "spin_lock"):
            return state | {lock}
        if name in ("unlock", "mutex_unlock", "spin_unlock", "kfree"):
            return state - {lock}
        if name == "trylock":
            return (Outcome(state | {lock}, NONZERO), Outcome(state, ZERO))
        return state

    def at_exit(self, state, event: Event, here: Here) -> None:
        value = show(here.value(event.expr)) if event.expr is not None else ""
        self.exits.append((tuple(sorted(state)), value))
        self.steps.append(tuple(f"{s.place.line}: {s.text}" for s in here.steps(event)))


def function(source: str, name: str = "") -> Function:
    """The first function, or the named one."""
    found = functions_in(source.encode(), "x.c")
    return next(f for f in found if not name or f.name == name)


def exits(source: str, name: str = "") -> set[tuple[tuple[str, ...], str]]:
    """(locks held, value) of every way out."""
    checker = Trace()
    result = walk(function(source, name), checker)
    assert result.complete, result
    return set(checker.exits)


def traced(source: str, limit: int = 200_000) -> tuple[WalkResult, Trace]:
    """The result of a bounded walk, and its checker."""
    checker = Trace()
    return walk(function(source), checker, limit=limit), checker
