# SPDX-License-Identifier: GPL-2.0-only
"""Sections that change_pte() covers: MMU_NOTIFIER_USE_CHANGE_PTE may be set.

A section qualifies when it is one page long, every cleared entry is written by
set_pte_at_notify() on each path (putting the old entry back is harmless), and a new
page only ever replaces an entry that was compared before: else a writable entry
could change its page, which change_pte() cannot follow.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.entries.beside import beside
from patchgen.analysis.entries.effects import argument, calls, primitives, stores
from patchgen.analysis.entries.section_code import Code, Site, pieces, reached
from patchgen.model.base import Place, Span
from patchgen.model.code import Block, Break, Continue, Expr, Function, Goto, If, Return, Stmt
from patchgen.model.plan import LeftAlone
from patchgen.source.c.text import every, statements, text

NOTIFY = "set_pte_at_notify"
_LEAVES = (Goto, Return, Break, Continue)


def verdict(site: Site, code: Code) -> bool | LeftAlone:
    """True to flag; a reason for a site that notifies but may not; else False."""
    found = reached(site, code)
    notified = [effect for effect in found if effect.text == NOTIFY]
    if not notified:
        return False
    if not _one_page(site):
        return LeftAlone(notified[0].place, "the section may be longer than one page")
    start = argument(site.call, len(site.call.args) - 3)
    range_name = text(site.call.args[1]).lstrip("&")
    for more in beside(site.function, range_name, start) if start is not None else ():
        return LeftAlone(more.place, more.text)
    unknown = [effect for effect in found if effect.kind == "unknown"]
    if unknown:
        return LeftAlone(unknown[0].place, "code that was not understood")
    elsewhere = [e for e in found if e.place.path != site.path or not _inside(e.place, site)]
    if elsewhere:
        return LeftAlone(elsewhere[0].place, "a function that is called changes entries, too")
    spans = [span for piece in pieces(site, code) for span in piece.spans]
    return _own_changes(site.function, spans)


def _own_changes(function: Function, spans: list[Span]) -> bool | LeftAlone:
    known = primitives()
    for call in (call for span in spans for call in calls(function, span)):
        place = Place(function.path, call.line)
        if call.name in known.protect:
            return LeftAlone(place, f"{call.name}() changes an entry unnotified")
        if call.name in known.clear and not _always_notified(function, call):
            return LeftAlone(place, "an entry may be cleared without a notification")
    for span in spans:
        for call, kind in stores(function, span):
            place = Place(function.path, call.line)
            if call.name != NOTIFY and kind != "kept":
                return LeftAlone(place, f"{call.name}() changes an entry unnotified")
            if call.name == NOTIFY and kind == "new" and not _compared(function, span, call):
                return LeftAlone(
                    place, "a writable entry may change its page: no pte_same() before"
                )
    return True


def _one_page(site: Site) -> bool:
    start, end = (argument(site.call, len(site.call.args) - 3 + i) for i in (0, 1))
    return (
        start is not None
        and end is not None
        and end.kind == "binary"
        and end.name == "+"
        and text(end.args[0]) == text(start)
        and text(end.args[1]) == "PAGE_SIZE"
    )


def _inside(place: Place, site: Site) -> bool:
    return site.function.line <= place.line <= site.function.end_line


def _compared(function: Function, span: Span, store: Expr) -> bool:
    return any(
        call.name == "pte_same" and call.span.start < store.span.start
        for call in calls(function, span)
    )


def _always_notified(function: Function, clear: Expr) -> bool:
    """Whether what follows ``clear`` in its block notifies, or undoes and leaves."""
    for block in statements(function.body):
        if isinstance(block, Block):
            for number, stmt in enumerate(block.body):
                if clear.span.start in stmt.span and not _deeper(stmt, clear):
                    return _notifies(function, block.body[number:])
    return False


def _deeper(stmt: Stmt, clear: Expr) -> bool:
    """Whether ``clear`` stands in a block below ``stmt``."""
    return any(
        isinstance(inner, Block) and clear.span.start in inner.span for inner in statements(stmt)
    )


def _notifies(function: Function, following: tuple[Stmt, ...]) -> bool:
    for stmt in following:
        leaves = any(isinstance(inner, _LEAVES) for inner in statements(stmt))
        if isinstance(stmt, If) and leaves:
            if not any(kind == "kept" for _, kind in stores(function, stmt.span)):
                return False
        elif leaves:
            return False
        elif not isinstance(stmt, If) and any(call.name == NOTIFY for call in _calls(stmt)):
            return True
    return False


def _calls(stmt: Stmt) -> Iterator[Expr]:
    return (expr for expr in every(stmt) if expr.kind == "call")
