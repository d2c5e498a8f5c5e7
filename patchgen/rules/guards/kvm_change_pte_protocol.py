# SPDX-License-Identifier: GPL-2.0-only
"""KVM's count and sequence do not protect a fault that races with a change.

A page fault reads the sequence, looks the page up, takes mmu_lock and retries
if the count is raised or the sequence changed.  So: both change under mmu_lock;
invalidate_range_end() bumps the sequence before it lowers the count, with a
write barrier between (mmu_notifier_retry() reads them the other way round); and
a range_start() that returns early for flagged ranges needs a change_pte() that
bumps the sequence by itself.  What start raises, end lowers by as much.  Where
the callbacks go through the hva-range walker, an early return is never safe:
change_pte() there does nothing unless range_start() raised the counts first, and
leaves to range_start() what it does not replace: a walk without a handler is not, either.

Bad::

    kvm->mmu_notifier_count--;      /* a racing fault sees count 0, old sequence */

Good::

    kvm->mmu_notifier_seq++;
    smp_wmb();
    kvm->mmu_notifier_count--;
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.callbacks.guard import NORMAL, guard_of
from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.engine.pointers import leaves
from patchgen.analysis.engine.walk import Checker, Here, walk
from patchgen.analysis.locks.state import Exit
from patchgen.kernel.knowledge import names
from patchgen.model.code import Expr, Function
from patchgen.model.facts import OpsTable
from patchgen.model.findings import Finding, Step, Undecided
from patchgen.rules.base import END, ERROR, START, Context, Rule
from patchgen.source.c.text import bare, every

RULE = Rule(
    "MN023",
    "kvm-change-pte-protocol",
    ERROR,
    "KVM's invalidation count and sequence do not protect a racing fault",
    where="trees with KVM",
)


def check(tree: Context) -> Iterator[Finding | Undecided]:
    """Tables whose start changes one of KVM's counts."""
    for table in tree.tables():
        start, end = tree.callback(table, START), tree.callback(table, END)
        if start is None or not _counts(tree, start):
            continue
        yield from _guarded(tree, table, start)
        yield from _unzapped(tree, table, start)
        yield from _unlocked(tree, start)
        if end is not None:
            yield from _unlocked(tree, end)
            yield from _ending(tree, end)
            yield from _paired(tree, start, end)


def _stepped(part: Expr, operator: str) -> str:
    """The member that ``x->m++`` or ``x->m--`` steps, or ""."""
    counted = part.kind in ("postfix", "unary") and part.name == operator
    if not counted and not (part.kind == "assign" and part.name == f"{operator[0]}="):
        return ""
    left = bare(part.args[0])
    return left.name if left.kind in ("arrow", "member") else ""


def _counts(tree: Context, start: Function) -> bool:
    counts = names("kvm", "members", "count") | names("kvm", "members", "active")
    return any(
        _stepped(part, "++") in counts or _stepped(part, "--") in counts
        for function in tree.program.reachable([start], 4)
        for part in every(function.body)
    )


def _guarded(tree: Context, table: OpsTable, start: Function) -> Iterator[Finding]:
    guard = guard_of(tree.summary(start))
    change = tree.callback(table, "change_pte")
    if guard.kind != NORMAL or change is None:
        return
    leaving = guard.exits[0]
    if _through_walker(tree, start):
        message = (
            f"{start.name}() returns early for flagged ranges, but {change.name}() does "
            "nothing unless start raised the counts: the guest keeps the old page"
        )
        yield tree.finding(RULE, leaving.event, message, leaving.steps, function=start.name)
        return
    sequence = names("kvm", "members", "sequence")
    for function in tree.program.reachable([change], 2):
        if any(_stepped(part, "++") in sequence for part in every(function.body)):
            return
    message = (
        f"{start.name}() returns early for flagged ranges, and {change.name}() does not bump "
        "the sequence: a racing fault installs the old page"
    )
    yield tree.finding(RULE, leaving.event, message, leaving.steps, function=start.name)


def _through_walker(tree: Context, start: Function) -> bool:
    active = names("kvm", "members", "active")
    return tree.api.idiom == "hva-range" or any(
        _stepped(part, "++") in active for part in every(start.body)
    )


def _unzapped(tree: Context, table: OpsTable, start: Function) -> Iterator[Finding]:
    """A walk of start's that may have no handler, where change_pte() relies on the zap.

    kvm_change_spte_gfn() leaves slots that are going away to start, and the architectures'
    kvm_set_spte_gfn() takes the entry for zapped (virt/kvm/kvm_main.c, 5.15 to 6.9).
    """
    change = tree.callback(table, "change_pte")
    if change is None or not _through_walker(tree, start):
        return
    for part in every(start.body):
        if part.kind == "field" and part.name in names("kvm", "members", "zap"):
            value = part.args[0]
        elif part.kind == "assign" and bare(part.args[0]).name in names("kvm", "members", "zap"):
            value = part.args[1]
        else:
            continue
        if any(leaf.name in names("kvm", "null", "functions") for leaf in leaves(value)):
            message = (
                f"{start.name}() may leave the entries of a range as they are, and "
                f"{change.name}() relies on them being zapped"
            )
            yield tree.finding(RULE, part, message, path=start.path, function=start.name)


def _unlocked(tree: Context, function: Function) -> Iterator[Finding]:
    """Counts that change without the lock under which faults read them."""
    counts, locks = names("kvm", "members", "count"), names("kvm", "members", "lock")
    for touch in tree.summary(function).touches:
        if touch.member not in counts:
            continue
        if not any(key.endswith(tuple(locks)) for key in touch.held):
            message = f"{touch.member} changes without mmu_lock: a racing fault may miss it"
            yield tree.finding(RULE, touch.event, message, touch.steps, function=touch.function)


def _ending(tree: Context, end: Function) -> Iterator[Finding]:
    counts = names("kvm", "members", "count")
    for function in tree.program.reachable([end], 4):
        if any(_stepped(part, "--") in counts for part in every(function.body)):
            order = _Order()
            walk(function, order)
            for event, message, steps in order.found:
                yield tree.finding(RULE, event, message, steps, function=function.name)


def _paired(tree: Context, start: Function, end: Function) -> Iterator[Finding]:
    """Each count that start raises by one, end lowers by one, and no other way."""
    counts = names("kvm", "members", "count") | names("kvm", "members", "active")
    for function, other, sign in ((start, end, 1), (end, start, -1)):
        mine, theirs = _net(tree, function, counts), _net(tree, other, counts)
        for member, changes in sorted(mine.items()):
            for by, leaving in sorted(changes.items()):
                if by == sign and any(n * sign < 0 for n in theirs.get(member, {})):
                    continue
                message = (
                    f"{function.name}() changes {member} by {by:+d}, and {other.name}() "
                    f"{'does not undo it' if by == sign else 'cannot match that'}"
                )
                yield tree.finding(
                    RULE, leaving.event, message, leaving.steps, function=function.name
                )


def _net(tree: Context, function: Function, counts: frozenset[str]) -> dict[str, dict[int, Exit]]:
    found: dict[str, dict[int, Exit]] = {}
    for leaving in tree.summary(function).exits:
        if leaving.value.hi < 0:
            continue  # a failed start, MN025
        for _, key, by in leaving.state.counts:
            member = key.rpartition("->")[2]
            if member in counts:
                found.setdefault(member, {}).setdefault(by, leaving)
    return found


class _Order(Checker[int]):
    """0: nothing yet, 1: the sequence was bumped, 2: and a barrier followed."""

    kinds = frozenset({events.ASSIGN, events.CALL})

    def __init__(self) -> None:
        self.found: list[tuple[Event, str, tuple[Step, ...]]] = []

    def initial(self, function: Function) -> int:
        return 0

    def event(self, state: int, event: Event, here: Here) -> int:
        assert event.expr is not None
        if event.kind == events.CALL:
            barrier = event.expr.name in names("kvm", "barriers", "write")
            return 2 if state == 1 and barrier else state
        if _stepped(event.expr, "++") in names("kvm", "members", "sequence"):
            return 1
        count = _stepped(event.expr, "--")
        if count in names("kvm", "members", "count") and state < 2:
            missing = "a write barrier after the sequence" if state else "bumping the sequence"
            self.found.append(
                (event, f"{count} is lowered without {missing} first", here.steps(event))
            )
        return state
