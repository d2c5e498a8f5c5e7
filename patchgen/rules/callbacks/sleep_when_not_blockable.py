# SPDX-License-Identifier: GPL-2.0-only
"""A callback may sleep although the range says it may not, or under a spinlock.

The OOM reaper and some users start invalidations that must not block.  Every
call that may sleep, in the callback or a helper that it reaches, must stand
behind mmu_notifier_range_blockable(), and none may stand under a spinlock.

Bad::

    mutex_lock(&d->lock);

Good::

    if (mmu_notifier_range_blockable(range))
            mutex_lock(&d->lock);
    else if (!mutex_trylock(&d->lock))
            return -EAGAIN;
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.locks.judge import doubt_of
from patchgen.analysis.locks.state import Context as Entered
from patchgen.analysis.locks.state import Sleep, Summary
from patchgen.analysis.sleeping.blocking import inverted_sleeps, refuses
from patchgen.model.code import Function
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import END, ERROR, START, Context, Handler, Rule, undecided
from patchgen.source.c.text import text

RULE = Rule(
    "MN028",
    "sleep-when-not-blockable",
    ERROR,
    "a callback may sleep where the range is not blockable, or under a spinlock",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Sleeping calls that start, end and interval callbacks reach."""
    for handler in tree.invalidations():
        name = handler.function.name
        summary = _summary(tree, handler)
        swapped = inverted_sleeps(summary)  # MN029
        told: set[tuple[int, bool]] = set()
        for sleep in summary.sleeps:
            lock = _spinning(sleep)
            if lock:
                message = f"{sleep.call}() may sleep, called from {name}() under {lock}"
            elif sleep.blockable is True or sleep in swapped:
                continue
            else:
                message = (
                    f"{sleep.call}() may sleep, and {name}() reaches it "
                    "when the range is not blockable"
                )
            if (sleep.via, bool(lock)) in told:
                continue  # one call of the callback, one finding
            told.add((sleep.via, bool(lock)))
            doubt = doubt_of(sleep, tree.effects.confirm)
            if doubt:
                yield undecided(RULE, sleep.event.place, doubt)
                continue
            yield tree.finding(RULE, sleep.event, message, sleep.steps, function=sleep.function)


def _summary(tree: Context, handler: Handler) -> Summary:
    """What a callback does; one of range_end with what its table's start leaves to it.

    Where start refuses each range that is not blockable, end never gets one: the core
    ends no section whose start has failed (mm/mmu_notifier.c).
    """
    if handler.entry.member == END:
        tables = [h.table for h in tree.handlers(END) if h.function is handler.function]
        if all(_refuses_all(tree, tree.callback(table, START)) for table in tables):
            return tree.effects.of(handler.function, Entered(blockable=True))
    return tree.summary(handler.function)


def _refuses_all(tree: Context, start: Function | None) -> bool:
    """Whether a range_start lets no range pass that is not blockable."""
    if start is None:
        return False
    summary = tree.summary(start)
    ways = [one for one in summary.exits if one.state.blockable is not True]
    refused = all(refuses(one, interval=False) and not one.state.doubt for one in ways)
    return bool(summary.exits) and refused and not summary.incomplete


def _spinning(sleep: Sleep) -> str:
    """The spinlock that is held, except the one that the call itself drops."""
    if not sleep.call.startswith("cond_resched"):
        return sleep.held[0] if sleep.held else ""
    assert sleep.event.expr is not None
    argument = text(sleep.event.expr)
    left = [key for key in sleep.held if key.rpartition(">")[2] not in argument]
    return left[0] if left else ""
