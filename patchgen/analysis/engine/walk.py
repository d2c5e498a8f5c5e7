# SPDX-License-Identifier: GPL-2.0-only
"""The path-sensitive walk of one function, driven by a checker.

A checker is a transfer function over its own frozen state::

    class Depth(Checker[int]):
        kinds = frozenset({CALL})

        def initial(self, function): return 0

        def event(self, state, event, here):
            if event.expr.name == "mutex_lock": return state + 1
            if event.expr.name == "mutex_unlock": return state - 1
            return state

        def at_exit(self, state, event, here):
            if state: self.found.append((event.place, here.steps(event)))

    result = walk(function, Depth())

Paths that meet with the same checker state and the same facts about conditions
go on as one; the first one's witness stands for all.  Breadth first, so the
witness is a shortest one in branches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from patchgen.analysis.cfg.build import build
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.cfg.graph import CHOICE, FORK, LEAVE, PASS, STEP, SWITCH, Graph, Node
from patchgen.analysis.values import value as values
from patchgen.analysis.values.subjects import Operand
from patchgen.analysis.values.value import ANY, FAR, NONZERO, Known
from patchgen.model.code import Expr, Function
from patchgen.model.findings import Step
from patchgen.source.c.text import text

S = TypeVar("S", bound=Hashable)

#: Steps after which a walk gives up, and says so in ``WalkResult.bounded``.
DEFAULT_LIMIT = 200_000

#: Sets of facts that may meet at one place in one state of the checker.
CROWD = 200

#: Facts of one path: (tracked bit, what is known), in the order of the bits.
Facts: TypeAlias = tuple[tuple[int, Known], ...]

#: A path: (earlier path, event, steps inside a callee), or None at the start.
Path: TypeAlias = "tuple[Any, Event, tuple[Step, ...]] | None"


class Outcome(msgspec.Struct, Generic[S], frozen=True):
    """One way in which an event ends: the checker's state, and more.

    ``value`` narrows what the call evaluates to (``ZERO`` for a trylock that
    failed); ``steps`` are inserted into the witness, such as a callee's.
    """

    state: S
    value: Known | None = None
    steps: tuple[Step, ...] = ()


class Here:
    """Where the walk stands: facts and the path so far.  Valid in the callback."""

    __slots__ = ("_facts", "_graph", "_path")

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._facts: Facts = ()
        self._path: Path = None

    @property
    def function(self) -> Function:
        """The function that is walked."""
        return self._graph.function

    def value(self, expr: Expr) -> Known:
        """What is known of the value of ``expr`` before the event takes effect.

        Only expressions that the function asks for later are remembered; name
        others in ``Checker.keeps``.
        """
        return self.of(self._graph.operand(expr))

    def of(self, operand: Operand) -> Known:
        """What is known of an operand."""
        if operand.constant is not None:
            return values.constant(operand.constant)
        return _lookup(self._facts, operand.subject)

    def truth(self, condition: str) -> bool | None:
        """Whether the expression with this canonical text is non-zero, if known."""
        subject = self._graph.subjects.find(condition)
        bit = self._graph.bit_of.get(subject, -1)
        return values.truth(_lookup(self._facts, bit))

    def events(self) -> tuple[Event, ...]:
        """The recorded events of the path, oldest first."""
        found, path = [], self._path
        while path is not None:
            found.append(path[1])
            path = path[0]
        return tuple(reversed(found))

    def steps(self, last: Event | None = None, note: str = "") -> tuple[Step, ...]:
        """The witness so far: branches and changes of state, in order.

        ``last`` is added at the end unless it is there already, as ``note`` if
        one is given.
        """
        found: list[tuple[Event, tuple[Step, ...]]] = []
        path = self._path
        while path is not None:
            found.append((path[1], path[2]))
            path = path[0]
        steps: list[Step] = []
        for event, inner in reversed(found):
            if event is last:
                continue
            steps.append(Step(event.place, event.describe()))
            steps.extend(inner)
        if last is not None:
            steps.append(Step(last.place, note or last.describe()))
        return tuple(steps)


class Checker(Generic[S]):
    """A client of :func:`walk`; ``S`` is hashable, and no plain tuple.

    ``kinds`` are the events it wants, ``watches`` narrows them further and is
    asked once a node.  ``keeps`` names conditions by canonical text that shall
    be remembered although the function does not ask for them again.
    """

    kinds: frozenset[str] = frozenset({"call", "assign", "decl", "deref", "branch", "return",
                                       "asm", "unknown"})  # fmt: skip

    def initial(self, function: Function) -> S:
        """The state on entry."""
        raise NotImplementedError

    def watches(self, event: Event) -> bool:
        """Whether the checker wants this event (of a wanted kind)."""
        return True

    def keeps(self, condition: str) -> bool:
        """Whether facts on this canonical text must outlive their last use."""
        return False

    def event(
        self, state: S, event: Event, here: Here
    ) -> S | Outcome[S] | tuple[S | Outcome[S], ...]:
        """The state after the event; several to split, ``()`` to end the path."""
        return state

    def at_exit(self, state: S, event: Event, here: Here) -> None:
        """The path leaves the function; ``here.value(event.expr)`` is returned."""


class WalkResult(msgspec.Struct, frozen=True):
    """What a walk covered.

    ``visited`` counts the steps.  ``bounded`` is "" when every path was covered,
    else a sentence on where the walk gave up.  ``unknown`` are the statements on
    the way that the parser did not understand.  ``blurred`` is the first place where
    more than CROWD sets of facts met and were forgotten: all paths are covered, and
    some of those walked may be infeasible.
    """

    visited: int
    bounded: str = ""
    unknown: tuple[Event, ...] = ()
    blurred: str = ""

    @property
    def complete(self) -> bool:
        """Whether the silence of the checker means anything."""
        return not self.bounded and not self.unknown


_graphs: dict[int, tuple[Function, Graph]] = {}


def graph_of(function: Function) -> Graph:
    """The control-flow graph of ``function``; the last few hundred are kept."""
    found = _graphs.get(id(function))
    if found is not None and found[0] is function:
        return found[1]
    if len(_graphs) >= 512:
        _graphs.clear()
    graph = build(function)
    _graphs[id(function)] = (function, graph)
    return graph


def walk(
    function: Function,
    checker: Checker[S],
    *,
    limit: int = DEFAULT_LIMIT,
    initial: S | None = None,
) -> WalkResult:
    """Drive ``checker`` along all paths of ``function``.

    ``limit`` bounds the steps; ``initial`` replaces the checker's initial state.
    """
    state = checker.initial(function) if initial is None else initial
    return _Walk(graph_of(function), checker, limit).run(state)


class _Walk(Generic[S]):
    def __init__(self, graph: Graph, checker: Checker[S], limit: int) -> None:
        self.graph = graph
        self.checker = checker
        self.limit = limit
        self.here = Here(graph)
        self.queue: deque[tuple[int, S, Facts, Path]] = deque()
        self.seen: set[tuple[int, S, Facts]] = set()
        self.wanted: dict[int, bool] = {}
        self.unknown: dict[int, Event] = {}
        self.met: dict[tuple[int, S], int] = {}
        self.blurred = ""
        self.kept = self._kept()

    def _kept(self) -> int:
        mask = 0
        if type(self.checker).keeps is not Checker.keeps:
            for subject, bit in self.graph.bit_of.items():
                if self.checker.keeps(self.graph.subjects.all[subject].text):
                    mask |= 1 << bit
        return mask

    def run(self, state: S) -> WalkResult:
        nodes, queue, seen = self.graph.nodes, self.queue, self.seen
        queue.append((self.graph.entry, state, (), None))
        steps, limit = 0, self.limit
        while queue:
            number, state, facts, path = queue.popleft()
            while True:
                steps += 1
                if steps > limit:
                    return self._result(steps, self._gave_up(nodes[number], path))
                node = nodes[number]
                if node.join:
                    facts = _prune(facts, node.live | self.kept)
                    key = (number, state, facts)
                    if key in seen:
                        break
                    if facts and self._crowded(number, state):
                        facts = ()
                        key = (number, state, facts)
                        if key in seen:
                            break
                    seen.add(key)
                shape = node.shape
                if shape == PASS:
                    number = node.next
                    continue
                if shape == STEP:
                    if not node.writes and not self._wants(node.event, number):
                        number = node.next
                        continue
                    after = self._step(node, number, state, facts, path)
                elif shape == FORK:
                    after = self._fork(node, number, state, facts, path)
                elif shape == CHOICE:
                    after = self._choice(node, number, state, facts, path)
                elif shape == SWITCH:
                    after = self._switch(node, number, state, facts, path)
                elif shape == LEAVE:
                    self._leave(node, number, state, facts, path)
                    break
                else:
                    break
                if len(after) != 1:
                    queue.extend(after)
                    break
                number, state, facts, path = after[0]
        return self._result(steps, "")

    def _crowded(self, number: int, state: S) -> bool:
        """Whether so many sets of facts met here that they are forgotten from now on."""
        count = self.met.get((number, state), 0) + 1
        self.met[number, state] = count
        if count == CROWD:
            event = self.graph.nodes[number].event
            line = event.line if event is not None else self.graph.function.line
            self.blurred = self.blurred or f"{self.graph.function.path}:{line}"
        return count >= CROWD

    def _result(self, steps: int, bounded: str) -> WalkResult:
        for limit in self.graph.limits:
            bounded = bounded or limit
        return WalkResult(steps, bounded, tuple(self.unknown.values()), self.blurred)

    def _gave_up(self, node: Node, path: Path) -> str:
        function = self.graph.function
        where = node.event or (path[1] if path else None)
        line = where.line if where is not None else function.line
        return f"{function.path}:{line}: {function.name}() gave up after {self.limit} steps"

    def _wants(self, event: Event | None, number: int) -> bool:
        found = self.wanted.get(number)
        if found is None:
            found = event is not None and self._asked(event)
            self.wanted[number] = found
            if event is not None and event.kind == "unknown":
                self.unknown[number] = event
        return found

    def _asked(self, event: Event) -> bool:
        return event.kind in self.checker.kinds and self.checker.watches(event)

    def _tell(
        self, state: S, event: Event, facts: Facts, path: Path
    ) -> tuple[tuple[S, Known | None, Path], ...]:
        """The checker's answer to an event: state, the call's value, the path."""
        here = self.here
        here._facts, here._path = facts, path
        answer = self.checker.event(state, event, here)
        answers = answer if type(answer) is tuple else (answer,)
        told: list[tuple[S, Known | None, Path]] = []
        for one in answers:
            if isinstance(one, Outcome):
                after, value, steps = one.state, one.value, one.steps
            else:
                after, value, steps = one, None, ()
            if steps or (event.kind != "branch" and after != state):
                told.append((after, value, (path, event, steps)))
            else:
                told.append((after, value, path))
        return tuple(told)

    def _step(
        self, node: Node, number: int, state: S, facts: Facts, path: Path
    ) -> list[tuple[int, S, Facts, Path]]:
        event = node.event
        if event is None or not self._wants(event, number):
            return [(node.next, state, self._effects(node, facts, None), path)]
        after = []
        for told, value, way in self._tell(state, event, facts, path):
            after.append((node.next, told, self._effects(node, facts, value), way))
        return after

    def _effects(self, node: Node, facts: Facts, result: Known | None) -> Facts:
        if not node.writes and result is None:
            return facts
        fresh = []
        for target, source in node.sets:
            known = self._source(target, source, facts)
            if known is not ANY:
                fresh.append((target, known))
        if result is not None and node.result >= 0:
            fresh.append((node.result, result))
        kill = node.kill
        kept = [fact for fact in facts if not kill >> fact[0] & 1]
        if fresh:
            kept.extend(fresh)
            kept.sort(key=_bit)
        return tuple(kept)

    def _source(self, target: int, source: Operand | Known | str, facts: Facts) -> Known:
        if isinstance(source, Known):
            return source
        if isinstance(source, Operand):
            return _lookup(facts, source.subject)
        return _counted(_lookup(facts, target), source)

    def _fork(
        self, node: Node, number: int, state: S, facts: Facts, path: Path
    ) -> list[tuple[int, S, Facts, Path]]:
        condition = node.condition
        assert condition is not None and node.event is not None and node.no is not None
        bit, operator, constant, negated = condition
        before = _lookup(facts, bit)
        after: list[tuple[int, S, Facts, Path]] = []
        for event, target in ((node.event, node.next), node.no):
            narrowed = values.refine(before, operator, constant, event.polarity != negated)
            if narrowed is None:
                continue
            known = facts
            if bit >= 0 and narrowed != before:
                known = _with(facts, bit, narrowed)
            self._branch(after, event, number, target, state, known, path)
        return after

    def _branch(
        self,
        after: list[tuple[int, S, Facts, Path]],
        event: Event,
        number: int,
        target: int,
        state: S,
        facts: Facts,
        path: Path,
    ) -> None:
        if not self._wants(event, number):
            after.append((target, state, facts, (path, event, ())))
            return
        for told, _, way in self._tell(state, event, facts, path):
            after.append((target, told, facts, (way, event, ())))

    def _choice(
        self, node: Node, number: int, state: S, facts: Facts, path: Path
    ) -> list[tuple[int, S, Facts, Path]]:
        assert node.event is not None and node.no is not None
        after: list[tuple[int, S, Facts, Path]] = []
        known = self._effects(node, facts, None)
        self._branch(after, node.event, number, node.next, state, known, path)
        self._branch(after, node.no[0], number, node.no[1], state, known, path)
        return after

    def _switch(
        self, node: Node, number: int, state: S, facts: Facts, path: Path
    ) -> list[tuple[int, S, Facts, Path]]:
        assert node.condition is not None
        bit = node.condition.subject
        rest: Known | None = _lookup(facts, bit)
        after: list[tuple[int, S, Facts, Path]] = []
        for constant, event, target in node.cases:
            if rest is None:
                break
            taken: Known | None = rest
            if constant:
                taken = values.refine(rest, "==", constant, True)
                rest = values.refine(rest, "==", constant, False)
            elif constant == 0:
                taken = values.refine(rest, "==", 0, True)
                rest = values.refine(rest, "==", 0, False)
            if taken is None:
                continue
            known = facts
            if bit >= 0 and taken != ANY:
                known = _with(facts, bit, taken)
            self._branch(after, event, -1 - event.node * 2 - event.polarity, target, state,
                         known, path)  # fmt: skip
        return after

    def _leave(self, node: Node, number: int, state: S, facts: Facts, path: Path) -> None:
        event = node.event
        assert event is not None
        told: tuple[tuple[S, Known | None, Path], ...] = ((state, None, path),)
        if self._wants(event, number):
            told = self._tell(state, event, facts, path)
        for after, _, way in told:
            self.here._facts, self.here._path = facts, way
            self.checker.at_exit(after, event, self.here)


def _bit(fact: tuple[int, Known]) -> int:
    return fact[0]


def _lookup(facts: Facts, bit: int) -> Known:
    for number, known in facts:
        if number == bit:
            return known
    return ANY


def _with(facts: Facts, bit: int, known: Known) -> Facts:
    kept = [fact for fact in facts if fact[0] != bit]
    kept.append((bit, known))
    kept.sort(key=_bit)
    return tuple(kept)


def _prune(facts: Facts, live: int) -> Facts:
    for bit, _ in facts:
        if not live >> bit & 1:
            return tuple(fact for fact in facts if live >> fact[0] & 1)
    return facts


def _counted(known: Known, operator: str) -> Known:
    """After ``++`` or ``--``: the sign at most, so that loops converge."""
    if known.lo >= 0 and operator == "++":
        return Known(1, FAR)
    if known.lo > 0 and operator == "--":
        return Known(0, FAR)
    return ANY


Visit: TypeAlias = Callable[[Event, Here], None]

__all__ = [
    "NONZERO", "Checker", "Here", "Outcome", "WalkResult", "graph_of", "text", "walk",
]  # fmt: skip
