# SPDX-License-Identifier: GPL-2.0-only
"""Faults of range sections: balance, bounds, context, event (rules 1 to 12)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from patchgen.model.code import Block, Decl, Expr, ExprStmt, Goto, If, Label
from patchgen.source.c.body import functions_in
from patchgen.source.c.walk import callees, calls
from tests.mutants.code import Code, only_returns
from tests.mutants.locks import TABLE_LOCKS, leave
from tests.mutants.operator import operator
from tests.mutants.subject import (
    END,
    NOTIFY,
    ONLY_END,
    START,
    START_NONBLOCK,
    Section,
    Site,
    Subject,
)

#: Primitives that take an entry out of a page table and flush it.
CLEARING = (
    "ptep_clear_flush",
    "pmdp_collapse_flush",
    "pmdp_huge_clear_flush",
    "pudp_huge_clear_flush",
    "huge_ptep_clear_flush",
)
_INDEX = {"mmu_notifier_range_init": (2, 3, 6, 7), "mmu_notifier_range_init_owner": (2, 3, 6, 7)}


def _arguments(init: Expr) -> tuple[Expr, Expr, Expr, Expr] | None:
    """(event, flags, start, end) of an initialiser; None for one without an event."""
    where = _INDEX.get(init.name)
    if where is None or len(init.args) <= where[3]:
        return None
    event, flags, start, end = (init.args[i] for i in where)
    return event, flags, start, end


def _bounds(init: Expr) -> tuple[Expr, Expr] | None:
    """The start and end arguments, of every kind of initialiser."""
    if init.name == "mmu_notifier_range_init_migrate" and len(init.args) > 6:
        return init.args[5], init.args[6]
    found = _arguments(init)
    return (found[2], found[3]) if found else None


def _whole(s: Subject) -> Iterator[Section]:
    """Sections that begin and end in one function, with a blocking start."""
    for section in s.sections:
        if section.starts and section.ends and section.starts[0].name == START:
            yield section


def _initialised(s: Subject) -> Iterator[tuple[Section, Expr]]:
    return ((section, init) for section in s.sections for init in section.inits)


# -- balance ----------------------------------------------------------------


@operator(1)
def end_removed(s: Subject) -> Iterator[Site]:
    """The end is gone: the notifiers' counts never come back, and KVM's faults retry for
    ever."""
    for section in s.sections:
        for end in section.ends:
            stmt = section.code.lone(end)
            if stmt is not None:
                yield s.site(section.code, stmt, section.code.remove(stmt))


@operator(1)
def jump_to_end_becomes_return(s: Subject) -> Iterator[Site]:
    """A jump to the end of the section becomes a return: this exit lacks the end."""
    for section in _whole(s):
        code = section.code
        labels = code.labels()
        for stmt in code.statements:
            if not isinstance(stmt, Goto) or stmt.name not in labels:
                continue
            first, last = section.starts[0].span.end, section.ends[-1].span.start
            at = labels[stmt.name].span.start
            inside = first < stmt.span.start < last and stmt.span.start < at < last
            # No other way back: nothing between the label and the end leaves.
            leaves = any(at < r.span.start < last for r in code.returns())
            ended = any(stmt.span.start < e.span.start < at for e in section.ends)
            if inside and not leaves and not ended:
                yield s.site(code, stmt, code.replace(stmt, leave(code)))


@operator(1)
def early_return_inside(s: Subject) -> Iterator[Site]:
    """A return for a dying task right behind the start: this exit lacks the end."""
    for section in _whole(s):
        code = section.code
        stmt = code.lone(section.starts[0])
        if stmt is not None:
            new = f"if (fatal_signal_pending(current)) {leave_with(code)}"
            yield s.site(code, stmt, *code.after(stmt, new), header="linux/sched/signal.h")


def leave_with(code: Code) -> str:
    """A return of an error that fits the function's type.

    An error and not success: where a function opens a section for its caller, the caller
    ends it after success.
    """
    result = code.function.result
    if result == "void":
        return "return;"
    if result.endswith("*"):
        return "return NULL;"
    return {"bool": "return false;", "int": "return -EINTR;"}.get(result, "return 0;")


@operator(2)
def end_doubled(s: Subject) -> Iterator[Site]:
    """The section ends twice: the count becomes negative, and KVM's BUG_ON fires."""
    for section in s.sections:
        for end in section.ends:
            stmt = section.code.lone(end)
            if stmt is not None:
                code = section.code
                yield s.site(code, stmt, *code.after(stmt, code.raw(stmt).decode()))


@operator(2)
def start_removed(s: Subject) -> Iterator[Site]:
    """The start is gone, the end stays: the count becomes negative."""
    for section in s.sections:
        for start in section.starts:
            stmt = section.code.lone(start)
            if start.name == START and stmt is not None:
                yield s.site(section.code, stmt, section.code.remove(stmt))


def _nonblock(s: Subject) -> Iterator[tuple[Section, Expr, If]]:
    for section in s.sections:
        for start in section.starts:
            above = section.code.parent(start)
            if start.name == START_NONBLOCK and isinstance(above, If) and above.test is start:
                yield section, start, above


@operator(3)
def refused_start_ignored(s: Subject) -> Iterator[Site]:
    """The answer of a start that may fail is not looked at: pages are unmapped and the range
    ended although a notifier refused it."""
    for section, start, test in _nonblock(s):
        code = section.code
        yield s.site(code, test, code.replace(test, b"(void)" + code.raw(start) + b";"))


@operator(3)
def end_behind_refused_start(s: Subject) -> Iterator[Site]:
    """The range is ended where its start was refused; those that refused never counted it."""
    for section, start, test in _nonblock(s):
        first = test.then.body[0] if isinstance(test.then, Block) else test.then
        new = f"{END}({section.code.text(start.args[1])});"
        yield s.site(section.code, first, *section.code.before(first, new))


# -- the range itself -------------------------------------------------------


@operator(4)
def init_removed(s: Subject) -> Iterator[Site]:
    """The range is not initialised: start and end hand out what was on the stack."""
    for section, init in _initialised(s):
        stmt = section.code.lone(init)
        if stmt is not None:
            yield s.site(section.code, stmt, section.code.remove(stmt))


def _dotted(section: Section) -> str:
    """What stands in front of a member of the range: ``range.`` or ``range->``."""
    name = section.range
    return f"{name[1:].strip()}." if name.startswith("&") else f"{name}->"


@operator(4)
def bounds_changed_before_end(s: Subject) -> Iterator[Site]:
    """The range shrinks before its end: secondary TLBs keep what is flushed at the end, and
    where KVM counts by slot, slots that only the start met stay counted."""
    for section in _whole(s):
        for end in section.ends:
            stmt = section.code.lone(end)
            if stmt is not None and (end.name == END or s.idiom == "hva-range"):
                member = _dotted(section)
                new = f"{member}end = {member}start;"
                yield s.site(section.code, stmt, *section.code.before(stmt, new))


@operator(5, 8)
def range_made_empty(s: Subject) -> Iterator[Site]:
    """The range ends where it starts: KVM warns, and nothing is invalidated."""
    for section, init in _initialised(s):
        bounds = _bounds(init)
        if bounds:
            code = section.code
            yield s.site(code, init, code.replace(bounds[1], code.raw(bounds[0])))


@operator(5)
def bounds_swapped(s: Subject) -> Iterator[Site]:
    """The range is upside down: KVM warns, and nothing is invalidated."""
    for section, init in _initialised(s):
        bounds = _bounds(init)
        if bounds:
            code = section.code
            one, two = code.raw(bounds[0]), code.raw(bounds[1])
            yield s.site(code, init, code.replace(bounds[0], two), code.replace(bounds[1], one))


@operator(5)
def length_check_removed(s: Subject) -> Iterator[Site]:
    """The check that returns for an empty range is gone: an empty range is announced.  Not
    where all callers of a static function give an end that is a constant above the start."""
    for section, init in _initialised(s):
        code = section.code
        bounds = _bounds(init)
        stmt = code.lone(init)
        if not bounds or stmt is None:
            continue
        if _never_empty(s, code, bounds):
            continue
        names = {e.name for b in bounds for e in _names(b)}
        for test in code.preceding(stmt):
            if isinstance(test, If) and only_returns(test) and _about_length(test.test, names):
                yield s.site(code, test, code.remove(test))


def _never_empty(s: Subject, code: Code, bounds: tuple[Expr, Expr]) -> bool:
    """Whether a static function gets ``end``, declared as ``start + CONSTANT``, by every caller."""
    function = code.function
    params = [param.name for param in function.params]
    if not function.static or not all(bound.name in params for bound in bounds):
        return False
    first, last = (params.index(bound.name) + 1 for bound in bounds)
    found = []
    for caller in functions_in(s.source, s.path):
        given = {
            variable.name: variable.init
            for stmt in Code(s.source, caller).statements
            if isinstance(stmt, Decl)
            for variable in stmt.variables
        }
        for call in calls(caller.body, function.name):
            end = given.get(call.args[last].name)
            found.append(
                end is not None
                and (end.kind, end.name) == ("binary", "+")
                and end.args[0].name == call.args[first].name != ""
                and end.args[1].name.isupper()
            )
    return bool(found) and all(found)


def _names(expr: Expr) -> Iterator[Expr]:
    if expr.kind == "name":
        yield expr
    for part in expr.args:
        yield from _names(part)


def _about_length(test: Expr, names: set[str]) -> bool:
    """``!len``, or a comparison of the two bounds, all of names in the bounds or a length."""
    if test.kind == "unary" and test.name == "!":
        return test.args[0].name in {*names, "len"}
    if test.name not in (">=", "<=", "=="):
        return False
    return all(part.kind == "name" and part.name in names for part in test.args)


@operator(8)
def sharing_not_considered(s: Subject) -> Iterator[Site]:
    """Page tables that hugetlb shares reach beyond the range, and it is not widened: other
    pages of the shared table stay mapped."""
    for code, stmt in _adjusts(s):
        yield s.site(code, stmt, code.remove(stmt))


@operator(8, 4)
def sharing_considered_late(s: Subject) -> Iterator[Site]:
    """The range is widened behind its start: start told of less than end."""
    for section in _whole(s):
        start = section.code.lone(section.starts[0])
        for code, stmt in _adjusts(s):
            if code is not section.code or start is None:
                continue
            if any(stmt is earlier for earlier in code.preceding(start)):
                yield s.site(code, stmt, *code.move_after(stmt, start))


def _adjusts(s: Subject) -> Iterator[tuple[Code, ExprStmt]]:
    for code in dict.fromkeys(section.code for section in s.sections):
        for call in code.calls("adjust_range_if_pmd_sharing_possible"):
            stmt = code.lone(call)
            if stmt is not None:
                yield code, stmt


@operator(8)
def range_narrowed(s: Subject) -> Iterator[Site]:
    """Only the first page of a larger range is announced: the others stay mapped.  Not where
    the range is a page already, nor where what changes the entries is given the range's own
    end: it then stops there too."""
    for section, init in _initialised(s):
        bounds = _bounds(init)
        code = section.code
        if bounds and "PAGE_SIZE" not in code.text(bounds[1]) and not _ends_with_range(section):
            yield s.site(
                code, init, code.replace(bounds[1], f"({code.text(bounds[0])}) + PAGE_SIZE")
            )


def _ends_with_range(section: Section) -> bool:
    """Whether a call between start and end works up to the range's end.

    What maintains caches and TLBs over it says nothing of what is changed.
    """
    end = f"{_dotted(section)}end"
    return any(
        any(section.code.text(arg) == end for arg in call.args[1:])
        and not call.name.startswith(("flush_", "tlb_", "mmu_notifier_"))
        for call in section.between()
    )


# -- context ----------------------------------------------------------------


@operator(6)
def start_below_table_lock(s: Subject) -> Iterator[Site]:
    """The start comes behind the page table's lock: callbacks sleep below a spinlock."""
    for section in _whole(s):
        code = section.code
        stmt = code.lone(section.starts[0])
        if stmt is None:
            continue
        for later in code.following(stmt):
            if isinstance(later, Label) or any(
                later.span.start <= e.span.start < later.span.end for e in section.ends
            ):
                break
            if isinstance(later, ExprStmt) and any(
                c.name in TABLE_LOCKS and code.lone(c) is later for c in code.calls()
            ):
                yield s.site(code, stmt, *code.move_after(stmt, later))
                break


@operator(6)
def start_in_rcu_section(s: Subject) -> Iterator[Site]:
    """The start stands in an RCU read section: callbacks that sleep end it."""
    for section in s.sections:
        for start in section.starts:
            stmt = section.code.lone(start)
            if start.name == START and stmt is not None:
                code = section.code
                new = b"rcu_read_lock();\n" + code.raw(stmt) + b"\nrcu_read_unlock();"
                if not isinstance(code.parent(stmt), Block):
                    new = b"{ " + new + b" }"
                yield s.site(code, stmt, code.replace(stmt, new), header="linux/rcupdate.h")


def _clears(section: Section) -> list[Expr]:
    """Clearing primitives between start and end, in the function itself."""
    return [call for call in section.between() if call.name.startswith(CLEARING)]


@operator(7)
def section_removed(s: Subject) -> Iterator[Site]:
    """Entries are taken out of the page table, and no notifier hears of it: a guest keeps
    using freed pages.  Only where the function itself clears entries."""
    for section in _whole(s):
        code = section.code
        if not _clears(section):
            continue
        stmts = [code.lone(call) for call in (*section.starts, *section.ends)]
        if all(stmt is not None for stmt in stmts):
            edits = [code.remove(stmt) for stmt in stmts if stmt is not None]
            yield s.site(code, section.starts[0], *edits)


@operator(7)
def section_ends_before_clearing(s: Subject) -> Iterator[Site]:
    """The section is over before the entry is taken out: a fault in between maps the page
    that is about to be freed.  The end is the only one, in the start's own block."""
    for section in _whole(s):
        code = section.code
        start, end = code.lone(section.starts[0]), code.lone(section.ends[0])
        if start is None or end is None or len(section.ends) > 1 or not _clears(section):
            continue
        if any(end is later for later in code.following(start)):
            yield s.site(code, end, *code.move_after(end, start))


# -- event and flags --------------------------------------------------------


@operator(9)
def event_and_flags_swapped(s: Subject) -> Iterator[Site]:
    """Event and flags changed places; both are numbers, so it compiles.  Not where the event
    is UNMAP and there are no flags: both are 0, and nothing changes."""
    for section, init in _initialised(s):
        found = _arguments(init)
        if not found:
            continue
        code = section.code
        event, flags = code.raw(found[0]), code.raw(found[1])
        if (event, flags) != (b"MMU_NOTIFY_UNMAP", b"0"):
            yield s.site(code, init, code.replace(found[0], flags), code.replace(found[1], event))


@operator(11)
def event_too_weak(s: Subject) -> Iterator[Site]:
    """The event says that only soft-dirty bits change: consumers keep mappings of pages that
    go away or lose a permission.  Not where that is the event."""
    for section, init in _initialised(s):
        found = _arguments(init)
        if found and found[0].name in (
            "MMU_NOTIFY_UNMAP",
            "MMU_NOTIFY_CLEAR",
            "MMU_NOTIFY_PROTECTION_VMA",
            "MMU_NOTIFY_PROTECTION_PAGE",
        ):
            code = section.code
            yield s.site(code, init, code.replace(found[0], "MMU_NOTIFY_SOFT_DIRTY"))


def _notifies(s: Subject, code: Code, depth: int = 3) -> bool:
    """The code, or what it calls in this file, tells secondary TLBs itself."""
    names = callees(code.function)
    if any(name.endswith("_notify") or name == "mmu_notifier_invalidate_range" for name in names):
        return True
    others = [s.code(name) for name in names] if depth else []
    return any(o is not None and _notifies(s, o, depth - 1) for o in others)


@operator(12)
def end_that_skips_secondary_tlbs(s: Subject) -> Iterator[Site]:
    """The end leaves out invalidate_range(), and nothing inside the section calls it: an
    IOMMU keeps the old translation.  Not where nothing but looking up and locking entries
    comes before the end, nor where entries that mapped nothing are set and none is taken
    away: there is nothing to flush."""
    for section in _whole(s):
        if _notifies(s, section.code) or _only_sets(s, section.code):
            continue
        for end in section.ends:
            if end.name == END and not _only_looks(section, end):
                code = section.code
                yield s.site(code, end, code.replace(end.args[0], ONLY_END))


#: Calls that find an entry, look at it or lock it.
_LOOK = re.compile(
    r"(un)?likely|spin_(un)?lock|mmu_notifier_\w+|"
    r"(pgd|p4d|pud|pmd|pte)_(none|bad|huge|present|lock|offset\w*|unmap\w*)"
)


def _only_looks(section: Section, end: Expr) -> bool:
    """Whether the function, up to this end, changes no entry, and calls nobody who might."""
    calls = (c for c in section.between() if c.span.start < end.span.start)
    return all(_LOOK.fullmatch(call.name) for call in calls)


#: Calls that take an entry away, or a permission from it; or that walk a page table.
_TAKE = re.compile(
    r"(huge_)?(pte|pmd|pud)p?_\w*(clear|wrprotect|invalidate|modify|collapse|unshare)\w*|walk_\w+"
)


def _only_sets(s: Subject, code: Code) -> bool:
    """The code, and what it calls in this file, sets entries and takes none away."""
    names, todo = set(callees(code.function)), [code]
    while todo:
        inner = [s.code(name) for name in callees(todo.pop().function)]
        for other in inner:
            if other is not None and not callees(other.function) <= names:
                names |= callees(other.function)
                todo.append(other)
    return "set_pte_at" in names and not any(_TAKE.fullmatch(name) for name in names)


@operator(12)
def clearing_without_notify(s: Subject) -> Iterator[Site]:
    """An entry is cleared without telling secondary TLBs, in a section whose end leaves that
    to the clearing: an IOMMU keeps the old translation."""
    for section in s.sections:
        if not any(end.name == ONLY_END for end in section.ends):
            continue
        for code in _with_callees(s, section.code):
            for call in code.calls():
                if call.name.endswith("_notify") and call.name != NOTIFY:
                    new = call.name.removesuffix("_notify")
                    yield s.site(code, call, code.replace(call.args[0], new))


def _with_callees(s: Subject, code: Code) -> list[Code]:
    """The code, and the functions of this file that it calls."""
    others = [s.code(name) for name in sorted(callees(code.function))]
    return [code, *(other for other in others if other is not None and other is not code)]
