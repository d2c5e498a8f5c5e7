# SPDX-License-Identifier: GPL-2.0-only
"""What the outcome of a test says of the values that it computes with."""

from __future__ import annotations

from patchgen.analysis.cfg.graph import Graph
from patchgen.analysis.engine.known import Facts, is_unsigned, join, learn, value_of
from patchgen.analysis.values import value as values
from patchgen.analysis.values.subjects import Formula, Operand
from patchgen.analysis.values.value import FAR, NONZERO, Known


def backwards(graph: Graph, facts: Facts, formula: Formula, result: Known) -> Facts | None:
    """Facts where ``formula`` has the value ``result``; None if it cannot."""
    left, right = formula.left, formula.right
    if not isinstance(left, Operand) or not isinstance(right, Operand):
        return facts
    if is_unsigned(graph, left, right) and any(
        value_of(graph, facts, part).lo < 0 for part in (left, right)
    ):
        return facts  # it is compared, or computed with, as a large number
    if formula.operator == "==":
        if values.truth(result):
            return join(facts, left.subject, right.subject)
        return facts
    if formula.operator in ("<", "<="):
        return _ordered(graph, facts, formula.operator, (left, right), values.truth(result))
    if formula.operator in ("&", "*") and values.truth(result):
        return _met(graph, _met(graph, facts, left, NONZERO), right, NONZERO)
    if formula.operator in ("+", "-"):
        return _moved(graph, facts, formula, result)
    return facts


def _moved(graph: Graph, facts: Facts, formula: Formula, result: Known) -> Facts | None:
    left, right = formula.left, formula.right
    assert isinstance(left, Operand) and isinstance(right, Operand)
    for part, other in ((left, right), (right, left)):
        if part.subject < 0 or not isinstance(other.constant, int):
            continue
        by = other.constant
        if formula.operator == "+":
            wanted = values.combine("-", result, Known(by, by))
        elif part is left:
            wanted = values.combine("+", result, Known(by, by))
        else:  # by - x
            lo = -FAR if result.hi == FAR else by - result.hi
            wanted = Known(lo, FAR if result.lo == -FAR else by - result.lo)
        return _met(graph, facts, part, wanted)
    return facts


def _ordered(
    graph: Graph, facts: Facts, operator: str, parts: tuple[Operand, Operand], holds: bool | None
) -> Facts | None:
    """Facts where ``left < right`` (or ``<=``) holds, or does not."""
    if holds is None:
        return facts
    low, high = parts if holds else (parts[1], parts[0])
    gap = int((operator == "<") == holds)
    below, above = value_of(graph, facts, low), value_of(graph, facts, high)
    upper = above.hi if above.hi == FAR else above.hi - gap
    lower = below.lo if below.lo == -FAR else below.lo + gap
    return _met(graph, _met(graph, facts, low, Known(hi=upper)), high, Known(lo=lower))


def _met(graph: Graph, facts: Facts | None, part: Operand, known: Known) -> Facts | None:
    if facts is None or part.subject < 0:
        return facts
    before = value_of(graph, facts, part)
    met = values.meet(before, known)
    if met is None:
        return None
    return facts if met == before else learn(facts, part.subject, met)
