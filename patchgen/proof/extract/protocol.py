# SPDX-License-Identifier: GPL-2.0-only
"""The protocol of one tree: its handlers' programs and what the environment may do."""

from __future__ import annotations

from patchgen.model.base import Place, Value
from patchgen.proof.extract.program import Program

NOWHERE = Place("", 0)


class Core(Value, frozen=True):
    """The core's order around one event: (step, place), in the order of the code.

    Steps: start, lock, clear, take, change, set, free, unlock, end.
    """

    steps: tuple[tuple[str, Place], ...]


class Guest(Value, frozen=True):
    """Where KVM's fault path does its steps (sample, lookup, lock, retry, install)."""

    sample: Place = NOWHERE
    lookup: Place = NOWHERE
    lock: Place = NOWHERE
    retry: Place = NOWHERE
    install: Place = NOWHERE


class Memslots(Value, frozen=True):
    """Where a memslot is taken away: the wait for invalidations, that for SRCU, the zap."""

    wait: Place
    synchronize: Place
    flush: Place


class Protocol(Value, frozen=True):
    """What is explored for a tree.

    ``start``, ``end`` and ``change`` are the handlers (``change`` is None where there is
    no change_pte).  ``ranges``: the count comes with the range that it is about.
    ``deferred``: where an SPTE is dropped without a flush, which is counted instead.
    ``cache``: where a pfn cache checks whether it must try again.  ``rollback``: where
    the core calls end for the notifiers whose non-blocking start succeeded.  ``memslots``:
    the handlers ask whether a memslot is being removed, and where that is done.
    """

    start: Program
    end: Program
    change: Program | None
    guest: Guest = Guest()
    ranges: bool = False
    deferred: Place | None = None
    cache: Place | None = None
    rollback: Place | None = None
    memslots: Memslots | None = None

    def guarded(self) -> Place | None:
        """Where a handler asks for the flag, or None."""
        for handler in (self.start, self.end, self.change):
            place = handler.tests("flagged") if handler else None
            if place is not None:
                return place
        return None


class Bounds(Value, frozen=True):
    """How much happens at once: faulting vCPUs (1 or 2), invalidations (1 or 2)."""

    vcpus: int = 2
    invalidations: int = 2

    def __str__(self) -> str:
        vcpus = "1 faulting vCPU" if self.vcpus == 1 else f"{self.vcpus} faulting vCPUs"
        many = "invalidations at once, 2 pages" if self.invalidations > 1 else "invalidation"
        return f"{vcpus}, {self.invalidations} {many}, any number of TLBs"
