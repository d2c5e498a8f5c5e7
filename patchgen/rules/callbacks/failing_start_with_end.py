# SPDX-License-Identifier: GPL-2.0-only
"""A notifier whose start may fail also has an end callback.

From 5.10.y on the core calls end for the notifiers whose start succeeded when a
later one fails, and cannot tell one notifier's failure from another's success:
it warns when a failing notifier owns invalidate_range_end(), which then runs
without its start.

Bad::

    static const struct mmu_notifier_ops ops = {
            .invalidate_range_start = may_return_eagain,
            .invalidate_range_end   = end,
    };

Good: start never fails (it defers the work), or there is no end callback.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.locks.judge import doubt_of
from patchgen.kernel.api.features import ApiFeatures
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import END, START, WARNING, Context, Rule, undecided


def _applies(api: ApiFeatures) -> bool:
    # The check in the core came to the trees that have interval notifiers.
    return api.has_interval


RULE = Rule(
    "MN027",
    "failing-start-with-end",
    WARNING,
    "range_start may fail, and the table has range_end",
    _applies,
    "trees with interval notifiers",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Tables with an end callback, and the errors of their start."""
    for handler in tree.handlers(START):
        if not handler.table.function(END):
            continue
        for leaving in tree.summary(handler.function).exits:
            if leaving.value.hi < 0:
                doubt = doubt_of(leaving, tree.effects.confirm)
                if doubt:
                    yield undecided(RULE, leaving.place, doubt)
                    continue
                message = (
                    f"{handler.function.name}() may fail, and {handler.table.name} has "
                    f"{END}: it may run without its start"
                )
                yield tree.finding(
                    RULE, leaving.event, message, leaving.steps, function=handler.function.name
                )
                break
