# SPDX-License-Identifier: GPL-2.0-only
"""A flagged range is not one page, or set_pte_at_notify() changes another page.

change_pte() brings one page.  What else the range covers stays mapped in secondary
MMUs, which left their tables alone because of MMU_NOTIFIER_USE_CHANGE_PTE.

Bad::

    mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE,
                            vma, mm, address, address + PMD_SIZE);

Good::

    mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE,
                            vma, mm, address, address + PAGE_SIZE);

Where the bounds cannot be compared, the rule does not decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.entries.objection import MISFIT
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import ERROR, Context, Rule


def _applies(api: ApiFeatures) -> bool:
    return api.has_flag_use_change_pte


RULE = Rule(
    "MN014",
    "flagged-range-not-a-page",
    ERROR,
    "a flagged range is not the one page that set_pte_at_notify() changes",
    _applies,
    "trees with MMU_NOTIFIER_USE_CHANGE_PTE",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Flagged ranges of more or less than a page, and notified addresses outside."""
    yield from tree.against(RULE, MISFIT)
