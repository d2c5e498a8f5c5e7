# SPDX-License-Identifier: GPL-2.0-only
"""Answers of a loop's rounds that a later round writes over.

A walk asks for a flush by its answer; ``ret = handler()`` in its loop keeps that of the last
round alone, and the flush that an earlier one needs is lost.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.paths.bodies import Bodies
from patchgen.model.base import Evidence, Place
from patchgen.model.code import Decl, DoWhile, Expr, For, Function, MacroLoop, Return, While
from patchgen.source.c.text import bare, subexpressions
from patchgen.source.c.walk import expressions, walk


def lost_answers(bodies: Bodies) -> Iterator[Evidence]:
    """Where a function that was put in, and that calls what it was given, loses an answer."""
    asked = {what.removesuffix("()") for what in bodies.put_in.values()}
    for name in sorted(asked):
        for function in bodies.functions(name):
            yield from _lost(function)


def _lost(function: Function) -> Iterator[Evidence]:
    given = {param.name for param in function.params}
    returned = {
        part.name
        for stmt in walk(function.body)
        if isinstance(stmt, Return) and stmt.value is not None
        for part in subexpressions(stmt.value)
        if part.kind == "name"
    }
    for loop in walk(function.body):
        if not isinstance(loop, For | While | DoWhile | MacroLoop):
            continue
        own = {v.name for s in walk(loop) if isinstance(s, Decl) for v in s.variables}
        for expr in expressions(loop):
            target = bare(expr.args[0]) if expr.kind == "assign" else expr
            kept = expr.kind != "assign" or expr.name != "=" or target.name in own
            if kept or target.kind != "name" or target.name not in returned:
                continue
            if _calls_given(expr.args[1], given) and not _mentions(expr.args[1], target.name):
                text = f"{function.name}() keeps the answer of its last round alone"
                yield Evidence(Place(function.path, expr.line), text)


def _calls_given(value: Expr, given: set[str]) -> bool:
    """Whether a value is made by a function that the caller handed over."""
    calls = (part for part in subexpressions(value) if part.kind == "call")
    return any(bare(call.args[0]).name in given for call in calls)


def _mentions(value: Expr, name: str) -> bool:
    return any(part.kind == "name" and part.name == name for part in subexpressions(value))
