# SPDX-License-Identifier: GPL-2.0-only
"""What the nodes of one graph make of sets of facts, each found out once.

Paths come to a node with the same facts again and again: in other states of the checker, in
other rounds, in the walk of another checker.  A set of facts is a number here, and a step of
a path a look-up.  What a checker says goes in nowhere; one that is ``strict``, of which a
call's effects depend on it, has moves of its own, or shares them with its like.
"""

from __future__ import annotations

from typing import NamedTuple

from patchgen.analysis.cfg.build import build
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.cfg.graph import Graph
from patchgen.analysis.engine.known import Facts
from patchgen.model.code import Function


class Way(NamedTuple):
    """A way of a fork, where other code may change memory.

    ``known`` are the facts on it, ``vague`` whether the test is not followed; where they close
    it, ``changed`` are those for memory that changed since, and ``level`` who may have done so.
    """

    known: int
    vague: bool
    changed: int
    level: int


class Moves:
    """For one graph; 0 is the empty set of facts, -1 none at all: the way is closed."""

    __slots__ = ("_numbers", "facts", "forks", "kept", "pruned", "steps", "strict", "switches")

    def __init__(self, nodes: int) -> None:
        #: What :attr:`pruned` leaves beside what is asked for later.
        self.kept = 0
        self.facts: list[Facts] = [()]
        self._numbers: dict[Facts, int] = {(): 0}
        #: By node and facts: behind a step, both ways of a fork, the ways of a switch with the
        #: event on each, and what of the facts is asked for later.
        self.steps: list[dict[int, int]] = [{} for _ in range(nodes)]
        self.forks: list[dict[int, tuple[int, int]]] = [{} for _ in range(nodes)]
        self.strict: dict[tuple[int, int], tuple[Way, ...]] = {}
        self.switches: dict[tuple[int, int], tuple[tuple[Event, int, int], ...]] = {}
        self.pruned: list[dict[int, int]] = [{} for _ in range(nodes)]

    def number(self, facts: Facts | None) -> int:
        """The number of a set of facts."""
        if facts is None:
            return -1
        found = self._numbers.get(facts)
        if found is None:
            found = self._numbers[facts] = len(self.facts)
            self.facts.append(facts)
        return found


#: Functions whose graphs are kept; then all are dropped.
_GRAPHS = 512

#: Sets of facts that are kept for later walks: of one graph, of all.
_SETS, _ALL_SETS = 1 << 14, 1 << 16

#: Of each function: its graph, and what is known of moves in it.
_graphs: dict[int, tuple[Function, Graph, Moves]] = {}


def graph_of(function: Function) -> Graph:
    """The control-flow graph of ``function``; the last few hundred are kept."""
    return moves_of(function)[0]


def moves_of(function: Function) -> tuple[Graph, Moves]:
    """As :func:`graph_of`, with what earlier walks found out."""
    found = _graphs.get(id(function))
    if found is None or found[0] is not function:
        if len(_graphs) >= _GRAPHS:
            _graphs.clear()
        graph = build(function)
        found = _graphs[id(function)] = (function, graph, Moves(len(graph.nodes)))
    return found[1], found[2]


def trim(function: Function, moves: Moves) -> None:
    """Drop what is too much to keep; a walk that is under way still has its own."""
    if len(moves.facts) > _SETS:
        dropped = [id(function)]
    elif sum(len(one.facts) for _, _, one in _graphs.values()) > _ALL_SETS:
        dropped = list(_graphs)
    else:
        return
    for key in dropped:
        if key in _graphs:
            owner, graph, _ = _graphs[key]
            _graphs[key] = (owner, graph, Moves(len(graph.nodes)))
