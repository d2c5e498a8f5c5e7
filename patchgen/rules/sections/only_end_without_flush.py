# SPDX-License-Identifier: GPL-2.0-only
"""A section ends with only_end although an entry changed without a notifying flush.

mmu_notifier_invalidate_range_only_end() leaves out the invalidate_range() call that
the full end makes.  An IOMMU that shares the page tables keeps the old translation
unless the entry went with a ``_notify`` flush, or the range was invalidated.  The same
holds for an entry that loses a permission: what is written through the old translation
bypasses copy on write.

Bad::

    ptep_clear_flush(vma, address, ptep);
    set_pte_at(mm, address, ptep, entry);
    mmu_notifier_invalidate_range_only_end(&range);

Good::

    ptep_clear_flush_notify(vma, address, ptep);
    set_pte_at(mm, address, ptep, entry);
    mmu_notifier_invalidate_range_only_end(&range);
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.entries.clears import OnlyEnds
from patchgen.analysis.sections.ranges import ranges_of
from patchgen.kernel.api.features import ApiFeatures
from patchgen.kernel.knowledge import names
from patchgen.model.base import Place
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided


def _applies(api: ApiFeatures) -> bool:
    return api.has_only_end


RULE = Rule(
    "MN012",
    "only-end-without-flush",
    ERROR,
    "only_end follows a change that secondary TLBs were not told of",
    _applies,
    "trees with mmu_notifier_invalidate_range_only_end()",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """only_end calls on paths with a silent removal."""
    ranges = ranges_of(tree.program)
    wanted = names("ranges", "section", "only_end")
    for function in ranges.handlers:
        calls = [call for call in tree.program.calls(function) if call.name in wanted]
        if not calls or function.path in CORE:
            continue
        observer = OnlyEnds(ranges, function)
        incomplete = ranges.observe(function, observer)
        if incomplete:
            yield undecided(RULE, Place(function.path, calls[0].line), incomplete)
            continue
        for event, removal, steps in observer.found.values():
            message = f"only_end without a flush for secondary TLBs, after {removal}"
            yield tree.finding(RULE, event, message, steps, function=function.name)
