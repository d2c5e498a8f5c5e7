# SPDX-License-Identifier: GPL-2.0-only
"""A section ends before the change that it covers, on one of several paths.

The same call changes entries inside the section on one path, and behind its end on
another: there, what secondary MMUs fetch between end and change stays with them.

Bad::

    mmu_notifier_invalidate_range_start(&range);
    if (early)
            mmu_notifier_invalidate_range_end(&range);
    ptep_get_and_clear(mm, address, ptep);
    if (!early)
            mmu_notifier_invalidate_range_end(&range);

Good: one end, behind the change.  What no path covers is not this rule's matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.walk import Here
from patchgen.analysis.extent.reach import reaches_of
from patchgen.analysis.extent.walks import alters
from patchgen.analysis.sections.paths import Observer
from patchgen.analysis.sections.ranges import Ranges, ranges_of
from patchgen.analysis.sections.state import DONE, OPEN, Range
from patchgen.kernel.knowledge import names
from patchgen.model.base import Place
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Finding, Step, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided

RULE = Rule(
    "MN038",
    "ended-before-change",
    ERROR,
    "on one path a section ends before the change that it covers on another",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Changes that are made in an open section and, on another path, behind its end."""
    ranges = ranges_of(tree.program)
    for function in ranges.handlers:
        if function.path in CORE:
            continue
        observer = _Changes(ranges, function)
        incomplete = ranges.observe(function, observer)
        found = sorted(observer.inside & observer.behind.keys())
        for place in found:
            event, steps = observer.behind[place]
            assert event.expr is not None
            if incomplete:
                yield undecided(RULE, place, incomplete)
                continue
            message = f"{event.expr.name}() changes entries, and the section has ended on this path"
            yield tree.finding(RULE, event, message, steps, function=function.name)


class _Changes(Observer):
    """Where entries change with a section open, and where behind its end."""

    def __init__(self, ranges: Ranges, function: Function) -> None:
        self.ranges = ranges
        self.function = function
        self.inside: set[Place] = set()
        self.behind: dict[Place, tuple[Event, tuple[Step, ...]]] = {}

    def watches(self, call: Expr) -> bool:
        """Whether a call changes entries, and opens no section of its own.

        What takes entries away with a flush is judged where no section is open at all.
        """
        if call.name in names("ranges", "removes", "functions"):
            return False
        if alters(call):
            return True
        program = self.ranges.program
        targets = program.targets(call, self.function)
        if not targets or not program.is_sure(call, self.function):
            return False
        reached = program.reachable(targets)
        if any(one in self.ranges.handlers for one in reached):
            return False
        return any(reaches_of(program).may_alter(one) for one in targets)

    def call(
        self, notes: frozenset[str], ranges: Mapping[str, Range], event: Event, here: Here
    ) -> frozenset[str]:
        """As :meth:`Observer.call`."""
        states = {one.state for one in ranges.values()}
        if OPEN in states:
            self.inside.add(event.place)
        elif states == {DONE} and event.place not in self.behind:
            self.behind[event.place] = (event, here.steps(event))
        return notes
