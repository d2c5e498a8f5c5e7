# SPDX-License-Identifier: GPL-2.0-only
"""set_pte_at_notify() is called while no section is open.

change_pte() relies on the section: KVM warns when none is open and, from 5.15 on,
returns without updating its own tables, so that the guest keeps the old page.

Bad::

    mmu_notifier_invalidate_range_end(&range);
    set_pte_at_notify(mm, address, ptep, entry);

Good::

    mmu_notifier_invalidate_range_start(&range);
    ptep_clear_flush(vma, address, ptep);
    set_pte_at_notify(mm, address, ptep, entry);
    mmu_notifier_invalidate_range_end(&range);

The section may be open in every caller instead.  Where the callers are not known,
the rule does not decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.extent.outside import outside
from patchgen.analysis.sections.ranges import ranges_of
from patchgen.kernel.api.features import ApiFeatures
from patchgen.kernel.knowledge import names
from patchgen.model.code import Expr
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import CORE, ERROR, Context, Rule, undecided


def _applies(api: ApiFeatures) -> bool:
    return api.has_set_pte_at_notify


RULE = Rule(
    "MN016",
    "notify-outside-section",
    ERROR,
    "set_pte_at_notify() is called outside any section",
    _applies,
    "trees with set_pte_at_notify()",
)


def _notifies(call: Expr) -> bool:
    return call.name in names("entries", "notifies")


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Notified changes that no open section covers."""
    ranges = ranges_of(tree.program)
    for function in tree.functions():
        if function.path in CORE or not any(map(_notifies, tree.program.calls(function))):
            continue
        for one in outside(ranges, function, _notifies):
            assert one.event.expr is not None
            name = one.event.expr.name
            if one.unsure:
                yield undecided(RULE, one.event.place, f"{name}(): {one.unsure}")
            else:
                message = f"{name}() tells change_pte(), and no section is open on this path"
                yield tree.finding(RULE, one.event, message, one.steps, function=function.name)
