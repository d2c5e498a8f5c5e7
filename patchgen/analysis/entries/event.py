# SPDX-License-Identifier: GPL-2.0-only
"""The event that a section needs, from functions at hand, beside the one it declares.

Not every caller and callee is at hand: what is found is certain, what is missing
is not.  So only a change that was found counts, and no default.

Three kinds of stores say nothing against an event that promises protection only: to
entries that mapped no page before (swap entries, markers), to another process's new
entries (fork), and the unsharing of a hugetlb table on the way to a new protection.
So a replacement counts where the same entry was flushed before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from patchgen.analysis.engine.program import Program
from patchgen.analysis.entries.effects import Effect, calls, primitives
from patchgen.analysis.entries.section_code import INIT, Code, Site, reached, teardown
from patchgen.analysis.sections.sites import RangeInit
from patchgen.kernel.knowledge import names
from patchgen.model.base import Evidence, Place
from patchgen.model.code import Block, Decl, Expr, ExprStmt, Function, If
from patchgen.model.findings import Step
from patchgen.source.c.text import bare, every, root, statements, text

#: What each event admits, by the kinds of changes (analysis/entries/effects.py).
#: include/linux/mmu_notifier.h, enum mmu_notifier_event: SOFT_DIRTY is accounting,
#: PROTECTION_PAGE and PROTECTION_VMA leave the pages where they are.  Who passes over
#: SOFT_DIRTY writes on without setting the dirty bit again, if the section took that.
_ADMITS = {
    "MMU_NOTIFY_SOFT_DIRTY": frozenset({"soft-dirty", "kept", "unknown"}),
    "MMU_NOTIFY_PROTECTION_PAGE": frozenset(
        {"soft-dirty", "protect", "cleaned", "kept", "unknown"}
    ),
    "MMU_NOTIFY_PROTECTION_VMA": frozenset(
        {"soft-dirty", "protect", "pgprot", "cleaned", "kept", "unknown"}
    ),
}
#: Statements that do not leave a block before its end.
_STAYS = (ExprStmt, Decl, Block, If)
_WORDS = {
    "removed": "takes entries away",
    "replaced": "replaces entries",
    "moved": "moves entries to another address",
    "protect": "write-protects entries",
    "pgprot": "gives entries another protection",
    "cleaned": "takes the dirty bit from entries",
}
_NEEDS = {"removed": "MMU_NOTIFY_CLEAR", "replaced": "MMU_NOTIFY_CLEAR",
          "moved": "MMU_NOTIFY_UNMAP", "protect": "MMU_NOTIFY_PROTECTION_PAGE",
          "pgprot": "MMU_NOTIFY_PROTECTION_VMA", "cleaned": "MMU_NOTIFY_CLEAR"}  # fmt: skip


class Weaker(msgspec.Struct, frozen=True):
    """A section whose event promises more than it keeps: the event, why, the witness."""

    event: str
    message: str
    steps: tuple[Step, ...]


class Facts:
    """The functions of a program, as :class:`.section_code.Code` wants them."""

    def __init__(
        self, program: Program, read: Callable[[str], bytes | None] = lambda path: None
    ) -> None:
        self._read = read
        self._by_path: dict[str, list[Function]] = {}
        for function in program.functions:
            self._by_path.setdefault(function.path, []).append(function)

    def read(self, path: str) -> bytes | None:
        """The bytes of a file, for walk callbacks in tables at file scope."""
        return self._read(path)

    def paths_mentioning(self, *needles: str) -> tuple[str, ...]:
        """All files that have functions here: every one mentions the API."""
        return tuple(sorted(self._by_path))

    def functions(self, path: str) -> tuple[Function, ...]:
        """The functions of a file that are at hand."""
        return tuple(self._by_path.get(path, ()))


def declared(site: RangeInit) -> str:
    """The event that the site names as a constant, or ""."""
    event = site.arguments.get("event")
    name = bare(event).name if event is not None and bare(event).kind == "name" else ""
    return name if name.startswith("MMU_NOTIFY_") else ""


def possible(site: RangeInit) -> tuple[str, ...]:
    """The events that the site's argument may be, each named in its function; () if unknown.

    A ``?:`` may be either, a local variable anything that is stored in it.
    """
    event = site.arguments.get("event")
    found = _values(event, site.function) if event is not None else ("",)
    return () if "" in found else tuple(sorted(set(found)))


def _values(expr: Expr, function: Function, depth: int = 3) -> tuple[str, ...]:
    """The events of an expression; "" stands for one that is not known."""
    expr = bare(expr)
    if expr.kind == "cond" and len(expr.args) == 3:
        return tuple(v for arg in expr.args[1:] for v in _values(arg, function, depth))
    if expr.kind != "name":
        return ("",)
    if expr.name.startswith("MMU_NOTIFY_"):
        return (expr.name,)
    stored = _stored(function, expr.name) if depth else ()
    return tuple(v for one in stored for v in _values(one, function, depth - 1)) or ("",)


def _stored(function: Function, variable: str) -> tuple[Expr, ...]:
    """What is stored in a local of ``function``; () where that is not all known."""
    known: list[Expr] = []
    declared_here = 0
    for stmt in statements(function.body):
        for one in stmt.variables if isinstance(stmt, Decl) else ():
            if one.name == variable:
                declared_here += 1
                known += [one.init] if one.init is not None else []
    for part in every(function.body):
        if part.kind not in ("assign", "postfix", "unary") or root(part.args[0]) != variable:
            continue
        if part.kind == "assign" and part.name == "=":
            known.append(part.args[1])
        elif part.kind != "unary" or part.name in ("++", "--", "&"):
            return ()
    return tuple(known) if declared_here == 1 else ()


def weaker(site: RangeInit, code: Code) -> Weaker | None:
    """Why the declared event is weaker than what the section does, or None.

    Where it may be one of several, each of them is: no path is safe.
    """
    found = _each(site, code)
    return next((one for one in found if one is not None), None) if all(found) else None


def perhaps_weaker(site: RangeInit, code: Code) -> tuple[Weaker, bool] | None:
    """As :meth:`weaker`, of one of several events, and whether that is sure.

    It is where a ?: chooses, and the change follows on every path.  Else the path that
    takes the weaker event may not come to the change.
    """
    found = _each(site, code)
    if all(found):
        return None
    shown = [one for one in found if one is not None]
    chosen = _chosen(site.arguments.get("event"), site.function)
    sure = [one for one in shown if chosen and _always(site, one.steps[1])]
    if sure:
        return sure[0], True
    return (shown[0], False) if shown else None


def _chosen(expr: Expr | None, function: Function, depth: int = 3) -> bool:
    """Whether an event is made of ?: alone, with no store that another may overwrite."""
    if expr is None:
        return False
    expr = bare(expr)
    if expr.kind == "cond" and len(expr.args) == 3:
        return all(_chosen(arg, function, depth) for arg in expr.args[1:])
    if expr.kind != "name" or expr.name.startswith("MMU_NOTIFY_"):
        return expr.kind == "name"
    stored = _stored(function, expr.name) if depth else ()
    return len(stored) == 1 and _chosen(stored[0], function, depth - 1)


def _always(site: RangeInit, change: Step) -> bool:
    """Whether the change follows the initialisation on every path, in the same block."""
    for block in statements(site.function.body):
        if not isinstance(block, Block):
            continue
        behind = False
        for stmt in block.body:
            plain = isinstance(stmt, (ExprStmt, Decl))
            parts = list(every(stmt))
            if behind and plain and any(
                p.kind == "call" and f"{p.name}()" == change.text and p.line == change.place.line
                for p in parts
            ):  # fmt: skip
                return not any(p.kind == "cond" or p.name in ("&&", "||") for p in parts)
            if behind and not all(isinstance(s, _STAYS) for s in statements(stmt)):
                break
            behind = behind or (plain and any(p is site.call for p in parts))
    return False


def _each(site: RangeInit, code: Code) -> tuple[Weaker | None, ...]:
    if site.call.name != INIT:
        return ()
    return tuple(_weaker(event, site, code) for event in possible(site))


def _weaker(event: str, site: RangeInit, code: Code) -> Weaker | None:
    section = Site(site.function.path, site.function, site.call)
    if event in _ADMITS:
        return _too_weak(event, site, reached(section, code), code)
    if event == "MMU_NOTIFY_CLEAR":
        found = [one for one in reached(section, code) if one.kind == "removed"]
        freed = teardown(section, code) if found else None
        if freed is not None and freed.text in ("page tables are freed", "the vma is freed"):
            message = f"{event}, and the mapping itself goes: MMU_NOTIFY_UNMAP says so"
            return Weaker(event, message, _steps(site, found, freed))
    return None


def moves(site: RangeInit, code: Code) -> Place | None:
    """Where a section that declares MMU_NOTIFY_CLEAR moves entries elsewhere."""
    if site.call.name != INIT or declared(site) != "MMU_NOTIFY_CLEAR":
        return None
    found = reached(Site(site.function.path, site.function, site.call), code)
    return min((one.place for one in found if one.kind == "moved"), default=None)


def _too_weak(event: str, site: RangeInit, found: Iterable[Effect], code: Code) -> Weaker | None:
    found = tuple(found)
    protects = any(one.kind == "pgprot" for one in found)
    certain = [one for one in found if _counts(one, code, protects)]
    for kind in ("moved", "removed", "replaced", "pgprot", "protect", "cleaned"):
        shown = [one for one in certain if one.kind == kind]
        if shown and kind not in _ADMITS[event]:
            message = f"{event}, and the section {_WORDS[kind]}: that is {_NEEDS[kind]}"
            return Weaker(event, message, _steps(site, shown, None))
    return None


def _counts(one: Effect, code: Code, protects: bool) -> bool:
    """Whether an effect is certain to concern a mapped page of this section."""
    if one.kind == "removed":
        return not protects or one.text not in names("ranges", "unshares", "functions")
    return one.kind != "replaced" or _flushed_before(one, code)


def _flushed_before(one: Effect, code: Code) -> bool:
    """Whether the entry that is stored was taken away, with a flush, in the function."""
    known = primitives()
    for function in _holding(code, one.place):
        pointers = {
            text(bare(call.args[known.clear[call.name] + 1]))
            for call in calls(function)
            if call.name in names("ranges", "removes", "functions")
            and call.name in known.clear
            and len(call.args) > known.clear[call.name] + 1
        }
        for call in calls(function):
            at = {**known.store, **known.populate}.get(call.name)
            if call.line == one.place.line and call.name == one.text and at is not None:
                return text(bare(call.args[at[0] + 1])) in pointers
    return False


def _holding(code: Code, place: Place) -> Iterator[Function]:
    for function in code.defined_in(place.path):
        if function.line <= place.line <= function.end_line:
            yield function


def _steps(site: RangeInit, found: list[Effect], freed: Evidence | None) -> tuple[Step, ...]:
    first = min(found)
    steps = [Step(Place(site.function.path, site.call.line), "the range is initialised")]
    steps.append(Step(first.place, f"{first.text}()"))
    if freed is not None:
        steps.append(Step(freed.place, freed.text))
    return tuple(steps)
