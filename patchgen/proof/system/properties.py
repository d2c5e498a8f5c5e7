# SPDX-License-Identifier: GPL-2.0-only
"""The properties, as sets of bad states: stated on memory, not on mechanism."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from patchgen.proof.system.cases import Case
from patchgen.proof.system.effects import GONE, NEW_RO, NEW_RW, OLD_RO, OLD_RW, TAKEN
from patchgen.proof.system.system import Bad, Literal, Process, Transition

#: What each property says.
PROPERTIES = {
    "S1": "no guest access reaches a frame after it was freed or given to somebody else",
    "S2": "no write is lost or forbidden, no outdated content is read",
    "S3": "counts balanced at rest and never negative, locks and SRCU sections closed",
    "S4": "no deadlock, and every fault eventually completes",
    "O1": "a resident page stays mapped from start to end",
}

#: Per (process, location) the variables of locks that may be held there.
Holding = Mapping[tuple[int, int], frozenset[str]]

#: How the guest gets at memory: (variable, what else holds, words).
_WAYS: tuple[tuple[str, dict[str, int], str], ...] = (
    ("spte_A", {"late": 0}, "through the SPTE"),
    ("spte_A", {"late": 1}, "through an SPTE that a fault installed from an outdated lookup"),
    ("tlb", {}, "through a stale TLB entry"),
    ("cache", {}, "through the pfn cache"),
)


def bad_states(
    case: Case,
    processes: Sequence[Process],
    transitions: Sequence[Transition],
    holding: Holding,
    variables: frozenset[str],
) -> tuple[Bad, ...]:
    """The bad states of all properties, for the variables that there are."""
    found = [*_memory(case, variables), *_rest(variables)]
    found += _deadlocks(processes, transitions, holding)
    found.append(Bad("S4", "a fault that nothing disturbs is told to try again", "", _all(stuck=1)))
    studied = processes[0].holder
    if not case.kept:
        return tuple(dict.fromkeys(found))
    for holder in sorted({0, *(p.holder for p in processes)} - {studied}):
        literals = _all(lost=1, section_h0=1, lock_mmu=holder)
        found.append(Bad("O1", "the page is not mapped any more", "CPU 0", literals))
    return tuple(dict.fromkeys(found))


def _all(**values: int) -> tuple[Literal, ...]:
    return tuple(Literal(name, value) for name, value in values.items())


def _memory(case: Case, variables: frozenset[str]) -> Iterator[Bad]:
    sections: dict[str, int] = {
        name: 0 for name in ("section_h0", "section_h1") if name in variables
    }
    for variable, also, way in _WAYS:
        if variable not in variables:
            continue
        for mapping in (OLD_RO, OLD_RW):
            cause = f"the guest reaches the freed old frame {way}"
            yield Bad("S1", cause, "guest", _all(**also, **{variable: mapping, "old": GONE}))
        for mapping in (NEW_RO, NEW_RW) if case.new_frame else ():
            cause = f"the guest reaches the freed new frame {way}"
            yield Bad("S1", cause, "guest", _all(**also, **{variable: mapping, "new": 1}))
        cause = f"the guest writes to the old frame {way}: its content was taken over already"
        yield Bad("S2", cause, "guest", _all(**also, **{variable: OLD_RW, "old": TAKEN}))
        for pte, mapping in ((OLD_RO, OLD_RW), (NEW_RO, NEW_RW), (NEW_RO, OLD_RW)):
            if pte == NEW_RO and not case.new_frame:
                continue
            cause = f"the guest writes {way}: the primary PTE is read-only"
            literals: dict[str, int] = {variable: mapping, "pte": pte, **also, **sections}
            yield Bad("S2", cause, "guest", _all(**literals))
        for mapping in (OLD_RO, OLD_RW) if case.after == NEW_RW else ():
            cause = f"the guest reads the old frame {way}: the new one was written to since"
            literals = {variable: mapping, "pte": NEW_RW, "differs": 1, **also}
            yield Bad("S2", cause, "guest", _all(**literals))


def _rest(variables: frozenset[str]) -> Iterator[Bad]:
    yield Bad(
        "S3",
        "a count goes below zero, or a lock is dropped that is not held",
        "",
        _all(unbalanced=1),
    )
    counts = {"count": 3, "active": 3, "srcu": 3}
    words = {
        "count": "the invalidation count is not zero at rest",
        "active": "the count of active invalidations is not zero at rest",
        "srcu": "an SRCU section is still open at rest",
    }
    for name, bits in counts.items():
        if name in variables:
            for value in range(1, 1 << bits):
                yield Bad("S3", words[name], "", _all(**{"running": 0, name: value}))
    for lock in sorted(name for name in variables if name.startswith("lock_")):
        for holder in (1, 2):
            yield Bad(
                "S3", "a lock is still held at rest", "", _all(**{"running": 0, lock: holder})
            )


def _deadlocks(
    processes: Sequence[Process], transitions: Sequence[Transition], holding: Holding
) -> Iterator[Bad]:
    """A wait for oneself, for somebody who is done, or for one who waits for oneself.

    Only combinations that the programs allow are listed: a location at which a lock is
    never held cannot be the reason of a wait for it.
    """
    waits = sorted(
        {
            (t.process, t.source, t.lock, tuple(g for g in t.guards if g.variable != t.lock))
            for t in transitions
            if t.lock
        }
    )
    for process, location, lock, guards in waits:
        name, mine = processes[process].name, processes[process].holder
        here = (Literal(processes[process].pc, location), *guards)
        if lock in holding[process, location]:
            held = Literal(lock, mine)
            yield Bad("S4", "deadlock: the lock is held by its own waiter", name, (*here, held))
        for number, owner in enumerate(processes):
            if number == process or lock not in holding.get((number, owner.finished), ()):
                continue
            done = (Literal(lock, owner.holder), Literal(owner.pc, owner.finished))
            yield Bad("S4", "deadlock: the lock's holder is done", name, (*here, *done))
        for process2, location2, lock2, guards2 in waits:
            crossed = lock in holding[process2, location2] and lock2 in holding[process, location]
            if process2 <= process or not crossed:
                continue
            there = (Literal(processes[process2].pc, location2), *guards2)
            both = (Literal(lock, processes[process2].holder), Literal(lock2, mine))
            literals = tuple(dict.fromkeys((*here, *there, *both)))
            yield Bad("S4", "deadlock: two wait for each other", name, literals)
