# SPDX-License-Identifier: GPL-2.0-only
"""What a section does beside the calls that its walk follows: stores, asm, moved bounds.

Read off the function's text as a whole, so it asks for more than paths would: a store to
the entry is one, however it is written, and what was announced must stay as announced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from patchgen.analysis.entries.objection import MISFIT, UNTOLD, Objection
from patchgen.kernel.knowledge import names
from patchgen.model.base import Place
from patchgen.model.code import (
    Asm,
    Decl,
    DoWhile,
    Expr,
    ExprStmt,
    For,
    Function,
    MacroLoop,
    Stmt,
    While,
)
from patchgen.source.c.text import bare, text
from patchgen.source.c.walk import calls, expressions, walk

_GROUPS = ("clears", "sets", "notifies")
#: What may be given the range: the section's own calls (include/linux/mmu_notifier.h).
_RANGE_CALLS = "mmu_notifier_"
_WORD = re.compile(r"\b[A-Za-z_]\w*\b")


def beside(function: Function, range_name: str, init: Expr) -> Iterator[Objection]:
    """Why a section may change more than its walk saw, or something else than announced.

    ``init`` is the start argument of the range's initialisation.
    """
    yield from _stores(function)
    yield from _range_changed(function, range_name, init)
    yield from moved(function, init)


def _untold(function: Function, line: int, reason: str) -> Objection:
    return Objection(UNTOLD, Place(function.path, line), reason)


def _misfit(function: Function, line: int, reason: str) -> Objection:
    return Objection(MISFIT, Place(function.path, line), reason)


def _stores(function: Function) -> Iterator[Objection]:
    entries = _pointers(function)
    for node in walk(function.body):
        if isinstance(node, Asm):
            yield _untold(function, node.line, "assembly, which may change entries")
        elif isinstance(node, ExprStmt) and node.expr.kind == "name":
            yield _untold(
                function, node.line, f"{node.expr.name} is a macro that may change entries"
            )
        elif isinstance(node, Expr) and _changes(node) and _through(node.args[0], entries):
            yield _untold(function, node.line, "an entry is set without a notification")


def _changes(expr: Expr) -> bool:
    return expr.kind == "assign" or (
        expr.kind in ("postfix", "unary") and expr.name in ("++", "--")
    )


def _through(target: Expr, entries: frozenset[str]) -> bool:
    """Whether an lvalue lies behind one of the pointers."""
    expr, behind = bare(target), False
    while True:
        if behind and text(expr) in entries:
            return True
        follows = expr.kind in ("arrow", "index") or (expr.kind == "unary" and expr.name == "*")
        steps = expr.kind in ("member", "unary", "binary", "cast") and expr.args
        if not follows and not steps:
            return False
        behind = behind or follows
        expr = bare(expr.args[0])


def _pointers(function: Function) -> frozenset[str]:
    """Pointers to entries, as written: those that primitives are given, and their copies."""
    found = {
        text(bare(call.args[-2 if group != "clears" else -1]))
        for group in _GROUPS
        for call in calls(function.body)
        if call.name in names("entries", group) and len(call.args) > 3
    }
    copies = [*_copies(function)]
    while True:
        more = {name for name, value in copies if value in found}
        more |= {value for name, value in copies if name in found}
        if more <= found:
            return frozenset(found)
        found |= more


def _copies(function: Function) -> Iterator[tuple[str, str]]:
    for node in walk(function.body):
        if isinstance(node, Decl):
            yield from ((v.name, text(bare(v.init))) for v in node.variables if v.init)
        elif isinstance(node, Expr) and node.kind == "assign" and node.name == "=":
            yield text(bare(node.args[0])), text(bare(node.args[1]))


def stored_by(function: Function) -> int:
    """Line at which a callee stores through a pointer to an entry that it is given, or 0.

    Assembly counts: what it stores is not known.
    """
    given = frozenset(p.name for p in function.params if "pte_t" in p.type and "*" in p.type)
    copies = [*_copies(function)]
    reached = set(given)
    while more := {name for name, value in copies if value in reached} - reached:
        reached |= more
    for node in walk(function.body):
        if isinstance(node, Asm):
            return node.line
        if not isinstance(node, Expr) or not _changes(node):
            continue
        if _through(node.args[0], frozenset(reached)):
            return node.line
    return 0


def _range_changed(function: Function, range_name: str, init: Expr) -> Iterator[Objection]:
    """Every mention of the range behind its initialisation, but reads and the section's calls."""
    for expr in expressions(function.body):
        if expr.span.start < init.span.end:
            continue
        if _changes(expr) and _base(expr.args[0]) == range_name:
            yield _misfit(function, expr.line, "the range is changed after its initialisation")
        for arg in map(bare, expr.args[1:] if expr.kind == "call" else ()):
            taken = arg.kind == "unary" and arg.name == "&" and _base(arg.args[0]) == range_name
            whole = arg.kind == "name" and arg.name == range_name
            own = taken and expr.name.startswith(_RANGE_CALLS)
            if (taken or whole) and not own:
                yield _misfit(function, expr.line, f"{expr.name}() is given the range")
    for name, value in _given(function):
        if value.kind == "unary" and value.name == "&" and _base(value.args[0]) == range_name:
            yield _misfit(function, value.line, f"{name} is another name for the range")


def _given(function: Function) -> Iterator[tuple[str, Expr]]:
    for node in walk(function.body):
        if isinstance(node, Decl):
            yield from ((v.name, bare(v.init)) for v in node.variables if v.init)
        elif isinstance(node, Expr) and node.kind == "assign":
            yield text(node.args[0]), bare(node.args[1])


def hidden(
    function: Function, range_name: str, macros: Mapping[str, Sequence[str]]
) -> Iterator[Objection]:
    """Macros of the file that the function uses and that name its range, or its entries.

    ``macros`` are their bodies by name; what they do is not seen at the place of use.
    """
    local = {word for word in (range_name, *_pointers(function)) if word.isidentifier()}
    for expr in expressions(function.body):
        if expr.kind in ("name", "call") and expr.name in macros:
            words = {word for body in macros[expr.name] for word in _WORD.findall(body)}
            if words & local:
                reason = f"{expr.name} is a macro that may change the range or an entry"
                yield _misfit(function, expr.line, reason)


def moved(function: Function, init: Expr) -> Iterator[Objection]:
    """The address announced may be another one when a change of the entry is told.

    ``init`` is the address as announced, or what that was set to.
    """
    told = [c for c in calls(function.body) if c.name in names("entries", "notifies")]
    last = max((call.span.end for call in told), default=0)
    announced = text(bare(init))
    base = _base(init)
    for expr in expressions(function.body):
        if not init.span.end <= expr.span.start < last:
            continue
        steps = _changes(expr) and text(bare(expr.args[0])) in (announced, base)
        taken = expr.kind == "unary" and expr.name == "&"
        if steps or (taken and text(bare(expr.args[0])) == announced):
            yield _misfit(function, expr.line, f"{announced} may move within the section")
    for loop in _loops(function.body):
        inside = [call for call in told if call.span.start in loop.span]
        if inside and init.span.start not in loop.span:
            yield _misfit(function, inside[0].line, "several entries may be told of in a loop")


def _loops(body: Stmt) -> Iterator[Stmt]:
    return (n for n in walk(body) if isinstance(n, While | DoWhile | For | MacroLoop))


def _base(expr: Expr) -> str:
    """The variable that a place is in: also ``range`` of ``*(&range.flags)``."""
    expr = bare(expr)
    while expr.args:
        inner = bare(expr.args[0])
        again = expr.kind == "unary" and expr.name in ("*", "&") and inner.kind == "unary"
        if expr.kind in ("arrow", "unary") and inner.kind == "unary" and inner.name == "&":
            inner = bare(inner.args[0])
        elif expr.kind not in ("member", "arrow", "index", "cast") and not again:
            break
        expr = inner
    return expr.name if expr.kind == "name" else ""
