# SPDX-License-Identifier: GPL-2.0-only
"""A range is narrower than what its section changes.

Secondary MMUs keep what lies outside.  A huge entry needs the range of the whole
huge page, and hugetlb, which may unshare a table that spans PUD_SIZE, needs the
bounds adjusted between init and start.  A loop, a walk or a callee that is given an end
of its own needs a range up to that end.

Bad::

    mmu_notifier_range_init(&range, mm, haddr, haddr + PAGE_SIZE);
    mmu_notifier_invalidate_range_start(&range);
    pmdp_huge_clear_flush(vma, haddr, pmd);

Good::

    mmu_notifier_range_init(&range, mm, haddr, haddr + HPAGE_PMD_SIZE);
    mmu_notifier_invalidate_range_start(&range);
    pmdp_huge_clear_flush(vma, haddr, pmd);

Bad (a walk up to another end)::

    mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
    mmu_notifier_invalidate_range_start(&range);
    do {
        ptep_get_and_clear(mm, addr, ptep);
    } while (ptep++, addr += PAGE_SIZE, addr != end);

Good (hugetlb)::

    mmu_notifier_range_init(&range, mm, start, end);
    adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
    mmu_notifier_invalidate_range_start(&range);
    huge_pmd_unshare(mm, &address, ptep);
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.extent.width import Widths
from patchgen.analysis.sections.ranges import ranges_of
from patchgen.analysis.sections.sites import INIT, role
from patchgen.model.base import Place
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided

RULE = Rule(
    "MN008",
    "range-too-narrow",
    ERROR,
    "a section changes entries outside its range",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Changes beyond the bounds of the open range."""
    ranges = ranges_of(tree.program)
    for function in ranges.handlers:
        sites = [call for call in tree.program.calls(function) if role(call) == INIT]
        if not sites or function.path in CORE:
            continue
        observer = Widths(ranges, function)
        incomplete = ranges.observe(function, observer)
        if incomplete:
            yield undecided(RULE, Place(function.path, sites[0].line), incomplete)
            continue
        for found in observer.found.values():
            yield tree.finding(
                RULE, found.event, found.message, found.steps, function=function.name
            )
        for init, message in observer.beyond.before_walk():
            yield tree.finding(RULE, init, message, path=function.path, function=function.name)
        for place, reason in observer.open_questions.items():
            yield undecided(RULE, place, reason)
