# SPDX-License-Identifier: GPL-2.0-only
"""Which functions of x86's must ask for a retry, and whether all of them do."""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.guests.hva_walk import hva_walk
from patchgen.analysis.guests.judge import guests
from patchgen.analysis.handlers.walks import walks
from patchgen.analysis.told.dispatch import dispatch, notification
from patchgen.model.base import Fact, Place, Value
from patchgen.model.code import (
    Function,
)
from patchgen.proof.system.beside import cache_fault, swap_fault
from patchgen.proof.system.fault import RETRIES, FaultPath, Lookup, called
from patchgen.proof.system.locate import (
    FAULTS,
    KVM_FILES,
    LOOKUPS,
    MAPS,
    Misplaced,
    Source,
)
from patchgen.proof.system.retry import retry_fault
from patchgen.source.c.text import every

#: What maps a page that was looked up, wherever it is called: arch/x86/kvm/mmu/.
_ALWAYS_MAPS = ("__direct_map", "direct_map", "kvm_tdp_mmu_map", "FNAME(fetch)")
#: Pages of private memory, which the host does not map, come to this one alone (seen in 7.2).
_PRIVATE = frozenset({"kvm_tdp_mmu_map"})
#: What writes an entry that maps a page: arch/x86/kvm/mmu/mmu.c.
_WRITES = ("mmu_spte_set", "mmu_set_spte", "set_spte", *_ALWAYS_MAPS)
_LOCKS = ("spin_lock", "write_lock", "read_lock")
_TEMPLATES = ("arch/x86/kvm/mmu/paging_tmpl.h", "arch/x86/kvm/paging_tmpl.h")
_API = "include/linux/mmu_notifier.h"
_CORE = "mm/mmu_notifier.c"
_HOST = "include/linux/kvm_host.h"


class Around(Value, frozen=True):
    """What is not as it is explored, and the definitions that were read for it."""

    wrong: tuple[Misplaced, ...]
    facts: tuple[Fact, ...]


def surroundings(source: Source, changes: bool, counts: bool) -> Around:
    """What in the fault paths, the retry tests and the flush is not as it is explored.

    Each function of x86's that looks a page up or maps one is followed along all its paths.
    ``changes``: there is a change_pte(), so that who is told is read, too.  ``counts``: active
    invalidations are counted, for memslots to wait for them.
    """

    def get(name: str) -> Function | None:
        return source.kvm.get(name) or source.file(_HOST).get(name)

    readings = {
        **guests(source.read),
        "dispatch": dispatch(source.read),
        "walks": walks(source.read),
        "common walk": hva_walk(source.read),
        **({"notification": notification(source.read)} if changes else {}),
    }
    facts = [Fact(c, e.place, e.text) for c, one in readings.items() for e in one.rests_on]
    wrong = [e for one in readings.values() for e in one.faults]
    noted = [(e.place.path, e.text) for e in wrong] + [(f.place.path, f.read) for f in facts]
    source.note("surroundings", repr(noted))
    found: list[tuple[Place, str] | None] = [(e.place, e.text) for e in wrong]
    found.append(cache_fault(source))
    found.append(swap_fault(source) if counts else None)
    installs = _Installs(get)
    for function in _concerned(source):
        used = {called(e) for e in every(function.body)}
        maps: tuple[str, ...] = _ALWAYS_MAPS
        if function.name in FAULTS:
            maps = (*maps, *MAPS)
        if used.isdisjoint(maps) and not used.isdisjoint(LOOKUPS):
            # Not one of the fault paths by name: whatever it writes an entry with.
            maps = tuple(sorted(name for name in used if installs.at(name)))
        if used.isdisjoint(maps):
            if not used.isdisjoint(_LOCKS):
                where = Place(function.path, function.line)
                found.append((where, f"{function.name}(): what it maps is not understood"))
            continue
        if used & {*maps} <= _PRIVATE and used.isdisjoint(LOOKUPS):
            continue
        found.append(FaultPath(get, LOOKUPS, maps).fault(function))
        found += [retry_fault(get, name) for name in RETRIES if name in used]
    misplaced = tuple(Misplaced(*one) for one in dict.fromkeys(found) if one is not None)
    return Around(misplaced, tuple(dict.fromkeys(facts)))


class _Installs:
    """Which functions write a new entry, or call one that does."""

    def __init__(self, get: Lookup) -> None:
        self._get = get
        self._known: dict[str, bool] = dict.fromkeys(_WRITES, True)

    def at(self, name: str) -> bool:
        """Whether ``name`` writes one; a recursion adds nothing."""
        if name not in self._known:
            self._known[name] = False
            function = self._get(name)
            inside = {called(e) for e in every(function.body)} if function else set()
            self._known[name] = any(self.at(one) for one in inside - {"", name})
        return self._known[name]


def _concerned(source: Source) -> Iterator[Function]:
    """The functions that look a page up or map one, but for those that do nothing else."""
    wanted = {*LOOKUPS, *_ALWAYS_MAPS}
    for path in (*KVM_FILES[1:], *_TEMPLATES):
        seen: set[str] = set()
        for word in (*LOOKUPS, *_ALWAYS_MAPS[:-1], "fetch"):
            for function in source.file(path).mentioning(word):
                if function.name in wanted or function.name in seen:
                    continue
                seen.add(function.name)
                if any(called(e) in wanted for e in every(function.body)):
                    yield function
