# SPDX-License-Identifier: GPL-2.0-only
"""Whether x86's walks come by every mapping: what start unmaps, and what change_pte() sets.

By address, in each address space and memslot (kvm_unmap_hva_range() and kvm_set_spte_hva(),
arch/x86/kvm/mmu/, up to 5.11).  From 5.12 on the walk is virt/kvm/kvm_main.c's own.
"""

from __future__ import annotations

from collections.abc import Iterator

from patchgen.analysis.handlers.lost import lost_answers
from patchgen.analysis.handlers.setters import HOST, SETTER, covered, stops
from patchgen.analysis.paths.bodies import Bodies, NotUnderstood, Read
from patchgen.analysis.paths.run import paths
from patchgen.analysis.told.dispatch import Reading
from patchgen.kernel.knowledge import load
from patchgen.model.base import Evidence, Place

UNMAP = "kvm_unmap_hva_range"
_FILES: tuple[str, ...] = tuple(load("paths")["setters"]["x86"])


def walks(read: Read) -> Reading:
    """Which mapping of x86's may be left out by a walk of start or change_pte()."""
    bodies = Bodies(read, (*_FILES, HOST))
    faults: list[Evidence] = []
    try:
        for name in (UNMAP, SETTER):
            faults += _walked(bodies, name)
        faults += lost_answers(bodies)
    except NotUnderstood as error:
        faults.append(error.evidence)
    facts = (Evidence(place, what) for place, what in sorted(bodies.put_in.items()))
    return Reading(tuple(dict.fromkeys(faults)), tuple(facts))


def _walked(bodies: Bodies, name: str) -> Iterator[Evidence]:
    found = [f for f in bodies.functions(name) if f.path != HOST]
    for function in found[:1]:
        args = [f"${param.name}" for param in function.params]
        where = Place(function.path, function.line)
        for way in paths(bodies, name, args, stops()):
            yield from covered(way, bodies, where)
