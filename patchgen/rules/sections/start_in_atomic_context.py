# SPDX-License-Identifier: GPL-2.0-only
"""A blocking start is called where sleeping is forbidden.

mmu_notifier_invalidate_range_start() runs callbacks that take mutexes and wait.
Under a spinlock, RCU or a mapped page table that is "BUG: sleeping function called
from invalid context".

Bad::

    pte = pte_offset_map_lock(mm, pmd, address, &ptl);
    mmu_notifier_invalidate_range_start(&range);

Good::

    mmu_notifier_invalidate_range_start(&range);
    pte = pte_offset_map_lock(mm, pmd, address, &ptl);
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.locks.atomic import AtomicStarts
from patchgen.analysis.sections.ranges import ranges_of
from patchgen.model.base import Place
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided

RULE = Rule(
    "MN006",
    "start-in-atomic-context",
    ERROR,
    "a blocking start is reached under a spinlock, RCU or a mapped page table",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Blocking starts under locks, in functions that start sections or call those."""
    ranges = ranges_of(tree.program)
    starting = {function.name: function for function in ranges.handlers}
    wanted = {id(function): function for function in ranges.handlers}
    for name in starting:
        wanted |= {id(caller): caller for caller in ranges.callers(name)}
    for function in wanted.values():
        if function.path in CORE:
            continue
        observer = AtomicStarts(ranges, function)
        incomplete = ranges.observe(function, observer)
        for event, why, steps in observer.found.values():
            assert event.expr is not None
            if incomplete:
                yield undecided(RULE, Place(function.path, event.line), incomplete)
                continue
            message = f"{event.expr.name}() may sleep, and {why}"
            yield tree.finding(RULE, event, message, steps, function=function.name)
