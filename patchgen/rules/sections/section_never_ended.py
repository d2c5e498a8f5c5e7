# SPDX-License-Identifier: GPL-2.0-only
"""A section is started and, on some path, never ended.

The users of the notifier count the sections that are open: with one that never
ends, KVM makes every fault in it try again, forever.

Bad::

    mmu_notifier_invalidate_range_start(&range);
    if (anon_vma_prepare(vma))
            return -ENOMEM;         /* no end */
    ...
    mmu_notifier_invalidate_range_end(&range);

Good: one way out, through the end::

    if (anon_vma_prepare(vma))
            goto out;               /* out: ends the section */

A helper may open the section for its caller, who then has to close it whenever
the helper succeeded; of two callbacks one may open what the other closes.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.sections.pairs import pair_faults
from patchgen.analysis.sections.ranges import ranges_of
from patchgen.analysis.sections.state import LEAK
from patchgen.model.base import Place
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided

RULE = Rule(
    "MN001",
    "section-never-ended",
    ERROR,
    "a section is started and not ended on every path",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Ways out of functions, and callbacks, that leave a section open."""
    ranges = ranges_of(tree.program)
    for function in ranges.handlers:
        if function.path in CORE:
            continue
        found = ranges.of(function)
        if found.incomplete:
            yield undecided(RULE, Place(function.path, function.line), found.incomplete)
            continue
        for fault in found.faults:
            if fault.kind == LEAK:
                yield tree.finding(
                    RULE, fault.event, fault.message, fault.steps, function=function.name
                )
    for fault in pair_faults(ranges):
        if fault.kind == LEAK:
            yield tree.finding(
                RULE, fault.event, fault.message, fault.steps, function=fault.function.name
            )
