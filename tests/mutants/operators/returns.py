# SPDX-License-Identifier: GPL-2.0-only
"""Faults of what callbacks return, and of state they keep on an error (rules 25 to 29)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from patchgen.model.base import Span
from patchgen.model.code import Expr, ExprStmt, If, Return
from patchgen.source.c.walk import calls
from tests.mutants.code import Code
from tests.mutants.locks import SPINNING, taken
from tests.mutants.operator import operator
from tests.mutants.subject import BLOCKABLE, Handler, Site, Subject


def _starts(s: Subject) -> Iterator[Handler]:
    return (h for h in s.range_handlers if h.member == "invalidate_range_start")


def _intervals(s: Subject) -> Iterator[Handler]:
    return (h for h in s.range_handlers if h.interval)


def _again(code: Code) -> Iterator[Expr]:
    """Each ``-EAGAIN`` in the code."""
    for node in code.nodes:
        if not isinstance(node, Expr) or node.kind != "unary" or node.name != "-":
            continue
        if node.args[0].name == "EAGAIN":
            yield node


def _has_end(s: Subject, handler: Handler) -> bool:
    return bool(handler.table.function("invalidate_range_end"))


@operator(26)
def error_is_not_eagain(s: Subject) -> Iterator[Site]:
    """A start that must not block refuses with another error than -EAGAIN: the core warns."""
    for handler in _starts(s):
        for value in _again(handler.code):
            yield s.site(handler.code, value, handler.code.replace(value, "-EBUSY"))


@operator(26)
def start_fails_while_blockable(s: Subject) -> Iterator[Site]:
    """Start ends with -EAGAIN whether or not it may block: callers that may block do not look
    at the answer, and the core warns."""
    for handler in _starts(s):
        last = handler.code.last_return()
        if last is not None and last.value is not None and last.value.name == "0":
            yield s.site(handler.code, last, handler.code.replace(last.value, "-EAGAIN"))


@operator(26)
def interval_fails_while_blockable(s: Subject) -> Iterator[Site]:
    """An interval callback ends with false whether or not it may block: the core warns, and
    the range counts as not invalidated."""
    for handler in _intervals(s):
        last = handler.code.last_return()
        if last is not None and last.value is not None and last.value.name == "true":
            yield s.site(handler.code, last, handler.code.replace(last.value, "false"))


@operator(27)
def start_refuses_though_end_is_called(s: Subject) -> Iterator[Site]:
    """A start whose table has an end refuses a call that must not block: where another
    notifier refuses too, the core calls this end without its start."""
    for handler in _starts(s):
        top = handler.code.top()
        if _has_end(s, handler) and top is not None:
            test = f"if (!{BLOCKABLE}({handler.range})) return -EAGAIN;"
            yield s.site(handler.code, top, *handler.code.before(top, test))


@operator(25, 27)
def error_behind_counted_state(s: Subject) -> Iterator[Site]:
    """Start has counted the range, and then refuses it without counting it down; no end
    follows a refusal, so the count stays for ever."""
    for handler in _starts(s):
        last = handler.code.last_return()
        if last is not None and _counts(handler.code):
            test = f"if (!{BLOCKABLE}({handler.range})) return -EAGAIN;"
            yield s.site(handler.code, last, *handler.code.before(last, test))


def _counts(code: Code) -> bool:
    """The code itself counts a member up."""
    for node in code.nodes:
        if isinstance(node, Expr):
            up = node.name == "++" and node.kind in ("postfix", "unary")
            if up and node.args[0].kind in ("arrow", "member"):
                return True
            if node.kind == "call" and node.name in ("atomic_inc", "atomic64_inc"):
                return True
    return False


def _refusal(code: Code) -> Iterator[Return]:
    """Returns of a failure below a test for blocking, or for a lock that must not wait."""
    for stmt in code.returns():
        value = code.text(stmt.value) if stmt.value is not None else ""
        if value not in ("-EAGAIN", "false"):
            continue
        for above in code.ancestors(stmt):
            if isinstance(above, If) and any(calls(above.test, BLOCKABLE, "mutex_trylock")):
                yield stmt
                break


@operator(29, 35)
def refusal_reported_as_success(s: Subject) -> Iterator[Site]:
    """Where it must not block the callback does nothing and says that it did: the device
    keeps using pages that are freed."""
    for handler in s.range_handlers:
        for stmt in _refusal(handler.code):
            edit = handler.code.replace(stmt, f"return {handler.success};")
            yield s.site(handler.code, stmt, edit)


@operator(29)
def refusal_lost_in_shadow(s: Subject) -> Iterator[Site]:
    """-EAGAIN goes to a variable of an inner block with the name of the one that is returned:
    the callback did nothing and says that it did."""
    for handler in _starts(s):
        code = handler.code
        for value in _again(code):
            above = code.parent(value)
            if not isinstance(above, Expr) or above.kind != "assign":
                continue
            stmt = code.statement(value)
            kind = code.local(above.args[0].name)
            test = next((a for a in code.ancestors(stmt) if isinstance(a, If)), None)
            if isinstance(stmt, ExprStmt) and kind == "int" and test is not None:
                yield s.site(code, stmt, code.edit(Span(stmt.span.start, stmt.span.start), "int "))


@operator(28)
def allocation_that_sleeps(s: Subject) -> Iterator[Site]:
    """A callback that may be told not to block allocates with GFP_KERNEL first of all: it can
    wait for the very memory that the OOM reaper is about to free."""
    for handler in s.range_handlers:
        top = handler.code.top()
        if top is not None:
            new = "kfree(kmalloc(sizeof(long), GFP_KERNEL));"
            edits = handler.code.before(top, new)
            yield s.site(handler.code, top, *edits, header="linux/slab.h")


@operator(28)
def sleep_without_test(s: Subject) -> Iterator[Site]:
    """A callback that may be told not to block waits for a grace period first of all."""
    for handler in s.range_handlers:
        top = handler.code.top()
        if top is not None:
            edits = handler.code.before(top, "synchronize_rcu();")
            yield s.site(handler.code, top, *edits, header="linux/rcupdate.h")


def mutexes(s: Subject, code: Code) -> Iterator[str]:
    """Mutexes that the file locks and that ``code`` can name: same type, same member."""
    variables = {name: code.local(name) for name in _locals(code)}
    for match in re.finditer(rb"mutex_lock\(&(\w+)->(\w+)\)", s.source):
        base, member = match[1].decode(), match[2].decode()
        for other in s.codes:
            span = other.function.span
            if span.start <= match.start() < span.end:
                for name, kind in variables.items():
                    if kind and kind == other.local(base):
                        yield f"&{name}->{member}"


def _locals(code: Code) -> list[str]:
    names = [param.name for param in code.function.params]
    for stmt in code.statements:
        names += [v.name for v in getattr(stmt, "variables", ())]
    return names


@operator(28)
def mutex_below_spinlock(s: Subject) -> Iterator[Site]:
    """A mutex is taken while a spinlock is held: scheduling while atomic."""
    for handler in s.range_handlers:
        code = handler.code
        mutex = next(mutexes(s, code), "")
        if mutex:
            for _, stmt in taken(code, SPINNING):
                new = f"mutex_lock({mutex}); mutex_unlock({mutex});"
                yield s.site(code, stmt, *code.after(stmt, new))


@operator(30)
def change_pte_reschedules(s: Subject) -> Iterator[Site]:
    """change_pte() gives up the processor; its caller holds the page table's spinlock."""
    yield from _in_change_pte(s, "cond_resched();")


@operator(30)
def change_pte_allocates(s: Subject) -> Iterator[Site]:
    """change_pte() allocates with GFP_KERNEL; its caller holds the page table's spinlock."""
    yield from _in_change_pte(s, "kfree(kmalloc(sizeof(long), GFP_KERNEL));")


@operator(30)
def change_pte_takes_mutex(s: Subject) -> Iterator[Site]:
    """change_pte() takes a mutex; its caller holds the page table's spinlock."""
    for handler in s.handlers:
        if handler.member == "change_pte":
            mutex = next(mutexes(s, handler.code), "")
            if mutex:
                yield from _in_change_pte(s, f"mutex_lock({mutex}); mutex_unlock({mutex});")


def _in_change_pte(s: Subject, text: str) -> Iterator[Site]:
    for handler in s.handlers:
        top = handler.code.top()
        if handler.member == "change_pte" and top is not None:
            yield s.site(handler.code, top, *handler.code.before(top, text))
