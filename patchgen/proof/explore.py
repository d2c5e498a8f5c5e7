# SPDX-License-Identifier: GPL-2.0-only
"""Every reachable state, breadth first: which properties break, by the shortest run.

States are integers (:mod:`patchgen.proof.packing`), expanded by functions that are made for
the system (:mod:`patchgen.proof.successors`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from patchgen.proof.packing import Packing, step
from patchgen.proof.successors import compiled
from patchgen.proof.system import Bad, System, Transition

Progress = Callable[[int, int], None]

#: States beyond which a search gives up: about 450 MB of them.
LIMIT = 2_600_000


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
    packing = Packing(system)
    level, canonical = compiled(system, packing)
    first = canonical(packing.initial)
    seen: dict[int, int] = {first: -1}
    found: dict[int, int] = {}
    frontier = [first]
    depth = transitions = 0
    while frontier:
        following: list[int] = []
        transitions += level(frontier, seen, following, found)
        frontier = following
        depth += 1
        if len(seen) > LIMIT:
            raise TooLarge(f"more than {LIMIT} states")
        if progress is not None:
            progress(len(seen), depth)
    runs = tuple(
        Violation(system.bad[index], _run(system, packing, canonical, seen, state))
        for index, state in sorted(found.items())
    )
    return Explored(len(seen), transitions, time.monotonic() - begun, runs)


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
