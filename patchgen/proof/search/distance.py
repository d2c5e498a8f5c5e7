# SPDX-License-Identifier: GPL-2.0-only
"""How many steps at least lie between a state and the bad ones: what a shortest run needs.

Each process by itself, over its location and what nobody else writes, needs some number
of steps before its part of a bad state can hold.  A step belongs to one process, so that the
sum over the processes is never more than the steps there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.model.base import Value
from patchgen.proof.system.local import Local, Own, may
from patchgen.proof.system.system import Bad, System

#: More than any run takes.
FAR = 1 << 20


class Distance(Value, frozen=True):
    """Steps of one process at least, by the values of the variables ``names``.

    Values that are not there do not lead to a bad state at all.
    """

    names: tuple[str, ...]
    steps: dict[Local, int]


def distances(system: System, wanted: Sequence[Bad]) -> tuple[Distance, ...]:
    """For each process that has to do something before one of ``wanted`` can hold."""
    found = []
    for number, process in enumerate(system.processes):
        if process.finished < 0:
            continue
        distance = _distance(system, number, wanted)
        if any(distance.steps.values()):
            found.append(distance)
    return tuple(found)


def _distance(system: System, number: int, wanted: Sequence[Bad]) -> Distance:
    pc = system.processes[number].pc
    shared = {u.variable for t in system.transitions if t.process != number for u in t.updates}
    written = {u.variable for t in system.transitions if t.process == number for u in t.updates}
    own = Own(system, number, [pc, *sorted(written - shared - {pc})])
    before: dict[Local, set[Local]] = {own.first: set()}
    todo = [own.first]
    while todo:
        local = todo.pop()
        for made in {made for _, led in own.moves(local) for made in led}:
            if made not in before:
                before[made] = set()
                todo.append(made)
            before[made].add(local)
    steps = {
        local: 0 for local in before if any(may(bad.literals, own.values(local)) for bad in wanted)
    }
    reached = list(steps)
    for local in reached:
        for earlier in before[local]:
            if earlier not in steps:
                steps[earlier] = steps[local] + 1
                reached.append(earlier)
    return Distance(own.names, steps)
