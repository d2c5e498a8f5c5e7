# SPDX-License-Identifier: GPL-2.0-only
"""The hva-range idiom, 6.1: followed through its structs, and why the plain guard is unsafe."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from patchgen.outcome import Exit
from patchgen.proof.check import compare
from patchgen.proof.protocol import Bounds
from patchgen.proof.prove import prove, understand
from patchgen.proof.result import Run
from tests.proof.variants import CHANGE, END, START, guard, reader, variant

NARROW = Bounds(1, 2)
pytestmark = pytest.mark.kernel


@pytest.fixture
def tree(kernel_tree: Callable[[str], Path]) -> Path:
    return kernel_tree("6.1")


def plain_guard(source: bytes) -> bytes:
    return guard(source, START, END)


def without_early_return(source: bytes) -> bytes:
    old = b"if (!READ_ONCE(kvm->mmu_invalidate_in_progress))\n\t\treturn;"
    assert source.count(old) == 1
    return source.replace(old, b"")


def keep_mapped(source: bytes) -> bytes:
    """Start keeps everything but the zap for flagged ranges, as the recipe does."""
    stub = (
        b"static bool kvm_keep_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range)\n"
        b"{\n\treturn false;\n}\n\n"
    )
    at = source.index(b"static int " + START.encode())
    head, body = source[:at], source[at:]
    flag = b"mmu_notifier_range_use_change_pte(range)"
    handler = b"\t\t.handler	= kvm_unmap_gfn_range,"
    assert body.count(handler) == 1
    body = body.replace(
        handler,
        b"\t\t.handler	= " + flag + b" ?\n\t\t\tkvm_keep_gfn_range : kvm_unmap_gfn_range,",
    )
    return head + stub + body


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
    result = prove(variant(tree, plain_guard), NARROW, keys=("ro-ro-new",))
    assert result.exit == Exit.FINDINGS
    runs = result.verdict("ro-ro-new", "S1", True).runs
    kept = next(run for run in runs if run.cause.endswith("through the SPTE"))
    early = next(s for s in kept.steps if s.text == "an invalidation is in progress: no")
    source = (variant(tree, plain_guard)("virt/kvm/kvm_main.c") or b"").splitlines()
    assert b"READ_ONCE(kvm->mmu_invalidate_in_progress)" in source[early.place.line - 1]
    assert "installed from an outdated lookup" in causes(runs)


def test_plain_guard_without_the_early_return_lacks_the_bump(tree: Path) -> None:
    read = variant(tree, plain_guard, without_early_return)
    result = prove(read, NARROW, keys=("ro-ro-new",))
    runs = result.verdict("ro-ro-new", "S1", True).runs
    assert "installed from an outdated lookup" in causes(runs)
    # Where the SPTE is kept, now, it is that of a memslot that is being removed.
    kept = [run for run in runs if run.cause.endswith("through the SPTE")]
    assert all("the memslot is being removed: yes" in [s.text for s in r.steps] for r in kept)


def test_plain_guard_leaves_the_pfn_cache_valid(tree: Path) -> None:
    result = prove(variant(tree, plain_guard), NARROW, keys=("rw-ro-same",))
    runs = result.verdict("rw-ro-same", "S2", True).runs
    run = next(run for run in runs if "through the pfn cache" in run.cause)
    assert "the pfn cache is valid again" in [step.text for step in run.steps]


def test_keeping_everything_but_the_zap_forgets_memslots_that_are_removed(tree: Path) -> None:
    result = prove(variant(tree, keep_mapped), NARROW, keys=("ro-ro-new",))
    run = result.verdict("ro-ro-new", "S1", True).runs[0]
    words = [step.text for step in run.steps]
    assert "mark the memslot as being removed" in words
    assert "the memslot is being removed: yes" in words


def unmap_invalid(source: bytes) -> bytes:
    """change_pte() unmaps what lies in a memslot that is being removed."""
    old = b"if (range->slot->flags & KVM_MEMSLOT_INVALID)\n\t\treturn false;"
    assert source.count(old) == 1
    return source.replace(old, old.replace(b"false", b"kvm_unmap_gfn_range(kvm, range)"))


def test_keeping_everything_but_the_zap_is_safe(tree: Path) -> None:
    read = variant(tree, keep_mapped, unmap_invalid)
    result = prove(read, NARROW, keys=("ro-ro-new", "rw-ro-same"))
    assert result.exit == Exit.CLEAN, causes(
        tuple(run for verdict in result.violated for run in verdict.runs)
    )
    assert result.verdict("ro-ro-new", "O1", True).holds
    assert result.verdict("rw-ro-same", "O1", True).holds


@pytest.mark.skipif(shutil.which("spin") is None, reason="spin is not installed")
def test_spin_gives_the_same_verdicts(tree: Path) -> None:
    read, bounds = variant(tree, plain_guard), Bounds(1, 1)
    result = prove(read, bounds, keys=("ro-ro-new",))
    lines = list(compare(read, bounds, result, ("ro-ro-new",)))
    assert len(lines) == 2 and all(same for _, same in lines), lines


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
    result = prove(variant(tree, keep_mapped, unmap_invalid), keys=("ro-ro-new",))
    assert result.exit == Exit.CLEAN
    assert 50_000 < sum(size.states for size in result.explored) < 2_000_000
