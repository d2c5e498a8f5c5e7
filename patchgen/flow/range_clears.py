# SPDX-License-Identifier: GPL-2.0-only
"""Which functions take page table entries away, and whether a secondary TLB hears of it.

Up to 6.1 a removal by a ``_notify`` primitive, or a call of
mmu_notifier_invalidate_range(), flushes what shares the CPU's page tables (an
IOMMU's TLB); the full end of a section does so too, only_end does not.
"""

from __future__ import annotations

from collections.abc import Mapping

from patchgen.flow.events import Event
from patchgen.flow.knowledge import names
from patchgen.flow.program import Program
from patchgen.flow.range_paths import Observer
from patchgen.flow.range_sites import role
from patchgen.flow.range_state import OPEN, Range
from patchgen.flow.range_walk import Ranges
from patchgen.flow.text import bare, every, subexpressions, text
from patchgen.flow.walk import Here
from patchgen.model import Expr, Function, Place, Step

_DEPTH = 4
#: The zero page in place of an entry: read-only to everyone, who faults before it is
#: written (mm/huge_memory.c, __split_huge_zero_page_pmd()).
_ZERO_PAGE = frozenset({"my_zero_pfn"})


def removes(call: Expr) -> bool:
    """Whether the call takes an entry away and flushes the CPU's TLBs."""
    return call.name in names("ranges", "removes", "functions")


def notifies(call: Expr) -> bool:
    """Whether secondary TLBs are flushed by the call."""
    return call.name in names("ranges", "removes", "notifies")


def put_back(program: Program, function: Function, removal: Expr) -> bool:
    """Whether the entry that ``removal`` takes away may be set again, as it was.

    Some code unmaps a page for a moment, under the lock of the table, to change what
    is in it (kernel/events/uprobes.c): no secondary MMU need know.
    """
    saved = {
        text(part.args[0])
        for part in every(function.body)
        if part.kind == "assign" and bare(part.args[1]) is removal
    }
    pointer = text(removal.args[-1])
    return any(
        call.name in names("entries", "sets")
        and len(call.args) > 3
        and text(call.args[-2]) == pointer
        and any(text(part) in saved for part in subexpressions(call.args[-1]))
        for call in program.calls(function)
    )


def silent_removal(program: Program, function: Function, depth: int = 0) -> Place | None:
    """Where ``function``, or what it calls, removes an entry without telling.

    None also where it tells as well, puts the zero page in place, or has a section
    of its own.
    """
    calls = program.calls(function)
    if any(notifies(c) or role(c) for c in calls) or any(c.name in _ZERO_PAGE for c in calls):
        return None
    for call in calls:
        if removes(call):
            return Place(function.path, call.line)
    for call in calls if depth < _DEPTH else ():
        for callee in program.named(call.name, function.path) if call.name else ():
            if callee is not function:
                found = silent_removal(program, callee, depth + 1)
                if found is not None:
                    return found
    return None


class OnlyEnds(Observer):
    """Collects only_end calls on paths with a removal that nobody was told of."""

    def __init__(self, ranges: Ranges, function: Function) -> None:
        self.ranges = ranges
        self.function = function
        self.found: dict[Place, tuple[Event, str, tuple[Step, ...]]] = {}
        self._silent: dict[str, Place | None] = {}

    def watches(self, call: Expr) -> bool:
        if removes(call) or notifies(call) or call.name in names("ranges", "section", "only_end"):
            return True
        return not role(call) and self._callee(call) is not None

    def _callee(self, call: Expr) -> Place | None:
        if call.name not in self._silent:
            found: Place | None = None
            for callee in self.ranges.program.named(call.name, self.function.path):
                found = found or silent_removal(self.ranges.program, callee)
            self._silent[call.name] = found
        return self._silent[call.name]

    def call(
        self, notes: frozenset[str], ranges: Mapping[str, Range], event: Event, here: Here
    ) -> frozenset[str]:
        assert event.expr is not None
        call = event.expr
        if notifies(call):
            return frozenset()
        if call.name in names("ranges", "section", "only_end"):
            if notes and event.place not in self.found:
                self.found[event.place] = (event, min(notes), here.steps(event))
            return frozenset()
        if not any_open(ranges):
            return notes
        if removes(call):
            return notes | {f"{call.name}() at {event.place}"}
        return notes | {f"{call.name}() at {self._callee(call)}"}


def any_open(ranges: Mapping[str, Range]) -> bool:
    """Whether a section is open on the path."""
    return any(known.state == OPEN for known in ranges.values())
