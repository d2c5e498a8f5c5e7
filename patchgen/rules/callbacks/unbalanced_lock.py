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

from collections.abc import Callable, Iterator

from patchgen.analysis.locks.held import shown
from patchgen.analysis.locks.judge import Imbalance, imbalances
from patchgen.analysis.locks.state import Exit
from patchgen.kernel.locks import transferable
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
        for found in imbalances(summary, _excuse(tree, handler), tree.effects.confirm):
            if found.undecided:
                yield undecided(RULE, found.leaving.place, found.undecided)
            else:
                yield _finding(tree, function, found)


def _excuse(tree: Context, handler: Handler) -> Callable[[Exit, str, str, int], bool]:
    """What may be left held, or dropped, on a way out of a callback."""
    passed = _handed_over(tree, handler)
    function = handler.function

    def excused(leaving: Exit, kind: str, key: str, n: int) -> bool:
        if leaving.state.flagged and leaving.state.idle:
            return True  # a guard, MN021
        shown = tree.effects.naming(function).positional(key)
        failed = handler.entry.member == START and leaving.value.hi < 0
        if (kind, shown) in passed and not failed:
            return True
        return kind in transferable() and not _drops_itself(tree, function, kind, n)

    return excused


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


def _finding(tree: Context, function: Function, found: Imbalance) -> Finding:
    leaving, lock = found.leaving, shown(found.kind, found.key)
    if found.key != found.kind:
        what = "still holding" if found.n > 0 else "having dropped, without holding it,"
    else:
        what = "with" if found.n > 0 else "having ended, without beginning it,"
    message = f"{function.name}() returns {what} {lock}"
    return tree.finding(RULE, leaving.event, message, leaving.steps, function=function.name)
