# SPDX-License-Identifier: GPL-2.0-only
"""Faults around set_pte_at_notify() and the flag that relies on it (rules 13 to 18)."""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.model.code import Expr, ExprStmt, If, Stmt
from patchgen.source.c.walk import callees
from tests.mutants.code import Code
from tests.mutants.operator import operator
from tests.mutants.subject import NOTIFY, START, Section, Site, Subject

_FLAG = "MMU_NOTIFIER_USE_CHANGE_PTE"


def _flags(init: Expr) -> Expr | None:
    """The flags argument of an initialiser that has an event."""
    if init.name in ("mmu_notifier_range_init", "mmu_notifier_range_init_owner"):
        return init.args[3] if len(init.args) > 7 else None
    return None


def _sites(s: Subject, with_flag: bool) -> Iterator[tuple[Section, Expr, Expr]]:
    """(section, initialiser, its flags argument) with, or without, the flag."""
    for section in s.sections:
        for init in section.inits:
            flags = _flags(init)
            if flags is not None and (_FLAG in section.code.text(flags)) == with_flag:
                yield section, init, flags


def _notifies(s: Subject, code: Code) -> bool:
    """The code, or what it calls in this file, uses set_pte_at_notify()."""
    names = callees(code.function)
    others = [s.code(name) for name in names]
    return NOTIFY in names or any(o and NOTIFY in callees(o.function) for o in others)


@operator(13, 14, flagged=True)
def flag_without_set_pte_at_notify(s: Subject) -> Iterator[Site]:
    """The range is left to change_pte(), which nothing in the section calls: the guest keeps
    the old page."""
    for section, init, flags in _sites(s, with_flag=False):
        code = section.code
        blocking = bool(section.starts) and section.starts[0].name == START
        if blocking and not _notifies(s, code) and code.text(flags) == "0":
            yield s.site(code, init, code.replace(flags, _FLAG))


@operator(13, flagged=True)
def flag_though_a_path_does_not_notify(s: Subject) -> Iterator[Site]:
    """The range is left to change_pte(), which one path through the section does not call:
    there the guest keeps the old page."""
    for section, init, flags in _sites(s, with_flag=False):
        code = section.code
        for call in code.calls(NOTIFY):
            above = next((a for a in code.ancestors(call) if isinstance(a, If)), None)
            if above is not None and above.orelse is None and code.text(flags) == "0":
                yield s.site(code, init, code.replace(flags, _FLAG))
                break


@operator(13, flagged=True)
def entry_set_without_notification(s: Subject) -> Iterator[Site]:
    """In a section left to change_pte() the entry is set without it: the guest keeps the old
    page."""
    for section, _, _ in _sites(s, with_flag=True):
        code = section.code
        for call in code.calls(NOTIFY):
            yield s.site(code, call, code.replace(call.args[0], "set_pte_at"))


@operator(14, flagged=True)
def flagged_range_of_two_pages(s: Subject) -> Iterator[Site]:
    """The range left to change_pte() has two pages, and one of them is notified: the other
    one stays mapped."""
    for section, init, _ in _sites(s, with_flag=True):
        end, start = init.args[7], init.args[6]
        new = f"({section.code.text(start)}) + 2 * PAGE_SIZE"
        yield s.site(section.code, init, section.code.replace(end, new))


@operator(14, flagged=True)
def neighbour_notified(s: Subject) -> Iterator[Site]:
    """change_pte() is called for the page behind the range: that one's entry is overwritten,
    and the range's stays."""
    for section, _, _ in _sites(s, with_flag=True):
        code = section.code
        for call in code.calls(NOTIFY):
            new = f"{code.text(call.args[2])} + PAGE_SIZE"
            yield s.site(code, call, code.replace(call.args[2], new))


@operator(15)
def empty_entry_notified(s: Subject) -> Iterator[Site]:
    """change_pte() is told of an entry that is not present: KVM maps page frame 0."""
    for code in s.codes:
        for call in code.calls(NOTIFY):
            yield s.site(code, call, code.replace(call.args[4], "__pte(0)"))


@operator(15)
def swap_entry_notified(s: Subject) -> Iterator[Site]:
    """change_pte() is told of a swap entry: KVM takes its bits for a page frame."""
    for code in s.codes:
        for call in code.calls(NOTIFY):
            edit = code.replace(call.args[4], "swp_entry_to_pte((swp_entry_t) { .val = 1 })")
            yield s.site(code, call, edit, header="linux/swapops.h")


@operator(16)
def notification_without_section(s: Subject) -> Iterator[Site]:
    """set_pte_at_notify() stands in no section, where change_pte() needs one that start has
    counted: it warns and updates nothing."""
    if s.idiom != "hva-range":
        return
    for section in s.sections:
        code = section.code
        stmts = [code.lone(call) for call in (*section.starts, *section.ends)]
        if section.starts and section.ends and any(code.calls(NOTIFY)) and all(stmts):
            edits = [code.remove(stmt) for stmt in stmts if stmt is not None]
            yield s.site(code, section.starts[0], *edits)


def _clears(code: Code) -> Iterator[tuple[Expr, Expr]]:
    """(call that clears the entry, the set_pte_at_notify() behind it on the same entry)."""
    for notify in code.calls(NOTIFY):
        entry = code.text(notify.args[3])
        before = [
            call
            for call in code.calls()
            if call.name.startswith("ptep_clear_flush")
            and call.span.end < notify.span.start
            and code.text(call.args[3]) == entry
        ]
        if before:
            yield before[-1], notify


@operator(17)
def entry_not_cleared_first(s: Subject) -> Iterator[Site]:
    """The entry is overwritten without being cleared and flushed: processors and guest use
    different pages for a while."""
    for code in s.codes:
        for clear, _ in _clears(code):
            above = code.parent(clear)
            stmt = code.lone(clear)
            if isinstance(above, Expr) and above.kind == "assign":
                yield s.site(code, clear, code.replace(clear, f"*{code.text(clear.args[3])}"))
            elif stmt is not None:
                yield s.site(code, clear, code.remove(stmt))


def _releases(stmt: Stmt) -> bool:
    return isinstance(stmt, ExprStmt) and stmt.expr.name in (
        "put_page",
        "page_remove_rmap",
        "folio_put",
    )


@operator(18)
def page_released_before_notification(s: Subject) -> Iterator[Site]:
    """The old page loses its mapping or its last reference before set_pte_at_notify(): the
    guest uses a page that may belong to somebody else."""
    for code in s.codes:
        for _, notify in _clears(code):
            stmt = code.lone(notify)
            if stmt is None:
                continue
            above = code.parent(stmt)
            near: Stmt = above if isinstance(above, If) else stmt
            for later in code.following(near):
                if _releases(later):
                    yield s.site(code, later, *code.move_before(later, near))
