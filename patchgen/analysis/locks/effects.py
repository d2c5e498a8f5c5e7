# SPDX-License-Identifier: GPL-2.0-only
"""What a callback leaves behind, across calls: locks, counters, sleeps, results.

:class:`Effects` walks a function with its callees entered in context: what the
caller knows about "blockable" and the flag, constants passed for parameters,
and whether a lock forbids sleeping.  Each context is walked once; functions that call
each other are walked until what they do no longer changes.
"""

from __future__ import annotations

from typing import TypeAlias

from patchgen.analysis.engine.moves import Moves, graph_of
from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.walk import walk
from patchgen.analysis.locks.checker import LockChecker
from patchgen.analysis.locks.shape import Shape, shape_of
from patchgen.analysis.locks.source import Source
from patchgen.analysis.locks.state import Context, Summary
from patchgen.analysis.locks.visible import asked_members
from patchgen.analysis.locks.writes import Writes, is_quiet
from patchgen.analysis.replay.confirm import Confirm
from patchgen.analysis.values.naming import Naming
from patchgen.model.code import Function

#: Callees entered below one function; deeper ones count as unknown.
DEPTH = 32
#: Distinct contexts walked for one tree, each bounded by CONTEXT_STEPS.
CONTEXTS = 20_000
CONTEXT_STEPS = 60_000
#: Steps of all walks of one tree together.
TOTAL_STEPS = 2_000_000
#: Rounds in which what a function does that calls itself must come to rest.
ROUNDS = 8
#: Sets of facts of these walks that are kept together.
SETS = 1 << 16
#: Contexts in which one function may be under way at once.
NESTED = 3

_Key: TypeAlias = tuple[int, Context]
_NEVER_RETURNS = Summary((), ())


class Effects:
    """Summaries of the functions of a program, computed when asked for."""

    def __init__(
        self, program: Program, counters: frozenset[str], source: Source | None = None
    ) -> None:
        """``source`` gives the code of macros and headers' inlines, where it is at hand."""
        self.program = program
        self.source = source or Source(lambda path: None)
        self.counters = counters
        self._done: dict[_Key, Summary] = {}
        self._active: dict[_Key, Summary] = {}
        self._met: set[_Key] = set()
        self._provisional: dict[_Key, Summary] = {}
        self._steps = 0
        self._namings: dict[int, Naming] = {}
        self._shapes: dict[int, tuple[Function, Shape]] = {}
        self._moves: dict[tuple[int, tuple[tuple[str, str], ...]], Moves] = {}
        self.writes = Writes(program, self.source)
        self.asked = asked_members(program)
        self.confirm = Confirm(program, is_quiet)

    def of(self, function: Function, context: Context = Context()) -> Summary:  # noqa: B008
        """The summary of ``function`` in ``context``."""
        function = self.source.expanded(function)
        key = (id(function), context)
        found = self._done.get(key) or self._provisional.get(key)
        if found is not None:
            return found
        if key in self._active:
            self._met.add(key)
            return self._active[key]
        why = self._limit(function)
        if why:
            return Summary((), (), f"{function.path}:{function.line}: {why}")
        return self._settle(key, function, context)

    def _limit(self, function: Function) -> str:
        if sum(one == id(function) for one, _ in self._active) >= NESTED:
            return f"{function.name}() calls itself in more and more contexts"
        if len(self._active) >= DEPTH:
            return "calls nest too deep"
        if len(self._done) >= CONTEXTS or self._steps >= TOTAL_STEPS:
            return "too much to walk"
        return ""

    def _settle(self, key: _Key, function: Function, context: Context) -> Summary:
        """Walk until a call of itself does what the walk before found."""
        self._active[key] = _NEVER_RETURNS
        try:
            for _ in range(ROUNDS):
                self._met.discard(key)
                found = self._walk(function, context)
                if key not in self._met or _alike(found, self._active[key]):
                    break
                self._active[key] = found
                self._provisional.clear()
            else:
                why = f"{function.path}:{function.line}: {function.name}() calls itself"
                found = Summary(found.exits, found.sleeps, why, found.touches, found.takes)
        finally:
            del self._active[key]
            self._met.discard(key)
        if self._met & self._active.keys():
            self._provisional[key] = found  # it rests on one that is not finished
        else:
            self._done[key] = found
            self._provisional.clear()
        return found

    def _walk(self, function: Function, context: Context) -> Summary:
        checker = LockChecker(self, function, context)
        result = walk(
            function, checker, limit=CONTEXT_STEPS, known=context.numbers, vague=context.made,
            moves=self._moves_of(function, context),
        )  # fmt: skip
        self._steps += result.visited
        return checker.summary(result)

    def _moves_of(self, function: Function, context: Context) -> Moves:
        """Of walks in contexts in which the function's calls enter the same."""
        key = (id(function), context.roles)
        if key not in self._moves:
            if sum(len(one.facts) for one in self._moves.values()) > SETS:
                self._moves.clear()
            self._moves[key] = Moves(len(graph_of(function).nodes))
        return self._moves[key]

    def shape(self, function: Function) -> Shape:
        """What of a function is the same in each context."""
        found = self._shapes.get(id(function))
        if found is None:
            found = self._shapes[id(function)] = (function, shape_of(function, self.asked))
        return found[1]

    def naming(self, function: Function) -> Naming:
        """How expressions of ``function`` read in terms of its parameters."""
        function = self.source.expanded(function)
        found = self._namings.get(id(function))
        if found is None:
            found = self._namings[id(function)] = Naming(function)
        return found


def _alike(one: Summary, two: Summary) -> bool:
    """Whether two summaries say the same, witnesses apart."""
    return _said(one) == _said(two)


def _said(summary: Summary) -> tuple[object, ...]:
    return (
        frozenset(
            (leaving.state, leaving.value, leaving.facts, leaving.given)
            for leaving in summary.exits
        ),
        frozenset((s.event.place, s.blockable, bool(s.held)) for s in summary.sleeps),
        frozenset((t.event.place, t.held) for t in summary.touches),
        frozenset((t.event.place, t.kind, t.key, t.twice) for t in summary.takes),
        bool(summary.incomplete),
    )
