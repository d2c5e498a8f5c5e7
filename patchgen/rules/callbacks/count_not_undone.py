# SPDX-License-Identifier: GPL-2.0-only
"""invalidate_range_end() leaves a count raised that start raised for the same range.

What a section's start changes, its end undoes: for ranges that may not block as well.
An end that returns before its decrement for one kind of ranges, where start lets that
kind pass, leaves the count raised for good: faults are retried for ever.

Bad::

    static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
    {
            d->invalidating++;
            return 0;
    ...
    static void end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
    {
            if (!mmu_notifier_range_blockable(range))
                    return;
            d->invalidating--;

Good: the decrement comes first, or start refuses such ranges before it counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.locks.state import Context as Entered
from patchgen.analysis.locks.state import Exit, Summary
from patchgen.model.code import Function
from patchgen.model.facts import OpsTable
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import END, ERROR, START, Context, Rule, undecided

RULE = Rule(
    "MN037",
    "count-not-undone",
    ERROR,
    "range_end leaves a count raised that range_start raises for the same kind of range",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Tables whose end lowers a count for one of the two kinds of ranges only."""
    for table in tree.tables():
        start, end = tree.callback(table, START), tree.callback(table, END)
        if start is not None and end is not None:
            for blockable in (False, True):
                yield from _compare(tree, table, (start, end), blockable)


def _compare(
    tree: Context, table: OpsTable, pair: tuple[Function, Function], blockable: bool
) -> Iterator[Finding | Undecided]:
    start, end = pair
    kind = "may block" if blockable else "may not block"
    entered = Entered(blockable=blockable)
    first, last = tree.effects.of(start, entered), tree.effects.of(end, entered)
    other = tree.effects.of(end, Entered(blockable=not blockable))
    lowered = _members(other, -1).keys() - _members(last, -1).keys()
    for member, leaving in sorted(_members(first, 1).items()):
        if member not in lowered or not last.exits:
            continue
        doubt = first.incomplete or last.incomplete or leaving.state.doubt
        doubt = doubt or next((e.state.doubt for e in last.exits if e.state.doubt), "")
        out = last.exits[0]
        if doubt:
            yield undecided(RULE, out.place, doubt)
            continue
        message = (
            f"{end.name}() does not lower {member} for a range that {kind}, and {start.name}() "
            f"raises it: {leaving.place}"
        )
        yield tree.finding(RULE, out.event, message, out.steps, function=end.name)


def _members(summary: Summary, sign: int) -> dict[str, Exit]:
    """Counters that a way out with success leaves changed, in one direction."""
    found: dict[str, Exit] = {}
    for leaving in summary.exits:
        if leaving.value.hi >= 0:
            for _, key, by in leaving.state.counts:
                if by * sign > 0:
                    found.setdefault(key.rpartition("->")[2], leaving)
    return found
