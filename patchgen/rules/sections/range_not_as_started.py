# SPDX-License-Identifier: GPL-2.0-only
"""A range is started without being initialised, or its bounds change before its end.

Start and end must mean the same addresses: users count and unmap by them.

Bad::

    struct mmu_notifier_range range;
    mmu_notifier_invalidate_range_start(&range);    /* whatever was on the stack */

Bad (end is told other addresses)::

    mmu_notifier_invalidate_range_start(&range);
    range.end = addr;
    mmu_notifier_invalidate_range_end(&range);

Good: initialise, adjust, start, and leave the range alone until its end, or put
the bounds back before it.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.sections.pairs import pair_faults
from patchgen.analysis.sections.ranges import ranges_of
from patchgen.analysis.sections.state import ALTERED, UNINITIALISED
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule

RULE = Rule(
    "MN004",
    "range-not-as-started",
    ERROR,
    "a range is started uninitialised, or changes between start and end",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Starts of raw ranges, and ends of changed ones (not followed: see MN001)."""
    ranges = ranges_of(tree.program)
    for function in ranges.handlers:
        found = ranges.of(function)
        if function.path in CORE or found.incomplete:
            continue
        for fault in found.faults:
            if fault.kind in (UNINITIALISED, ALTERED):
                yield tree.finding(
                    RULE, fault.event, fault.message, fault.steps, function=function.name
                )
    for fault in pair_faults(ranges):
        if fault.kind == UNINITIALISED:
            yield tree.finding(
                RULE, fault.event, fault.message, fault.steps, function=fault.function.name
            )
