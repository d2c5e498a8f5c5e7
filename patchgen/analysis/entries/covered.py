# SPDX-License-Identifier: GPL-2.0-only
"""Whether change_pte() covers everything that a notifier section changes.

The question of the change_pte flag: a single-page section in which every change of
the page-table entry reaches set_pte_at_notify(), and every transition is one that
change_pte() can follow: read-only to read-write (same or new frame), read-write to
read-only (same frame), read-only to read-only (new frame), never to an entry that
maps no page.
"""

from __future__ import annotations

from collections.abc import Mapping

from patchgen.analysis.engine.walk import walk
from patchgen.analysis.entries.beside import beside
from patchgen.analysis.entries.entries import (
    MAYBE,
    OLD,
    READ_ONLY,
    WRITABLE,
    EntryWalk,
    Transition,
    read_only_at_callers,
)
from patchgen.model.base import Evidence, Place, Value
from patchgen.model.code import Decl, Expr, Function
from patchgen.source.c.text import bare, text
from patchgen.source.c.walk import walk as every


class Coverage(Value, frozen=True):
    """The answer for one section; ``faults`` is empty when change_pte() covers it.

    ``transitions`` are those that happen, in words; ``relied_on`` what the answer
    depends on outside the function.
    """

    function: str
    covered: bool
    faults: tuple[Evidence, ...]
    transitions: tuple[str, ...]
    relied_on: tuple[Evidence, ...] = ()


def section_coverage(
    function: Function,
    range_name: str,
    bounds: tuple[Expr, Expr] | None,
    known: Mapping[str, Function],
) -> Coverage:
    """Examine the section of ``range_name`` in ``function``.

    ``bounds`` are the start and end arguments of its initialisation; None with an
    empty ``range_name`` means that a caller holds the section open.  ``known`` are
    the file's functions by name.
    """
    checker = EntryWalk(known, range_name)
    result = walk(function, checker)
    faults: list[Evidence] = []

    def fault(line: int, reason: str) -> None:
        faults.append(Evidence(Place(function.path, line), reason))

    for found in sorted(checker.transitions):
        if not found.page:
            fault(found.line, "the new entry may map no page (a device-private swap entry)")
    for silent in sorted(checker.silent):
        fault(silent.line, silent.reason)
    for unknown in sorted(checker.unknown):
        fault(unknown.line, unknown.reason)
    if not result.complete:
        fault(function.line, result.bounded or "a statement in it was not understood")
    if bounds is not None:
        start, end = bounds
        faults += beside(function, range_name, start)
        if not _one_page(start, end):
            fault(start.line, f"the section may span several pages ({text(start)} to {text(end)})")
        for found in sorted(checker.transitions):
            if not _inside(found.address, _resolved(function, start)):
                fault(found.line, f"the notified address {found.address} may lie outside")
    if not checker.transitions:
        fault(function.line, "set_pte_at_notify() is not reached in it")
    relied: list[Evidence] = []
    for found in sorted(checker.transitions):
        reason = _forbidden(found, function, known, relied)
        if reason is not None:
            faults.append(reason)
    words = sorted({_words(found) for found in checker.transitions if found.page})
    return Coverage(
        function.name, not faults, tuple(dict.fromkeys(faults)), tuple(words), tuple(relied)
    )


def _forbidden(
    found: Transition, function: Function, known: Mapping[str, Function], relied: list[Evidence]
) -> Evidence | None:
    """Why a transition is none that change_pte() can follow, or None."""
    place = Place(function.path, found.line)
    if not found.page:
        return None  # said already
    if found.frame == OLD and found.write == READ_ONLY:
        return None
    if found.write not in (READ_ONLY, WRITABLE, MAYBE):
        return Evidence(place, "the new entry's write permission is not known")
    if found.old_write == READ_ONLY:
        return None
    if not found.need:
        return Evidence(place, "the old entry is not known to be read-only")
    fault = read_only_at_callers(function, found.need, known)
    if fault is not None:
        return fault
    relied.append(Evidence(Place(function.path, function.line), f"{found.need} is read-only"))
    return None


def _words(found: Transition) -> str:
    frame = "same page" if found.frame == OLD else "another page"
    target = {READ_ONLY: "read-only", WRITABLE: "read-write", MAYBE: "read-write"}.get(
        found.write, "unknown"
    )
    if found.frame == OLD and found.write == READ_ONLY:
        return f"read-write to read-only, {frame}"
    return f"read-only to {target}, {frame}"


def _one_page(start: Expr, end: Expr) -> bool:
    """Whether ``end`` is written as ``start + PAGE_SIZE``."""
    end = bare(end)
    return (
        end.kind == "binary"
        and end.name == "+"
        and text(bare(end.args[0])) == text(bare(start))
        and bare(end.args[1]).name == "PAGE_SIZE"
    )


def _inside(address: str, starts: tuple[str, ...]) -> bool:
    return any(start in (address, f"{address} & PAGE_MASK") for start in starts)


def _resolved(function: Function, start: Expr) -> tuple[str, ...]:
    """The start as written, and what it was set to where it is a variable set once."""
    written = text(bare(start))
    if bare(start).kind != "name":
        return (written,)
    values: list[Expr | None] = []
    for node in every(function.body):
        if isinstance(node, Decl):
            values += [v.init for v in node.variables if v.name == written and v.init]
        elif isinstance(node, Expr) and _sets(node, written):
            values.append(node.args[1] if node.kind == "assign" and node.name == "=" else None)
    if len(values) == 1 and values[0] is not None:
        return (written, text(bare(values[0])))
    return (written,)


def _sets(expr: Expr, name: str) -> bool:
    """Whether the expression assigns or steps the variable, or takes its address."""
    changes = expr.kind == "assign" or (
        expr.kind in ("postfix", "unary") and expr.name in ("++", "--", "&")
    )
    return changes and expr.args[0].kind == "name" and expr.args[0].name == name
