# SPDX-License-Identifier: GPL-2.0-only
"""Faults of locks in callbacks and in what they reach (rule 24), and where tests stand."""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.model.code import Break, DoWhile, Expr, For, Goto, If, MacroLoop, Stmt, Switch, While
from tests.mutants.code import Code, only_returns
from tests.mutants.locks import PAIRS, SLEEPING, dropped, held_at, leave, operand, taken
from tests.mutants.operator import operator
from tests.mutants.subject import BLOCKABLE, Site, Subject


@operator(24)
def unlock_removed(s: Subject) -> Iterator[Site]:
    """An unlock is gone.  The path through it leaves with the lock held, so the next one
    to take it waits for ever."""
    for code in s.reached:
        for lock, _, stmt in dropped(code):
            if lock.name != "srcu_read_lock":
                yield s.site(code, stmt, code.remove(stmt))


@operator(24)
def srcu_unlock_removed(s: Subject) -> Iterator[Site]:
    """An SRCU read section is never left.  Every later synchronize_srcu() hangs."""
    for code in s.reached:
        for lock, _, stmt in dropped(code):
            if lock.name == "srcu_read_lock":
                yield s.site(code, stmt, code.remove(stmt))


@operator(24)
def unlock_doubled(s: Subject) -> Iterator[Site]:
    """A lock is dropped twice: the second one drops what another task holds."""
    for code in s.reached:
        for _, _, stmt in dropped(code):
            yield s.site(code, stmt, *code.after(stmt, code.raw(stmt).decode()))


@operator(24)
def lock_doubled(s: Subject) -> Iterator[Site]:
    """A lock is taken twice: a task waits for itself.  Not done to RCU and SRCU, whose
    second section is only never left; that is another operator's fault."""
    for code in s.reached:
        for call, stmt in taken(code):
            if "rcu" not in call.name:
                yield s.site(code, stmt, *code.after(stmt, code.raw(stmt).decode()))


@operator(24)
def lock_kept_on_early_exit(s: Subject) -> Iterator[Site]:
    """A jump to the unlock becomes a return: this path keeps the lock."""
    for code in s.reached:
        for stmt in code.statements:
            held = held_at(code, stmt.span.start)
            if held and _leads_to_unlock(code, stmt, held):
                yield s.site(code, stmt, code.replace(stmt, leave(code)))


def _leads_to_unlock(code: Code, stmt: Stmt, held: list[Expr]) -> bool:
    """A forward goto, or a loop's break, with an unlock of a held lock where it leads."""
    if isinstance(stmt, Goto):
        label = code.labels().get(stmt.name)
        if label is None or label.span.start < stmt.span.start:
            return False
        behind = label.span.start
    elif isinstance(stmt, Break):
        loop = next((a for a in code.ancestors(stmt) if isinstance(a, _BREAKABLE)), None)
        if loop is None or isinstance(loop, Switch):
            return False
        behind = loop.span.end
        # The lock must be held where the loop began: else it is the loop's own.
        if not held_at(code, loop.span.start):
            return False
    else:
        return False
    first = next((c for c in code.calls() if c.span.start > behind and c.name in _DROPS), None)
    return first is not None and any(
        PAIRS[lock.name] == first.name and operand(code, lock) == operand(code, first)
        for lock in held
    )


_BREAKABLE = (For, While, DoWhile, MacroLoop, Switch)
_DROPS = frozenset(PAIRS.values())


@operator(24, 28)
def blockable_test_behind_lock(s: Subject) -> Iterator[Site]:
    """The test for blocking comes behind the lock: it leaves with the lock held, and where
    the lock is a mutex it slept although it must not."""
    for handler in s.range_handlers:
        code = handler.code
        for test in code.statements:
            if not isinstance(test, If) or only_returns(test) is None:
                continue
            if not _refuses(test):
                continue
            target = next(
                (stmt for _, stmt in taken(code) if any(stmt is f for f in code.following(test))),
                None,
            )
            if target is not None:
                yield s.site(code, test, *code.move_after(test, target))


def _refuses(test: If) -> bool:
    """``!mmu_notifier_range_blockable(range)`` and nothing else."""
    expr = test.test
    return expr.kind == "unary" and expr.name == "!" and expr.args[0].name == BLOCKABLE


@operator(24)
def trylock_result_ignored(s: Subject) -> Iterator[Site]:
    """The answer of mutex_trylock() is not looked at: where it failed, a lock that another
    task holds is dropped."""
    for handler in s.range_handlers:
        code = handler.code
        for test in code.statements:
            if isinstance(test, If) and only_returns(test) is not None:
                call = test.test.args[0] if test.test.kind == "unary" else test.test
                if call.name == "mutex_trylock" and test.test.name == "!":
                    new = code.raw(call) + b";"
                    yield s.site(code, test, code.replace(test, new))


@operator(28)
def trylock_made_blocking(s: Subject) -> Iterator[Site]:
    """mutex_trylock() in the branch that must not block becomes mutex_lock(): it sleeps
    where the OOM reaper waits."""
    for handler in s.range_handlers:
        code = handler.code
        for test in code.statements:
            if isinstance(test, If) and only_returns(test) is not None:
                call = test.test.args[0] if test.test.kind == "unary" else test.test
                if call.name == "mutex_trylock" and test.test.name == "!":
                    new = f"mutex_lock({operand(code, call)});"
                    yield s.site(code, test, code.replace(test, new))


@operator(28)
def blockable_test_removed(s: Subject) -> Iterator[Site]:
    """The test for blocking is gone from a callback that sleeps: it sleeps where the OOM
    reaper waits.  Only where the callback itself takes a sleeping lock or waits for a fence."""
    for handler in s.range_handlers:
        code = handler.code
        for test in code.statements:
            if isinstance(test, If) and _refuses(test) and only_returns(test) is not None:
                later = [c for c in code.calls() if c.span.start > test.span.end]
                if any(c.name in SLEEPING or c.name.startswith(_WAITS) for c in later):
                    yield s.site(code, test, code.remove(test))


_WAITS = ("dma_resv_wait_timeout", "dma_fence_wait")


@operator(29)
def blockable_test_inverted(s: Subject) -> Iterator[Site]:
    """The test for blocking is turned around: calls that may block are refused, and the
    others sleep."""
    for handler in s.range_handlers:
        code = handler.code
        for test in code.statements:
            if not isinstance(test, If):
                continue
            if _refuses(test):
                yield s.site(code, test, code.replace(test.test, code.raw(test.test.args[0])))
            elif test.test.kind == "call" and test.test.name == BLOCKABLE:
                yield s.site(code, test, code.replace(test.test, b"!" + code.raw(test.test)))


@operator(34)
def mutex_wait_interruptible(s: Subject) -> Iterator[Site]:
    """The mutex is waited for interruptibly, and the answer is not looked at: a signal makes
    the callback go on, and unlock, without the lock."""
    for handler in s.range_handlers:
        code = handler.code
        for call, stmt in taken(code, frozenset({"mutex_lock"})):
            new = f"(void)mutex_lock_interruptible({operand(code, call)});"
            yield s.site(code, stmt, code.replace(stmt, new))
