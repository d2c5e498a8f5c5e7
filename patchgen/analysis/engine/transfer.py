# SPDX-License-Identifier: GPL-2.0-only
"""What one step of a path does to what is known: stores, calls, the outcome of tests."""

from __future__ import annotations

from typing import Generic

from patchgen.analysis.cfg.graph import Graph, Node
from patchgen.analysis.engine.backwards import backwards
from patchgen.analysis.engine.checker import Checker, Outcome, S
from patchgen.analysis.engine.known import (
    HARD,
    SHARED,
    UNSEEN,
    VAGUE,
    Facts,
    addressed,
    evaluate,
    fact_of,
    is_vague,
    join,
    kill,
    learn,
    lookup,
    pointee,
    soften,
    softness,
    value_of,
)
from patchgen.analysis.values import value as values
from patchgen.analysis.values.fitted import fitted, is_plain
from patchgen.analysis.values.subjects import Formula, Operand
from patchgen.analysis.values.types import CType
from patchgen.analysis.values.value import ANY, Known


class Transfer(Generic[S]):
    """Steps in one function's graph, for one checker."""

    def __init__(self, graph: Graph, checker: Checker[S]) -> None:
        self.graph = graph
        self.checker = checker
        self.strict = checker.strict
        #: By call: what it changes, what others may, and how (see ``known``).
        self.clobbered: dict[int, tuple[int, int, int]] = {}
        #: By call: what lies where its arguments point, if a callee writes there.
        self.filled: dict[int, tuple[int, ...]] = {}

    def _effects(self, node: Node, number: int, facts: Facts, told: Outcome[S] | None) -> Facts:
        """Facts after the node's own stores, and what a call may have changed."""
        result = told.value if told is not None else None
        call = self.strict and node.event is not None and node.event.kind == "call"
        if not node.writes and result is None and not call:
            return facts
        fresh = [self._made(target, source, facts) for target, source in node.sets]
        killed = node.kill
        unchanged = self._unchanged(node, facts)
        aliased = node.aliased | (node.far if self.strict else 0)
        through, shared = -1, 0
        if node.pointer >= 0:
            through = addressed(self.graph, lookup(self.graph, facts, node.pointer))
            if through >= 0:
                killed |= 1 << through | self._reading(through)
                aliased = 0
        if call and self.clobbered.get(number) != (0, 0, HARD):
            hard, soft, level = self._clobbered(node, number)
            killed |= hard
            if level == SHARED:
                shared = soft
            else:
                aliased |= soft
        known = kill(facts, killed) if self.strict else kill(facts, killed | aliased)
        if self.strict and aliased:
            known = soften(known, aliased, UNSEEN)
        if self.strict and shared:
            known = soften(known, shared, SHARED)
        for bit in self.filled.get(number, ()):
            known = learn(kill(known, 1 << bit), bit, ANY, VAGUE)
        for bit, value, soft in unchanged:
            known = learn(known, bit, value, soft)
        for target, value, source, vague in fresh:
            known = self._set(known, target, value, source, killed, vague)
            if through >= 0 and target != through:
                known = self._set(known, through, value, source, killed, vague)
        if result is not None and node.result >= 0:
            known = learn(known, node.result, result)
        return known if told is None else self._as_told(node, known, told)

    def _as_told(self, node: Node, facts: Facts, told: Outcome[S]) -> Facts:
        """Facts with what the checker says of a call's effects besides."""
        for shown, value in told.facts:
            bit = self._bit(shown)
            facts = learn(kill(facts, 1 << bit), bit, value) if bit >= 0 else facts
        for shown, value in told.also:
            bit = self._bit(shown)
            met = values.meet(lookup(self.graph, facts, bit), value) if bit >= 0 else None
            facts = facts if met is None else learn(facts, bit, met)
        if told.equals and node.result >= 0:
            facts = join(facts, node.result, self._bit(told.equals)) or facts
        return facts

    def _bit(self, shown: str) -> int:
        return self.graph.bit_of.get(self.graph.subjects.find(shown), -1)

    def _reading(self, bit: int) -> int:
        """What is computed from a subject."""
        reads = self.graph.reads
        return sum(1 << other for other in reads if other != bit and reads[other] >> bit & 1)

    def _unchanged(self, node: Node, facts: Facts) -> list[tuple[int, Known, int]]:
        """What is known of bits of a variable that a store to other bits of it leaves."""
        if node.keeps is None:
            return []
        always, same, named = node.keep
        sets = node.keeps[1]
        found = []
        for bit in (*always, *same, *named):
            known = lookup(self.graph, facts, bit)
            if known == ANY:
                continue
            if bit in always or values.truth(known) is sets or (bit in named and not self.strict):
                found.append((bit, known, HARD))
            elif bit in named:
                found.append((bit, ANY, VAGUE))
        return found

    def _clobbered(self, node: Node, number: int) -> tuple[int, int, int]:
        """Subjects that a call changes, and that it lets other code change."""
        found = self.clobbered.get(number)
        if found is None:
            assert node.event is not None
            clobber = self.checker.clobbers(node.event)
            index = self.graph.index
            hard = 0
            for member in clobber.members:
                hard |= index.named(member)
            if clobber.given and node.event.expr is not None:
                self.filled[number] = index.given(node.event.expr)
            soft = (self.graph.shared | index.escaped) if clobber.level else 0
            found = self.clobbered[number] = (hard, soft & ~hard, clobber.level)
        return found

    def _made(
        self, target: int, source: Operand | Known | Formula, facts: Facts
    ) -> tuple[int, Known, Operand | Known | Formula, bool]:
        """A store: what is known of the value, as one of the target's type."""
        value, vague = self._source(source, facts), self._made_vague(source, facts)
        width = self.graph.widths.get(target)
        if width is None and self.strict and not is_plain(value):
            return target, ANY, ANY, True
        if width is None:
            return target, value, source, vague
        fit, cut = fitted(value, width)
        if fit != value or cut:
            return target, fit, fit, vague or (cut and self.strict)
        if value == ANY and isinstance(source, Operand) and self._is_narrower(width, source):
            return target, value, value, self.strict
        return target, value, source, vague

    def _is_narrower(self, width: CType, source: Operand) -> bool:
        """Whether a store may change the value that it stores."""
        other = self.graph.widths.get(source.subject)
        return other is not None and width.bits < other.bits

    def _made_vague(self, source: Operand | Known | Formula, facts: Facts) -> bool:
        """Whether a value is made of what is known in a way that is not followed."""
        if not self.strict or isinstance(source, Known):
            return False
        formula = source if isinstance(source, Formula) else None
        if isinstance(source, Operand):
            if softness(facts, self.graph.reads.get(source.subject, 0)) == VAGUE:
                return True
            formula = self.graph.formulas.get(source.subject)
        return formula is not None and is_vague(self.graph, facts, formula)

    def _source(self, source: Operand | Known | Formula, facts: Facts) -> Known:
        if isinstance(source, Known):
            return source
        if isinstance(source, Operand):
            return value_of(self.graph, facts, source)
        return evaluate(self.graph, facts, source)

    def _set(
        self,
        facts: Facts,
        target: int,
        known: Known,
        source: object,
        killed: int,
        was_vague: bool = False,
    ) -> Facts:
        """Facts after a subject was set to a source's value, which it equals from now on."""
        facts = kill(facts, 1 << target)
        if was_vague and known == ANY:
            return learn(facts, target, known, VAGUE)
        if not isinstance(source, Operand) or source.subject in (-1, target):
            return learn(facts, target, known)
        joined = None if killed >> source.subject & 1 else join(facts, source.subject, target)
        fact = fact_of(joined, target) if joined is not None else None
        if joined is None or fact is None:
            return learn(facts, target, known)
        return learn(joined, target, known, fact[2]) if fact[1] == ANY else joined

    def _is_vague(self, facts: Facts, bit: int, before: Known) -> bool:
        """Whether the code at hand decides a test in a way that is not followed."""
        if softness(facts, self.graph.reads[bit]) == VAGUE:
            return True
        formula = self.graph.formulas.get(bit)
        if formula is None or before.lo == before.hi:
            return False
        return is_vague(self.graph, facts, formula) and fact_of(facts, bit) is None

    def _narrowed(self, facts: Facts, bit: int, before: Known, narrowed: Known) -> Facts | None:
        """Facts with the outcome of a comparison, for what it is computed from as well."""
        if bit < 0:
            return facts
        soft = SHARED if self.strict and self.graph.anew >> bit & 1 else HARD
        fact = fact_of(facts, bit)
        known = facts
        if narrowed != before or (fact is not None and fact[2]) or fact is None:
            known = learn(facts, bit, narrowed, soft)
        other = pointee(self.graph, facts, bit)
        if other >= 0:
            known = learn(known, other, narrowed)
        formula = self.graph.formulas.get(bit)
        return known if formula is None else backwards(self.graph, known, formula, narrowed)
