# SPDX-License-Identifier: GPL-2.0-only
"""A page table entry is taken away while no section is open.

Secondary MMUs keep their copy of it, and the page is freed or reused under them.

Bad::

    mmu_notifier_invalidate_range_end(&range);
    ptep_clear_flush(vma, address, ptep);

Good::

    mmu_notifier_invalidate_range_start(&range);
    ptep_clear_flush(vma, address, ptep);
    mmu_notifier_invalidate_range_end(&range);

The section may be open in every caller instead.  Where the callers are not known,
the rule does not decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.entries.clears import put_back, removes
from patchgen.analysis.extent.outside import outside
from patchgen.analysis.sections.ranges import ranges_of
from patchgen.analysis.sections.sites import role
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided

RULE = Rule(
    "MN007",
    "removal-outside-section",
    ERROR,
    "an entry is taken away outside any section",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Removals that no open section covers."""
    ranges = ranges_of(tree.program)
    for function in tree.functions():
        if function.path in CORE or function.path.startswith("arch/"):
            continue
        if not any(removes(call) for call in tree.program.calls(function)):
            continue
        for one in outside(ranges, function, removes):
            assert one.event.expr is not None
            name, why = one.event.expr.name, one.unsure
            sections = any(role(call) for call in tree.program.calls(function))
            if not sections and put_back(tree.program, function, one.event.expr):
                why = why or "the entry may be put back as it was"
            if why:
                yield undecided(RULE, one.event.place, f"{name}(): {why}")
            else:
                message = f"{name}() takes an entry away, and no section is open on this path"
                yield tree.finding(RULE, one.event, message, one.steps, function=function.name)
