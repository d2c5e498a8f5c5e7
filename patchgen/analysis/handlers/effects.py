# SPDX-License-Identifier: GPL-2.0-only
"""What KVM's range callbacks do besides unmapping, and what change_pte() does, one by one.

Where start and end are left out for a range, each effect of theirs must be made good by
change_pte(), cancel with one of the other, or be harmless for a reason that is looked up
in the tree; anything else is named (virt/kvm/kvm_main.c, the direct idiom).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from patchgen.analysis.handlers.arches import beside_zap
from patchgen.analysis.paths.bodies import Bodies, NotUnderstood, Read
from patchgen.analysis.paths.events import Call, Event, Loop, Odd, Path, Store, said
from patchgen.analysis.paths.run import paths
from patchgen.analysis.told.dispatch import HEADER
from patchgen.kernel.knowledge import names
from patchgen.model.base import Evidence, Place, Value
from patchgen.source.c.text import bare, text

_NEUTRAL = names("paths", "calls", "neutral")
_PREFIXES = tuple(sorted(names("paths", "calls", "neutral_prefixes")))
_WARNS = names("paths", "calls", "warns")
_ZAPS = names("paths", "kvm", "zaps")
_SETS = names("paths", "kvm", "sets")
_FLUSHES = names("kvm", "flush", "functions")
_LOCKS = frozenset({"spin_lock", "write_lock"})
_UNLOCKS = frozenset({"spin_unlock", "write_unlock"})
_HOST = "include/linux/kvm_host.h"
#: Both as written in virt/kvm/kvm_main.c, and alone.
CONFIGURED = {
    "CONFIG_MMU_NOTIFIER": True,
    "KVM_ARCH_WANT_MMU_NOTIFIER": True,
    "CONFIG_KVM_GENERIC_MMU_NOTIFIER": True,
    "(defined(CONFIG_MMU_NOTIFIER) && defined(KVM_ARCH_WANT_MMU_NOTIFIER))": True,
}


class Callbacks(Value, frozen=True):
    """KVM's callbacks and counters by name, and the file that they are in."""

    path: str
    start: str
    end: str
    change_pte: str
    count: str
    sequence: str


Listed = Callable[[str], tuple[str, ...]]
"""The files below a folder of the tree."""


def effects(read: Read, listed: Listed, kvm: Callbacks) -> tuple[Evidence, ...]:
    """What in the callbacks speaks against leaving ranges to change_pte(); () for nothing."""
    stop = _ZAPS | _SETS | _FLUSHES
    try:
        bodies = Bodies(read, (kvm.path, _HOST, HEADER), CONFIGURED)
        beside: dict[str, Place] = {}
        found: list[Evidence] = []
        for path in paths(bodies, kvm.start, ("$mn", "$range"), stop):
            found += _in_start(path, kvm, bodies, beside)
        for path in paths(bodies, kvm.end, ("$mn", "$range"), stop):
            found += _in_end(path, kvm, bodies)
        for path in paths(bodies, kvm.change_pte, ("$mn", "$mm", "$address", "$pte"), stop):
            found += _in_change(path, kvm, bodies)
        for name, place in beside.items():
            found += beside_zap(read, listed, name, place)
    except NotUnderstood as error:
        return (error.evidence,)
    return tuple(dict.fromkeys(found))


def _in_start(
    path: Path, kvm: Callbacks, bodies: Bodies, beside: dict[str, Place]
) -> Iterator[Evidence]:
    steps = {"+=": 0, "-=": 0}
    for event in path.events:
        if isinstance(event, Store) and _member(event) == kvm.count and event.op in steps:
            steps[event.op] += 1
        elif _is_call(event, _ZAPS | _FLUSHES) or _neutral(event, bodies):
            continue
        elif isinstance(event, Call) and event.direct and event.name.startswith("kvm_arch_"):
            beside.setdefault(event.name, event.place)
        else:
            text_ = f"{kvm.start}() also does {said(event)}: a range that is left out loses that"
            yield Evidence(event.place, text_)
    if steps != {"+=": 1, "-=": 0}:
        yield _line(path, kvm, f"{kvm.start}() does not raise {kvm.count} once on each path")


def _in_end(path: Path, kvm: Callbacks, bodies: Bodies) -> Iterator[Evidence]:
    steps = 0
    for event in path.events:
        if isinstance(event, Store) and _member(event) == kvm.count:
            steps += event.op == "-="
            if event.op != "-=":
                yield Evidence(event.place, f"{kvm.end}() also does {said(event)}")
        elif isinstance(event, Store) and _member(event) == kvm.sequence and event.op == "+=":
            continue
        elif not (_is_call(event, _WARNS) or _neutral(event, bodies)):
            text_ = f"{kvm.end}() also does {said(event)}: a range that is left out loses that"
            yield Evidence(event.place, text_)
    if steps != 1:
        yield _line(path, kvm, f"{kvm.end}() does not drop {kvm.count} once on each path")


def _in_change(path: Path, kvm: Callbacks, bodies: Bodies) -> Iterator[Evidence]:
    bumps = [n for n, e in enumerate(path.events)
             if isinstance(e, Store) and _member(e) == kvm.sequence and e.op == "+="]  # fmt: skip
    sets = [n for n, e in enumerate(path.events) if _is_call(e, _SETS)]
    for number, event in enumerate(path.events):
        if number in (*bumps, *sets) or _is_call(event, _FLUSHES) or _neutral(event, bodies):
            continue
        yield Evidence(event.place, f"{kvm.change_pte}() also does {said(event)}, which is not"
                                    " as where start and end ran")  # fmt: skip
    if len(bumps) != 1 or len(sets) != 1 or bumps[0] > sets[0]:
        text_ = f"on some path {kvm.change_pte}() does not bump {kvm.sequence} and then set SPTEs"
        yield _line(path, kvm, text_)
        return
    for number in (bumps[0], sets[0]):
        if not _under_lock(path.events[:number]):
            text_ = f"{kvm.change_pte}() does this outside of mmu_lock"
            yield Evidence(path.events[number].place, text_)
    if any(_is_call(e, _UNLOCKS) for e in path.events[bumps[0] : sets[0]]):
        yield Evidence(path.events[sets[0]].place, "mmu_lock is given up between the bump and this")
    call = path.events[sets[0]]
    assert isinstance(call, Call)
    guest, *given = (text(bare(arg)) for arg in call.args)
    if given != ["$address", "$pte"] or not guest.startswith("container_of($mn, "):
        yield Evidence(call.place, f"{call.name}() is given {', '.join((guest, *given))}")
    flushed = any(_is_call(e, _FLUSHES) for e in path.events[sets[0] :])
    if not flushed and path.holds(call.result) is not False:
        yield Evidence(call.place, f"on some path no flush follows {call.name}()")


def _under_lock(events: Sequence[Event]) -> bool:
    """Whether the guest's mmu_lock was taken and not dropped in what happened."""
    held = False
    for event in events:
        mine = isinstance(event, Call) and any(
            text(bare(arg)).endswith("->mmu_lock") for arg in event.args
        )
        if mine and _is_call(event, _LOCKS | _UNLOCKS):
            held = _is_call(event, _LOCKS)
    return held


def _line(path: Path, kvm: Callbacks, text_: str) -> Evidence:
    shown = [c.place for c in path.conditions] + [e.place for e in path.events]
    return Evidence(shown[-1] if shown else Place(kvm.path, 1), text_)


def _member(store: Store) -> str:
    target = bare(store.target)
    plain = target.kind == "arrow" and text(target.args[0]).startswith("container_of($mn, ")
    counted = text(bare(store.value)) == "1" if store.op in ("+=", "-=") else True
    return target.name if plain and counted else ""


def _is_call(event: Event, known: frozenset[str]) -> bool:
    return isinstance(event, Call) and event.direct and event.name in known


def _neutral(event: Event, bodies: Bodies) -> bool:
    """Whether an event only locks, orders, traces or counts."""
    match event:
        case Odd() | Loop():
            return False
        case Store():
            target = bare(event.target)
            # struct kvm's statistics, which nothing decides by: include/linux/kvm_host.h.
            owner = bare(target.args[0]) if target.kind == "member" else None
            return owner is not None and owner.kind == "arrow" and owner.name == "stat"
        case Call():
            known = event.name in _NEUTRAL or event.name.startswith(_PREFIXES)
            return event.direct and known
