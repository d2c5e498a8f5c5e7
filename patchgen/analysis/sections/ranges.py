# SPDX-License-Identifier: GPL-2.0-only
"""Sections of notifier ranges, followed along every path and across calls.

Each function that handles a range is walked; what it does to ranges of its caller is a
summary that the callers' walks apply.  Summaries depend on which pointers a call gives as
NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import msgspec

from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.summaries import Node, Summaries
from patchgen.analysis.engine.walk import walk
from patchgen.analysis.sections.calls import Given, entered
from patchgen.analysis.sections.paths import Observer, RangeSummary
from patchgen.analysis.sections.predicates import Predicates
from patchgen.analysis.sections.quiet import Quiet
from patchgen.analysis.sections.reading import Reading
from patchgen.analysis.sections.sites import initialisers, role
from patchgen.analysis.sections.walk import RangeWalk
from patchgen.analysis.values.naming import Naming
from patchgen.model.code import Function

#: Steps of one walk.
STEPS = 120_000


class Ranges:
    """Summaries of all functions of a program that handle ranges."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._summaries = Summaries(self)
        self._readings: dict[int, Reading] = {}

    @cached_property
    def handlers(self) -> tuple[Function, ...]:
        """Functions that start or end a range, or call one that does so for them."""
        found = [f for f in self.program.functions if f.name not in initialisers()]
        direct = [f for f in found if any(role(c) for c in self.program.calls(f))]
        known = {id(f): f for f in direct}
        openers = {f.name for f in direct if self._exports(f)}
        todo = list(openers)
        while todo:
            name = todo.pop()
            for caller in self.callers(name):
                if id(caller) not in known:
                    known[id(caller)] = caller
                if caller.name not in openers and self._exports(caller):
                    openers.add(caller.name)
                    todo.append(caller.name)
        return tuple(f for f in found if id(f) in known)

    def _exports(self, function: Function) -> bool:
        """Whether the function, called with nothing known, touches a caller's range."""
        return any(one.ranges for one in self.of(function).exits)

    @cached_property
    def _callers(self) -> dict[str, list[Function]]:
        found: dict[str, list[Function]] = {}
        for function in self.program.functions:
            for callee in {call.name for call in self.program.calls(function)} - {""}:
                found.setdefault(callee, []).append(function)
        return found

    def callers(self, name: str) -> list[Function]:
        """Functions with a call of ``name``."""
        return self._callers.get(name, [])

    def all_callers(self, function: Function) -> list[Function]:
        """Functions that call ``function``, also those of its file that matter for nothing else."""
        name = function.name
        found = [
            caller
            for caller in self.callers(name)
            if caller is not function and function in self.program.named(name, caller.path)
        ]
        known = {caller.name for caller in found if caller.path == function.path} | {name}
        found += (
            other
            for other in self.program.whole(function.path, name if name.isidentifier() else "")
            if other.name not in known
            and any(call.name == name for call in self.program.calls(other))
        )
        return found

    def observe(self, function: Function, observer: Observer) -> str:
        """Walk ``function`` for an observer; why the walk is incomplete, or ""."""
        node: Node[Given] = Node(function, frozenset())
        checker = RangeWalk(self.reading, self._summaries.of, node, observer)
        return checker.summary(walk(self._shown(function), checker, limit=STEPS)).incomplete

    def naming(self, function: Function) -> Naming:
        """How expressions of ``function`` read in terms of its parameters."""
        return self.reading(function).naming

    def reading(self, function: Function) -> Reading:
        """What the calls and assignments of ``function`` are to ranges."""
        found = self._readings.get(id(function))
        if found is None:
            found = Reading(self.program, Naming(function), function)
            self._readings[id(function)] = found
        return found

    def of(self, function: Function, given: Given = frozenset()) -> RangeSummary:
        """The summary; ``given`` are parameters known to be set (or NULL)."""
        return self._summaries.of(Node(function, given))

    # -- how summaries are made (engine/summaries.py) --------------------------

    def callees(self, node: Node[Given]) -> Iterator[Node[Given]]:
        """What a walk of the function may enter."""
        return entered(self.program, node, self.program.once(Quiet).all)

    def start(self, node: Node[Given]) -> RangeSummary:
        """Before the first round, a function of a circle returns on no path."""
        return RangeSummary()

    def compute(
        self, node: Node[Given], ask: Callable[[Node[Given]], RangeSummary]
    ) -> RangeSummary:
        """Walk the function."""
        checker = RangeWalk(self.reading, ask, node)
        return checker.summary(walk(self._shown(node.function), checker, limit=STEPS))

    def _shown(self, function: Function) -> Function:
        return self.program.once(Predicates).written_out(function)

    def same(self, before: RangeSummary, after: RangeSummary) -> bool:
        """Whether two summaries say the same, witnesses apart."""
        return _said(before) == _said(after)

    def unsettled(self, node: Node[Given], first: RangeSummary) -> RangeSummary:
        """What a circle does that does more in each round is not known."""
        why = f"{node.place}: {node.function.name}() calls itself, and what that adds up to is open"
        return msgspec.structs.replace(first, incomplete=first.incomplete or why)


def _said(summary: RangeSummary) -> tuple[object, ...]:
    return (
        frozenset((one.ranges, one.value) for one in summary.exits),
        frozenset((one.kind, one.event.place, one.message) for one in summary.faults),
        bool(summary.incomplete),
    )


def ranges_of(program: Program) -> Ranges:
    """The summaries of a program, shared by everyone who asks."""
    return program.once(Ranges)
