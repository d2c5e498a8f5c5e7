# SPDX-License-Identifier: GPL-2.0-only
"""What the judges of KVM's surroundings share: files, and how one is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from patchgen.analysis.handlers.effects import CONFIGURED
from patchgen.analysis.paths.bodies import Bodies, NotUnderstood, Read
from patchgen.analysis.paths.events import Path
from patchgen.analysis.told.dispatch import Reading
from patchgen.model.base import Evidence, Place

KVM_MAIN = "virt/kvm/kvm_main.c"
HOST = "include/linux/kvm_host.h"
X86_HOST = "arch/x86/include/asm/kvm_host.h"


def judged(
    read: Read, files: Iterable[str], judge: Callable[[Bodies, Read], Iterator[Evidence]]
) -> Reading:
    """What ``judge`` says of the code of some files, and the definitions that it read there.

    What it does not understand is a fault, at its place.
    """
    try:
        bodies = Bodies(read, files, CONFIGURED)
    except NotUnderstood as error:
        return Reading((error.evidence,), ())
    faults: list[Evidence] = []
    try:
        faults += judge(bodies, read)
    except NotUnderstood as error:
        faults.append(error.evidence)
    return Reading(tuple(dict.fromkeys(faults)), facts(bodies))


def facts(bodies: Bodies) -> tuple[Evidence, ...]:
    """The definitions that were put in, each with its place."""
    return tuple(sorted(Evidence(place, what) for place, what in bodies.put_in.items()))


def last_line(path: Path, file: str, line: int = 1) -> Place:
    """The last place that a way shows: what it was asked last, else what it did last."""
    shown = [c.place for c in path.conditions] or [e.place for e in path.events]
    return shown[-1] if shown else Place(file, line)
