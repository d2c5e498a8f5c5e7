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

from patchgen.analysis.locks.state import Sleep
from patchgen.analysis.sleeping.blocking import inverted_sleeps
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import ERROR, Context, Rule, undecided
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
        summary = tree.summary(handler.function)
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
            if sleep.doubt:
                yield undecided(RULE, sleep.event.place, sleep.doubt)
                continue
            yield tree.finding(RULE, sleep.event, message, sleep.steps, function=sleep.function)


def _spinning(sleep: Sleep) -> str:
    """The spinlock that is held, except the one that the call itself drops."""
    if not sleep.call.startswith("cond_resched"):
        return sleep.held[0] if sleep.held else ""
    assert sleep.event.expr is not None
    argument = text(sleep.event.expr)
    left = [key for key in sleep.held if key.rpartition(">")[2] not in argument]
    return left[0] if left else ""
