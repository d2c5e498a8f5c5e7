# SPDX-License-Identifier: GPL-2.0-only
"""What one path knows: groups of subjects that are equal, with what is known of them.

A fact is ``(mask, known, soft)``: the subjects whose bits are in ``mask`` have the same
value, of which ``known`` holds.  How sure that still is says ``soft``: HARD; UNSEEN, where code
that is not at hand may have written it since; SHARED, where others run since; VAGUE, where
what is known is less than what the code at hand makes of it.
"""

from __future__ import annotations

from typing import TypeAlias

from patchgen.analysis.cfg.graph import Graph
from patchgen.analysis.values import value as values
from patchgen.analysis.values.subjects import Formula, Operand
from patchgen.analysis.values.types import INT
from patchgen.analysis.values.value import ANY, FAR, Known

#: Facts of one path, sorted.
Fact: TypeAlias = tuple[int, Known, int]
Facts: TypeAlias = tuple[Fact, ...]

HARD, UNSEEN, SHARED, VAGUE = range(4)

_DEEPEST = 8


def fact_of(facts: Facts, bit: int) -> Fact | None:
    """The fact that has this bit."""
    if bit >= 0 and facts:
        mask = 1 << bit
        for fact in facts:
            if fact[0] & mask:
                return fact
    return None


def lookup(graph: Graph, facts: Facts, bit: int, depth: int = 0) -> Known:
    """What is known of a subject: itself, by what it is computed from, by its pointer."""
    found = fact_of(facts, bit)
    known = found[1] if found is not None else ANY
    bounds = graph.types.get(bit)
    if bounds is not None:
        known = values.meet(known, bounds) or known
    if depth > _DEEPEST or (known.lo == known.hi):
        return known
    formula = graph.formulas.get(bit)
    if formula is not None:
        return values.meet(known, evaluate(graph, facts, formula, depth + 1)) or known
    other = pointee(graph, facts, bit)
    if other >= 0:
        return values.meet(known, lookup(graph, facts, other, depth + 1)) or known
    return known


def pointee(graph: Graph, facts: Facts, bit: int) -> int:
    """The subject that ``*p`` is, where it is known what p points to; else -1."""
    fact = fact_of(facts, graph.pointers.get(bit, -1))
    return addressed(graph, fact[1]) if fact is not None else -1


def addressed(graph: Graph, address: Known) -> int:
    """The bit of what lies at a known address, or -1."""
    expr = graph.subjects.addresses.get(address.symbol)
    return graph.operand(expr.args[0]).subject if expr is not None else -1


def value_of(graph: Graph, facts: Facts, operand: Operand, depth: int = 0) -> Known:
    """What is known of an operand."""
    if operand.constant is not None:
        return values.constant(operand.constant)
    return lookup(graph, facts, operand.subject, depth)


def evaluate(graph: Graph, facts: Facts, formula: Formula, depth: int = 0) -> Known:
    """What is known of a formula's value."""
    left, right = formula.left, formula.right
    if formula.operator in ("==", "<", "<=") and _same(facts, left, right):
        return values.ZERO if formula.operator == "<" else values.ONE
    one, two = (
        evaluate(graph, facts, part, depth)
        if isinstance(part, Formula)
        else value_of(graph, facts, part, depth)
        for part in (left, right)
    )
    found = values.combine(formula.operator, one, two)
    if min(one.lo, two.lo, found.lo) < 0 and is_unsigned(graph, left, right):
        # Below zero it wraps around, and what is compared with it does.
        open_ = formula.operator in ("-", "<", "<=", "==")
        return ANY if open_ and (found.lo < 0 or formula.operator != "-") else found
    return found


def is_unsigned(graph: Graph, *parts: Operand | Formula) -> bool:
    """Whether a part is a variable of an unsigned type that others are converted to."""
    for part in parts:
        width = graph.widths.get(part.subject) if isinstance(part, Operand) else None
        if width is not None and not width.signed and width.bits >= INT.bits:
            return True
    return False


def _same(facts: Facts, left: Operand | Formula, right: Operand | Formula) -> bool:
    """Whether two subjects are known to be equal."""
    if not isinstance(left, Operand) or not isinstance(right, Operand):
        return False
    if left.subject < 0 or right.subject < 0:
        return False
    fact = fact_of(facts, left.subject)
    return fact is not None and bool(fact[0] >> right.subject & 1)


def kill(facts: Facts, mask: int) -> Facts:
    """Facts after some subjects got values of which nothing is known."""
    for fact in facts:
        if fact[0] & mask:
            return tuple(sorted(_rest(facts, ~mask)))
    return facts


def prune(facts: Facts, live: int) -> Facts:
    """Facts on subjects that are asked for later."""
    for fact in facts:
        if fact[0] & ~live:
            return tuple(sorted(_rest(facts, live)))
    return facts


def _rest(facts: Facts, kept: int) -> list[Fact]:
    found = []
    for mask, known, soft in facts:
        left = mask & kept
        if left and (known != ANY or left & (left - 1) or soft == VAGUE):
            found.append((left, known, soft))
    return found


def soften(facts: Facts, mask: int, level: int) -> Facts:
    """Facts after other code may have changed what some subjects read."""
    for fact in facts:
        if fact[0] & mask and fact[2] < level:
            break
    else:
        return facts
    found: list[Fact] = []
    for group, known, soft in facts:
        hit = group & mask
        if soft >= level or not hit:
            found.append((group, known, soft))
            continue
        found += [(part, known, level if part == hit else soft) for part in (hit, group & ~hit)
                  if part and (known != ANY or part & (part - 1))]  # fmt: skip
    return tuple(sorted(found))


def learn(facts: Facts, bit: int, known: Known, soft: int = HARD) -> Facts:
    """Facts with what is known of a subject, and of all that are equal to it, replaced."""
    if bit < 0:
        return facts
    single = 1 << bit
    for number, (mask, _, _) in enumerate(facts):
        if mask & single:
            # Groups share no bit, so that they are in the order of their masks.
            return (*facts[:number], (mask, known, soft), *facts[number + 1 :])
    if known == ANY and soft != VAGUE:
        return facts
    return tuple(sorted((*facts, (single, known, soft))))


def softness(facts: Facts, mask: int) -> int:
    """How sure what some subjects are known to be is, at worst."""
    worst = HARD
    for group, _, soft in facts:
        if soft > worst and group & mask:
            worst = soft
    return worst


def is_vague(graph: Graph, facts: Facts, formula: Formula) -> bool:
    """Whether a formula's value follows from bounds that are known, and is not known for all that.

    Sums and comparisons of ranges are; of the other operators only numbers are followed.
    """
    if formula.operator == "?":
        return True
    if formula.operator in ("+", "-", "==", "<", "<="):
        parts = (part for part in (formula.left, formula.right) if isinstance(part, Formula))
        return any(is_vague(graph, facts, part) for part in parts)
    known = [lookup(graph, facts, leaf) for leaf in _subjects(formula)]
    return bool(known) and all(one.lo > -FAR and one.hi < FAR for one in known)


def _subjects(part: Operand | Formula) -> list[int]:
    if isinstance(part, Formula):
        return _subjects(part.left) + _subjects(part.right)
    return [part.subject] if part.constant is None else []


def join(facts: Facts, one: int, two: int) -> Facts | None:
    """Facts with two subjects known to be equal; None if they cannot be."""
    first, second = fact_of(facts, one), fact_of(facts, two)
    if one < 0 or two < 0 or (first is not None and first is second):
        return facts
    mask_one, known_one, soft_one = first or (1 << one, ANY, HARD)
    mask_two, known_two, soft_two = second or (1 << two, ANY, HARD)
    known = values.meet(known_one, known_two)
    if known is None:
        return None
    rest = [fact for fact in facts if fact is not first and fact is not second]
    return tuple(sorted((*rest, (mask_one | mask_two, known, max(soft_one, soft_two)))))
