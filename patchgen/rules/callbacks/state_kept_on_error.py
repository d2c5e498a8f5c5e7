# SPDX-License-Identifier: GPL-2.0-only
"""invalidate_range_start() fails after it raised a count that end would lower.

A notifier whose start returned an error gets no end for that range (in trees up
to 5.4 the others get none either), so whatever start changed for end to undo
must be undone before the error is returned.

Bad::

    d->invalidating++;
    if (!mutex_trylock(&d->lock))
            return -EAGAIN;         /* the count stays raised */

Good::

    if (!mutex_trylock(&d->lock))
            return -EAGAIN;
    d->invalidating++;
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.locks.judge import doubt_of
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import ERROR, START, Context, Rule, undecided

RULE = Rule(
    "MN025",
    "state-kept-on-error",
    ERROR,
    "range_start returns an error with a count raised that only end lowers",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Exits of start callbacks that return an error."""
    for handler in tree.handlers(START):
        function = handler.function
        for leaving in tree.summary(function).exits:
            if leaving.value.hi >= 0:
                continue
            raised = sorted(key for _, key, n in leaving.state.counts if n > 0)
            doubt = doubt_of(leaving, tree.effects.confirm) if raised else ""
            if doubt:
                yield undecided(RULE, leaving.place, doubt)
            elif raised:
                message = (
                    f"{function.name}() fails with {', '.join(raised)} raised, and "
                    "no end follows a failed start"
                )
                yield tree.finding(
                    RULE, leaving.event, message, leaving.steps, function=function.name
                )
