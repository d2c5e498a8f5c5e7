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

from patchgen.analysis.cfg.events import Event
from patchgen.analysis.cfg.graph import CHOICE, FORK, LEAVE, PASS, STEP, SWITCH, Graph, Node
from patchgen.analysis.engine.checker import Checker, Clobber, Here, Outcome, Path, S, WalkResult
from patchgen.analysis.engine.known import (
    VAGUE,
    Facts,
    learn,
)
from patchgen.analysis.engine.moves import Moves, graph_of, moves_of, trim
from patchgen.analysis.engine.ways import Ways
from patchgen.analysis.values import value as values
from patchgen.analysis.values.value import ANY, NONZERO, Known
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


def walk(
    function: Function,
    checker: Checker[S],
    *,
    limit: int = DEFAULT_LIMIT,
    initial: S | None = None,
    known: tuple[tuple[str, Known], ...] = (),
    vague: tuple[str, ...] = (),
    moves: Moves | None = None,
) -> WalkResult:
    """Drive ``checker`` along all paths of ``function``.

    ``limit`` bounds the steps; ``initial`` replaces the checker's initial state; ``known``
    is what holds of variables on entry, ``vague`` are pointers to what the caller made.
    ``moves`` are those of walks by ``strict`` checkers to which each call does the same.
    """
    state = checker.initial(function) if initial is None else initial
    graph, shared = moves_of(function)
    if checker.strict:
        own = moves or Moves(len(graph.nodes))
        return _Walk(graph, checker, limit, own).run(state, known, vague)
    before = len(shared.facts)
    result = _Walk(graph, checker, limit, shared).run(state, known, vague)
    if len(shared.facts) > before + _ROOM:
        trim(function, shared)
    return result


class _Walk(Ways[S]):
    def __init__(self, graph: Graph, checker: Checker[S], limit: int, moves: Moves) -> None:
        super().__init__(graph, checker, moves)
        self.limit = limit
        self.here = Here(graph)
        #: Facts by their numbers (:mod:`.moves`); states, where paths meet, by theirs.
        self.queue: deque[tuple[int, S, int, Path]] = deque()
        self.states: dict[S, int] = {}
        self.seen: set[tuple[int, int, int]] = set()
        self.wanted: dict[int, bool] = {}
        self.unknown: dict[int, Event] = {}
        self.met: dict[tuple[int, int], int] = {}
        self.wide: dict[tuple[int, int, Facts], tuple[int, Facts]] = {}
        self.blurred = ""
        self.given: Facts = ()

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
        nodes, queue, wanted = self.graph.nodes, self.queue, self.wanted
        table, moved = self.moves.facts, self.moves.steps
        queue.append((self.graph.entry, state, self.moves.number(self.given), None))
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
                    facts = self._met(node, number, state, facts)
                    if facts < 0:
                        break
                shape = node.shape
                if shape == PASS:
                    number = node.next
                    continue
                if shape == STEP:
                    wants = wanted.get(number)
                    if wants is None:
                        wants = self._wants(node.event, number)
                    if not wants:
                        if not node.writes:
                            number = node.next
                            continue
                        known = moved[number].get(facts)
                        if known is None:
                            known = self._moved(node, number, facts)
                        if len(table[facts]) <= room:
                            number, facts = node.next, known
                            continue
                        after = [(node.next, state, known, path)]
                    else:
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
                if len(table[facts]) > room:
                    # Where no paths meet, too: what nobody asks for any more is forgotten.
                    after = [(to, told, self._asked_behind(to, known), way)
                             for to, told, known, way in after]  # fmt: skip
                    room = 2 * max((len(table[one[2]]) for one in after), default=0) + _ROOM
                if len(after) != 1:
                    queue.extend(after)
                    break
                number, state, facts, path = after[0]
        return steps, ""

    def _met(self, node: Node, number: int, state: S, facts: int) -> int:
        """The facts with which a path goes on where paths meet; -1: one did already."""
        facts = self._asked_behind(number, facts)
        told = self.states.get(state)
        if told is None:
            told = self.states[state] = len(self.states)
        if node.head and self.graph.counted:
            facts = self.moves.number(self._widened(number, told, self.moves.facts[facts]))
        key = (number, told, facts)
        if key in self.seen:
            return -1
        if facts and self._crowded(number, told):
            facts = 0
            key = (number, told, facts)
            if key in self.seen:
                return -1
        self.seen.add(key)
        return facts

    def _widened(self, number: int, state: int, facts: Facts) -> Facts:
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

    def _crowded(self, number: int, state: int) -> bool:
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
        self, state: S, event: Event, facts: int, path: Path
    ) -> tuple[tuple[Outcome[S] | None, S, Path], ...]:
        """The checker's answers to an event, and the path with each.

        An answer that is no more than a state has no outcome.
        """
        here = self.here
        here._facts, here._path = self.moves.facts[facts], path
        answer = self.checker.event(state, event, here)
        if answer is state:
            return ((None, state, path),)
        answers: tuple[S | Outcome[S], ...]
        answers = answer if isinstance(answer, tuple) else (answer,)
        told: list[tuple[Outcome[S] | None, S, Path]] = []
        for one in answers:
            outcome = one if isinstance(one, Outcome) else None
            after: S = outcome.state if outcome is not None else one  # type: ignore[assignment]
            steps = outcome.steps if outcome is not None else ()
            trail = outcome.trail if outcome is not None else None
            if steps or (event.kind != "branch" and after != state):
                told.append((outcome, after, (path, event, steps, trail)))
            elif trail is not None:
                told.append((outcome, after, (path, event, None, trail)))
            else:
                told.append((outcome, after, path))
        return tuple(told)

    def _step(
        self, node: Node, number: int, state: S, facts: int, path: Path
    ) -> list[tuple[int, S, int, Path]]:
        """Behind an event that the checker wants to see."""
        event = node.event
        assert event is not None
        after: list[tuple[int, S, int, Path]] = []
        for told, state_after, way in self._tell(state, event, facts, path):
            if told is None or told.says_nothing:
                known = self._moved(node, number, facts)
            else:
                effects = self._effects(node, number, self.moves.facts[facts], told)
                known = self.moves.number(effects)
            after.append((node.next, state_after, known, way))
        return after

    def _fork(
        self, node: Node, number: int, state: S, facts: int, path: Path
    ) -> list[tuple[int, S, int, Path]]:
        assert node.event is not None and node.no is not None
        after: list[tuple[int, S, int, Path]] = []
        if self.strict:
            for event, target, told, known in self._strictly(node, number, state, facts):
                self._branch(after, event, number, target, told, known, path)
            return after
        both = self.moves.forks[number].get(facts)
        if both is None:
            both = self.moves.forks[number][facts] = self._outcomes(node, facts)
        if both[0] >= 0:
            self._branch(after, node.event, number, node.next, state, both[0], path)
        if both[1] >= 0:
            self._branch(after, node.no[0], number, node.no[1], state, both[1], path)
        return after

    def _branch(
        self,
        after: list[tuple[int, S, int, Path]],
        event: Event,
        number: int,
        target: int,
        state: S,
        facts: int,
        path: Path,
    ) -> None:
        if not self._wants(event, number):
            after.append((target, state, facts, (path, event, (), None)))
            return
        for _, told, way in self._tell(state, event, facts, path):
            after.append((target, told, facts, (way, event, (), None)))

    def _choice(
        self, node: Node, number: int, state: S, facts: int, path: Path
    ) -> list[tuple[int, S, int, Path]]:
        assert node.event is not None and node.no is not None
        after: list[tuple[int, S, int, Path]] = []
        known = self._moved(node, number, facts)
        self._branch(after, node.event, number, node.next, state, known, path)
        self._branch(after, node.no[0], number, node.no[1], state, known, path)
        return after

    def _switch(
        self, node: Node, number: int, state: S, facts: int, path: Path
    ) -> list[tuple[int, S, int, Path]]:
        after: list[tuple[int, S, int, Path]] = []
        ways = self.moves.switches.get((number, facts))
        if ways is None:
            ways = self.moves.switches[number, facts] = tuple(self._cases(node, facts))
        for event, target, known in ways:
            self._branch(after, event, -1 - event.node * 2 - event.polarity, target, state,
                         known, path)  # fmt: skip
        return after

    def _leave(self, node: Node, number: int, state: S, facts: int, path: Path) -> None:
        event = node.event
        assert event is not None
        told: tuple[tuple[S, Path], ...] = ((state, path),)
        if self._wants(event, number):
            told = tuple((one, way) for _, one, way in self._tell(state, event, facts, path))
        for after, way in told:
            self.here._facts, self.here._path = self.moves.facts[facts], way
            self.checker.at_exit(after, event, self.here)


def _hull(one: Known, two: Known) -> Known:
    """A value that has both."""
    symbol = one.symbol if one.symbol == two.symbol else ""
    return Known(min(one.lo, two.lo), max(one.hi, two.hi), symbol, one.not_ & two.not_)


Visit: TypeAlias = Callable[[Event, Here], None]

__all__ = [
    "NONZERO", "Checker", "Clobber", "Here", "Outcome", "WalkResult", "graph_of", "text", "walk",
]  # fmt: skip
