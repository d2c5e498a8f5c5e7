# SPDX-License-Identifier: GPL-2.0-only
"""Conditions on a local structure that decide about a start and again about its end.

The walk forgets what it knows of a structure when a call gets its address.  Where a
member is a parameter of the operation (a flag that asks for write protection), the
callee only reads it; unless the function assigns to it between the tests, or gives away
the address of the member itself, it decides the second time as it did the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from patchgen.analysis.sections.sites import END, INIT, NONBLOCK, START, range_of, role
from patchgen.analysis.values.subjects import is_pure
from patchgen.model.base import Span
from patchgen.model.code import Expr, Function, If
from patchgen.source.c.text import bare, every, root, statements, subexpressions, text

_SECTION = frozenset({INIT, START, NONBLOCK, END})


def guards(function: Function) -> frozenset[str]:
    """Canonical texts of such conditions."""
    asked: Counter[str] = Counter()
    between: dict[str, Span] = {}
    deciding: set[str] = set()
    for stmt in statements(function.body):
        if not isinstance(stmt, If):
            continue
        atoms = [text(atom) for atom in _atoms(stmt.test) if _on_local_structure(atom)]
        asked.update(atoms)
        for atom in atoms:
            first = between.get(atom, stmt.span).start
            between[atom] = Span(first, stmt.span.start)
        if atoms and any(part.kind == "call" and role(part) in _SECTION for part in every(stmt)):
            deciding.update(atoms)
    ranges = _ranges(function)
    found = {
        atom: between[atom]
        for atom in deciding
        if asked[atom] > 1 and not any(f"{base}." in atom for base in ranges)
    }
    return frozenset(set(found) - _changing(function, found)) if found else frozenset()


def _ranges(function: Function) -> set[str]:
    """The ranges themselves: their initialisation changes them."""
    found = (range_of(part) for part in every(function.body) if part.kind == "call" and role(part))
    return {text(target) for target in found if target is not None}


def _atoms(test: Expr) -> Iterator[Expr]:
    """The parts of a condition as the walk sees them: ``! && ||`` taken off."""
    pending = [test]
    while pending:
        part = bare(pending.pop())
        if (part.kind == "unary" and part.name == "!") or (
            part.kind == "binary" and part.name in ("&&", "||")
        ):
            pending.extend(reversed(part.args))
        elif part.kind == "call" and part.name in ("likely", "unlikely") and len(part.args) == 2:
            pending.append(part.args[1])
        else:
            yield part


def _on_local_structure(atom: Expr) -> bool:
    members = [part for part in subexpressions(atom) if part.kind == "member" and root(part)]
    return bool(members) and is_pure(atom)


def _changing(function: Function, found: dict[str, Span]) -> set[str]:
    """Those that mention what the function changes or gives away between the tests."""
    changed: set[str] = set()
    for part in every(function.body):
        if _writes(part):
            shown = text(part.args[0])
            changed |= {a for a, tests in found.items() if part.span.start in tests and shown in a}
    return changed


def _writes(part: Expr) -> bool:
    """An assignment, a step, or the address of a member."""
    if part.kind == "unary" and part.name == "&":
        return bare(part.args[0]).kind == "member"
    return part.kind in ("assign", "postfix") or (
        part.kind == "unary" and part.name in ("++", "--")
    )
