# SPDX-License-Identifier: GPL-2.0-only
"""The control-flow graph of one function.

Nodes are numbered; each holds at most one event.  :func:`finish` computes, for
each node, which tracked subjects its effects change and which are still asked
for later, so that the walker only handles bit masks.
"""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.values.subjects import OPEN, Condition, Operand, Subjects, holder
from patchgen.analysis.values.value import Constant, Known
from patchgen.kernel.knowledge import names
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare, subexpressions

PASS, STEP, FORK, CHOICE, SWITCH, LEAVE, STOP = range(7)

#: Subjects that are followed in one function; more are walked without memory.
TRACKED_LIMIT = 2048

#: ``subject = operand`` ("copy"), or ``subject`` is ``Known`` from now on.
Setting: TypeAlias = tuple[int, Operand | Known | str]


class Node:
    """One step: a pass-through, an event, a two-way fork, a switch or an end."""

    __slots__ = (
        "cases", "condition", "event", "join", "kill", "kills", "live", "next", "no",
        "result", "sets", "shape", "writes",
    )  # fmt: skip

    def __init__(self, shape: int, next_: int = -1) -> None:
        self.shape = shape
        self.next = next_
        self.event: Event | None = None
        self.no: tuple[Event, int] | None = None
        self.condition: Condition | None = None
        self.cases: tuple[tuple[Constant | None, Event, int], ...] = ()
        self.kills: tuple[Expr, ...] = ()
        self.sets: tuple[Setting, ...] = ()
        self.result = -1
        self.kill = 0
        self.live = -1
        self.join = False
        self.writes = False

    def targets(self) -> list[int]:
        """Numbers of the nodes that may follow."""
        if self.shape == SWITCH:
            return [target for _, _, target in self.cases]
        found = [self.next] if self.next >= 0 else []
        if self.no is not None:
            found.append(self.no[1])
        return found


class Graph:
    """A function's nodes, its subjects, and where it starts."""

    __slots__ = ("bit_of", "entry", "function", "limits", "locals", "nodes", "subjects", "unknown")

    def __init__(self, function: Function) -> None:
        self.function = function
        self.nodes: list[Node] = []
        self.subjects = Subjects()
        self.entry = -1
        self.bit_of: dict[int, int] = {}
        self.limits: tuple[str, ...] = ()
        self.unknown: tuple[Event, ...] = ()
        self.locals: set[str] = set()

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
    _track(graph, order)
    entered = Counter(target for number in order for target in graph.nodes[number].targets())
    entered[graph.entry] += 1
    for number in order:
        graph.nodes[number].join = entered[number] > 1
    _kills(graph, order)
    _liveness(graph, order)
    return graph


def _track(graph: Graph, order: list[int]) -> None:
    """Give bits to the subjects that are asked for, the most used first."""
    asked: Counter[int] = Counter()
    written: Counter[int] = Counter()
    for node in graph.nodes:
        if node.condition is not None:
            asked[node.condition.subject] += 1
        for target, source in node.sets:
            written[target] += 1
            if isinstance(source, Operand):
                asked[source.subject] += 1
        if node.result >= 0:
            written[node.result] += 1
        if node.shape == LEAVE and node.event is not None and node.event.expr is not None:
            asked[graph.subjects.operand(node.event.expr).subject] += 1
    results = {node.result for node in graph.nodes}
    uses = {
        subject: asked[subject] + written[subject]
        for subject in asked.keys() | written.keys()
        if subject >= 0 and (asked[subject] or subject not in results)
    }
    chosen = sorted(uses, key=lambda subject: (-uses[subject], subject))[:TRACKED_LIMIT]
    if len(uses) > TRACKED_LIMIT:
        # One that is asked once decides nothing twice, unless a loop comes back to it.
        twice = len(uses) if _has_loop(graph, order) else sum(n > 1 for n in uses.values())
        if twice > TRACKED_LIMIT:
            graph.limits += (f"only {TRACKED_LIMIT} of {twice} conditions are correlated",)
    graph.bit_of = {subject: bit for bit, subject in enumerate(chosen)}
    for node in graph.nodes:
        _renumber(graph, node)


def _has_loop(graph: Graph, order: list[int]) -> bool:
    """Whether an edge leads back: to a node that finishes later in post-order."""
    rank = {number: index for index, number in enumerate(order)}
    return any(
        rank[target] >= rank[number] for number in order for target in graph.nodes[number].targets()
    )


def _renumber(graph: Graph, node: Node) -> None:
    bits = graph.bit_of
    if node.condition is not None:
        node.condition = node.condition._replace(subject=bits.get(node.condition.subject, -1))
    node.result = bits.get(node.result, -1)
    sets: list[Setting] = []
    for target, source in node.sets:
        if target not in bits:
            continue
        if isinstance(source, Operand) and source.subject >= 0:
            source = Operand(bits.get(source.subject, -1))
        sets.append((bits[target], source))
    node.sets = tuple(sets)


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


class _Index:
    """Which tracked subjects mention a name, a member, or dereference."""

    def __init__(self, graph: Graph) -> None:
        self.names: dict[str, int] = {}
        self.fields: dict[str, list[tuple[str, int]]] = {}
        self.derefs = 0
        self.locals = graph.locals
        self.params = {param.name for param in graph.function.params}
        for subject, bit in graph.bit_of.items():
            known = graph.subjects.all[subject]
            mask = 1 << bit
            for mentioned in known.names:
                self.names[mentioned] = self.names.get(mentioned, 0) | mask
            for owner, field in known.fields:
                self.fields.setdefault(field, []).append((owner, mask))
            if known.derefs:
                self.derefs |= mask

    def changed(self, target: Expr) -> int:
        """Subjects that an assignment to ``target`` may change."""
        target = bare(target)
        if target.kind == "name":
            return self.names.get(target.name, 0)
        if target.kind in ("member", "arrow"):
            owner = holder(target)
            mask = 0
            for other, bit in self.fields.get(target.name, ()):
                if self._may_be_same(owner, other):
                    mask |= bit
            return mask
        if target.kind == "index":
            return self.derefs | self.changed(target.args[0])
        return self.derefs

    def _may_be_same(self, one: str, two: str) -> bool:
        """Whether two holders may be one object; a parameter never points to a local."""
        if one == two:
            return True
        if one[:1] != "*" and two[:1] != "*":
            return False
        local, pointer = (two, one) if one[:1] == "*" else (one, two)
        return pointer[1:] not in self.params or local not in self.locals

    def passed(self, call: Expr) -> int:
        """Subjects that may change because the call gets their address."""
        mask = 0
        for argument in call.args[1:]:
            for part in subexpressions(argument):
                if part.kind == "unary" and part.name == "&":
                    mask |= self.changed(part.args[0])
        return mask


def _kills(graph: Graph, order: list[int]) -> None:
    index = _Index(graph)
    preserved = names("evaluation", "preserves", "functions") | names(
        "evaluation", "pure", "functions"
    )
    for number in order:
        node = graph.nodes[number]
        for target in node.kills:
            node.kill |= index.changed(target)
        event = node.event
        if event is not None and event.kind == "call" and event.expr is not None:
            if event.expr.name not in preserved:
                node.kill |= index.passed(event.expr)
            if node.result >= 0:
                node.kill |= 1 << node.result
        for bit, _ in node.sets:
            node.kill |= 1 << bit
        node.writes = bool(node.kill or node.sets)


def _decided(graph: Graph) -> int:
    """Variables that are set to constants: a callee may ask for them."""
    mask = 0
    for node in graph.nodes:
        for bit, source in node.sets:
            if isinstance(source, Known):
                mask |= 1 << bit
    return mask


def _passed(graph: Graph, call: Expr, decided: int) -> int:
    mask = 0
    for argument in call.args[1:]:
        if bare(argument).kind == "name":
            subject = graph.operand(argument).subject
            mask |= 1 << subject if subject >= 0 else 0
    return mask & decided


def _needs(graph: Graph, node: Node, decided: int) -> int:
    mask = 0
    if decided and node.event is not None and node.event.kind == "call" and node.event.expr:
        mask |= _passed(graph, node.event.expr, decided)
    if node.condition is not None and node.condition.subject >= 0:
        mask |= 1 << node.condition.subject
    for target, source in node.sets:
        if isinstance(source, Operand) and source.subject >= 0:
            mask |= 1 << source.subject
        elif isinstance(source, str):
            mask |= 1 << target
    if node.shape == LEAVE and node.event is not None and node.event.expr is not None:
        subject = graph.operand(node.event.expr).subject
        mask |= 1 << subject if subject >= 0 else 0
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
