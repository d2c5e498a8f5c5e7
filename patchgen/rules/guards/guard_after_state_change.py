# SPDX-License-Identifier: GPL-2.0-only
"""The guard for flagged ranges returns with a lock, SRCU or a count held.

The early return must come before the callback takes anything.  A guard behind
srcu_read_lock(), a lock or a raised count leaks it with every flagged range.

Bad::

    idx = srcu_read_lock(&kvm->srcu);
    if (mmu_notifier_range_use_change_pte(range))
            return 0;                       /* SRCU stays locked */

Good::

    if (mmu_notifier_range_use_change_pte(range))
            return 0;
    idx = srcu_read_lock(&kvm->srcu);
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.callbacks.guard import LATE, NORMAL, guard_of
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import END, ERROR, START, Context, Handler, Rule


def _applies(api: ApiFeatures) -> bool:
    return api.has_flag_use_change_pte


RULE = Rule(
    "MN021",
    "guard-after-state-change",
    ERROR,
    "guard for flagged ranges returns with a lock, SRCU or count held",
    _applies,
    "trees with MMU_NOTIFIER_USE_CHANGE_PTE",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Look at the state in which the guards of start and end return."""
    for handler in tree.callbacks():
        if handler.entry.member not in (START, END):
            continue
        guard = guard_of(tree.summary(handler.function))
        if guard.kind == LATE and not _other_is_guarded(tree, handler):
            continue
        for leaving in guard.exits:
            kept = sorted(
                f"{key} ({kind})" for kind, key, n in leaving.state.held | leaving.state.counts if n
            )
            if kept:
                message = (
                    f"{handler.function.name}() returns early for flagged ranges after it "
                    f"changed {', '.join(kept)}"
                )
                yield tree.finding(
                    RULE, leaving.event, message, leaving.steps, function=handler.function.name
                )


def _other_is_guarded(tree: Context, handler: Handler) -> bool:
    member = END if handler.entry.member == START else START
    other = tree.callback(handler.table, member)
    return other is not None and guard_of(tree.summary(other)).kind == NORMAL
