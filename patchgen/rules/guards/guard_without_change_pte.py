# SPDX-License-Identifier: GPL-2.0-only
"""A callback skips flagged ranges although its table has no change_pte().

MMU_NOTIFIER_USE_CHANGE_PTE says that every change in the range is told through
change_pte().  A notifier without that callback hears of nothing at all: its
device or guest keeps the old page.

Bad::

    static const struct mmu_notifier_ops ops = {
            .invalidate_range_start = start,    /* returns early if flagged */
            .invalidate_range_end   = end,
    };

Good: the table also has ``.change_pte``, or start does not test the flag.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.callbacks.guard import NORMAL, guard_of
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import END, ERROR, START, Context, Rule


def _applies(api: ApiFeatures) -> bool:
    return api.has_flag_use_change_pte


RULE = Rule(
    "MN022",
    "guard-without-change-pte",
    ERROR,
    "flagged ranges are skipped, and the table has no change_pte callback",
    _applies,
    "trees with MMU_NOTIFIER_USE_CHANGE_PTE",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Every table, elements of arrays included, by itself."""
    for table in tree.tables():
        if table.function("change_pte"):
            continue
        for member in (START, END):
            function = tree.callback(table, member)
            if function is None:
                continue
            guard = guard_of(tree.summary(function))
            if guard.kind == NORMAL:
                message = (
                    f"{function.name}() skips ranges that change_pte() covers, and "
                    f"{table.name} has no change_pte: the change is never seen"
                )
                yield tree.finding(RULE, table, message, guard.exits[0].steps,
                                   function=function.name)  # fmt: skip
                break
