# SPDX-License-Identifier: GPL-2.0-only
"""The transition system of one case: tasks lowered, variables declared, bad states named."""

from __future__ import annotations

from collections.abc import Sequence

from patchgen.proof.extract.protocol import Bounds, Core, Protocol
from patchgen.proof.system.cases import Case
from patchgen.proof.system.effects import LIVE, OLD_RO, TAKEN
from patchgen.proof.system.environment import tasks
from patchgen.proof.system.lower import Lowering, Task, may_be_late, protected
from patchgen.proof.system.properties import bad_states
from patchgen.proof.system.system import Process, System, Transition, Variable

#: Bits and initial values of the variables that are not a process's own.
_SHARED = {
    "lock_mmu": 3,
    "lock_ptl": 3,
    "lock_mn": 3,
    "lock_gpc": 3,
    "count": 3,
    "range_A": 1,
    "range_B": 1,
    "active": 3,
    "srcu": 3,
    "running": 2,
    "unbalanced": 1,
    "stuck": 1,
    "lost": 1,
    "section_h0": 1,
    "section_h1": 1,
    "spte_A": 3,
    "late": 1,
    "spte_B": 1,
    "pte": 3,
    "old": 2,
    "new": 1,
    "differs": 1,
    "tlb": 3,
    "dirty": 1,
    "cache": 3,
    "invalid": 1,
}
_OWN = {"sampled": 1, "stale": 1, "quiet": 1, "looked": 3, "outdated": 1}


def assemble(
    protocol: Protocol,
    case: Case,
    core: Core,
    unmap: Core,
    bounds: Bounds,
    reduce: bool = True,
    late: bool = False,
) -> System:
    """The system for ``case``; ``reduce`` merges steps that nobody can tell apart.

    ``late`` is for :func:`.search.reduce.reduced`: samples are late where they may be.
    """
    everybody = tasks(protocol, case, core, unmap, bounds)
    late = late and may_be_late(everybody)
    guarded = protected(everybody)
    processes: list[Process] = []
    transitions: list[Transition] = []
    holding: dict[tuple[int, int], frozenset[str]] = {}
    for number, task in enumerate(everybody):
        lowering = Lowering(task, number, guarded, reduce, late)
        made = lowering.run()
        transitions += made
        holding |= lowering.holding()
        locations = len(lowering.locations)
        pc = f"at{task.scope.suffix}" if locations > 1 else ""
        processes.append(Process(task.name, pc, task.scope.holder, lowering.finished, locations))
    used = _used(transitions) | {p.pc for p in processes if p.pc}
    variables = _variables(case, everybody, processes, used)
    names = frozenset(v.name for v in variables)
    bad = tuple(
        b
        for b in bad_states(case, processes, transitions, holding, names)
        if all(lit.variable in names for lit in b.literals)
    )
    return System(
        case.key, variables, tuple(processes), tuple(transitions), bad, _symmetric(bounds, names)
    )


def _used(transitions: Sequence[Transition]) -> set[str]:
    used: set[str] = set()
    for transition in transitions:
        used |= {name for g in transition.guards for name in (g.variable, g.other) if name}
        used |= {name for u in transition.updates for name in (u.variable, u.other) if name}
    return used | {"lock_mmu", "section_h0", "pte", "old", "lost", "running"}


def _variables(
    case: Case, everybody: Sequence[Task], processes: Sequence[Process], used: set[str]
) -> tuple[Variable, ...]:
    initial = {
        "pte": case.before,
        # A read-only frame that is replaced was copied or compared before the section.
        "old": TAKEN if case.new_frame and case.before == OLD_RO else LIVE,
        "running": sum(p.finished >= 0 for p in processes),
    }
    result = [Variable(name, bits, initial.get(name, 0)) for name, bits in _SHARED.items()]
    for process in processes:
        if process.pc:
            result.append(Variable(process.pc, max(1, (process.locations - 1).bit_length()), 0))
    for task in everybody:
        result += [Variable(f"{name}{task.scope.suffix}", bits, 0) for name, bits in _OWN.items()]
    unique = {v.name: v for v in result}
    return tuple(v for v in unique.values() if v.name in used)


def _symmetric(bounds: Bounds, names: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The two vCPUs run the same program: which is which does not matter."""
    if bounds.vcpus < 2:
        return (), ()
    own = [name for name in ("at", *_OWN) if f"{name}_v0" in names]
    return tuple(f"{name}_v0" for name in own), tuple(f"{name}_v1" for name in own)
