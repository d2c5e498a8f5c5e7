# SPDX-License-Identifier: GPL-2.0-only
"""The hva-range idiom, 6.1: followed through its structs, and why the plain guard is unsafe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from patchgen.model.outcome import Exit
from patchgen.proof.extract.protocol import Bounds
from patchgen.proof.prove import prove, understand
from patchgen.proof.result import ProofResult, Run
from patchgen.proof.show.check import compare
from tests.proof.variants import (
    CHANGE,
    START,
    guard_both,
    guard_end,
    guard_start,
    keep_mapped,
    keep_series,
    reader,
    replaced,
    unmap_invalid,
    variant,
    without_early_return,
)

NARROW = Bounds(1, 2)
pytestmark = pytest.mark.kernel


@pytest.fixture
def tree(kernel_tree: Callable[[str], Path]) -> Path:
    return kernel_tree("6.1")


def causes(runs: tuple[Run, ...]) -> str:
    return "; ".join(run.cause for run in runs)


def test_the_structs_functions_are_followed(tree: Path) -> None:
    understood = understand(reader(tree))
    assert not isinstance(understood, tuple), understood
    protocol = understood.protocol
    assert protocol.ranges and protocol.cache and protocol.change
    for operation in ("raise_count", "drop_spte", "flush", "invalidate_cache", "raise_active"):
        assert protocol.start.does(operation), operation
    for operation in ("bump_seq", "lower_count", "lower_active"):
        assert protocol.end.does(operation), operation
    assert not protocol.end.does("drop_spte")
    assert not protocol.change.does("bump_seq")
    assert protocol.change.tests("in_progress")


def test_as_it_is_everything_holds(tree: Path) -> None:
    result = prove(reader(tree), NARROW, keys=("ro-ro-new", "removed"))
    assert result.exit == Exit.CLEAN
    assert not result.verdict("ro-ro-new", "O1", False).holds


def test_plain_guard_returns_early_and_maps_what_is_outdated(tree: Path) -> None:
    result = prove(variant(tree, guard_both), NARROW, keys=("ro-ro-new",))
    assert result.exit == Exit.FINDINGS
    runs = result.verdict("ro-ro-new", "S1", True).runs
    kept = next(run for run in runs if run.cause.endswith("through the SPTE"))
    early = next(s for s in kept.steps if s.text == "an invalidation is in progress: no")
    source = (variant(tree, guard_both)("virt/kvm/kvm_main.c") or b"").splitlines()
    assert b"READ_ONCE(kvm->mmu_invalidate_in_progress)" in source[early.place.line - 1]
    assert "installed from an outdated lookup" in causes(runs)


def test_plain_guard_without_the_early_return_lacks_the_bump(tree: Path) -> None:
    read = variant(tree, guard_both, without_early_return)
    result = prove(read, NARROW, keys=("ro-ro-new",))
    runs = result.verdict("ro-ro-new", "S1", True).runs
    assert "installed from an outdated lookup" in causes(runs)
    # Where the SPTE is kept, now, it is that of a memslot that is being removed.
    kept = [run for run in runs if run.cause.endswith("through the SPTE")]
    assert all("the memslot is being removed: yes" in [s.text for s in r.steps] for r in kept)


def test_plain_guard_leaves_the_pfn_cache_valid(tree: Path) -> None:
    result = prove(variant(tree, guard_both), NARROW, keys=("rw-ro-same",))
    runs = result.verdict("rw-ro-same", "S2", True).runs
    run = next(run for run in runs if "through the pfn cache" in run.cause)
    assert "the pfn cache is valid again" in [step.text for step in run.steps]


def test_keeping_everything_but_the_zap_forgets_memslots_that_are_removed(tree: Path) -> None:
    result = prove(variant(tree, keep_mapped), NARROW, keys=("ro-ro-new",))
    run = result.verdict("ro-ro-new", "S1", True).runs[0]
    words = [step.text for step in run.steps]
    assert "mark the memslot as being removed" in words
    assert "the memslot is being removed: yes" in words


def test_keeping_everything_but_the_zap_is_safe(tree: Path) -> None:
    read = variant(tree, keep_mapped, unmap_invalid)
    result = prove(read, NARROW, keys=("ro-ro-new", "rw-ro-same"))
    assert result.exit == Exit.CLEAN, causes(
        tuple(run for verdict in result.violated for run in verdict.runs)
    )
    assert result.verdict("ro-ro-new", "O1", True).holds
    assert result.verdict("rw-ro-same", "O1", True).holds


def test_the_series_holds(tree: Path) -> None:
    result = prove(
        variant(tree, keep_series), NARROW, keys=("ro-ro-new", "rw-ro-same", "ro-rw-new")
    )
    violated = tuple(run for verdict in result.violated for run in verdict.runs)
    assert result.exit == Exit.CLEAN, causes(violated)
    assert result.verdict("ro-ro-new", "O1", True).holds
    assert result.verdict("rw-ro-same", "O1", True).holds


FLAGGED = b"mmu_notifier_range_use_change_pte(range)"
CACHES = b"\tgfn_to_pfn_cache_invalidate_start("
RAISE = b"\tkvm->mn_active_invalidate_count++;"
LOWER = b"\twake = (--kvm->mn_active_invalidate_count == 0);"
NOT_FLAGGED = b"\tif (!" + FLAGGED + b")\n\t"
SET = b"\treturn kvm_set_spte_gfn(kvm, range);"
CHOSEN = FLAGGED + b" ? (void *)kvm_null_fn : "
ENDS = b"static void kvm_mmu_notifier_invalidate_range_end("


@pytest.mark.parametrize(
    ("changes", "key", "prop"),
    [
        # the sequence is not bumped: a fault that looked up the old page installs it
        ([replaced(b"\tkvm->mmu_invalidate_seq++;\n", b"")], "ro-ro-new", "S1"),
        # change_pte() updates nothing: the guest keeps the old page, and writes to it
        ([replaced(SET, b"\treturn false;")], "ro-ro-new", "S1"),
        ([replaced(SET, b"\treturn false;")], "rw-ro-same", "S2"),
        # what was changed is not flushed
        ([replaced(b".flush_on_ret\t= true", b".flush_on_ret\t= false",
                   b"int kvm_handle_hva_range(")], "ro-ro-new", "S1"),
        # one of the two callbacks is left out
        ([guard_start], "ro-ro-new", "S3"),
        ([guard_end], "ro-ro-new", "S3"),
        # pfn caches stay valid
        ([replaced(CACHES, NOT_FLAGGED + CACHES)], "rw-ro-same", "S2"),
        # memslots are swapped, and pfn caches validated, meanwhile
        ([replaced(RAISE, NOT_FLAGGED + RAISE), replaced(LOWER, b"\twake = false;\n" + NOT_FLAGGED
           + b"\twake = (--kvm->mn_active_invalidate_count == 0);")], "ro-ro-new", "S1"),
        # no invalidation is seen to be in progress
        ([replaced(b"= kvm_mmu_invalidate_begin", b"= " + CHOSEN + b"kvm_mmu_invalidate_begin"),
          replaced(b"= kvm_mmu_invalidate_end", b"= " + CHOSEN + b"kvm_mmu_invalidate_end")],
         "ro-ro-new", "S1"),
        # the wrong ranges are kept
        ([replaced(FLAGGED + b" ?", b"!" + FLAGGED + b" ?")], "removed", "S1"),
        # a range that is not flagged is kept by what the handler finds
        ([replaced(b"if (range->slot->flags & KVM_MEMSLOT_INVALID)", b"if (0)",
                   b"bool kvm_keep_gfn_range(")], "ro-ro-new", "S1"),
    ],
)  # fmt: skip
def test_a_wrong_series_is_violated(
    tree: Path, changes: list[Callable[[bytes], bytes]], key: str, prop: str
) -> None:
    result = prove(variant(tree, keep_series, *changes), NARROW, keys=(key,))
    assert result.exit == Exit.FINDINGS and not result.unknown, result.unknown
    flagged = key != "removed"
    assert not result.verdict(key, prop, flagged).holds


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # which function it is depends on more than the flag
        (FLAGGED + b" ?", b"range->event == 1 ?"),
        # the setter gives the right to write
        (b"mmu_spte_set(sptep, new_spte);", b"mmu_spte_set(sptep, new_spte | 2 | *sptep);"),
        # a setter that may leave out a mapping, for a reason that is not understood
        (b"need_flush = true;\n", b"if (*sptep & 4)\n\t\t\tcontinue;\n\t\tneed_flush = true;\n"),
    ],
)
def test_what_is_not_understood_is_undecided(tree: Path, old: bytes, new: bytes) -> None:
    path = "virt/kvm/kvm_main.c" if old.startswith(FLAGGED) else "arch/x86/kvm/mmu/mmu.c"
    kept = variant(tree, keep_series)
    source = replaced(old, new, b"" if path[0] == "v" else b"bool kvm_set_pte_rmap(")(
        kept(path) or b""
    )
    main = kept("virt/kvm/kvm_main.c") or b""
    read = reader(tree, {"virt/kvm/kvm_main.c": main, path: source})
    result = prove(read, NARROW, keys=("ro-ro-new",))
    assert result.exit == Exit.FINDINGS and result.unknown


@pytest.mark.needs("spin", "gcc")
def test_spin_gives_the_same_verdicts(tree: Path) -> None:
    read, bounds = variant(tree, guard_both), Bounds(1, 1)
    result = prove(read, bounds, keys=("ro-ro-new",))
    rows = list(compare(read, bounds, result, ("ro-ro-new",)))
    assert len(rows) == 2 and all(row.same for row in rows), rows


def test_a_function_that_cannot_be_told_is_unknown(tree: Path) -> None:
    def hide(source: bytes) -> bytes:
        at = source.index(b"static int " + START.encode())
        return source[:at] + source[at:].replace(
            b".handler	= kvm_unmap_gfn_range,", b".handler	= pick_a_handler(range),", 1
        )

    result = prove(variant(tree, hide))
    assert result.exit == Exit.FINDINGS
    assert "pick_a_handler() is not known" in [found.text for found in result.unknown]
    assert CHANGE not in str(result.unknown)


def test_what_is_not_zapped_and_not_covered_is_found_in_the_default_bounds(tree: Path) -> None:
    """The second vCPU and the second page are explored too, within memory."""
    read, keys = variant(tree, keep_mapped, unmap_invalid), ("ro-ro-new",)
    result = prove(read, keys=keys)
    assert result.exit == Exit.CLEAN

    def states(found: ProofResult) -> int:
        return sum(size.states for size in found.explored)

    for narrow in (Bounds(1, 2), Bounds(2, 1)):
        assert states(prove(read, narrow, keys)) < states(result) < 2_000_000
