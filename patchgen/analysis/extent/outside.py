# SPDX-License-Identifier: GPL-2.0-only
"""Calls that happen outside every open section, in a function or in its callers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Here
from patchgen.analysis.extent.reach import reaches_of, walk_callbacks
from patchgen.analysis.sections.paths import Observer
from patchgen.analysis.sections.sites import role
from patchgen.analysis.sections.state import OPEN, Range
from patchgen.analysis.sections.walk import Ranges
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step

_DEPTH = 6


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


def outside(
    ranges: Ranges, function: Function, wanted: Callable[[Expr], bool], depth: int = 0
) -> tuple[Outside, ...]:
    """Wanted calls in ``function`` that no section covers, here or in its callers."""
    observer = _Bare(wanted)
    incomplete = ranges.observe(function, observer)
    if not observer.found:
        return ()
    own = any(role(call) for call in ranges.program.calls(function))
    above, why = _above(ranges, function, depth)
    if above is None:
        return ()  # every caller has a section open
    unsure = incomplete or ("" if own or above else why)
    return tuple(
        Outside(event, function, above + steps, unsure) for event, steps in observer.found.values()
    )


def _above(ranges: Ranges, function: Function, depth: int) -> tuple[tuple[Step, ...] | None, str]:
    """Steps of a caller that has no section open; None where all have one.

    The second value says why an empty answer is unsure.
    """
    name = function.name
    callers = [
        caller
        for caller in ranges.callers(name)
        if caller is not function and function in ranges.program.named(name, caller.path)
    ]
    callers += reaches_of(ranges.program).walkers(function)
    if not callers:
        return (), f"the callers of {name}() are not known"
    if depth >= _DEPTH:
        return (), f"the callers of {name}() go too far up"
    why = ""
    covered = True
    for caller in callers:

        def enters(call: Expr, caller: Function = caller) -> bool:
            return call.name == name or function in walk_callbacks(ranges.program, caller, call)

        for one in outside(ranges, caller, enters, depth + 1):
            covered = False
            if not one.unsure:
                return one.steps, ""
            why = why or one.unsure
    return (None, "") if covered else ((), why)
