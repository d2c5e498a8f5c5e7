# SPDX-License-Identifier: GPL-2.0-only
"""Questions about calls and their arguments, as far as ranges go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.summaries import Node
from patchgen.analysis.sections.sites import NONBLOCK, initialisers, role
from patchgen.model.code import Expr, ExprStmt, Function
from patchgen.source.c.text import bare, statements

#: Parameters of a function that a call gives as set (or as NULL).
Given: TypeAlias = frozenset[tuple[str, bool]]


def callees(program: Program, call: Expr, caller: Function) -> tuple[Function, ...]:
    """The functions that a call enters which may do something to a range of the caller."""
    if not any(may_lead_to_range(argument) for argument in call.args[1:]):
        return ()
    found = program.targets(call, caller)
    return tuple(f for f in found if takes_range(f) and f.name not in initialisers())


def given_to(call: Expr, callee: Function, given: Mapping[str, bool]) -> Given:
    """What a call makes known of its callee's pointers, with ``given`` known of the caller's."""
    found: dict[str, bool] = {}
    for param, argument in zip(callee.params, call.args[1:], strict=False):
        known = known_pointer(argument, given) if "*" in param.type else None
        if known is not None:
            found[param.name] = known
    return frozenset(found.items())


def entered(
    program: Program, node: Node[Given], quiet: Callable[[tuple[Function, ...]], bool]
) -> Iterator[Node[Given]]:
    """All that the function of ``node`` may enter, and with which pointers.

    Without calls of which all callees are ``quiet``: these do nothing to ranges.
    """
    given = dict(node.context)
    for call in program.calls(node.function):
        found = callees(program, call, node.function) if not role(call) else ()
        if not quiet(found):
            for callee in found:
                yield Node(callee, given_to(call, callee, given))


def root_of(key: str) -> str:
    """The variable that a key starts at."""
    name = key.lstrip("*(")
    for stop in ("->", ".", "[", ")"):
        name = name.partition(stop)[0]
    return name if name.isidentifier() else ""


def shown(key: str) -> str:
    """A key for messages: the pointer's name for what a pointer means."""
    return key[1:] if key.startswith("*") else key


def known_pointer(expr: Expr, given: Mapping[str, bool]) -> bool | None:
    """Whether a pointer expression (or a test of one) is set; None if open."""
    expr = bare(expr)
    if expr.kind == "name":
        return False if expr.name == "NULL" else given.get(expr.name)
    if expr.kind == "unary" and expr.name == "&":
        return True
    if expr.kind == "unary" and expr.name == "!":
        inner = known_pointer(expr.args[0], given)
        return None if inner is None else not inner
    if expr.kind == "binary" and expr.name in ("==", "!="):
        left, right = (bare(arg) for arg in expr.args)
        if right.name in ("NULL", "0") and left.kind == "name" and left.name in given:
            return given[left.name] == (expr.name == "!=")
    return None


def may_lead_to_range(argument: Expr) -> bool:
    """Whether an argument may be, or lead to, a range of the caller."""
    argument = bare(argument)
    if argument.kind == "unary" and argument.name == "&":
        return True
    return argument.kind in ("name", "arrow", "member") and argument.name != "NULL"


def takes_range(function: Function) -> bool:
    """Whether a function has a pointer to a structure among its parameters."""
    return any("struct" in param.type and "*" in param.type for param in function.params)


def passes_bounds(call: Expr) -> bool:
    """Whether a call gets the address of a member ``start`` or ``end``."""
    return any(
        target.kind == "unary"
        and target.name == "&"
        and bare(target.args[0]).kind in ("member", "arrow")
        and bare(target.args[0]).name in ("start", "end")
        for target in map(bare, call.args[1:])
    )


def ignored_results(function: Function) -> frozenset[int]:
    """Where a non-blocking start stands as a statement of its own."""
    return frozenset(
        bare(stmt.expr).span.start
        for stmt in statements(function.body)
        if isinstance(stmt, ExprStmt) and role(bare(stmt.expr)) == NONBLOCK
    )
