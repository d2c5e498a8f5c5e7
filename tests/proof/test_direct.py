# SPDX-License-Identifier: GPL-2.0-only
"""The direct idiom, 5.10: what holds, and what each mistake does, as a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from patchgen.model.outcome import Exit
from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.prove import prove
from patchgen.proof.result import ProofResult, Run
from tests.proof.variants import (
    END,
    MAIN,
    START,
    change_before_clear,
    guard,
    guard_behind,
    guard_both,
    honour_deferred,
    insert,
    leak_lock,
    reader,
    series,
    variant,
    without_bump,
    without_rollback,
)

#: One faulting vCPU shows every mistake; the default bounds are for what must hold.
NARROW = Bounds(1, 2)
SAFETY = ("S1", "S2", "S3", "S4")
ALLOWED = ("ro-rw-same", "ro-rw-new", "rw-ro-same", "ro-ro-new")


@pytest.fixture(params=["mini", pytest.param("5.10", marks=pytest.mark.kernel)])
def tree(request: pytest.FixtureRequest, mini: Path, kernel_tree: Callable[[str], Path]) -> Path:
    return mini if request.param == "mini" else kernel_tree("5.10")


def wide(tree: Path) -> Bounds:
    return NARROW if tree.name == "mini" else Bounds()


def texts(run: Run) -> list[str]:
    return [step.text for step in run.steps]


def violated(result: ProofResult, case: str, flagged: bool = True) -> set[str]:
    return {
        v.property
        for v in result.verdicts
        if (v.case, v.flagged) == (case, flagged) and not v.holds
    }


def test_as_it_is_everything_holds_but_the_page_is_unmapped(tree: Path) -> None:
    result = prove(reader(tree), wide(tree))
    assert result.exit == Exit.CLEAN
    assert not result.unknown and not result.violated
    for case in (*ALLOWED, "rw-rw-new", "rw-ro-new"):
        assert violated(result, case, False) == {"O1"}
    run = result.verdict("rw-ro-same", "O1", False).runs[0]
    dropped = next(step for step in run.steps if step.text == "drop the SPTE")
    assert dropped.place.path == "arch/x86/kvm/mmu/mmu.c"
    assert dropped.column == "CPU 0"


def test_with_the_series(tree: Path) -> None:
    result = prove(variant(tree, series), wide(tree))
    assert result.exit == Exit.CLEAN
    for case in ALLOWED:
        assert not violated(result, case) & set(SAFETY)
        assert not violated(result, case, False) & set(SAFETY)
    assert violated(result, "rw-ro-same") == violated(result, "ro-ro-new") == set()
    # To read-write x86's setter drops the SPTE: said so, with the line.
    assert violated(result, "ro-rw-same") == violated(result, "ro-rw-new") == {"O1"}
    source = (tree / "arch/x86/kvm/mmu/mmu.c").read_text().splitlines()
    (note,) = (n for n in result.notes if "setter" in n.text)
    assert "pte_write" in source[note.place.line - 2]
    drop = result.verdict("ro-rw-new", "O1", True).runs[0].steps
    assert note.place in [step.place for step in drop]


@pytest.mark.parametrize("case", ["rw-rw-new", "rw-ro-new"])
def test_a_forbidden_transition_that_is_flagged_loses_a_write(tree: Path, case: str) -> None:
    result = prove(variant(tree, series), NARROW, keys=(case,))
    verdict = result.verdict(case, "S2", True)
    assert not verdict.holds and not verdict.counts
    run = verdict.runs[0]
    assert run.cause.startswith("the guest writes to the old frame through")
    assert "the range is flagged" in texts(run)
    assert result.exit == Exit.CLEAN  # Nobody flags it.


def test_without_honouring_deferred_flushes(tree: Path) -> None:
    result = prove(variant(tree, guard_both), NARROW, keys=("ro-ro-new", "rw-ro-same"))
    assert result.exit == Exit.FINDINGS
    run = result.verdict("ro-ro-new", "S1", True).runs[0]
    assert run.cause == "the guest reaches the freed old frame through a stale TLB entry"
    assert "count a deferred TLB flush" in texts(run)
    assert not result.verdict("rw-ro-same", "S2", True).holds


@pytest.mark.parametrize("name", [START, END])
def test_guard_in_one_callback_only(tree: Path, name: str) -> None:
    read = variant(tree, honour_deferred, lambda source: guard(source, name))
    result = prove(read, NARROW, keys=("rw-ro-same",))
    assert not result.verdict("rw-ro-same", "S3", True).holds
    assert result.exit == Exit.FINDINGS
    # A count that is never lowered makes every fault try again for ever.
    assert result.verdict("rw-ro-same", "S4", True).holds == (name == START)


def test_change_pte_without_the_bump_installs_what_is_outdated(tree: Path) -> None:
    result = prove(variant(tree, series, without_bump), NARROW, keys=("ro-ro-new",))
    run = result.verdict("ro-ro-new", "S1", True).runs[0]
    assert "installed from an outdated lookup" in run.cause
    order = texts(run)
    assert order.index("look up the primary page") < order.index("clear and flush the primary PTE")
    assert order.index("set the primary PTE") < order.index("map the page in the SPTE")


def test_change_pte_before_the_primary_pte_is_cleared(tree: Path) -> None:
    main = series((tree / MAIN).read_bytes())
    ksm = change_before_clear((tree / "mm/ksm.c").read_bytes())
    result = prove(reader(tree, {MAIN: main, "mm/ksm.c": ksm}), NARROW, keys=("ro-ro-new",))
    assert not result.verdict("ro-ro-new", "S1", True).holds
    run = result.verdict("ro-ro-new", "S1", True).runs[0]
    order = texts(run)
    assert order.index("bump the invalidation sequence") < order.index(
        "clear and flush the primary PTE"
    )


def test_an_unknown_helper_is_not_taken_for_safe(tree: Path) -> None:
    read = variant(tree, lambda source: insert(source, START, b"kvm_do_something(kvm);\n\n\t"))
    result = prove(read)
    assert result.exit == Exit.FINDINGS
    assert not result.verdicts
    (found,) = result.unknown
    assert found.text == "kvm_do_something() is not known"
    source = (read(MAIN) or b"").splitlines()
    assert b"kvm_do_something" in source[found.place.line - 1]


def test_the_lock_that_is_not_dropped_is_a_deadlock(tree: Path) -> None:
    result = prove(variant(tree, leak_lock), NARROW, keys=("removed",))
    assert violated(result, "removed", False) >= {"S4"}


@pytest.mark.parametrize(
    ("taken", "broken"), [("srcu_read_lock", {"S3"}), ("spin_lock", {"S3", "S4"})]
)
def test_guard_behind_what_was_taken_leaks_it(tree: Path, taken: str, broken: set[str]) -> None:
    result = prove(variant(tree, guard_behind(taken)), NARROW, keys=("rw-ro-same",))
    assert violated(result, "rw-ro-same") >= broken
    held = {"an SRCU section is still open at rest", "a lock is still held at rest"}
    causes = {run.cause for run in result.verdict("rw-ro-same", "S3", True).runs}
    deadlocks = {run.cause for run in result.verdict("rw-ro-same", "S4", True).runs}
    assert causes & held or any("deadlock" in cause for cause in deadlocks)


@pytest.mark.kernel
def test_5_10_without_the_rollback_of_a_failed_start(kernel_tree: Callable[[str], Path]) -> None:
    read = variant(kernel_tree("5.10"), without_rollback, path="mm/mmu_notifier.c")
    result = prove(read, NARROW, keys=("refused", "removed"))
    assert violated(result, "refused", False) == {"S3", "S4"}
    assert violated(result, "removed", False) == set()
