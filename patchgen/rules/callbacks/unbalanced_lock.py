# SPDX-License-Identifier: GPL-2.0-only
"""A callback leaves with a lock, SRCU section or reference, or drops one twice.

All paths of a callback are followed through its helpers.  A lock that start
holds for end to drop is fine, provided that start does not keep it when it
fails: end is not called then.

Bad::

    spin_lock(&d->lock);
    if (!d->active)
            return -EAGAIN;         /* d->lock stays locked */

Good::

    spin_lock(&d->lock);
    if (!d->active) {
            spin_unlock(&d->lock);
            return -EAGAIN;
    }
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.callbacks.effects import Exit
from patchgen.analysis.locks.primitives import transferable
from patchgen.model.code import Function
from patchgen.model.findings import Finding, Undecided
from patchgen.rules.base import END, ERROR, START, Context, Handler, Rule, undecided

RULE = Rule(
    "MN024",
    "unbalanced-lock",
    ERROR,
    "a callback leaves with a lock it took, or drops one it does not hold",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """The balance of every way out of every callback."""
    for handler in tree.callbacks():
        function = handler.function
        summary = tree.summary(function)
        if summary.incomplete:
            yield undecided(RULE, handler.function_place, summary.incomplete)
        passed = _handed_over(tree, handler)
        for leaving in summary.exits:
            if leaving.state.flagged and leaving.state.idle:
                continue  # a guard, MN021
            for kind, key, n in sorted(leaving.state.held):
                shown = tree.effects.naming(function).positional(key)
                failed = handler.entry.member == START and leaving.value.hi < 0
                if (kind, shown) in passed and not failed:
                    continue
                if kind in transferable() and not _drops_itself(tree, function, kind, n):
                    continue
                yield _finding(tree, function, leaving, kind, key, n)


def _drops_itself(tree: Context, function: Function, kind: str, n: int) -> bool:
    """Whether a reference that is still held is one that this code also drops."""
    releases = transferable()[kind]
    return n > 0 and any(
        call.name in releases
        for reached in tree.program.reachable([function], 4)
        for call in tree.program.calls(reached)
    )


def _handed_over(tree: Context, handler: Handler) -> frozenset[tuple[str, str]]:
    """Locks that start takes and end drops, by position of the parameters."""
    pair = {START: END, END: START}
    if handler.entry.member not in pair:
        return frozenset()
    other = tree.callback(handler.table, pair[handler.entry.member])
    if other is None:
        return frozenset()
    sign = -1 if handler.entry.member == START else 1
    naming = tree.effects.naming(other)
    return frozenset(
        (kind, naming.positional(key))
        for leaving in tree.summary(other).exits
        for kind, key, n in leaving.state.held
        if n * sign > 0
    )


def _finding(
    tree: Context, function: Function, leaving: Exit, kind: str, key: str, n: int
) -> Finding:
    what = "still holding" if n > 0 else "having dropped, without holding it,"
    message = f"{function.name}() returns {what} {key} ({kind})"
    return tree.finding(RULE, leaving.event, message, leaving.steps, function=function.name)
