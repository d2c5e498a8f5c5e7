# SPDX-License-Identifier: GPL-2.0-only
"""Whether what a subscription takes is given back: its place on the list, the mm, the mappings.

Registering puts a subscriber on the list and holds the address space; unregistering takes it
off, waits for those who are in a callback, and lets go.  KVM subscribes with its table, drops
all mappings in release() and unregisters when the guest is destroyed (mm/mmu_notifier.c,
virt/kvm/kvm_main.c, arch/x86/kvm).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from patchgen.analysis.guests.base import HOST, KVM_MAIN, judged, last_line
from patchgen.analysis.paths.bodies import Bodies, Read
from patchgen.analysis.paths.events import Call, Event, Path
from patchgen.analysis.paths.reach import Reach
from patchgen.analysis.paths.run import paths
from patchgen.analysis.told.dispatch import CORE, HEADER, Reading, path_failed
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Evidence, Place
from patchgen.source.c.tables import initialised
from patchgen.source.c.text import bare, text

_ADDS = names("paths", "dispatch", "adds")
_REGISTERS = tuple(load("paths")["registered"]["registers"])
_UNREGISTER = "mmu_notifier_unregister"
_DESTROY = "kvm_destroy_vm"
_HOLDS, _LETS_GO, _TAKES_OFF, _WAITS, _UNHASHED, _DROPS_ALL, _DROPS = (
    names("paths", "registered", key)
    for key in ("holds", "lets_go", "takes_off", "waits", "unhashed", "drops_all", "drops")
)
_ARCH: tuple[str, ...] = tuple(load("paths")["registered"]["arch"])


def registered(read: Read) -> Reading:
    """What of a subscription may stay behind, or never be there."""
    readings = (judged(read, (CORE, HEADER), _core), judged(read, (KVM_MAIN, HOST), _guest))
    return Reading(
        tuple(one for reading in readings for one in reading.faults),
        tuple(one for reading in readings for one in reading.rests_on),
    )


# -- the core ---------------------------------------------------------------------


def _core(bodies: Bodies, read: Read) -> Iterator[Evidence]:
    name = next((one for one in _REGISTERS if bodies.functions(one)), _REGISTERS[0])
    for path in _ways(bodies, name, _ADDS | _HOLDS):
        # Without a subscriber (from 5.5 on) it only makes room for one.
        nobody = any(c.text == "$sub" and not c.holds for c in path.conditions)
        if nobody or path_failed(path):
            continue
        yield from _lacks(path, name, _is(_ADDS), "puts nobody on the list")
        yield from _lacks(path, name, _is(_HOLDS, "$mm"), "does not hold the address space")
    for path in _ways(bodies, _UNREGISTER, _TAKES_OFF | _LETS_GO | _WAITS):
        gone = any(c.holds and c.text.split("#")[0] in _UNHASHED for c in path.conditions)
        if not gone:
            off = "leaves the subscriber on the list"
            yield from _lacks(path, _UNREGISTER, _is(_TAKES_OFF), off)
        yield from _lacks(path, _UNREGISTER, _is(_WAITS), "does not wait for callbacks that run")
        yield from _lacks(path, _UNREGISTER, _is(_LETS_GO, "$mm"), "does not let go of the mm")


def _ways(bodies: Bodies, name: str, wanted: frozenset[str]) -> tuple[Path, ...]:
    """The ways through a function; what comes to none of ``wanted`` is not looked into."""
    reach = Reach(bodies)
    stop = reach.defined - reach.to(wanted) - {name}
    functions = bodies.functions(name)
    given = [f"${param.name}" for param in functions[0].params] if functions else []
    # By their order: the subscriber, the address space.
    if functions and len(given) == 2 and "mm_struct" in functions[0].params[1].type:
        given = ["$sub", "$mm"]
    return paths(bodies, name, given, stop | wanted)


def _is(known: frozenset[str], about: str = "") -> Callable[[Event], bool]:
    """Whether an event is a call of ``known``, of an argument that ``about`` stands in."""

    def asked(event: Event) -> bool:
        if not isinstance(event, Call) or not event.direct or event.name not in known:
            return False
        return any(about in text(bare(arg)) for arg in event.args)

    return asked


def _lacks(path: Path, name: str, wanted: Callable[[Event], bool], what: str) -> Iterator[Evidence]:
    if not any(map(wanted, path.events)):
        yield Evidence(last_line(path, CORE), f"on some path {name}() {what}")


# -- KVM --------------------------------------------------------------------------


def _guest(bodies: Bodies, read: Read) -> Iterator[Evidence]:
    if KVM_MAIN not in bodies.paths:
        return
    found = initialised(bodies.tokens(KVM_MAIN), KVM_MAIN, lambda s: s == "mmu_notifier_ops")
    table = next((one for one, _ in found), None)
    if table is None:
        return
    release = table.function("release")
    if not release:
        yield Evidence(Place(KVM_MAIN, table.line), "KVM drops nothing when its mm goes away")
    for path in _ways(bodies, release, _DROPS_ALL) if release else ():
        yield from _lacks(path, release, _is(_DROPS_ALL), "leaves the guest's mappings")
    yield from _by_architecture(read)
    if not bodies.functions(_DESTROY):
        yield Evidence(Place(KVM_MAIN, 1), f"no {_DESTROY}()")
        return
    for path in _ways(bodies, _DESTROY, frozenset({_UNREGISTER})):
        text_ = "leaves the guest on the list of subscribers"
        yield from _lacks(path, _DESTROY, _is(frozenset({_UNREGISTER}), "->mmu_notifier"), text_)


def _by_architecture(read: Read) -> Iterator[Evidence]:
    """x86's part of dropping all: it comes to what drops a mapping."""
    bodies = Bodies(read, _ARCH)
    reach = Reach(bodies)
    drops = reach.to(_DROPS, mentioned=True)
    for name in sorted(_DROPS_ALL & reach.defined - drops):
        for function in bodies.functions(name):
            place = Place(function.path, function.line)
            yield Evidence(place, f"{name}() is not seen to drop any mapping")
