# SPDX-License-Identifier: GPL-2.0-only
"""Smaller systems that reach the same bad states: what the search for verdicts runs on.

The runs that people see, and the models that Spin gets, are the whole system's: Spin knows
none of these reductions and so checks them all.  One whose conditions a system does not
meet leaves it as it is.

Late samples (lower.py).  A process samples the sequence in one step with what it does next.
Take any run of the whole system.  Only the process itself reads what its sample sets, so
that the sample can be moved to just before the process's next step if that finds the same
there.  "outdated" is set anew or not used by that step.  If the sequence is bumped in
between, the process will give up: leave its steps out, for nobody sees them (it is not a
quiet one, as only an event that still runs bumps).  If all events come to rest in between,
the moved sample is a quiet one: where the other would give up, it also gets stuck, which no
guard asks for, and bad states only as such.

TLBs (:func:`_tlbs`).  ``tlb`` is one watched entry, filled from the SPTE at any time while
empty.  No guard but that one reads it: it can be x exactly if the SPTE was x at some time
since the last flush.  The set of these is kept instead, and nothing is left to choose.

Writes (:func:`_writes`).  ``differs`` can become 1, for ever, while the primary PTE maps the
new frame writable.  Only bad states read it, and only together with that PTE: it may as
well be 1 whenever they do.

Vain visits (:func:`_vain`).  A process that will go back to where it began, whatever happens,
and change nothing but its own variables on the way, may be put back at once: nobody else
can tell, and whatever it might do later it can do from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from patchgen.model.base import Value
from patchgen.proof.system.effects import NEW_RW, NONE, OLD_RO
from patchgen.proof.system.local import Local, Own, may
from patchgen.proof.system.system import Bad, Literal, System, Transition, Update, Variable

_MAPPINGS = range(OLD_RO, NEW_RW + 1)
#: Sets of mappings: bit 0 is for OLD_RO.
_SETS = range(1 << len(_MAPPINGS))


class Settled(Value, frozen=True):
    """Local states of a process that come to no more than ``first``, where it begins.

    ``names`` are its own variables, that of its location first.
    """

    names: tuple[str, ...]
    vain: frozenset[Local]
    first: Local


class Reduced(Value, frozen=True):
    """``system`` with, for each of its bad states, the one of the whole system that it means.

    That is None where it is about a location, which the whole system has others of.
    """

    system: System
    meant: tuple[Bad | None, ...]
    settled: tuple[Settled, ...]


def reduced(system: System) -> Reduced:
    """``system``, which was lowered with late samples if it may be, reduced further."""
    pcs = {process.pc for process in system.processes}
    bad: list[Bad] = []
    meant: list[Bad | None] = []
    smaller = _tlbs(_writes(system))
    names = {v.name for v in smaller.variables}
    for whole in system.bad:
        located = any(literal.variable in pcs for literal in whole.literals)
        for stated in _stated(whole, names):
            bad.append(stated)
            meant.append(None if located else whole)
    smaller = msgspec.structs.replace(smaller, bad=tuple(bad))
    settled = _settled(smaller)
    return Reduced(_without(smaller, settled), tuple(meant), settled)


def _stated(bad: Bad, names: set[str]) -> Iterator[Bad]:
    """``bad`` in the variables that are left."""
    rest = tuple(x for x in bad.literals if x.variable in names)
    entry = next((x.value for x in bad.literals if x.variable == "tlb"), NONE)
    if "tlb" in names or entry == NONE:
        yield msgspec.structs.replace(bad, literals=rest)
        return
    for held in _SETS:
        if held & 1 << entry - OLD_RO:
            yield msgspec.structs.replace(bad, literals=(*rest, Literal("tlbs", held)))


def _read(transition: Transition) -> set[str]:
    guards = {name for g in transition.guards for name in (g.variable, g.other)}
    return guards | {update.other for update in transition.updates}


def _written(transition: Transition) -> set[str]:
    return {update.variable for update in transition.updates}


def _writes(system: System) -> System:
    """Without ``differs`` and the process that sets it."""
    about = [t for t in system.transitions if "differs" in _read(t) | _written(t)]
    write, writable = Update("differs", "set", 1), Literal("pte", NEW_RW)
    free = {writable, Literal("differs", 0)}
    if not all(set(t.guards) == free and t.updates == (write,) for t in about):
        return system
    for bad in system.bad:
        asked = [x for x in bad.literals if x.variable == "differs"]
        if asked and (asked != [Literal("differs", 1)] or writable not in bad.literals):
            return system
    return msgspec.structs.replace(
        system,
        variables=tuple(v for v in system.variables if v.name != "differs"),
        transitions=tuple(t for t in system.transitions if t not in about),
    )


def _tlbs(system: System) -> System:
    """With the set ``tlbs`` of all that TLBs may hold in the place of one entry."""
    fill, flush = Update("tlb", "copy", other="spte_A"), Update("tlb", "set", NONE)
    free = {Literal("tlb", NONE), Literal("spte_A", NONE, True)}
    fills = [t for t in system.transitions if fill in t.updates]
    others = [t for t in system.transitions if fill not in t.updates]
    updates = [u for t in others for u in t.updates]
    asked = [x for bad in system.bad for x in bad.literals if x.variable == "tlb"]
    spte = next((v for v in system.variables if v.name == "spte_A"), None)
    if spte is None or not (
        fills
        and spte.initial == NONE
        and all(set(t.guards) == free and t.updates == (fill,) for t in fills)
        and not any("tlb" in _read(t) for t in others)
        and all(u == flush for u in updates if u.variable == "tlb")
        and all(u.how in ("set", "copy") for u in updates if u.variable == "spte_A")
        and all(x == Literal("tlb", x.value) and x.value in _MAPPINGS for x in asked)
    ):
        return system
    variables = tuple(v for v in system.variables if v.name != "tlb")
    return msgspec.structs.replace(
        system,
        variables=(*variables, Variable("tlbs", len(_MAPPINGS), 0)),
        transitions=tuple(_filled(t) for t in others),
    )


def _filled(transition: Transition) -> Transition:
    """``transition`` with the set kept: a flush empties it, the SPTE behind the step joins it."""
    flushed = "tlb" in _written(transition)
    updates = [u for u in transition.updates if u.variable != "tlb"]
    spte = next((u for u in updates if u.variable == "spte_A"), None)
    if flushed:
        updates.append(Update("tlbs", "set", 0))
    if spte is not None and spte.how == "set":
        updates.append(Update("tlbs", "join", spte.value))
    elif spte is not None or flushed:
        updates.append(Update("tlbs", "join", other=spte.other if spte else "spte_A"))
    return msgspec.structs.replace(transition, updates=tuple(updates))


_NOTHING = Settled((), frozenset(), ())


def _own(system: System, pc: str) -> list[str]:
    """The variables that bear a process's suffix, that of its location first."""
    suffix = pc.removeprefix("at")
    return [pc, *(v.name for v in system.variables if v.name.endswith(suffix) and v.name != pc)]


def _vain(system: System, number: int) -> Settled:
    """The local states from which a process can but go back, having changed nothing.

    Those are left of all local states when one goes that a step leaves that others see,
    that a bad state asks for, or that leads, by whosever step, to one that is gone.
    """
    process = system.processes[number]
    if not process.pc or process.finished >= 0:
        return _NOTHING
    own = Own(system, number, _own(system, process.pc))
    effects = own.effects()
    first = own.values(own.first)
    if not own.private() or any(own.after(effect, first) != {own.first} for effect in effects):
        return _NOTHING
    asked = [bad.literals for bad in system.bad if {x.variable for x in bad.literals} & set(first)]
    following: dict[Local, set[Local]] = {}
    gone: set[Local] = {own.first}
    todo = [own.first]
    while todo:
        local = todo.pop()
        if local in following:
            continue
        values = own.values(local)
        following[local] = {made for effect in effects for made in own.after(effect, values)}
        for transition, led in own.moves(local):
            following[local] |= led
            if own.seen(transition):
                gone.add(local)
        if any(may(literals, values) for literals in asked):
            gone.add(local)
        todo += following[local]
    if any(local[0] == own.first[0] for local in following.keys() - {own.first}):
        return _NOTHING  # _without() takes it that a process at its beginning has those values.
    vain = set(following) - gone
    while lost := {local for local in vain if not following[local] <= vain | {own.first}}:
        vain -= lost
    return Settled(own.names, frozenset(vain), own.first)


def _settled(system: System) -> tuple[Settled, ...]:
    """What is vain for each process; equal ones share it, by other names."""
    first, second = system.symmetric
    found: dict[str, Settled] = {}
    for number, process in enumerate(system.processes):
        twin = found.get(first[0]) if second and process.pc == second[0] else None
        if twin is not None and twin.names == first:
            found[process.pc] = msgspec.structs.replace(twin, names=second)
        else:
            found[process.pc] = _vain(system, number)
    return tuple(settled for settled in found.values() if settled.vain)


def _without(system: System, settled: Sequence[Settled]) -> System:
    """Without the steps from where processes begin to where they are put back at once."""
    useless: set[Transition] = set()
    for found in settled:
        number = next(n for n, p in enumerate(system.processes) if p.pc == found.names[0])
        own = Own(system, number, found.names)
        for transition, led in own.moves(found.first):
            if not own.seen(transition) and led <= found.vain | {found.first}:
                useless.add(transition)
    kept = tuple(t for t in system.transitions if t not in useless)
    return msgspec.structs.replace(system, transitions=kept)
