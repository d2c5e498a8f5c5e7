# SPDX-License-Identifier: GPL-2.0-only
"""The control-flow graph of one function.

Nodes are numbered; each holds at most one event.  :func:`finish` computes, for
each node, which tracked subjects its effects change and which are still asked
for later, so that the walker only handles bit masks.
"""

from __future__ import annotations

from collections import Counter

from patchgen.analysis.cfg.derive import derive, heads, kept, leaves, track
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.cfg.index import Index, addressed
from patchgen.analysis.cfg.node import CHOICE, FORK, LEAVE, PASS, STEP, STOP, SWITCH, Node, Setting
from patchgen.analysis.values.subjects import (
    OPEN,
    Formula,
    Operand,
    Subjects,
)
from patchgen.analysis.values.types import CType
from patchgen.analysis.values.value import Known
from patchgen.kernel.knowledge import names
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare


class Graph:
    """A function's nodes, its subjects, and where it starts."""

    __slots__ = (
        "anew", "bit_of", "counted", "entry", "formulas", "function", "index", "leaves", "limits",
        "locals", "nodes", "pointers", "reads", "shared", "steps", "subjects", "types", "unknown",
        "widths",
    )  # fmt: skip

    def __init__(self, function: Function) -> None:
        self.function = function
        self.nodes: list[Node] = []
        self.subjects = Subjects()
        self.entry = -1
        self.bit_of: dict[int, int] = {}
        self.limits: tuple[str, ...] = ()
        self.unknown: tuple[Event, ...] = ()
        self.locals: set[str] = set()
        self.index = Index(self)
        #: By bit: how it follows from others, all that it rests on, bounds it is held against.
        self.formulas: dict[int, Formula] = {}
        self.reads: dict[int, int] = {}
        self.steps: dict[int, tuple[int, ...]] = {}
        #: By the bit of ``*p``: the one of ``p``.
        self.pointers: dict[int, int] = {}
        #: What other code may change, what it may change at any time, what is counted.
        self.shared = 0
        self.anew = 0
        #: Forks with which a loop ends: what they ask must change.
        self.leaves: frozenset[int] = frozenset()
        self.counted = 0
        #: Variables of a type that has bounds, by bit.
        self.types: dict[int, Known] = {}
        #: Variables of arithmetic types, by bit.
        self.widths: dict[int, CType] = {}

    def operand(self, expr: Expr) -> Operand:
        """The constant or the tracked bit that ``expr`` evaluates to."""
        found = self.subjects.operand(expr)
        if found.subject < 0:
            return found
        bit = self.bit_of.get(found.subject, -1)
        return Operand(bit) if bit >= 0 else OPEN


def finish(graph: Graph) -> Graph:
    """Number the tracked subjects, and compute joins, kills and liveness."""
    order = _post_order(graph)
    graph.index.prepare(addressed(graph))
    track(graph, order)
    entered = Counter(target for number in order for target in graph.nodes[number].targets())
    entered[graph.entry] += 1
    for number in order:
        graph.nodes[number].join = entered[number] > 1
    heads(graph, order)
    derive(graph)
    _kills(graph, order)
    _liveness(graph, order)
    return graph


def _post_order(graph: Graph) -> list[int]:
    seen = bytearray(len(graph.nodes))
    order: list[int] = []
    stack: list[tuple[int, list[int]]] = [(graph.entry, graph.nodes[graph.entry].targets())]
    seen[graph.entry] = 1
    while stack:
        number, left = stack[-1]
        while left:
            target = left.pop()
            if not seen[target]:
                seen[target] = 1
                stack.append((target, graph.nodes[target].targets()))
                break
        else:
            order.append(number)
            stack.pop()
    return order


def _kills(graph: Graph, order: list[int]) -> None:
    index = graph.index
    index.fill()
    preserved = names("evaluation", "preserves", "functions") | names(
        "evaluation", "pure", "functions"
    )
    for number in order:
        node = graph.nodes[number]
        for target in node.kills:
            mask, maybe = index.changed(target)
            node.kill |= mask
            node.aliased |= maybe
            if target.kind == "unary":
                node.far |= index.escaped | graph.shared
        for target in node.loops:
            node.aliased |= index.changed(target)[0]
        event = node.event
        if event is not None and event.kind == "call" and event.expr is not None:
            if event.expr.name not in preserved:
                node.kill |= index.passed(event.expr)
            if node.result >= 0:
                node.kill |= 1 << node.result
        for bit, _ in node.sets:
            node.kill |= 1 << bit
        if node.keeps is not None:
            node.keep = kept(graph, *node.keeps)
        node.aliased &= ~node.kill
        node.far &= ~node.kill
        node.writes = bool(node.kill or node.sets or node.aliased)


def _decided(graph: Graph) -> int:
    """Variables that are set to what may be known: a callee may ask for them."""
    mask = 0
    for node in graph.nodes:
        for bit, _ in node.sets:
            mask |= 1 << bit
    return mask


def _passed(graph: Graph, call: Expr, decided: int) -> int:
    mask = 0
    for argument in call.args[1:]:
        if bare(argument).kind == "name":
            subject = graph.operand(argument).subject
            mask |= graph.reads[subject] if subject >= 0 else 0
    return mask


def _needs(graph: Graph, node: Node, decided: int) -> int:
    mask = 0
    if decided and node.event is not None and node.event.kind == "call" and node.event.expr:
        mask |= _passed(graph, node.event.expr, decided)
    if node.condition is not None and node.condition.subject >= 0:
        mask |= graph.reads[node.condition.subject]
    for _, source in node.sets:
        if not isinstance(source, Known):
            for leaf in leaves(source):
                mask |= graph.reads.get(leaf, 0)
    mask |= 1 << node.pointer if node.pointer >= 0 else 0
    for bit in (*node.keep[0], *node.keep[1], *node.keep[2]):
        mask |= graph.reads[bit]
    if node.shape == LEAVE and node.event is not None and node.event.expr is not None:
        subject = graph.operand(node.event.expr).subject
        mask |= graph.reads[subject] if subject >= 0 else 0
    return mask


def _liveness(graph: Graph, order: list[int]) -> None:
    nodes = graph.nodes
    for number in order:
        nodes[number].live = 0
    decided = _decided(graph)
    needs = {number: _needs(graph, nodes[number], decided) for number in order}
    targets = {number: nodes[number].targets() for number in order}
    sources: dict[int, list[int]] = {}
    for number in order:
        for target in targets[number]:
            sources.setdefault(target, []).append(number)
    pending, queued = list(reversed(order)), bytearray(b"\1" * len(nodes))
    while pending:
        number = pending.pop()
        queued[number] = 0
        node = nodes[number]
        after = 0
        for target in targets[number]:
            after |= nodes[target].live
        live = (after & ~node.kill) | needs[number]
        if live != node.live:
            node.live = live
            for source in sources.get(number, ()):
                if not queued[source]:
                    queued[source] = 1
                    pending.append(source)


__all__ = [
    "CHOICE",
    "FORK",
    "LEAVE",
    "PASS",
    "STEP",
    "STOP",
    "SWITCH",
    "Graph",
    "Node",
    "Setting",
    "finish",
]
