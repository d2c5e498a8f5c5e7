# SPDX-License-Identifier: GPL-2.0-only
"""A callback takes a lock that it holds already.

A mutex, a spinlock or a lock for writing is waited for by whoever holds it: for ever.
All paths of a callback are followed through its helpers, guards included.

Bad::

    guard(mutex)(&d->lock);
    drop_range(d);              /* takes d->lock as well */

Good::

    guard(mutex)(&d->lock);
    __drop_range(d);            /* is called with d->lock held */
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.locks.held import shown
from patchgen.analysis.locks.judge import doubt_of, taken_twice
from patchgen.model.base import Place
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import ERROR, Context, Rule, undecided

RULE = Rule(
    "MN036",
    "lock-taken-twice",
    ERROR,
    "a callback takes a lock that it holds already",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Every lock that a callback or a helper takes while it is held."""
    told: set[tuple[Place, str]] = set()
    for handler in tree.callbacks():
        name = handler.function.name
        for take in taken_twice(tree.summary(handler.function)):
            lock = shown(take.kind, take.key)
            if (take.event.place, lock) in told:
                continue
            told.add((take.event.place, lock))
            doubt = doubt_of(take, tree.effects.confirm)
            if doubt:
                yield undecided(RULE, take.event.place, doubt)
                continue
            via = "" if take.function == name else f", called from {name}()"
            message = f"{take.function}(){via} takes {lock}, which is held already"
            yield tree.finding(RULE, take.event, message, take.steps, function=take.function)
