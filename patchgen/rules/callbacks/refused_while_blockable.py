# SPDX-License-Identifier: GPL-2.0-only
"""A callback fails although it may block, or with another error than -EAGAIN.

invalidate_range_start() may return -EAGAIN, and only when the range is not
blockable; an interval notifier's invalidate() may return false only then.
Otherwise the core warns, and the caller goes on as if all had been invalidated.

Bad::

    if (!mutex_trylock(&d->lock))
            return -EAGAIN;

Good::

    if (mmu_notifier_range_blockable(range))
            mutex_lock(&d->lock);
    else if (!mutex_trylock(&d->lock))
            return -EAGAIN;
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.locks.judge import doubt_of
from patchgen.analysis.locks.state import Exit
from patchgen.analysis.sleeping.blocking import EAGAIN, inverted_exits, refuses
from patchgen.analysis.values.value import ANY, show
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import ERROR, INTERVAL, START, Context, Handler, Rule, undecided

RULE = Rule(
    "MN026",
    "refused-while-blockable",
    ERROR,
    "range_start fails, or an interval callback says no, although it may block",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """What start and interval callbacks return, on each path."""
    for handler in tree.handlers(START):
        yield from _returns(tree, handler, interval=False)
    for member in ("invalidate", "invalidate_start"):
        for handler in tree.handlers(member, INTERVAL):
            yield from _returns(tree, handler, interval=True)


def _returns(tree: Context, handler: Handler, interval: bool) -> Iterator[Finding | Undecided]:
    summary = tree.summary(handler.function)
    swapped = inverted_exits(summary, interval)  # MN029
    name = handler.function.name
    for leaving in summary.exits:
        if leaving in swapped:
            continue
        if leaving.value == ANY and leaving.event.expr is not None:
            reason = f"{name}() returns {leaving.origin or 'a value'}, which is not known"
            yield undecided(RULE, leaving.place, reason)
            continue
        message = _fault(leaving, interval)
        doubt = doubt_of(leaving, tree.effects.confirm) if message else ""
        if doubt:
            yield undecided(RULE, leaving.place, doubt)
        elif message:
            yield tree.finding(
                RULE, leaving.event, f"{name}() {message}", leaving.steps, function=name
            )


def _fault(leaving: Exit, interval: bool) -> str:
    value, blockable = leaving.value, leaving.state.blockable
    where = "although it may block" if blockable else "without asking whether it may block"
    if refuses(leaving, interval):
        said = "returns false" if interval else "returns -EAGAIN"
        return "" if blockable is False else f"{said} {where}"
    if interval or value.lo == value.hi == 0:
        return ""
    if value.hi < 0 and value.lo < EAGAIN <= value.hi:
        return f"may fail {where}" if blockable is not False else ""
    if value.hi < 0 or value.lo > 0:
        return f"returns {show(value)}; the only error is -EAGAIN"
    return ""
