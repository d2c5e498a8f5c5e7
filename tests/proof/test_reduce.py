# SPDX-License-Identifier: GPL-2.0-only
"""The search for verdicts: smaller systems, and shortest runs, beside the whole search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.prove import Understood, understand
from patchgen.proof.search.distance import FAR, distances
from patchgen.proof.search.explore import explore, verdicts
from patchgen.proof.search.packing import Packing, step
from patchgen.proof.search.reduce import Reduced, reduced
from patchgen.proof.system.cases import CASES, Case
from patchgen.proof.system.lower import may_be_late
from patchgen.proof.system.system import Bad, Literal, System, Update
from tests.proof.variants import (
    Change,
    guard_behind,
    guard_both,
    guard_end,
    keep_mapped,
    leak_lock,
    reader,
    series,
    unmap_invalid,
    variant,
    without_bump,
)

NARROW = Bounds(1, 2)


def understood(tree: Path, *changes: Change) -> Understood:
    found = understand(variant(tree, *changes) if changes else reader(tree))
    assert isinstance(found, Understood)
    return found


def case(key: str, flagged: bool = False) -> Case:
    return msgspec.structs.replace(next(c for c in CASES if c.key == key), flagged=flagged)


def unbumped(source: bytes) -> bytes:
    return without_bump(series(source))


def agree(whole: System, smaller: Reduced) -> list[Bad]:
    """The bad states, the same ones by the same runs."""
    everything, found = explore(whole), verdicts(whole, smaller)
    assert found.violations == everything.violations
    return [violation.bad for violation in found.violations]


@pytest.mark.parametrize(
    ("change", "violated"),
    [
        (series, "S2 O1"),
        (guard_both, "S1 S2 O1"),
        (guard_end, "S3 O1"),
        (unbumped, "S1 S2 O1"),
        (guard_behind("srcu_read_lock"), "S3"),
        (guard_behind("spin_lock"), "S3 S4"),
        (leak_lock, "S4"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_same_bad_states_by_the_same_runs(mini: Path, change: Change, violated: str) -> None:
    found = understood(mini, change)
    seen: set[str] = set()
    for key in ("ro-rw-new", "rw-ro-same", "rw-ro-new", "removed"):
        for flagged in (True, False):
            if flagged and key == "removed":
                continue
            for whole, smaller in found.searched(case(key, flagged), NARROW):
                seen |= {bad.property for bad in agree(whole, smaller)}
    assert seen >= set(violated.split())


def test_two_vcpus_are_searched_by_few_states(mini: Path) -> None:
    found = understood(mini, series)
    ((whole, smaller),) = found.searched(case("ro-ro-new", True), Bounds())
    assert not agree(whole, smaller)
    assert verdicts(whole, smaller).states * 10 < explore(whole).states
    ((whole, smaller),) = found.searched(case("rw-rw-new", True), Bounds())
    assert len(agree(whole, smaller)) > 3


@pytest.mark.kernel
@pytest.mark.parametrize("changes", [(), (guard_both,), (keep_mapped, unmap_invalid)])
def test_caches_and_memslots_that_are_removed(
    kernel_tree: Callable[[str], Path], changes: tuple[Change, ...]
) -> None:
    found = understood(kernel_tree("6.1"), *changes)
    parts = found.searched(case("rw-ro-same", True), Bounds(1, 1))
    assert len(parts) == 3
    for whole, smaller in parts:
        agree(whole, smaller)


@pytest.mark.kernel
def test_samples_are_not_late_where_a_removal_waits_for_samplers(
    kernel_tree: Callable[[str], Path],
) -> None:
    found = understood(kernel_tree("6.1"))
    guests, _, removal = found.searched(case("rw-ro-same"), Bounds(1, 1))

    def waiting(system: System) -> set[str]:
        """What a vCPU did right before it looks the page up, in the same step."""
        steps = [[node.what for node in t.steps] for t in system.transitions]
        return {"sample" for names in steps if {"sample", "lookup"} <= set(names)}

    assert not waiting(guests[0]) and waiting(guests[1].system)
    assert not waiting(removal[1].system)


def test_one_that_bumps_for_ever_keeps_samples_where_they_are(mini: Path) -> None:
    from patchgen.proof.system.environment import tasks

    found = understood(mini, series)
    protocol = found.protocol
    everybody = tasks(protocol, case("ro-ro-new"), found.cores["ro-ro-new"], found.unmap, NARROW)
    assert may_be_late(everybody)
    for_ever = msgspec.structs.replace(everybody[0], cyclic=True)
    assert not may_be_late((for_ever, *everybody[1:]))


def test_a_tlb_entry_that_somebody_reads_is_kept(mini: Path) -> None:
    found = understood(mini, series)
    ((whole, smaller),) = found.searched(case("ro-rw-new", True), NARROW)
    names = {v.name for v in smaller.system.variables}
    assert "tlbs" in names and not names & {"tlb", "differs"}
    first, *rest = whole.transitions
    reads = msgspec.structs.replace(first, guards=(*first.guards, Literal("tlb", 0)))
    odd = msgspec.structs.replace(whole, transitions=(reads, *rest))
    assert "tlb" in {v.name for v in reduced(odd).system.variables}
    agree(odd, reduced(odd))


def test_a_write_that_matters_without_the_new_mapping_is_kept(mini: Path) -> None:
    found = understood(mini, series)
    ((whole, _),) = found.searched(case("ro-rw-new", True), NARROW)
    bad = msgspec.structs.replace(whole.bad[0], literals=(Literal("differs", 1),))
    odd = msgspec.structs.replace(whole, bad=(*whole.bad, bad))
    assert "differs" in {v.name for v in reduced(odd).system.variables}
    assert bad in agree(odd, reduced(odd))


def test_a_fault_that_others_see_is_not_vain(mini: Path) -> None:
    """Where giving up changes what others see, the process is not put back."""
    found = understood(mini, series)
    ((_, smaller),) = found.searched(case("ro-ro-new", True), NARROW)
    assert smaller.settled and smaller.settled[0].vain
    system = smaller.system
    gives_up = [t for t in system.transitions if "give_up" in [node.what for node in t.steps]]
    loud = tuple(
        msgspec.structs.replace(t, updates=(*t.updates, Update("dirty", "set", 1)))
        if t in gives_up
        else t
        for t in system.transitions
    )
    assert gives_up and not reduced(msgspec.structs.replace(system, transitions=loud)).settled


def test_no_run_is_shorter_than_the_distance_says(mini: Path) -> None:
    found = understood(mini, guard_both)
    ((whole, _),) = found.searched(case("rw-ro-new", True), NARROW)
    packing = Packing(whole)
    shortened = 0
    for violation in explore(whole).violations:
        near = distances(whole, [violation.bad])
        state = packing.initial
        for done in range(len(violation.run) + 1):
            least = sum(
                d.steps.get(tuple(packing.get(state, name) for name in d.names), FAR) for d in near
            )
            assert least <= len(violation.run) - done
            shortened += least > 0
            if done < len(violation.run):
                transition = violation.run[done]
                pc = whole.processes[transition.process].pc
                following = step(packing, state, transition, pc)
                assert following is not None
                state = following
    assert shortened
