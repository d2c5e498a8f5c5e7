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
from collections.abc import Callable
from typing import TypeAlias

from patchgen.analysis.cfg.build import build
from patchgen.analysis.cfg.events import Event
from patchgen.analysis.cfg.graph import CHOICE, FORK, LEAVE, PASS, STEP, SWITCH, Graph, Node
from patchgen.analysis.engine.checker import Checker, Clobber, Here, Outcome, Path, S, WalkResult
from patchgen.analysis.engine.known import (
    HARD,
    SHARED,
    VAGUE,
    Facts,
    kill,
    learn,
    lookup,
    prune,
)
from patchgen.analysis.engine.transfer import Transfer
from patchgen.analysis.values import value as values
from patchgen.analysis.values.value import ANY, NONZERO, Constant, Known
from patchgen.model.code import Function
from patchgen.source.c.text import text

#: Steps after which a walk gives up, and says so in ``WalkResult.bounded``.
DEFAULT_LIMIT = 200_000

#: Sets of facts that may meet at one place in one state of the checker.
CROWD = 200

#: Rounds of a loop that are followed with what a counter is exactly.
ROUNDS = 3

#: Facts beside those that are asked for later, from which on these are looked through.
_ROOM = 32


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
    known: tuple[tuple[str, Known], ...] = (),
    vague: tuple[str, ...] = (),
) -> WalkResult:
    """Drive ``checker`` along all paths of ``function``.

    ``limit`` bounds the steps; ``initial`` replaces the checker's initial state; ``known``
    is what holds of variables on entry, ``vague`` are pointers to what the caller made.
    """
    state = checker.initial(function) if initial is None else initial
    return _Walk(graph_of(function), checker, limit).run(state, known, vague)


class _Walk(Transfer[S]):
    def __init__(self, graph: Graph, checker: Checker[S], limit: int) -> None:
        super().__init__(graph, checker)
        self.limit = limit
        self.here = Here(graph)
        self.queue: deque[tuple[int, S, Facts, Path]] = deque()
        self.seen: set[tuple[int, S, Facts]] = set()
        self.wanted: dict[int, bool] = {}
        self.unknown: dict[int, Event] = {}
        self.met: dict[tuple[int, S], int] = {}
        self.wide: dict[tuple[int, S, Facts], tuple[int, Facts]] = {}
        self.blurred = ""
        self.kept = self._kept()
        self.given: Facts = ()
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

    def run(
        self, state: S, known: tuple[tuple[str, Known], ...] = (), vague: tuple[str, ...] = ()
    ) -> WalkResult:
        """Walk all paths from the function's entry."""
        for variable in vague:
            for bit in self.graph.index.behind(variable):
                self.given = learn(self.given, bit, ANY, VAGUE)
        for shown, value in known:
            self.given = learn(self.given, self._bit(shown), value)
        steps, bounded = self._round(state, 0)
        if self.strict and self.refused and not bounded:
            self.allowed = frozenset(self.refused)
            self.certain = self.allowed - self.taken
            self.seen.clear()
            self.met.clear()
            self.wide.clear()
            steps, bounded = self._round(state, steps)
        return self._result(steps, bounded)

    def _round(self, state: S, steps: int) -> tuple[int, str]:
        """One walk over all paths: steps so far, and where it gave up."""
        nodes, queue = self.graph.nodes, self.queue
        queue.append((self.graph.entry, state, self.given, None))
        limit, room = self.limit, _ROOM
        while queue:
            number, state, facts, path = queue.popleft()
            while True:
                steps += 1
                if steps > limit:
                    queue.clear()
                    return steps, self._gave_up(nodes[number], path)
                node = nodes[number]
                if node.join:
                    known = self._met(node, number, state, facts)
                    if known is None:
                        break
                    facts = known
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
                if len(facts) > room:
                    # Where no paths meet, too: what nobody asks for any more is forgotten.
                    after = [(to, told, prune(known, nodes[to].live | self.kept), way)
                             for to, told, known, way in after]  # fmt: skip
                    room = 2 * max((len(one[2]) for one in after), default=0) + _ROOM
                if len(after) != 1:
                    queue.extend(after)
                    break
                number, state, facts, path = after[0]
        return steps, ""

    def _met(self, node: Node, number: int, state: S, facts: Facts) -> Facts | None:
        """The facts with which a path goes on where paths meet; None: one did already."""
        facts = prune(facts, node.live | self.kept)
        if node.head and self.graph.counted:
            facts = self._widened(number, state, facts)
        key = (number, state, facts)
        if key in self.seen:
            return None
        if facts and self._crowded(number, state):
            facts = ()
            key = (number, state, facts)
            if key in self.seen:
                return None
        self.seen.add(key)
        return facts

    def _widened(self, number: int, state: S, facts: Facts) -> Facts:
        """Facts at a loop's head, with counters as ranges after some rounds."""
        counted = self.graph.counted
        moving = tuple(fact for fact in facts if fact[0] & counted)
        if not moving:
            return facts
        rest = tuple((m, ANY, s) if m & counted else (m, k, s) for m, k, s in facts)
        key = (number, state, rest)
        rounds, before = self.wide.get(key, (0, moving))
        if rounds >= ROUNDS:
            moving = tuple(
                (new[0], values.widened(old[1], new[1], self._steps(new[0])), new[2])
                for old, new in zip(before, moving, strict=True)
            )
        elif rounds:
            moving_hull = tuple(
                (new[0], _hull(old[1], new[1]), new[2])
                for old, new in zip(before, moving, strict=True)
            )
            self.wide[key] = (rounds + 1, moving_hull)
            return facts
        self.wide[key] = (rounds + 1, moving)
        return tuple(sorted((*(f for f in facts if not f[0] & counted), *moving)))

    def _steps(self, mask: int) -> tuple[int, ...]:
        found: tuple[int, ...] = ()
        for bit, steps in self.graph.steps.items():
            if mask >> bit & 1:
                found += steps
        return tuple(sorted(found))

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
    ) -> tuple[tuple[Outcome[S], Path], ...]:
        """The checker's answers to an event, and the path with each."""
        here = self.here
        here._facts, here._path = facts, path
        answer = self.checker.event(state, event, here)
        answers: tuple[S | Outcome[S], ...]
        answers = answer if isinstance(answer, tuple) else (answer,)
        told: list[tuple[Outcome[S], Path]] = []
        for one in answers:
            outcome: Outcome[S] = one if isinstance(one, Outcome) else Outcome(one)
            if outcome.steps or (event.kind != "branch" and outcome.state != state):
                told.append((outcome, (path, event, outcome.steps)))
            else:
                told.append((outcome, path))
        return tuple(told)

    def _step(
        self, node: Node, number: int, state: S, facts: Facts, path: Path
    ) -> list[tuple[int, S, Facts, Path]]:
        event = node.event
        if event is None or not self._wants(event, number):
            return [(node.next, state, self._effects(node, number, facts, None), path)]
        after: list[tuple[int, S, Facts, Path]] = []
        for told, way in self._tell(state, event, facts, path):
            known = self._effects(node, number, facts, told)
            after.append((node.next, told.state, known, way))
        return after

    def _fork(
        self, node: Node, number: int, state: S, facts: Facts, path: Path
    ) -> list[tuple[int, S, Facts, Path]]:
        condition = node.condition
        assert condition is not None and node.event is not None and node.no is not None
        bit, operator, constant, negated = condition
        before = lookup(self.graph, facts, bit)
        after: list[tuple[int, S, Facts, Path]] = []
        for event, target in ((node.event, node.next), node.no):
            holds = event.polarity != negated
            narrowed = values.refine(before, operator, constant, holds)
            known: Facts | None = None
            if narrowed is not None:
                known = self._narrowed(facts, bit, before, narrowed)
            edge = (number, event.polarity)
            told: S | None = state
            if known is not None and self.strict:
                self.taken.add(edge)
                if bit >= 0 and self._is_vague(facts, bit, before):
                    told = self.checker.doubtful(state, event)
            elif self.strict:
                known, told = self._if_changed(facts, bit, (operator, constant, holds), edge,
                                               state, event)  # fmt: skip
            if known is not None and told is not None:
                self._branch(after, event, number, target, told, known, path)
        return after

    def _if_changed(
        self,
        facts: Facts,
        bit: int,
        test: tuple[str, Constant, bool],
        edge: tuple[int, bool],
        state: S,
        event: Event,
    ) -> tuple[Facts | None, S | None]:
        """Facts and state where what a subject reads has changed, so that a test holds.

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
        if narrowed is None:
            return None, None
        self.refused.add(edge)
        if edge not in self.allowed:
            return None, None
        certain = edge in self.certain or edge[0] in self.graph.leaves
        told = state if certain and level == SHARED else self.checker.doubtful(state, event)
        return learn(left, bit, narrowed), told

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
        for told, way in self._tell(state, event, facts, path):
            after.append((target, told.state, facts, (way, event, ())))

    def _choice(
        self, node: Node, number: int, state: S, facts: Facts, path: Path
    ) -> list[tuple[int, S, Facts, Path]]:
        assert node.event is not None and node.no is not None
        after: list[tuple[int, S, Facts, Path]] = []
        known = self._effects(node, number, facts, None)
        self._branch(after, node.event, number, node.next, state, known, path)
        self._branch(after, node.no[0], number, node.no[1], state, known, path)
        return after

    def _switch(
        self, node: Node, number: int, state: S, facts: Facts, path: Path
    ) -> list[tuple[int, S, Facts, Path]]:
        assert node.condition is not None
        bit = node.condition.subject
        rest: Known | None = lookup(self.graph, facts, bit)
        # Of what cases took before: not taken off the rest before somebody asks for that.
        gone: set[Constant] = set()
        after: list[tuple[int, S, Facts, Path]] = []
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
            self._branch(after, event, -1 - event.node * 2 - event.polarity, target, state,
                         known, path)  # fmt: skip
        return after

    def _leave(self, node: Node, number: int, state: S, facts: Facts, path: Path) -> None:
        event = node.event
        assert event is not None
        told: tuple[tuple[S, Path], ...] = ((state, path),)
        if self._wants(event, number):
            told = tuple((one.state, way) for one, way in self._tell(state, event, facts, path))
        for after, way in told:
            self.here._facts, self.here._path = facts, way
            self.checker.at_exit(after, event, self.here)


def _hull(one: Known, two: Known) -> Known:
    """A value that has both."""
    symbol = one.symbol if one.symbol == two.symbol else ""
    return Known(min(one.lo, two.lo), max(one.hi, two.hi), symbol, one.not_ & two.not_)


Visit: TypeAlias = Callable[[Event, Here], None]

__all__ = [
    "NONZERO", "Checker", "Clobber", "Here", "Outcome", "WalkResult", "graph_of", "text", "walk",
]  # fmt: skip
