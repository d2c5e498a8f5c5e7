# SPDX-License-Identifier: GPL-2.0-only
"""A section is ended that is not open on this path, or ended twice.

The users' counts drop below zero: KVM's is a BUG, others miss the next section.

Bad::

    if (needs_flush)
            mmu_notifier_invalidate_range_start(&range);
    change(vma);
    mmu_notifier_invalidate_range_end(&range);

Good (the same condition decides both)::

    if (needs_flush)
            mmu_notifier_invalidate_range_start(&range);
    change(vma);
    if (needs_flush)
            mmu_notifier_invalidate_range_end(&range);
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.sections.pairs import pair_faults
from patchgen.analysis.sections.ranges import ranges_of
from patchgen.analysis.sections.state import SPURIOUS
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule

RULE = Rule(
    "MN002",
    "end-without-start",
    ERROR,
    "a section is ended that was not started, or ended twice",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Ends on paths without an open section (functions not followed: see MN001)."""
    ranges = ranges_of(tree.program)
    for function in ranges.handlers:
        found = ranges.of(function)
        if function.path in CORE or found.incomplete:
            continue
        for fault in found.faults:
            if fault.kind == SPURIOUS:
                yield tree.finding(
                    RULE, fault.event, fault.message, fault.steps, function=function.name
                )
    for fault in pair_faults(ranges):
        if fault.kind == SPURIOUS:
            yield tree.finding(
                RULE, fault.event, fault.message, fault.steps, function=fault.function.name
            )
