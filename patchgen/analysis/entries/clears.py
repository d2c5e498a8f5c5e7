# SPDX-License-Identifier: GPL-2.0-only
"""Which functions change page table entries, and whether a secondary TLB hears of it.

Up to 6.1 a removal by a ``_notify`` primitive, or a call of
mmu_notifier_invalidate_range(), flushes what shares the CPU's page tables (an
IOMMU's TLB); the full end of a section does so too, only_end does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.summaries import Node, Summaries
from patchgen.analysis.engine.walk import Here
from patchgen.analysis.extent.reach import reaches_of
from patchgen.analysis.extent.walks import alters as changes_entry
from patchgen.analysis.extent.walks import walk_arguments
from patchgen.analysis.sections.paths import Observer
from patchgen.analysis.sections.ranges import Ranges
from patchgen.analysis.sections.sites import role
from patchgen.analysis.sections.state import OPEN, Range
from patchgen.kernel.knowledge import names
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.text import bare, every, subexpressions, text

_Node: TypeAlias = Node[None]
#: The zero page in place of an entry: read-only to everyone, who faults before it is
#: written (mm/huge_memory.c, __split_huge_zero_page_pmd()).
_ZERO_PAGE = frozenset({"my_zero_pfn"})


def removes(call: Expr) -> bool:
    """Whether the call takes an entry away and flushes the CPU's TLBs."""
    return call.name in names("ranges", "removes", "functions")


def notifies(call: Expr) -> bool:
    """Whether secondary TLBs are flushed by the call."""
    return call.name in names("ranges", "removes", "notifies")


def alters(call: Expr) -> bool:
    """Whether the call takes an entry away, or takes a permission from it, flush or not."""
    return changes_entry(call) and not notifies(call)


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


class Silent:
    """Changes of entries, by function, that secondary TLBs are not told of."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._summaries = Summaries(self)

    def of(self, function: Function) -> Place | None:
        """Where ``function``, or what it calls, changes an entry without telling.

        None also where it tells as well, puts the zero page in place, or has a section
        of its own.
        """
        return self._summaries.of(Node(function, None))

    def at(self, call: Expr, caller: Function) -> Place | None:
        """The same for what a call enters: a function, or a walk's callbacks."""
        return self._at(call, caller, self._summaries.of)

    def _at(self, call: Expr, caller: Function, ask: Callable[[_Node], Place | None]
            ) -> Place | None:  # fmt: skip
        if walk_arguments(call):
            silent = reaches_of(self.program).walk_alters(caller, call)
            return Place(caller.path, call.line) if silent else None
        named = self.program.named(call.name, caller.path) if call.name else ()
        found = (ask(Node(callee, None)) for callee in named)
        return min((place for place in found if place is not None), default=None)

    # -- how summaries are made (engine/summaries.py) --------------------------

    def callees(self, node: _Node) -> Iterator[_Node]:
        """What the function calls by name."""
        for call in self.program.calls(node.function):
            if call.name and not walk_arguments(call):
                for callee in self.program.named(call.name, node.function.path):
                    yield Node(callee, None)

    def start(self, node: _Node) -> Place | None:
        """Before the first round, a function of a circle changes nothing."""
        return None

    def compute(self, node: _Node, ask: Callable[[_Node], Place | None]) -> Place | None:
        """The function's own change, else the first in its callees (by file and line)."""
        function = node.function
        calls = self.program.calls(function)
        if any(notifies(c) or role(c) for c in calls) or any(c.name in _ZERO_PAGE for c in calls):
            return None
        own = next((Place(function.path, c.line) for c in calls if alters(c)), None)
        below = (self._at(call, function, ask) for call in calls)
        return own or min((place for place in below if place is not None), default=None)

    def same(self, before: Place | None, after: Place | None) -> bool:
        """Whether both are the same place: of several the first, so rounds only go up."""
        return before == after

    def unsettled(self, node: _Node, first: Place | None) -> Place | None:
        raise AssertionError("places only go up, to the first")


class OnlyEnds(Observer):
    """Collects only_end calls on paths with a removal that nobody was told of."""

    def __init__(self, ranges: Ranges, function: Function) -> None:
        self.ranges = ranges
        self.function = function
        self.found: dict[Place, tuple[Event, str, tuple[Step, ...]]] = {}
        self.silent = ranges.program.once(Silent)
        self._callees: dict[int, Place | None] = {}

    def watches(self, call: Expr) -> bool:
        if alters(call) or notifies(call) or call.name in names("ranges", "section", "only_end"):
            return True
        return not role(call) and self._callee(call) is not None

    def _callee(self, call: Expr) -> Place | None:
        if call.span.start not in self._callees:
            self._callees[call.span.start] = self.silent.at(call, self.function)
        return self._callees[call.span.start]

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
        if alters(call):
            return notes | {f"{call.name}() at {event.place}"}
        return notes | {f"{call.name}() at {self._callee(call)}"}


def any_open(ranges: Mapping[str, Range]) -> bool:
    """Whether a section is open on the path."""
    return any(known.state == OPEN for known in ranges.values())
