# SPDX-License-Identifier: GPL-2.0-only
"""Which calls take and drop locks; what operators need to know of them."""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.model.code import Expr, ExprStmt
from tests.mutants.code import Code

#: Taking call → dropping call, as the kernel's headers pair them.
PAIRS = {
    "spin_lock": "spin_unlock",
    "spin_lock_irq": "spin_unlock_irq",
    "spin_lock_irqsave": "spin_unlock_irqrestore",
    "read_lock": "read_unlock",
    "write_lock": "write_unlock",
    "mutex_lock": "mutex_unlock",
    "down_read": "up_read",
    "down_write": "up_write",
    "rcu_read_lock": "rcu_read_unlock",
    "srcu_read_lock": "srcu_read_unlock",
    "KVM_MMU_LOCK": "KVM_MMU_UNLOCK",
}
#: Those under which a task must not sleep (KVM_MMU_LOCK is a spinlock or an rwlock).
SPINNING = frozenset(
    "spin_lock spin_lock_irq spin_lock_irqsave read_lock write_lock KVM_MMU_LOCK".split()
)
#: Those that may sleep while they wait.
SLEEPING = frozenset("mutex_lock down_read down_write".split())
#: Calls that return with a page table's spinlock held.
TABLE_LOCKS = frozenset("spin_lock pmd_lock pud_lock huge_pte_lock pte_offset_map_lock".split())


def operand(code: Code, call: Expr) -> str:
    """What is locked, as written; "" for rcu_read_lock()."""
    return code.text(call.args[1]) if len(call.args) > 1 else ""


def taken(code: Code, names: frozenset[str] | None = None) -> Iterator[tuple[Expr, ExprStmt]]:
    """The calls that take a lock as a statement of their own."""
    for call in code.calls():
        if call.name in PAIRS and (names is None or call.name in names):
            stmt = code.lone(call)
            if stmt is not None:
                yield call, stmt


def dropped(code: Code) -> Iterator[tuple[Expr, Expr, ExprStmt]]:
    """(the nearest call in front that took the lock, the call that drops it, its statement)."""
    locks = list(taken(code))
    for call in code.calls():
        if call.name not in PAIRS.values():
            continue
        stmt = code.lone(call)
        found = [
            lock
            for lock, _ in locks
            if PAIRS[lock.name] == call.name
            and operand(code, lock) == operand(code, call)
            and lock.span.end <= call.span.start
        ]
        if stmt is not None and found:
            yield found[-1], call, stmt


def held_at(code: Code, offset: int) -> list[Expr]:
    """Locks whose nearest call in front of ``offset``, in source order, took them."""
    state: dict[tuple[str, str], Expr | None] = {}
    drops = {drop: lock for lock, drop in PAIRS.items()}
    for call in code.calls():
        if call.span.start >= offset:
            break
        if call.name in PAIRS:
            state[call.name, operand(code, call)] = call
        elif call.name in drops:
            state[drops[call.name], operand(code, call)] = None
    return [call for call in state.values() if call is not None]


def leave(code: Code) -> str:
    """A return statement with what the function returns at its end."""
    if code.function.result == "void":
        return "return;"
    last = code.last_return()
    if last is not None:
        return code.raw(last).decode()
    return "return 0;"
