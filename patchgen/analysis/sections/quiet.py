# SPDX-License-Identifier: GPL-2.0-only
"""Functions that do nothing to ranges, whatever their callers give them.

Most of what is called beside a range never heard of ranges: that is told from the call graph,
and no path of theirs is walked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from patchgen.analysis.cfg import events
from patchgen.analysis.cfg.graph import FORK, LEAVE, Graph, Node
from patchgen.analysis.engine import summaries
from patchgen.analysis.engine.known import lookup
from patchgen.analysis.engine.program import Program, declared_types
from patchgen.analysis.engine.walk import graph_of
from patchgen.analysis.sections.calls import callees
from patchgen.analysis.sections.predicates import Predicates
from patchgen.analysis.sections.sites import role
from patchgen.analysis.values import value as values
from patchgen.model.code import Expr, Function

_Node = summaries.Node[None]


class _Answer(NamedTuple):
    """``touches``: a range, or it is not known; ``returns``: there is a way out."""

    touches: bool
    returns: bool


_TOUCHES = _Answer(True, True)


class Quiet:
    """The functions of one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._summaries = summaries.Summaries(self)

    def all(self, functions: tuple[Function, ...]) -> bool:
        """Whether each of some functions (one at least) returns, and touches no range."""
        found = [self._summaries.of(summaries.Node(one, None)) for one in functions]
        return bool(found) and all(one.returns and not one.touches for one in found)

    def _names_one(self, function: Function) -> bool:
        """Whether a range is declared in the function, or started or ended by it."""
        if any(role(call) for call in self.program.calls(function)):
            return True
        return any("mmu_notifier_range" in one for one in declared_types(function).values())

    # -- how summaries are made (engine/summaries.py) --------------------------

    def callees(self, node: _Node) -> Iterator[_Node]:
        """What the function enters, where it has nothing to do with ranges itself."""
        function = node.function
        if not self._names_one(function):
            for call in self.program.calls(function):
                for callee in callees(self.program, call, function):
                    yield summaries.Node(callee, None)

    def start(self, node: _Node) -> _Answer:
        """Before the first round, a function of a circle returns on no path."""
        return _Answer(False, False)

    def compute(self, node: _Node, ask: Callable[[_Node], _Answer]) -> _Answer:
        """By its own text, and by what it enters."""
        function = node.function
        if self._names_one(function) or any(ask(one).touches for one in self.callees(node)):
            return _TOUCHES
        graph = graph_of(self.program.once(Predicates).written_out(function))
        return _TOUCHES if graph.limits else self._through(graph, function, ask)

    def _through(
        self, graph: Graph, function: Function, ask: Callable[[_Node], _Answer]
    ) -> _Answer:
        """Whether a way leads out of the graph, and all on the ways is understood."""
        todo, seen = [graph.entry], {graph.entry}
        returns = False
        while todo:
            node = graph.nodes[todo.pop()]
            event = node.event
            if event is not None and event.kind == events.UNKNOWN:
                return _TOUCHES
            returns = returns or node.shape == LEAVE
            if event is not None and event.kind == events.CALL and event.expr is not None:
                found = [ask(one) for one in self._entered(event.expr, function)]
                if any(one.touches for one in found):
                    return _TOUCHES
                if found and not any(one.returns for one in found):
                    continue
            following = _open(graph, node) if node.shape == FORK else node.targets()
            todo += [number for number in following if number not in seen]
            seen.update(following)
        return _Answer(False, returns)

    def _entered(self, call: Expr, function: Function) -> Iterator[_Node]:
        for callee in callees(self.program, call, function):
            yield summaries.Node(callee, None)

    def same(self, before: _Answer, after: _Answer) -> bool:
        """Whether a round changed nothing."""
        return before == after

    def unsettled(self, node: _Node, first: _Answer) -> _Answer:
        """Of what does not settle nothing is known."""
        return _TOUCHES


def _open(graph: Graph, node: Node) -> list[int]:
    """The ways of a fork that constants alone leave open."""
    assert node.condition is not None and node.event is not None and node.no is not None
    bit, operator, constant, negated = node.condition
    before = lookup(graph, (), bit)
    ways = ((node.event, node.next), node.no)
    return [
        target
        for event, target in ways
        if values.refine(before, operator, constant, event.polarity != negated) is not None
    ]
