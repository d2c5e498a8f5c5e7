# SPDX-License-Identifier: GPL-2.0-only
"""change_pte() reaches a call that may sleep.

set_pte_at_notify() calls it under the page-table spinlock, always.

Bad::

    static void change(struct mmu_notifier *mn, struct mm_struct *mm,
                       unsigned long address, pte_t pte)
    {
            mutex_lock(&d->lock);

Good: a spinlock, or a trylock with the page simply unmapped when it fails.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.locks.state import Context as Entered
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import ERROR, Context, Rule

_PTL = "the page-table lock"


def _applies(api: ApiFeatures) -> bool:
    return api.has_change_pte


RULE = Rule(
    "MN030",
    "change-pte-sleeps",
    ERROR,
    "change_pte may sleep, and runs under the page-table lock",
    _applies,
    "trees with the change_pte callback",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Sleeping calls that change_pte callbacks reach."""
    for handler in tree.handlers("change_pte"):
        summary = tree.effects.of(handler.function, Entered(atomic=(_PTL,)))
        for sleep in summary.sleeps:
            message = f"{sleep.call}() may sleep, and {handler.function.name}() runs under {_PTL}"
            yield tree.finding(RULE, sleep.event, message, sleep.steps, function=sleep.function)
