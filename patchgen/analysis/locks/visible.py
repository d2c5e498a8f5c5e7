# SPDX-License-Identifier: GPL-2.0-only
"""What a caller sees of a callee's stores: members of what it is given, and globals."""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.cfg.graph import Graph
from patchgen.analysis.engine.program import Program
from patchgen.analysis.values.value import Known
from patchgen.kernel.locks import primitives, transferable
from patchgen.model.code import DoWhile, Expr, For, Function, If, Switch, While
from patchgen.source.c.text import bare, every, root, statements, subexpressions, substitute, text


def asked_members(program: Program) -> frozenset[str]:
    """Members and variables that a condition of some function mentions."""
    found: set[str] = set()
    for function in program.functions:
        for test in _tests(function):
            for part in subexpressions(test):
                if part.kind in ("member", "arrow", "name"):
                    found.add(part.name)
    return frozenset(found)


def _tests(function: Function) -> Iterator[Expr]:
    for stmt in statements(function.body):
        test: Expr | None = None
        if isinstance(stmt, (If, While, DoWhile, For)):
            test = stmt.test
        elif isinstance(stmt, Switch):
            test = stmt.value
        if test is not None:
            yield test
    for part in every(function.body):
        if part.kind == "cond":
            yield part.args[0]


def visible(graph: Graph, asked: frozenset[str]) -> dict[str, int]:
    """Subjects that a function sets and its callers see, by text, with their bits.

    Those of which the last part is ``asked`` for somewhere, and that begin at a parameter
    that is not set here or at a global.
    """
    stored = {bit for node in graph.nodes for bit, _ in node.sets}
    moved = {
        part.args[0].name
        for part in every(graph.function.body)
        if part.kind == "assign" and part.args[0].kind == "name"
    }
    found: dict[str, int] = {}
    for subject, bit in graph.bit_of.items():
        known = graph.subjects.all[subject]
        expr = known.expr
        if bit not in stored or not graph.shared >> bit & 1 or expr is None:
            continue
        if expr.kind not in ("name", "arrow", "member", "unary") or known.calls:
            continue
        last = expr.args[0].name if expr.kind == "unary" else expr.name
        if (expr.kind == "unary" or last in asked) and not known.names & (graph.locals | moved):
            found[known.text] = bit
    return found


def found_in_memory(graph: Graph) -> dict[str, int]:
    """Members of parameters and globals that a function's tests ask for, by text.

    For one that takes more often than it drops, or the reverse: its callers' calls must fit.
    """
    balance = 0
    for part in every(graph.function.body):
        primitive = primitives().get(part.name) if part.kind == "call" else None
        if primitive is not None:
            balance += 1 if primitive.acquires else -1
    if not balance:
        return {}
    asked = {node.condition.subject for node in graph.nodes if node.condition is not None}
    found = {}
    for subject, bit in graph.bit_of.items():
        known = graph.subjects.all[subject]
        plain = known.expr is not None and known.expr.kind in ("name", "arrow", "member")
        mine = bit in asked and plain and graph.shared >> bit & 1
        if mine and not known.names & graph.locals:
            found[known.text] = bit
    return found


def tested(graph: Graph) -> dict[str, int]:
    """Parameters by name that are no pointers, that tests ask for, and that are never set."""
    moved = {
        root(part.args[0])
        for part in every(graph.function.body)
        if part.kind in ("assign", "postfix") or part.name in ("++", "--", "&")
        if part.args
    }
    asked = 0
    for node in graph.nodes:
        if node.condition is not None and node.condition.subject >= 0:
            asked |= graph.reads[node.condition.subject]
    found = {}
    for param in graph.function.params:
        bit = graph.bit_of.get(graph.subjects.find(param.name), -1)
        if bit >= 0 and asked >> bit & 1 and "*" not in param.type and param.name not in moved:
            found[param.name] = bit
    return found


def in_callers_terms(expr: Expr, function: Function, call: Expr) -> str:
    """A callee's expression in terms of its caller: parameters are the arguments."""
    given = {
        param.name: argument
        for param, argument in zip(function.params, call.args[1:], strict=False)
    }
    return text(substitute(expr, given))


def as_the_caller_has_it(
    facts: tuple[tuple[str, Known], ...], graph: Graph, call: Expr
) -> tuple[tuple[str, Known], ...]:
    """A callee's facts in terms of its caller: parameters are the arguments of ``call``."""
    given = {
        param.name: argument
        for param, argument in zip(graph.function.params, call.args[1:], strict=False)
    }
    found = []
    for shown, known in facts:
        expr = graph.subjects.all[graph.subjects.find(shown)].expr
        if expr is not None:
            found.append((text(substitute(expr, given)), known))
    return tuple(found)


def mentioned(function: Function) -> tuple[frozenset[str], frozenset[str]]:
    """Variables that calls' arguments start at; references that are taken, as text."""
    named: set[str] = set()
    given: set[str] = set()
    for part in every(function.body):
        if part.kind != "call":
            continue
        for argument in part.args[1:]:
            named |= {root(sub) for sub in subexpressions(argument)}
        primitive = primitives().get(part.name)
        if primitive is not None and primitive.kind in transferable() and primitive.acquires:
            given |= {text(bare(argument)) for argument in part.args[1:2]}
    return frozenset(named - {""}), frozenset(given)
