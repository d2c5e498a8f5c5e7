# SPDX-License-Identifier: GPL-2.0-only
"""A callback that runs under the page-table spinlock reaches a call that may sleep.

set_pte_at_notify() calls change_pte() with that lock held.  So do the flushes of one
entry (ptep_clear_flush() and its relatives) call arch_invalidate_secondary_tlbs(), and
ptep_clear_flush_notify() its forerunner invalidate_range(), of trees before 6.6: both are
called elsewhere, too, but no test tells them where.

Bad::

    static void change(struct mmu_notifier *mn, struct mm_struct *mm,
                       unsigned long address, pte_t pte)
    {
            mutex_lock(&d->lock);

Good: a spinlock, or a trylock with the page simply unmapped when it fails.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.locks.judge import doubt_of
from patchgen.analysis.locks.state import Context as Entered
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import ERROR, Context, Rule, undecided

_PTL = "the page-table lock"

#: Callbacks that run under it: include/linux/mmu_notifier.h, struct mmu_notifier_ops.
_UNDER = ("change_pte", "invalidate_range", "arch_invalidate_secondary_tlbs")

RULE = Rule(
    "MN030",
    "page-table-lock-sleeps",
    ERROR,
    "a callback that runs under the page-table lock may sleep",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Sleeping calls that the callbacks reach that run under the page-table lock."""
    for handler in tree.callbacks():
        if handler.entry.member not in _UNDER:
            continue
        summary = tree.effects.of(handler.function, Entered(atomic=(_PTL,)))
        for sleep in summary.sleeps:
            doubt = doubt_of(sleep, tree.effects.confirm)
            if doubt:
                yield undecided(RULE, sleep.event.place, doubt)
                continue
            message = f"{sleep.call}() may sleep, and {handler.function.name}() runs under {_PTL}"
            yield tree.finding(RULE, sleep.event, message, sleep.steps, function=sleep.function)
