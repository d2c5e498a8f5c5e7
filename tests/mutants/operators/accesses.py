# SPDX-License-Identifier: GPL-2.0-only
"""Faults of how callbacks read the range, what they call, and sequences (rules 31 to 35)."""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.model.code import Expr, ExprStmt, If, Stmt
from tests.mutants.code import Code
from tests.mutants.locks import PAIRS
from tests.mutants.operator import operator
from tests.mutants.subject import BLOCKABLE, Handler, Site, Subject

_PRINTS = ("pr_", "dev_", "trace_", "drm_", "DRM_")


def _printed(code: Code, expr: Expr) -> bool:
    """Part of a call that only prints or traces."""
    return any(
        isinstance(a, Expr)
        and a.kind == "call"
        and (a.name.startswith(_PRINTS) or a.name.endswith(("_dbg", "_DBG")))
        for a in code.ancestors(expr)
    )


def _members(code: Code, base: str, member: str) -> Iterator[Expr]:
    """``base->member`` wherever it is read."""
    for node in code.nodes:
        if not isinstance(node, Expr) or node.kind != "arrow" or node.name != member:
            continue
        if node.args[0].name == base:
            yield node


@operator(31)
def end_taken_as_inclusive(s: Subject) -> Iterator[Site]:
    """range->end, the first byte behind the range, is used where the last one is wanted: the
    neighbouring page's object is invalidated too, or its slot counted.  Not where it is
    only printed."""
    for code in s.reached:
        for param in code.function.params:
            if not param.type.endswith("*") or "range" not in param.type:
                continue
            for read in _members(code, param.name, "end"):
                above = code.parent(read)
                if not isinstance(above, Expr) or above.kind != "binary" or above.name != "-":
                    continue
                if above.args[1].name == "1" and not _printed(code, above):
                    yield s.site(code, above, code.replace(above, code.raw(read)))


@operator(32)
def event_bits_tested(s: Subject) -> Iterator[Site]:
    """The event, a number, is tested for bits: other events match, and UNMAP, which is 0,
    never does."""
    for handler in s.range_handlers:
        code = handler.code
        for read in _members(code, handler.range, "event"):
            above = code.parent(read)
            if isinstance(above, Expr) and above.kind == "binary" and above.name in ("==", "!="):
                test = f"({code.text(above.args[0])} & {code.text(above.args[1])})"
                yield s.site(code, above, code.replace(above, "!" * (above.name == "!=") + test))


@operator(32)
def blockable_read_from_event(s: Subject) -> Iterator[Site]:
    """The flag for blocking is looked for among the bits of the event: whether the callback
    may sleep depends on the number of the event."""
    for handler in s.range_handlers:
        code = handler.code
        for call in code.calls(BLOCKABLE):
            new = f"({code.text(call.args[1])}->event & MMU_NOTIFIER_RANGE_BLOCKABLE)"
            yield s.site(code, call, code.replace(call, new))


@operator(32, flagged=True)
def blockable_compares_all_flags(s: Subject) -> Iterator[Site]:
    """The flags are compared as a whole: a range with another flag counts as one that must
    not block, and the core warns about the refusal."""
    for handler in s.range_handlers:
        code = handler.code
        for call in code.calls(BLOCKABLE):
            new = f"({code.text(call.args[1])}->flags == MMU_NOTIFIER_RANGE_BLOCKABLE)"
            yield s.site(code, call, code.replace(call, new))


@operator(32)
def range_written(s: Subject) -> Iterator[Site]:
    """A callback changes the range through a cast: the notifiers behind it in the list, and
    the end, see other bounds."""
    for handler in s.range_handlers:
        top = handler.code.top()
        if top is not None:
            new = f"((struct mmu_notifier_range *){handler.range})->end = {handler.range}->start;"
            yield s.site(handler.code, top, *handler.code.before(top, new))


@operator(33)
def vma_not_checked(s: Subject) -> Iterator[Site]:
    """range->vma is dereferenced although several callers give NULL: an oops.  On trees whose
    range has a vma."""
    for handler in s.range_handlers:
        top = handler.code.top()
        if top is not None:
            new = f"WARN_ON_ONCE({handler.range}->vma->vm_flags & VM_PFNMAP);"
            edits = handler.code.before(top, new)
            yield s.site(handler.code, top, *edits, header="linux/mm.h")


@operator(33)
def owner_read_without_event(s: Subject) -> Iterator[Site]:
    """The owner is read whatever the event is; only initialisers of some events set it: the
    callback acts on what was on the caller's stack."""
    for handler in s.range_handlers:
        code = handler.code
        for member in ("owner", "migrate_pgmap_owner"):
            for read in _members(code, handler.range, member):
                both = next(
                    (
                        a
                        for a in code.ancestors(read)
                        if isinstance(a, Expr) and a.kind == "binary" and a.name == "&&"
                    ),
                    None,
                )
                if both is not None and _reads_event(both.args[0]):
                    yield s.site(code, both, code.replace(both, code.raw(both.args[1])))


def _reads_event(expr: Expr) -> bool:
    return expr.name == "==" and expr.args[0].kind == "arrow" and expr.args[0].name == "event"


@operator(34)
def mmput_in_callback(s: Subject) -> Iterator[Site]:
    """A callback takes and drops a user of the mm: where it is the last one, mmput() runs
    exit_mmap(), which waits for the notifiers' SRCU that this callback runs under."""
    for handler in s.range_handlers:
        top = handler.code.top()
        if top is not None:
            mm = f"{handler.range}->mm"
            new = f"if (mmget_not_zero({mm})) mmput({mm});"
            edits = handler.code.before(top, new)
            yield s.site(handler.code, top, *edits, header="linux/sched/mm.h")


@operator(34)
def unregistered_in_callback(s: Subject) -> Iterator[Site]:
    """A callback unregisters its notifier, which waits until no callback runs: for itself."""
    for handler in s.range_handlers:
        last = handler.code.last_return()
        if last is None:
            continue
        if handler.interval:
            new = f"mmu_interval_notifier_remove({handler.notifier});"
        else:
            new = f"mmu_notifier_unregister({handler.notifier}, {handler.range}->mm);"
        yield s.site(handler.code, last, *handler.code.before(last, new))


@operator(34)
def fence_wait_interruptible(s: Subject) -> Iterator[Site]:
    """The wait for the device becomes interruptible, and its answer is only printed: a signal
    lets pages go that the device still uses."""
    for handler in s.range_handlers:
        code = handler.code
        for call in code.calls():
            if call.name.startswith("dma_resv_wait_timeout") and code.text(call.args[3]) == "false":
                yield s.site(code, call, code.replace(call.args[3], "true"))


def _set_seq(s: Subject) -> Iterator[tuple[Handler, Code, ExprStmt]]:
    for handler in s.range_handlers:
        for call in handler.code.calls("mmu_interval_set_seq"):
            stmt = handler.code.lone(call)
            if handler.interval and stmt is not None:
                yield handler, handler.code, stmt


@operator(35)
def set_seq_removed(s: Subject) -> Iterator[Site]:
    """The interval's sequence is not set: a page fault of the device that raced with the
    invalidation finds nothing changed, and maps the old page."""
    for _, code, stmt in _set_seq(s):
        yield s.site(code, stmt, code.remove(stmt))


def _takes(stmt: Stmt, code: Code) -> bool:
    """The statement takes a lock, in one call or in the branches of an if."""
    names = {*PAIRS, "mutex_trylock"}
    inside = [c for c in code.calls(*names) if stmt.span.start <= c.span.start < stmt.span.end]
    return bool(inside) and isinstance(stmt, If | ExprStmt)


@operator(35)
def set_seq_in_front_of_lock(s: Subject) -> Iterator[Site]:
    """The sequence is set in front of the lock that the driver retries under: a fault between
    the two sees the new sequence as its own, and maps the old page."""
    for _, code, stmt in _set_seq(s):
        lock = next((p for p in code.preceding(stmt) if _takes(p, code)), None)
        if lock is not None:
            yield s.site(code, stmt, *code.move_before(stmt, lock))


@operator(35)
def set_seq_behind_unlock(s: Subject) -> Iterator[Site]:
    """The sequence is set behind the unlock: in between, a fault of the device takes the lock,
    finds nothing changed, and maps the old page."""
    drops = set(PAIRS.values())
    for _, code, stmt in _set_seq(s):
        for later in code.following(stmt):
            if isinstance(later, ExprStmt) and later.expr.name in drops:
                yield s.site(code, stmt, *code.move_after(stmt, later))
                break
