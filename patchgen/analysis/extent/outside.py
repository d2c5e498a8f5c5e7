# SPDX-License-Identifier: GPL-2.0-only
"""Calls that happen outside every open section, in a function or in its callers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import msgspec

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.summaries import Node, Summaries
from patchgen.analysis.engine.walk import Here
from patchgen.analysis.extent.reach import reaches_of
from patchgen.analysis.extent.walks import walk_callbacks
from patchgen.analysis.sections.paths import Observer
from patchgen.analysis.sections.ranges import Ranges, ranges_of
from patchgen.analysis.sections.sites import role
from patchgen.analysis.sections.state import OPEN, Range
from patchgen.kernel.knowledge import load
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.text import bare


class Outside(msgspec.Struct, frozen=True):
    """A call without a section: the event, its function, the witness from the top.

    ``unsure`` says why it may have one all the same, or "".
    """

    event: Event
    function: Function
    steps: tuple[Step, ...]
    unsure: str = ""


class _Bare(Observer):
    """Collects wanted calls on paths on which no section is open."""

    def __init__(self, wanted: Callable[[Expr], bool]) -> None:
        self.wanted = wanted
        self.found: dict[Place, tuple[Event, tuple[Step, ...]]] = {}

    def watches(self, call: Expr) -> bool:
        return self.wanted(call)

    def call(
        self, notes: frozenset[str], ranges: Mapping[str, Range], event: Event, here: Here
    ) -> frozenset[str]:
        if event.place not in self.found and not any(r.state == OPEN for r in ranges.values()):
            self.found[event.place] = (event, here.steps(event))
        return notes


class _Entry(msgspec.Struct, frozen=True):
    """How a function is entered while no section is open.

    ``steps`` lead to it; None where every caller has one open.  ``why`` says why an
    empty answer is not certain.  ``known`` is off as long as no caller is known that is
    not itself called in a circle.
    """

    steps: tuple[Step, ...] | None = None
    why: str = ""
    known: bool = True


class Entries:
    """How the functions of a program are entered, callers followed upwards."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.ranges = ranges_of(program)
        self._summaries = Summaries(self)
        self._bare: dict[Node[Node[None]], tuple[tuple[Step, ...] | None, str]] = {}

    def of(self, function: Function) -> _Entry:
        """How ``function`` is entered."""
        found = self._summaries.of(Node(function, None))
        if found.known:
            return found
        return _Entry((), f"nothing but a circle calls {function.name}()")

    def _callers(self, function: Function) -> list[Function]:
        name = function.name
        callers = [
            caller
            for caller in self.ranges.callers(name)
            if caller is not function and function in self.program.named(name, caller.path)
        ]
        return callers + reaches_of(self.program).walkers(function)

    def _calls(self, caller: Function, function: Function) -> tuple[tuple[Step, ...] | None, str]:
        """The way to a call of ``function`` without a section, or None; why that is not all."""
        edge = Node(caller, Node(function, None))
        if edge not in self._bare:

            def enters(call: Expr) -> bool:
                named = call.name == function.name
                return named or function in walk_callbacks(self.program, caller, call)

            observer = _Bare(enters)
            incomplete = self.ranges.observe(caller, observer)
            ways = [steps for _, steps in observer.found.values()]
            self._bare[edge] = (min(ways, key=len, default=None), incomplete)
        return self._bare[edge]

    def _beginnings(self, function: Function) -> Iterator[tuple[Step, ...]]:
        """Where the function is made the beginning of a thread, or a work item's."""
        for place, name in self._begun.get(function.name, ()):
            if function in self.program.named(function.name, place.path):
                yield (Step(place, f"{name}(): {function.name}() begins with no section open"),)

    @cached_property
    def _begun(self) -> dict[str, list[tuple[Place, str]]]:
        found: dict[str, list[tuple[Place, str]]] = {}
        positions = load("ranges")["begins"]["argument"]
        for function in self.program.functions:
            for call in self.program.calls(function):
                position = positions.get(call.name)
                if position is not None and len(call.args) > position + 1:
                    begun = bare(call.args[position + 1])
                    place = Place(function.path, call.line)
                    found.setdefault(begun.name, []).append((place, call.name))
        return found

    # -- how summaries are made (engine/summaries.py) --------------------------

    def callees(self, node: Node[None]) -> Iterator[Node[None]]:
        """The callers that have no section open at the call: these go upwards."""
        for caller in self._callers(node.function):
            if self._calls(caller, node.function)[0] is not None:
                yield Node(caller, None)

    def start(self, node: Node[None]) -> _Entry:
        """Before the first round, nothing is known to enter a circle."""
        return _Entry(known=False)

    def compute(self, node: Node[None], ask: Callable[[Node[None]], _Entry]) -> _Entry:
        """By the shortest way that is certain; else why there may be one."""
        function = node.function
        callers = self._callers(function)
        sure: list[tuple[Step, ...]] = [*self._beginnings(function)]
        if not callers and not sure:
            return _Entry((), f"the callers of {function.name}() are not known")
        unsure: list[str] = []
        covered = False
        for caller in callers:
            steps, incomplete = self._calls(caller, function)
            above = ask(Node(caller, None)) if steps is not None else _Entry()
            if steps is None or above.steps is None:
                covered = covered or above.known
                continue
            own = any(role(call) for call in self.program.calls(caller))
            why = incomplete or ("" if own or above.steps else above.why)
            if why:
                unsure.append(why)
            else:
                sure.append(above.steps + steps)
        if sure:
            return _Entry(min(sure, key=len))
        if unsure:
            return _Entry((), unsure[0])
        return _Entry(known=covered)

    def same(self, before: _Entry, after: _Entry) -> bool:
        """Whether both say the same, the way apart."""
        return _said(before) == _said(after)

    def unsettled(self, node: Node[None], first: _Entry) -> _Entry:
        """Callers in a circle that do not settle."""
        return _Entry((), f"the callers of {node.function.name}() call each other")


def _said(entry: _Entry) -> tuple[object, ...]:
    return (entry.steps is None, bool(entry.steps), entry.why, entry.known)


def outside(
    ranges: Ranges, function: Function, wanted: Callable[[Expr], bool]
) -> tuple[Outside, ...]:
    """Wanted calls in ``function`` that no section covers, here or in its callers."""
    observer = _Bare(wanted)
    incomplete = ranges.observe(function, observer)
    if not observer.found:
        return ()
    own = any(role(call) for call in ranges.program.calls(function))
    above = ranges.program.once(Entries).of(function)
    if above.steps is None:
        return ()  # every caller has a section open
    unsure = incomplete or ("" if own or above.steps else above.why)
    return tuple(
        Outside(event, function, above.steps + steps, unsure)
        for event, steps in observer.found.values()
    )
