# SPDX-License-Identifier: GPL-2.0-only
"""The search itself: against a plain one, without reductions, and against Spin."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import msgspec
import pytest

from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.prove import Understood, prove, understand
from patchgen.proof.search.explore import explore
from patchgen.proof.search.packing import Packing, step
from patchgen.proof.show.check import compare, write_models
from patchgen.proof.system.cases import CASES
from patchgen.proof.system.system import System
from tests.proof.variants import (
    Read,
    guard_both,
    guard_start,
    reader,
    series,
    variant,
    without_bump,
)

SMALL = Bounds(1, 1)
needs_spin = pytest.mark.needs("spin", "gcc")


def system(
    read: Read, key: str, flagged: bool, bounds: Bounds = SMALL, reduce: bool = True
) -> System:
    understood = understand(read)
    assert isinstance(understood, Understood)
    case = next(case for case in CASES if case.key == key)
    return understood.systems(msgspec.structs.replace(case, flagged=flagged), bounds, reduce)[0]


def plainly(found: System) -> tuple[int, set[str]]:
    """States and violated properties by a search that shares nothing but ``step``."""
    packing = Packing(found)
    seen = {packing.initial}
    todo = deque(seen)
    violated: set[str] = set()
    while todo:
        state = todo.popleft()
        for bad in found.bad:
            if all(
                (packing.get(state, lit.variable) == lit.value) != lit.negated
                for lit in bad.literals
            ):
                violated.add(bad.property)
        for transition in found.transitions:
            pc = found.processes[transition.process].pc
            if pc and packing.get(state, pc) != transition.source:
                continue
            after = step(packing, state, transition, pc)
            if after is not None and after not in seen:
                seen.add(after)
                todo.append(after)
    return len(seen), violated


def properties(found: System) -> set[str]:
    return {violation.bad.property for violation in explore(found).violations}


@pytest.mark.parametrize("key", ["ro-ro-new", "rw-ro-same"])
def test_the_compiled_search_sees_what_a_plain_one_sees(mini: Path, key: str) -> None:
    found = system(variant(mini, guard_both), key, True)
    states, violated = plainly(found)
    explored = explore(found)
    assert explored.states == states
    assert properties(found) == violated


def test_equal_vcpus_halve_the_states_and_change_no_verdict(mini: Path) -> None:
    found = system(variant(mini, guard_both), "ro-ro-new", True, Bounds(2, 1))
    apart = msgspec.structs.replace(found, symmetric=((), ()))
    assert properties(found) == properties(apart)
    assert explore(found).states < 0.6 * explore(apart).states


@pytest.mark.parametrize("change", [series, guard_both, without_bump])
@pytest.mark.parametrize("key", ["ro-rw-new", "rw-ro-same", "rw-ro-new"])
def test_merging_steps_changes_no_verdict(mini: Path, key: str, change) -> None:
    read = variant(mini, change)
    for flagged in (True, False):
        merged = system(read, key, flagged)
        single = system(read, key, flagged, reduce=False)
        assert properties(merged) == properties(single)
        assert explore(merged).states < explore(single).states


def test_every_run_can_be_replayed_to_its_bad_state(mini: Path) -> None:
    found = system(variant(mini, guard_both), "ro-ro-new", True, Bounds(2, 2))
    explored = explore(found)
    assert explored.violations
    packing = Packing(found)
    for violation in explored.violations:
        state = packing.initial
        for transition in violation.run:
            after = step(packing, state, transition, found.processes[transition.process].pc)
            assert after is not None
            state = after
        for literal in violation.bad.literals:
            value = packing.get(state, literal.variable)
            assert (value == literal.value) != literal.negated


def test_the_same_tree_gives_the_same_answer(mini: Path) -> None:
    read = variant(mini, guard_both)
    first, second = (prove(read, SMALL, ("ro-ro-new",)) for _ in range(2))
    assert first.verdicts == second.verdicts


def test_the_default_bounds_stay_within_memory(mini: Path) -> None:
    found = system(variant(mini, series), "ro-rw-new", True, Bounds())
    assert explore(found).states < 400_000


def unbumped(source: bytes) -> bytes:
    return without_bump(series(source))


@needs_spin
@pytest.mark.parametrize("change", [guard_both, unbumped, guard_start])
def test_spin_gives_the_same_verdicts(mini: Path, change) -> None:
    read = variant(mini, change)
    bounds, keys = Bounds(1, 2), ("rw-ro-new",)
    result = prove(read, bounds, keys)
    rows = list(compare(read, bounds, result, keys))
    assert len(rows) == 2
    assert all(row.same for row in rows), rows


@needs_spin
def test_spin_gives_the_same_verdicts_within_the_default_bounds(mini: Path) -> None:
    read = variant(mini, series)
    result = prove(read, Bounds(), ("ro-ro-new",))
    rows = list(compare(read, Bounds(), result, ("ro-ro-new",)))
    assert all(row.same for row in rows), rows


@needs_spin
def test_spin_notices_a_verdict_that_is_wrong(mini: Path) -> None:
    read = variant(mini, guard_both)
    result = prove(read, SMALL, ("ro-ro-new",))
    wrong = msgspec.structs.replace(
        result, verdicts=tuple(msgspec.structs.replace(v, holds=True) for v in result.verdicts)
    )
    assert not all(row.same for row in compare(read, SMALL, wrong, ("ro-ro-new",)))


@needs_spin
def test_spin_stores_the_same_number_of_states(mini: Path) -> None:
    from patchgen.proof.show.promela import spin

    found = system(variant(mini, guard_both), "ro-ro-new", True, Bounds(2, 1))
    apart = msgspec.structs.replace(found, symmetric=((), ()))
    assert spin(apart).states == explore(apart).states


def test_models_are_written_with_the_lines_of_their_steps(mini: Path, tmp_path: Path) -> None:
    written = write_models(reader(mini), SMALL, tmp_path / "models", ("ro-ro-new",))
    assert [path.name for path in written] == ["ro-ro-new.pml"]
    text = written[0].read_text()
    assert "virt/kvm/kvm_main.c:" in text and "active proctype CPU_0()" in text
