# SPDX-License-Identifier: GPL-2.0-only
"""Where a path can go on from a node, and with which facts."""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.cfg.graph import Graph, Node
from patchgen.analysis.engine.checker import Checker, S
from patchgen.analysis.engine.known import HARD, SHARED, Facts, kill, learn, lookup, prune
from patchgen.analysis.engine.moves import Moves, Way
from patchgen.analysis.engine.transfer import Transfer
from patchgen.analysis.values import value as values
from patchgen.analysis.values.value import ANY, Constant, Known


class Ways(Transfer[S]):
    """Ways through one function's graph, for one checker; facts are numbers of ``moves``."""

    def __init__(self, graph: Graph, checker: Checker[S], moves: Moves) -> None:
        super().__init__(graph, checker)
        self.moves = moves
        self.kept = self._kept()
        if self.strict:
            moves.kept = self.kept  # the same for all that share them
        #: A branch that nothing but a change of memory takes is there because it changes.
        self.certain: frozenset[tuple[int, bool]] = frozenset()
        #: Branches that were taken, and that only memory that changed would take.
        self.taken: set[tuple[int, bool]] = set()
        self.refused: set[tuple[int, bool]] = set()
        #: Branches that may be taken although a soft fact speaks against them.
        self.allowed: frozenset[tuple[int, bool]] = frozenset()

    def _kept(self) -> int:
        mask = 0
        if type(self.checker).keeps is not Checker.keeps:
            for subject, bit in self.graph.bit_of.items():
                if self.checker.keeps(self.graph.subjects.all[subject].text):
                    mask |= 1 << bit
        return mask

    def _moved(self, node: Node, number: int, facts: int) -> int:
        """Facts after what a node does of itself, whatever the checker says."""
        moved = self.moves.steps[number]
        known = moved.get(facts)
        if known is None:
            after = self._effects(node, number, self.moves.facts[facts], None)
            known = moved[facts] = self.moves.number(after)
        return known

    def _asked_behind(self, number: int, facts: int) -> int:
        """What of the facts is asked for at a node or behind it."""
        live = self.graph.nodes[number].live
        if self.kept != self.moves.kept:
            return self.moves.number(prune(self.moves.facts[facts], live | self.kept))
        pruned = self.moves.pruned[number]
        known = pruned.get(facts)
        if known is None:
            left = prune(self.moves.facts[facts], live | self.kept)
            known = pruned[facts] = self.moves.number(left)
        return known

    def _outcomes(self, node: Node, number: int) -> tuple[int, int]:
        """The facts on both ways of a fork."""
        condition = node.condition
        assert condition is not None and node.event is not None and node.no is not None
        bit, operator, constant, negated = condition
        facts = self.moves.facts[number]
        before = lookup(self.graph, facts, bit)
        found = []
        for event in (node.event, node.no[0]):
            narrowed = values.refine(before, operator, constant, event.polarity != negated)
            known = None if narrowed is None else self._narrowed(facts, bit, before, narrowed)
            found.append(self.moves.number(known))
        return found[0], found[1]

    def _strictly(
        self, node: Node, number: int, state: S, held: int
    ) -> Iterator[tuple[Event, int, S, int]]:
        """The ways of a fork where memory may change: event, target, state and facts of each."""
        assert node.event is not None and node.no is not None
        both = self.moves.strict.get((number, held))
        if both is None:
            both = self.moves.strict[number, held] = tuple(self._strict_ways(node, held))
        for way, (event, target) in zip(both, ((node.event, node.next), node.no), strict=True):
            edge = (number, event.polarity)
            if way.known >= 0:
                self.taken.add(edge)
                told = self.checker.unfollowed(state, event) if way.vague else state
                if told is not None:
                    yield event, target, told, way.known
            elif way.changed >= 0:
                self.refused.add(edge)
                if edge in self.allowed:
                    certain = edge in self.certain or number in self.graph.leaves
                    sure = certain and way.level == SHARED
                    told = state if sure else self.checker.doubtful(state, event)
                    yield event, target, told, way.changed

    def _strict_ways(self, node: Node, held: int) -> Iterator[Way]:
        condition = node.condition
        assert condition is not None and node.event is not None and node.no is not None
        bit, operator, constant, negated = condition
        facts = self.moves.facts[held]
        before = lookup(self.graph, facts, bit)
        for event in (node.event, node.no[0]):
            test = (operator, constant, event.polarity != negated)
            narrowed = values.refine(before, *test)
            known = None if narrowed is None else self._narrowed(facts, bit, before, narrowed)
            if known is not None:
                vague = bit >= 0 and self._is_vague(facts, bit, before)
                yield Way(self.moves.number(known), vague, -1, HARD)
            else:
                changed, level = self._if_changed(facts, bit, test)
                yield Way(-1, False, self.moves.number(changed), level)

    def _if_changed(
        self, facts: Facts, bit: int, test: tuple[str, Constant, bool]
    ) -> tuple[Facts | None, int]:
        """Facts where what a subject reads has changed, so that a test holds, and who may have.

        None where no other code may have changed it since it was known.
        """
        reads = self.graph.reads.get(bit, 0)
        soft, level = 0, HARD
        for mask, _, how in facts:
            if how and mask & reads:
                soft |= mask
                level = max(level, how)
        left = kill(facts, soft)
        narrowed = values.refine(lookup(self.graph, left, bit), *test) if soft else None
        return (None, level) if narrowed is None else (learn(left, bit, narrowed), level)

    def _cases(self, node: Node, held: int) -> Iterator[tuple[Event, int, int]]:
        """The ways of a switch that facts leave open, with the facts on each."""
        assert node.condition is not None
        facts = self.moves.facts[held]
        bit = node.condition.subject
        rest: Known | None = lookup(self.graph, facts, bit)
        # Of what cases took before: not taken off the rest before somebody asks for that.
        gone: set[Constant] = set()
        for constant, event, target in node.cases:
            if gone and not isinstance(constant, int):
                rest, gone = values.without(rest, gone) if rest is not None else None, set()
            if rest is None:
                break
            taken: Known | None = rest
            if isinstance(constant, int):
                taken = None if constant in gone else values.refine(rest, "==", constant, True)
                gone.add(constant)
            elif constant:
                taken = values.refine(rest, "==", constant, True)
                rest = values.refine(rest, "==", constant, False)
            if taken is None:
                continue
            known = facts
            if bit >= 0 and taken != ANY:
                known = self._narrowed(facts, bit, ANY, taken) or facts
            yield event, target, self.moves.number(known)
