# SPDX-License-Identifier: GPL-2.0-only
"""The control-flow graph of one function.

Nodes are numbered; each holds at most one event.  :func:`finish` computes, for
each node, which tracked subjects its effects change and which are still asked
for later, so that the walker only handles bit masks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.values.subjects import (
    OPEN,
    Condition,
    Formula,
    Operand,
    Subject,
    Subjects,
    holder,
)
from patchgen.analysis.values.value import NOT_NEGATIVE, Constant, Known
from patchgen.kernel.knowledge import names
from patchgen.model.base import Span
from patchgen.model.code import Decl, Expr, Function
from patchgen.source.c.text import bare, every, root, statements, subexpressions, text

PASS, STEP, FORK, CHOICE, SWITCH, LEAVE, STOP = range(7)

#: include/linux/types.h
_UNSIGNED = frozenset({"u8", "u16", "u32", "u64", "size_t", "gfn_t", "pgoff_t", "bool", "uint"})

#: Subjects that are followed in one function; more are walked without memory.
TRACKED_LIMIT = 2048

#: ``subject = operand``, or it is ``Known`` from now on, or what a formula gives.
Setting: TypeAlias = tuple[int, Operand | Known | Formula]


class Node:
    """One step: a pass-through, an event, a two-way fork, a switch or an end."""

    __slots__ = (
        "aliased", "cases", "condition", "event", "far", "head", "join", "keep", "keeps", "kill",
        "kills", "live", "loops", "next", "no", "pointer", "result", "sets", "shape", "writes",
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
        #: Subjects that change, and those that change if what is written is theirs, too.
        self.kill = 0
        self.aliased = 0
        #: What a pointer of which nothing is known may lead to, too.
        self.far = 0
        #: The variable through which is written (``*p = x``), or -1.
        self.pointer = -1
        self.loops: tuple[Expr, ...] = ()
        #: ``x |= M``: text of x, True, M's number; ``x &= ~M`` has False.
        self.keeps: tuple[str, bool, Constant | None] | None = None
        #: Facts on ``x & N`` that such a store leaves: all, and those that are (not) zero.
        self.keep: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self.head = False
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

    __slots__ = (
        "anew", "bit_of", "counted", "entry", "formulas", "function", "index", "leaves", "limits",
        "locals", "nodes", "pointers", "reads", "shared", "steps", "subjects", "types", "unknown",
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
    graph.index.prepare(_addressed(graph))
    _track(graph, order)
    entered = Counter(target for number in order for target in graph.nodes[number].targets())
    entered[graph.entry] += 1
    for number in order:
        graph.nodes[number].join = entered[number] > 1
    _heads(graph, order)
    _derive(graph)
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
            if not isinstance(source, Known):
                asked.update(_leaves(source))
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


def _leaves(source: Operand | Formula) -> list[int]:
    """The subjects that a source of a value is made of."""
    if isinstance(source, Operand):
        return [source.subject] if source.subject >= 0 else []
    return _leaves(source.left) + _leaves(source.right)


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
        below = _leaves(known.formula) if known.formula is not None else []
        below += [known.pointer] if known.pointer >= 0 else []
        for leaf in below:
            if leaf not in asked:
                pending.append(leaf)
            asked[leaf] += 1


def _derive(graph: Graph) -> None:
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
            pending += _leaves(graph.formulas[top]) if top in graph.formulas else []
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
            if isinstance(source, Formula) and target in _leaves(source):
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
            leaves = sum(1 << leaf for leaf in set(_leaves(formula)))
            if formula.operator in ("<", "<=", "+", "-") and leaves & mask:
                mask |= leaves
    return mask


def _typed(graph: Graph) -> None:
    """Bounds of unsigned variables that are not counted down: those wrap around."""
    types = {param.name: param.type for param in graph.function.params}
    for stmt in statements(graph.function.body):
        if isinstance(stmt, Decl):
            types.update((one.name, one.type) for one in stmt.variables)
    computed = {t for node in graph.nodes for t, source in node.sets if isinstance(source, Formula)}
    for name, written in types.items():
        bit = graph.bit_of.get(graph.subjects.find(name), -1)
        words = written.replace("const", "").split()
        if bit < 0 or bit in computed or "*" in written or "[" in written:
            continue
        if words and (words[0] == "unsigned" or words[-1] in _UNSIGNED):
            graph.types[bit] = NOT_NEGATIVE


def _numbered(formula: Formula, bits: dict[int, int]) -> Formula:
    def part(one: Operand | Formula) -> Operand | Formula:
        if isinstance(one, Formula):
            return _numbered(one, bits)
        return Operand(bits.get(one.subject, -1)) if one.subject >= 0 else one

    return Formula(formula.operator, part(formula.left), part(formula.right))


def _heads(graph: Graph, order: list[int]) -> None:
    """Mark the nodes that a loop comes back to, and the forks with which loops end."""
    rank = {number: index for index, number in enumerate(order)}
    graph.leaves = frozenset(_loop_ends(graph, order))
    for number in order:
        for target in graph.nodes[number].targets():
            if rank[target] >= rank[number]:
                graph.nodes[target].head = True


def _loop_ends(graph: Graph, order: list[int]) -> Iterator[int]:
    """Forks in a loop of which one way leads out of it."""
    rank = {number: index for index, number in enumerate(order)}
    back = [(n, t) for n in order for t in graph.nodes[n].targets() if rank[t] >= rank[n]]
    sources: dict[int, list[int]] = {}
    for number in order if back else ():
        for target in graph.nodes[number].targets():
            sources.setdefault(target, []).append(number)
    for last, head in back:
        inside, pending = {head, last}, [last]
        while pending:
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


class Index:
    """Which tracked subjects mention a name, a member, or dereference."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names: dict[str, int] = {}
        self.fields: dict[str, list[tuple[str, int]]] = {}
        self.derefs = 0
        self.params: dict[str, str] = {}
        #: Subjects that some pointer may lead to besides those that other code may change.
        self.escaped = 0
        self._addressed: frozenset[str] = frozenset()

    def fill(self) -> None:
        """Look through the tracked subjects; their bits are given by now."""
        graph = self.graph
        for subject, bit in graph.bit_of.items():
            known = graph.subjects.all[subject]
            mask = 1 << bit
            for mentioned in known.names:
                self.names[mentioned] = self.names.get(mentioned, 0) | mask
                if mentioned in self._addressed:
                    self.escaped |= mask
            for owner, field in known.fields:
                self.fields.setdefault(field, []).append((owner, mask))
            if known.derefs:
                self.derefs |= mask

    def prepare(self, addressed: frozenset[str]) -> None:
        """``addressed`` are the variables whose address is taken."""
        self.params = {param.name: param.type for param in self.graph.function.params}
        self._addressed = addressed

    def is_shared(self, subject: Subject) -> bool:
        """Whether code besides this function may change what a subject reads.

        Not where all of it is the function's own, or behind a parameter that points to
        what is constant.
        """
        if any(self._is_shared(owner) for owner, _ in subject.fields):
            return True
        if any(name not in self.graph.locals and name not in self.params for name in subject.names):
            return True
        if subject.derefs or subject.calls:
            pointers = (name for name in subject.names if "*" in self.params.get(name, ""))
            return subject.derefs or not all(map(self._is_constant, pointers))
        return False

    def _is_shared(self, owner: str) -> bool:
        return owner[:1] == "*" and not self._is_constant(owner[1:])

    def _is_constant(self, pointer: str) -> bool:
        return self.params.get(pointer, "").startswith("const ")

    def changed(self, target: Expr) -> tuple[int, int]:
        """Subjects that an assignment to ``target`` changes, and that it may change."""
        target = bare(target)
        if target.kind == "name":
            shared = target.name not in self.graph.locals and target.name not in self.params
            # What it is the address of, where it is, may be a pointer's.
            return self.names.get(target.name, 0), self.derefs if shared else 0
        if target.kind in ("member", "arrow"):
            owner = holder(target)
            mask = maybe = 0
            for other, bit in self.fields.get(target.name, ()):
                if other == owner:
                    mask |= bit
                elif self._may_be_same(owner, other):
                    maybe |= bit
            return mask, maybe | (self.derefs if owner[:1] == "*" else 0)
        if target.kind == "index":
            mask, maybe = self.changed(target.args[0])
            return mask | self.derefs, maybe
        same = self._read_through(target)
        return same, self.derefs & ~same

    def _read_through(self, target: Expr) -> int:
        """Subjects that read ``*p`` itself."""
        found = self.graph.subjects.find(text(target))
        bit = self.graph.bit_of.get(found, -1)
        if bit < 0:
            return 0
        shown = self.graph.subjects.all[found].text
        mask = 1 << bit
        for subject, other in self.graph.bit_of.items():
            if shown in self.graph.subjects.all[subject].text:
                mask |= 1 << other
        return mask

    def _may_be_same(self, one: str, two: str) -> bool:
        """Whether two holders may be one object; a parameter never points to a local."""
        if one[:1] != "*" and two[:1] != "*":
            return False
        local, pointer = (two, one) if one[:1] == "*" else (one, two)
        return pointer[1:] not in self.params or local not in self.graph.locals

    def named(self, member: str) -> int:
        """Subjects that a callee changes: by a member's name, or by a global variable's."""
        mask = 0
        for owner, bit in self.fields.get(member, ()):
            if owner[:1] == "*" or owner not in self.graph.locals or owner in self._addressed:
                mask |= bit
        if member not in self.graph.locals and member not in self.params:
            mask |= self.names.get(member, 0)
        return mask

    def given(self, call: Expr) -> tuple[int, ...]:
        """Subjects that lie where a call's arguments point: ``x`` for ``&x``, ``*p`` for ``p``."""
        found = []
        for argument in map(bare, call.args[1:]):
            if argument.kind == "unary" and argument.name == "&":
                subject = self.graph.subjects.operand(argument.args[0]).subject
            else:
                subject = self.graph.subjects.find(f"*{text(argument)}")
            if subject in self.graph.bit_of:
                found.append(self.graph.bit_of[subject])
            found += self._below(argument)
        return tuple(found)

    def _below(self, pointer: Expr) -> list[int]:
        """Members of what a pointer leads to."""
        start = f"{text(pointer)}->"
        if pointer.kind == "unary" and pointer.name == "&":
            start = f"{text(pointer.args[0])}."
        all_ = self.graph.subjects.all
        return [
            bit
            for subject, bit in self.graph.bit_of.items()
            if all_[subject].text.startswith(start)
        ]

    def behind(self, variable: str) -> tuple[int, ...]:
        """Subjects that a variable points to: ``*p``, ``p->x``."""
        bit = self.graph.bit_of.get(self.graph.subjects.find(f"*{variable}"), -1)
        own = [bit] if bit >= 0 else []
        return (*own, *self._below(Expr("name", variable, (), Span(0, 0), 0)))

    def passed(self, call: Expr) -> int:
        """Subjects that may change because the call gets their address."""
        mask = 0
        for argument in call.args[1:]:
            for part in subexpressions(argument):
                if part.kind == "unary" and part.name == "&":
                    mask |= self.changed(part.args[0])[0]
        return mask


def _addressed(graph: Graph) -> frozenset[str]:
    """Variables whose address is taken, but for calls that only look."""
    pure = names("evaluation", "pure", "functions")
    found: set[str] = set()
    pending = list(every(graph.function.body))
    looked_at = {
        id(part)
        for call in pending
        if call.kind == "call" and call.name in pure
        for argument in call.args[1:]
        for part in subexpressions(argument)
    }
    for part in pending:
        if part.kind == "unary" and part.name == "&" and id(part) not in looked_at:
            found.add(root(part.args[0]))
    return frozenset(found)


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
            node.keep = _kept(graph, *node.keeps)
        node.aliased &= ~node.kill
        node.far &= ~node.kill
        node.writes = bool(node.kill or node.sets or node.aliased)


def _kept(
    graph: Graph, left: str, sets: bool, mask: Constant | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Facts on bits of ``left`` that setting (or clearing) other ones cannot change.

    All of those on other bits, and those on any bits that are set (or clear) already.
    Flags with two names are taken to be two.
    """
    always: list[int] = []
    same: list[int] = []
    for subject, bit in graph.bit_of.items():
        known = graph.subjects.all[subject]
        if known.formula is None or known.formula.operator != "&":
            continue
        if not known.text.startswith(f"{left} & "):
            continue
        other = known.formula.right.constant if isinstance(known.formula.right, Operand) else None
        named = isinstance(other, str) and isinstance(mask, str) and other != mask
        if named or (isinstance(other, int) and isinstance(mask, int) and not other & mask):
            always.append(bit)
        elif other is not None:
            same.append(bit)
    return tuple(always), tuple(same)


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
            for leaf in _leaves(source):
                mask |= graph.reads.get(leaf, 0)
    mask |= 1 << node.pointer if node.pointer >= 0 else 0
    for bit in (*node.keep[0], *node.keep[1]):
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
