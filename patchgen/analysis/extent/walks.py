# SPDX-License-Identifier: GPL-2.0-only
"""Calls that change page table entries, and the walks that bring other functions to them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from patchgen.analysis.engine.program import Program
from patchgen.kernel.knowledge import load, names
from patchgen.model.code import Decl, Expr, Function
from patchgen.model.facts import OpsTable
from patchgen.source.c.text import bare, root, statements, subexpressions

_WALK_OPS = "mm_walk_ops"


def alters(call: Expr) -> bool:
    """Whether the call takes an entry away, or takes a permission from it."""
    name = call.name
    return (
        name in names("ranges", "alters", "functions")
        or name in names("ranges", "removes", "functions")
        or name in names("ranges", "unshares", "functions")
    )


def address_of(call: Expr) -> Expr | None:
    """The address that an altering call works at: by its value or by a pointer to it."""
    position = 2 if call.name not in names("ranges", "unshares", "functions") else 3
    if len(call.args) == 4:  # f(vma or mm, address, entry)
        position = 2
    if len(call.args) <= position:
        return None
    found = bare(call.args[position])
    return bare(found.args[0]) if found.kind == "unary" and found.name == "&" else found


@cache
def walk_forms() -> dict[str, tuple[tuple[str, ...], ...]]:
    """The parameter lists that each page table walk has had, by name."""
    return {
        entry["function"]: tuple(tuple(form) for form in entry["parameters"])
        for entry in load("ranges")["walk"]
    }


def walk_arguments(call: Expr) -> dict[str, Expr]:
    """The arguments of a page table walk by parameter; {} for other calls."""
    for form in walk_forms().get(call.name, ()):
        if len(form) == len(call.args) - 1:
            return dict(zip(form, call.args[1:], strict=True))
    return {}


def walk_callbacks(program: Program, function: Function, call: Expr) -> Iterator[Function]:
    """The functions that a page table walk calls, as far as they are at hand."""
    given = walk_arguments(call)
    table = root_of_address(given.get("ops") or given.get("walk"))
    if not table:
        return
    for name in dict.fromkeys((*_in_tables(program, function, table), *_in_local(function, table))):
        yield from program.named(name, function.path)[:1]


def root_of_address(expr: Expr | None) -> str:
    """The variable whose address an argument is, or ""."""
    if expr is None:
        return ""
    expr = bare(expr)
    return root(expr.args[0]) if expr.kind == "unary" and expr.name == "&" else ""


def _in_tables(program: Program, function: Function, name: str) -> Iterator[str]:
    for table in program.tables:
        if is_walk(table) and (table.name, table.path) == (name, function.path):
            yield from (entry.function for entry in table.entries if entry.function)


def is_walk(table: OpsTable) -> bool:
    """Whether a table holds the callbacks of a page table walk."""
    return table.struct == _WALK_OPS


def _in_local(function: Function, name: str) -> Iterator[str]:
    """Callbacks of a local struct mm_walk (up to 5.3), set where it is declared."""
    for stmt in statements(function.body):
        for variable in stmt.variables if isinstance(stmt, Decl) else ():
            if variable.name == name and variable.init is not None:
                for part in subexpressions(variable.init):
                    if part.kind == "field" and part.args and bare(part.args[0]).kind == "name":
                        yield bare(part.args[0]).name
