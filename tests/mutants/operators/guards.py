# SPDX-License-Identifier: GPL-2.0-only
"""Faults of the guard that leaves ranges to change_pte() (rules 20 to 23, 32).

On trees of KVM's direct idiom the project's own series has put the guard there; on trees
of the hva-range idiom, where no guard is sound, operators put it there.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.model.code import ExprStmt, If, Stmt
from patchgen.model.plan import Edit
from patchgen.source.c.walk import calls, expressions
from tests.mutants.code import Code
from tests.mutants.locks import PAIRS, taken
from tests.mutants.operator import operator
from tests.mutants.subject import USE_CHANGE_PTE, Handler, Site, Subject


def guards(s: Subject) -> Iterator[tuple[Handler, If]]:
    """Each list callback for a range with its test for ranges left to change_pte()."""
    for handler in s.handlers:
        if handler.member in ("invalidate_range_start", "invalidate_range_end"):
            for stmt in handler.code.statements:
                if isinstance(stmt, If) and any(calls(stmt.test, USE_CHANGE_PTE)):
                    yield handler, stmt
                    break


def _start(s: Subject) -> Iterator[tuple[Handler, If]]:
    return ((h, g) for h, g in guards(s) if h.member == "invalidate_range_start")


def _counting(code: Code, operator_name: str, *fields: str) -> ExprStmt | None:
    """The statement that counts a member of these names up or down."""
    for stmt in code.statements:
        if isinstance(stmt, ExprStmt) and stmt.expr.name == operator_name:
            target = stmt.expr.args[0]
            if target.kind == "arrow" and target.name in fields:
                return stmt
    return None


@operator(20, flagged=True)
def guard_in_one_callback_only(s: Subject) -> Iterator[Site]:
    """The guard is in one of start and end: each such range shifts the count by one, and
    faults retry for ever, or the BUG_ON behind the decrement fires."""
    for handler, guard in guards(s):
        yield s.site(handler.code, guard, handler.code.remove(guard))


@operator(20, flagged=True)
def guard_inverted_in_one_callback(s: Subject) -> Iterator[Site]:
    """One of start and end leaves out just the ranges that the other takes: the count
    drifts with every range."""
    for handler, guard in guards(s):
        code = handler.code
        yield s.site(code, guard, code.replace(guard.test, b"!" + code.raw(guard.test)))


@operator(21, 24, flagged=True)
def guard_behind_lock(s: Subject) -> Iterator[Site]:
    """The guard comes behind the spinlock: it returns with the lock held."""
    yield from _guard_behind(s, lambda name: "srcu" not in name)


@operator(21, 24, flagged=True)
def guard_behind_srcu(s: Subject) -> Iterator[Site]:
    """The guard comes behind srcu_read_lock(): it returns inside the read section, and
    synchronize_srcu() hangs.  In front of the spinlock, where there is one."""
    yield from _guard_behind(s, lambda name: "srcu" in name)


def _guard_behind(s: Subject, wanted: object) -> Iterator[Site]:
    assert callable(wanted)
    for handler, guard in guards(s):
        code = handler.code
        for call, stmt in taken(code):
            if wanted(call.name) and any(stmt is later for later in code.following(guard)):
                yield s.site(code, guard, *code.move_after(guard, stmt))
                break


@operator(21, 20, flagged=True)
def guard_behind_count(s: Subject) -> Iterator[Site]:
    """Start counts the range and only then leaves it out, all locks dropped in order; end,
    guarded at its top, never counts it down: faults retry for ever."""
    for handler, guard in _start(s):
        code = handler.code
        counted = _counting(code, "++", "mmu_notifier_count", "mmu_invalidate_in_progress")
        if counted is None:
            continue
        held = [c for c, stmt in taken(code) if stmt.span.end <= counted.span.start]
        drops = []
        for call in reversed(held):
            args = [code.text(a) for a in call.args[1:]]
            if call.name == "srcu_read_lock":
                args.append("idx")
            drops.append(f"{PAIRS[call.name]}({', '.join(args)});")
        test = code.text(guard.test)
        new = f"if ({test}) {{ {' '.join(drops)} return 0; }}"
        yield s.site(code, guard, code.remove(guard), *code.after(counted, new))


@operator(20, 21, flagged=True)
def guard_behind_end_of_lock(s: Subject) -> Iterator[Site]:
    """End counts down under the lock and only then looks whether the range was left out;
    start, guarded at its top, never counted it: the count becomes negative."""
    for handler, guard in guards(s):
        if handler.member != "invalidate_range_end":
            continue
        code = handler.code
        drop = next((c for c in code.calls("spin_unlock") if code.lone(c)), None)
        stmt = code.lone(drop) if drop is not None else None
        if stmt is not None:
            yield s.site(code, guard, *code.move_after(guard, stmt))


@operator(22, flagged=True)
def change_pte_entry_dropped(s: Subject) -> Iterator[Site]:
    """start and end leave ranges to a change_pte() that the table no longer has: the guest
    keeps the old page."""
    for handler in _change_pte_of_guarded(s):
        for entry in handler.table.entries:
            if entry.member == "change_pte":
                edit = handler.code.edit(entry.span, b"")
                end = entry.span.end
                if s.source[end : end + 1] == b",":
                    edit = handler.code.edit(type(entry.span)(entry.span.start, end + 1), b"")
                yield s.site(handler.code, handler.code.function.body, edit)


@operator(22, flagged=True)
def change_pte_entry_null(s: Subject) -> Iterator[Site]:
    """start and end leave ranges to a change_pte() that the table sets to NULL: the guest
    keeps the old page."""
    for handler in _change_pte_of_guarded(s):
        for entry in handler.table.entries:
            if entry.member == "change_pte":
                edit = handler.code.edit(entry.span, ".change_pte = NULL")
                yield s.site(handler.code, handler.code.function.body, edit)


def _change_pte_of_guarded(s: Subject) -> Iterator[Handler]:
    if any(True for _ in guards(s)):
        yield from (h for h in s.handlers if h.member == "change_pte")


@operator(23, flagged=True)
def change_pte_without_sequence(s: Subject) -> Iterator[Site]:
    """change_pte() of guarded callbacks no longer raises the sequence: a fault that read the
    old page before sees nothing changed, and maps it."""
    for handler in _change_pte_of_guarded(s):
        code = handler.code
        bump = _counting(code, "++", "mmu_notifier_seq", "mmu_invalidate_seq")
        if bump is not None:
            yield s.site(code, bump, code.remove(bump))


@operator(32, flagged=True)
def guard_tests_the_event(s: Subject) -> Iterator[Site]:
    """The guard looks for the flag among the bits of the event: which ranges it leaves out
    depends on the numbers of events."""
    for handler, guard in guards(s):
        code = handler.code
        call = next(calls(guard.test, USE_CHANGE_PTE))
        new = f"({code.text(call.args[1])}->event & MMU_NOTIFIER_USE_CHANGE_PTE)"
        yield s.site(code, guard, code.replace(call, new))


@operator(32, flagged=True)
def guard_compares_all_flags(s: Subject) -> Iterator[Site]:
    """The guard compares the flags as a whole: for ranges that may block, all of which have
    another bit set, it never holds, in one callback of the two."""
    for handler, guard in guards(s):
        code = handler.code
        call = next(calls(guard.test, USE_CHANGE_PTE))
        new = f"({code.text(call.args[1])}->flags == MMU_NOTIFIER_USE_CHANGE_PTE)"
        yield s.site(code, guard, code.replace(call, new))


def _hva_range(s: Subject) -> list[Handler]:
    """KVM's start and end where change_pte() depends on what start does."""
    wanted = ("invalidate_range_start", "invalidate_range_end")
    members = {h.member for h in s.handlers}
    if s.idiom != "hva-range" or "change_pte" not in members:
        return []
    return [h for h in s.handlers if h.member in wanted]


@operator(23, flagged=True)
def guard_where_change_pte_needs_start(s: Subject) -> Iterator[Site]:
    """start and end leave out ranges although change_pte() returns early unless start has
    counted one: no entry is updated, and the guest keeps the freed page."""
    handlers = _hva_range(s)
    edits: list[Edit] = []
    for handler in handlers:
        top = handler.code.top()
        leave = "return 0;" if handler.member.endswith("start") else "return;"
        if top is not None:
            test = f"if ({USE_CHANGE_PTE}({handler.range})) {leave}"
            edits += handler.code.before(top, test)
    if len(handlers) == 2:
        yield s.site(handlers[0].code, handlers[0].code.function.body, *edits)


@operator(20, 23, flagged=True)
def guard_in_one_callback_of_hva_range(s: Subject) -> Iterator[Site]:
    """One of start and end leaves out ranges, the other does not: the counts drift."""
    for handler in _hva_range(s):
        top = handler.code.top()
        leave = "return 0;" if handler.member.endswith("start") else "return;"
        if top is not None:
            test = f"if ({USE_CHANGE_PTE}({handler.range})) {leave}"
            yield s.site(handler.code, top, *handler.code.before(top, test))


@operator(23, flagged=True)
def zap_left_out_by_null_handler(s: Subject) -> Iterator[Site]:
    """start runs no handler for flagged ranges, so present entries stay: change_pte() skips
    slots that are being removed, and the architecture's code takes entries for zapped."""
    for handler in _hva_range(s):
        if not handler.member.endswith("start"):
            continue
        code = handler.code
        for field in expressions(code.function.body):
            if field.kind == "field" and field.name == "handler":
                value = code.text(field.args[0])
                new = f"{USE_CHANGE_PTE}({handler.range}) ? (void *)kvm_null_fn : (void *){value}"
                yield s.site(code, field, code.replace(field.args[0], new))


def _end_sequence(s: Subject) -> Iterator[tuple[Code, ExprStmt, ExprStmt]]:
    """(code, the raise of the sequence, the decrement behind it) where a range ends."""
    for code in s.codes:
        raised = _counting(code, "++", "mmu_notifier_seq", "mmu_invalidate_seq")
        down = _counting(code, "--", "mmu_notifier_count", "mmu_invalidate_in_progress")
        if raised is not None and down is not None:
            yield code, raised, down


@operator(23)
def end_without_sequence(s: Subject) -> Iterator[Site]:
    """The end of a range no longer raises the sequence: a fault that read the old page before
    start finds the count back at zero and the sequence as it was, and maps it."""
    for code, raised, _ in _end_sequence(s):
        yield s.site(code, raised, code.remove(raised))


@operator(23)
def barrier_removed(s: Subject) -> Iterator[Site]:
    """The barrier between the raised sequence and the lower count is gone: a reader that does
    not hold the lock can see the count at zero and the old sequence, and maps the old page."""
    for code, raised, down in _end_sequence(s):
        for call in code.calls("smp_wmb"):
            stmt = code.lone(call)
            if stmt is not None and raised.span.end < stmt.span.start < down.span.start:
                yield s.site(code, stmt, code.remove(stmt))


@operator(23, 24)
def decrement_behind_unlock(s: Subject) -> Iterator[Site]:
    """The count goes down behind the unlock: two ranges that end at once lose one of the
    decrements, and faults retry for ever."""
    for code, _, down in _end_sequence(s):
        later: list[Stmt] = list(code.following(down))
        for call in code.calls("spin_unlock"):
            stmt = code.lone(call)
            if stmt is not None and any(stmt is other for other in later):
                yield s.site(code, down, *code.move_after(down, stmt))
