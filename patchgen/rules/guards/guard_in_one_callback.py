# SPDX-License-Identifier: GPL-2.0-only
"""A guard on MMU_NOTIFIER_USE_CHANGE_PTE stands in only one of start and end.

A callback that returns early for ranges which change_pte() covers must do so in
both invalidate_range_start() and invalidate_range_end(), and with the same
polarity.  Otherwise the count that start raises and end lowers drifts: guests
retry their faults for ever, or a BUG_ON() on a negative count fires.

Bad::

    static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
    {
            if (mmu_notifier_range_use_change_pte(range))
                    return 0;
            ...
    static void end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
    {
            kvm->mmu_notifier_count--;

Good: the same two lines are the first statement of end, with a plain return.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.callbacks.guard import INVERTED, NORMAL, Guard, guard_of
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.code import Function
from patchgen.model.facts import OpsTable
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import END, ERROR, START, Context, Rule


def _applies(api: ApiFeatures) -> bool:
    return api.has_flag_use_change_pte


RULE = Rule(
    "MN020",
    "guard-in-one-callback",
    ERROR,
    "early return for flagged ranges in only one of start and end",
    _applies,
    "trees with MMU_NOTIFIER_USE_CHANGE_PTE",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Compare the guards of both callbacks of every table."""
    for table in tree.tables():
        start, end = tree.callback(table, START), tree.callback(table, END)
        if start is not None and end is not None:
            yield from _compare(tree, table, start, end)


def _compare(
    tree: Context, table: OpsTable, start: Function, end: Function
) -> Iterator[Finding | Undecided]:
    first, second = tree.summary(start), tree.summary(end)
    one, two = guard_of(first), guard_of(second)
    for function, guard in ((start, one), (end, two)):
        if guard.kind == INVERTED:
            yield from _found(
                tree,
                function,
                guard,
                f"{function.name}() returns early for the ranges that change_pte() does not "
                "cover: the test of the flag is inverted",
            )
    if {one.kind, two.kind} == {NORMAL, ""}:
        guarded, other = (start, end) if one.kind else (end, start)
        yield from _found(
            tree,
            guarded,
            one if one.kind else two,
            f"{guarded.name}() returns early for ranges that change_pte() covers, "
            f"{other.name}() does not: what start changes and end undoes drifts apart",
        )


def _found(tree: Context, function: Function, guard: Guard, message: str) -> Iterator[Finding]:
    for leaving in guard.exits:
        yield tree.finding(RULE, leaving.event, message, leaving.steps, function=function.name)
