# SPDX-License-Identifier: GPL-2.0-only
"""What follows from a graph's nodes: which subjects are tracked, and how they hang together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from patchgen.analysis.cfg.node import FORK, LEAVE, STEP, Node, Setting
from patchgen.analysis.values.fitted import bounds
from patchgen.analysis.values.subjects import (
    Formula,
    Operand,
)
from patchgen.analysis.values.types import INT, of_type
from patchgen.analysis.values.value import Constant, Known
from patchgen.model.code import Decl, Expr
from patchgen.source.c.text import bare, statements

if TYPE_CHECKING:
    from patchgen.analysis.cfg.graph import Graph

#: Subjects that are followed in one function; more are walked without memory.
TRACKED_LIMIT = 2048


def track(graph: Graph, order: list[int]) -> None:
    """Give bits to the subjects that are asked for, the most used first."""
    asked: Counter[int] = Counter()
    written: Counter[int] = Counter()
    for node in graph.nodes:
        if node.condition is not None:
            asked[node.condition.subject] += 1
        for target, source in node.sets:
            written[target] += 1
            if not isinstance(source, Known):
                asked.update(leaves(source))
        asked[node.pointer] += node.pointer >= 0
        if node.result >= 0:
            written[node.result] += 1
        if node.shape == LEAVE and node.event is not None and node.event.expr is not None:
            asked[graph.subjects.operand(node.event.expr).subject] += 1
        if node.shape == STEP and node.event is not None and node.event.kind == "call":
            asked.update(_pointers(graph, node.event.expr))
    _ask_below(graph, asked)
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


def leaves(source: Operand | Formula) -> list[int]:
    """The subjects that a source of a value is made of."""
    if isinstance(source, Operand):
        return [source.subject] if source.subject >= 0 else []
    return leaves(source.left) + leaves(source.right)


def _pointers(graph: Graph, call: Expr | None) -> list[int]:
    """Variables that a call gets as they are, of those that are set to addresses."""
    if call is None or not graph.subjects.addresses:
        return []
    given = (bare(argument) for argument in call.args[1:])
    return [graph.subjects.operand(one).subject for one in given if one.kind == "name"]


def _ask_below(graph: Graph, asked: Counter[int]) -> None:
    """What is asked for rests on what it is made of."""
    pending = [subject for subject in asked if subject >= 0]
    while pending:
        known = graph.subjects.all[pending.pop()]
        below = leaves(known.formula) if known.formula is not None else []
        below += [known.pointer] if known.pointer >= 0 else []
        for leaf in below:
            if leaf not in asked:
                pending.append(leaf)
            asked[leaf] += 1


def derive(graph: Graph) -> None:
    """Formulas, pointers and properties of the tracked subjects, by bit."""
    bits = graph.bit_of
    for subject, bit in bits.items():
        known = graph.subjects.all[subject]
        if known.formula is not None:
            graph.formulas[bit] = _numbered(known.formula, bits)
        if known.pointer in bits:
            graph.pointers[bit] = bits[known.pointer]
        if graph.index.is_shared(known):
            graph.shared |= 1 << bit
            graph.anew |= (1 << bit) * known.anew
    for bit in bits.values():
        graph.reads[bit] = _read(graph, bit)
    _bounds(graph)


def _read(graph: Graph, bit: int) -> int:
    mask, pending = 0, [bit]
    while pending:
        top = pending.pop()
        if not mask >> top & 1:
            mask |= 1 << top
            pending += leaves(graph.formulas[top]) if top in graph.formulas else []
            pending += [graph.pointers[top]] if top in graph.pointers else []
    return mask


def _bounds(graph: Graph) -> None:
    """The numbers that a subject is compared with: a loop's counter stops at one of them."""
    found: dict[int, set[int]] = {}
    for node in graph.nodes:
        if node.condition is not None and isinstance(node.condition.constant, int):
            found.setdefault(node.condition.subject, set()).add(node.condition.constant)
        for constant, _, _ in node.cases:
            if node.condition is not None and isinstance(constant, int):
                found.setdefault(node.condition.subject, set()).add(constant)
        for target, source in node.sets:
            if isinstance(source, Known) and source.lo == source.hi:
                found.setdefault(target, set()).add(source.lo)
            if isinstance(source, Formula) and target in leaves(source):
                graph.counted |= 1 << target
    _typed(graph)
    graph.counted = _with_limits(graph)
    for bit, numbers in found.items():
        if bit < 0:
            continue
        steps = {number + by for number in numbers for by in (-1, 0, 1)}
        graph.steps[bit] = tuple(sorted(steps))


def _with_limits(graph: Graph) -> int:
    """What is counted, and what it is held against: a test teaches of both."""
    mask, before = graph.counted, -1
    while mask != before:
        before = mask
        for formula in graph.formulas.values():
            parts = sum(1 << leaf for leaf in set(leaves(formula)))
            if formula.operator in ("<", "<=", "+", "-") and parts & mask:
                mask |= parts
    return mask


def _typed(graph: Graph) -> None:
    """Variables of arithmetic types, and the bounds that those give."""
    types: dict[str, set[str]] = {}
    for param in graph.function.params:
        types.setdefault(param.name, set()).add(param.type)
    for stmt in statements(graph.function.body):
        for one in stmt.variables if isinstance(stmt, Decl) else ():
            types.setdefault(one.name, set()).add(one.type)
    for name, written in types.items():
        bit = graph.bit_of.get(graph.subjects.find(name), -1)
        kind = of_type(min(written)) if bit >= 0 and len(written) == 1 else None
        if kind is None:
            continue
        graph.widths[bit] = kind
        known = bounds(kind)
        if known is not None:
            graph.types[bit] = known
    for node in graph.nodes:
        _unsigned(graph, node)


def _unsigned(graph: Graph, node: Node) -> None:
    """A negative number that an unsigned variable is held against is a large one."""
    condition = node.condition
    kind = graph.widths.get(condition.subject) if condition is not None else None
    if condition is None or kind is None or kind.signed or kind.bits < INT.bits:
        return
    if isinstance(condition.constant, int) and condition.constant < 0:
        large = kind.wrapped(condition.constant, OverflowError)
        node.condition = condition._replace(constant=large)


def _numbered(formula: Formula, bits: dict[int, int]) -> Formula:
    def part(one: Operand | Formula) -> Operand | Formula:
        if isinstance(one, Formula):
            return _numbered(one, bits)
        return Operand(bits.get(one.subject, -1)) if one.subject >= 0 else one

    return Formula(formula.operator, part(formula.left), part(formula.right))


def heads(graph: Graph, order: list[int]) -> None:
    """Mark the nodes that a loop comes back to, and the forks with which loops end."""
    rank = {number: index for index, number in enumerate(order)}
    graph.leaves = frozenset(_loop_ends(graph, order))
    for number in order:
        for target in graph.nodes[number].targets():
            if rank[target] >= rank[number]:
                graph.nodes[target].head = True


#: Nodes of loops that are looked at in any function, and how many more for each of its nodes.
_LOOPS, _EACH = 20_000, 20


def _loop_ends(graph: Graph, order: list[int]) -> Iterator[int]:
    """Forks in a loop of which one way leads out of it."""
    rank = {number: index for index, number in enumerate(order)}
    back = [(n, t) for n in order for t in graph.nodes[n].targets() if rank[t] >= rank[n]]
    sources: dict[int, list[int]] = {}
    for number in order if back else ():
        for target in graph.nodes[number].targets():
            sources.setdefault(target, []).append(number)
    work = _LOOPS + _EACH * len(order)
    for last, head in back:
        inside, pending = {head, last}, [last]
        while pending:
            work -= 1
            if work < 0:
                function = graph.function
                where = f"{function.path}:{function.line}: {function.name}()"
                graph.limits += (f"{where} has too many loops to tell their ends apart",)
                return
            for source in sources.get(pending.pop(), ()):
                if source not in inside and rank[source] <= rank[head]:
                    inside.add(source)
                    pending.append(source)
        for number in inside:
            node = graph.nodes[number]
            if node.shape == FORK and not inside.issuperset(node.targets()):
                yield number


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
        elif isinstance(source, Formula):
            source = _numbered(source, bits)
        sets.append((bits[target], source))
    node.sets = tuple(sets)
    node.pointer = bits.get(node.pointer, -1)


def kept(
    graph: Graph, left: str, sets: bool, mask: Constant | None
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Facts on bits of ``left`` that setting (or clearing) other ones cannot change.

    All of those on other bits, and those on any bits that are set (or clear) already; last
    those on flags of another name: most are other bits, but a mask may have several.
    """
    always: list[int] = []
    same: list[int] = []
    named: list[int] = []
    for subject, bit in graph.bit_of.items():
        known = graph.subjects.all[subject]
        if known.formula is None or known.formula.operator != "&":
            continue
        if not known.text.startswith(f"{left} & "):
            continue
        other = known.formula.right.constant if isinstance(known.formula.right, Operand) else None
        if isinstance(other, str) and isinstance(mask, str) and other != mask:
            named.append(bit)
        elif isinstance(other, int) and isinstance(mask, int) and not other & mask:
            always.append(bit)
        elif other is not None:
            same.append(bit)
    return tuple(always), tuple(same), tuple(named)
