# SPDX-License-Identifier: GPL-2.0-only
"""Every reachable state, breadth first: which properties break, by the shortest run.

States are integers (:mod:`patchgen.proof.search.packing`), expanded by functions that are made for
the system (:mod:`patchgen.proof.search.successors`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from patchgen.proof.search.distance import Distance, distances
from patchgen.proof.search.packing import Packing, step
from patchgen.proof.search.reduce import Reduced, Settled
from patchgen.proof.search.successors import compiled
from patchgen.proof.system.system import Bad, System, Transition

Progress = Callable[[int, int], None]

#: States beyond which a search gives up: about 450 MB of them.
LIMIT = 2_600_000

#: States that are expanded before a look whether the search may end.
_SLICE = 256


class TooLarge(Exception):
    """The search met its limit: nothing can be said."""


class Violation(msgspec.Struct, frozen=True):
    """A bad state that is reached, and the shortest run to it."""

    bad: Bad
    run: tuple[Transition, ...]


class Explored(msgspec.Struct, frozen=True):
    """The outcome: the states seen, the transitions tried, seconds, what is violated."""

    states: int
    transitions: int
    seconds: float
    violations: tuple[Violation, ...]


def explore(system: System, progress: Progress | None = None) -> Explored:
    """Visit every reachable state of ``system``.

    ``progress(states, depth)`` is called after each depth.  Raises TooLarge beyond
    :data:`LIMIT` states.  The order of the search, and so each run, depends on nothing
    but the system.
    """
    begun = time.monotonic()
    search = _Search(system)
    search.run(progress)
    runs = tuple(search.violation(bad) for bad in search.reached())
    return Explored(len(search.seen), search.transitions, time.monotonic() - begun, runs)


def verdicts(system: System, smaller: Reduced, progress: Progress | None = None) -> Explored:
    """What :func:`explore` finds, its runs too, in less time.

    ``smaller``, which reaches the same bad states, is visited to its end; then ``system`` for
    the shortest runs to what was found, and no further.  States and transitions are those
    of both.
    """
    begun = time.monotonic()
    search = _Search(smaller.system, smaller.settled)
    search.run(progress)
    meant = [smaller.meant[index] for index in search.found]
    if None in meant:
        return explore(system, progress)
    states, transitions = len(search.seen), search.transitions
    runs: dict[Bad, Violation] = {}
    for prop in dict.fromkeys(bad.property for bad in system.bad):
        wanted = [bad for bad in system.bad if bad in meant and bad.property == prop]
        if wanted:
            depths = [search.depth(n) for n in search.found if smaller.meant[n] in wanted]
            found = _shortest(system, wanted, max(depths), progress)
            states += len(found.seen)
            transitions += found.transitions
            runs |= {bad: found.violation(bad) for bad in wanted}
    violations = tuple(runs[bad] for bad in system.bad if bad in runs)
    return Explored(states, transitions, time.monotonic() - begun, violations)


def _shortest(system: System, wanted: list[Bad], steps: int, progress: Progress | None) -> _Search:
    """A search of ``system`` that found all of ``wanted`` as early as :func:`explore` does.

    Runs of up to ``steps`` are looked for, then of more.  States that need more steps than
    are left are passed by; they lie on no such run, and the others stay in their order.
    """
    system = msgspec.structs.replace(system, bad=tuple(wanted))
    search = _Search(system, near=distances(system, wanted))
    while True:
        search.run(progress, steps)
        if len(search.found) == len(wanted):
            return search
        if not search.cut:
            raise AssertionError("a bad state that only the reduced system reaches")
        # What is searched in vain grows by less than a factor of two a step.
        steps += 2


class _Search:
    """A search, breadth first, and what it found."""

    def __init__(
        self, system: System, settled: Sequence[Settled] = (), near: Sequence[Distance] = ()
    ) -> None:
        self.system = system
        self.packing = Packing(system)
        self.level, self.canonical = compiled(system, self.packing, settled, near)
        self.seen: dict[int, int] = {}
        self.found: dict[int, int] = {}
        self.cut: list[int] = []
        self.transitions = 0

    def run(self, progress: Progress | None, steps: int = -1) -> None:
        """Begin anew, and visit all states, or those of runs of no more than ``steps``.

        In the second case it ends when every bad state was found.
        """
        first = self.canonical(self.packing.initial)
        self.seen, self.found, self.cut = {first: -1}, {}, []
        frontier, depth = [first], 0
        while frontier and depth != steps:
            following: list[int] = []
            depth += 1
            for at in range(0, len(frontier), _SLICE):
                if steps >= 0 and len(self.found) == len(self.system.bad):
                    return
                self.transitions += self.level(
                    frontier[at : at + _SLICE],
                    self.seen,
                    following,
                    self.found,
                    steps - depth,
                    self.cut,
                )
            frontier = following
            if len(self.seen) > LIMIT:
                raise TooLarge(f"more than {LIMIT} states")
            if progress is not None:
                progress(len(self.seen), depth)
        self.cut += frontier

    def reached(self) -> list[Bad]:
        """The bad states that were found."""
        return [self.system.bad[index] for index in sorted(self.found)]

    def depth(self, index: int) -> int:
        """The steps to the bad state of that index."""
        state, steps = self.seen[self.found[index]], 0
        while state >= 0:
            state, steps = self.seen[state], steps + 1
        return steps

    def violation(self, bad: Bad) -> Violation:
        """A bad state that was found, with its run."""
        state = self.found[self.system.bad.index(bad)]
        run = _run(self.system, self.packing, self.canonical, self.seen, state)
        return Violation(bad, run)


def _run(
    system: System,
    packing: Packing,
    canonical: Callable[[int], int],
    seen: dict[int, int],
    state: int,
) -> tuple[Transition, ...]:
    """The transitions on the shortest way to ``state``, followed forwards.

    The search put equal processes in order; the run keeps each in its own column.
    """
    way = [state]
    while seen[way[-1]] >= 0:
        way.append(seen[way[-1]])
    way.reverse()
    steps = []
    actual = packing.initial
    for wanted in way[1:]:
        for transition in system.transitions:
            process = system.processes[transition.process]
            if process.pc and packing.get(actual, process.pc) != transition.source:
                continue
            after = step(packing, actual, transition, process.pc)
            if after is not None and canonical(after) == wanted:
                steps.append(transition)
                actual = after
                break
        else:
            raise AssertionError("a state without the step that made it")
    return tuple(steps)
