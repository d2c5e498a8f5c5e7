# SPDX-License-Identifier: GPL-2.0-only
"""The result of a non-blocking start is ignored, or its section ended all the same.

mmu_notifier_invalidate_range_start_nonblock() may fail; no notifier has the
section open then, and an end would lower counts that were never raised.

Bad::

    mmu_notifier_invalidate_range_start_nonblock(&range);
    unmap_page_range(tlb, vma, range.start, range.end, NULL);
    mmu_notifier_invalidate_range_end(&range);

Good::

    if (mmu_notifier_invalidate_range_start_nonblock(&range)) {
            ret = false;
            continue;
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.sections.ranges import ranges_of
from patchgen.analysis.sections.state import AFTER_FAILURE, IGNORED
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule

RULE = Rule(
    "MN003",
    "failed-start-ignored",
    ERROR,
    "a non-blocking start's failure is ignored, or followed by an end",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Ends after a failed start (functions not followed: see MN001)."""
    ranges = ranges_of(tree.program)
    for function in ranges.handlers:
        found = ranges.of(function)
        if function.path in CORE:
            continue
        for fault in found.faults:
            if fault.kind == IGNORED or (fault.kind == AFTER_FAILURE and not found.incomplete):
                yield tree.finding(
                    RULE, fault.event, fault.message, fault.steps, function=function.name
                )
