# SPDX-License-Identifier: GPL-2.0-only
"""Wrong variants change what they say and are refused where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.boot.variants import VARIANTS, spoil
from patchgen.model.outcome import Refused

_FILES = {
    "virt/kvm/kvm_main.c": b"""
static int kvm_mmu_notifier_invalidate_range_start(struct mmu_notifier *mn,
\t\tconst struct mmu_notifier_range *range);

static int kvm_mmu_notifier_invalidate_range_start(struct mmu_notifier *mn,
\t\tconst struct mmu_notifier_range *range)
{
\tif (mmu_notifier_range_use_change_pte(range))
\t\treturn 0;

\treturn work(mn);
}

static void kvm_mmu_notifier_invalidate_range_end(struct mmu_notifier *mn,
\t\tconst struct mmu_notifier_range *range)
{
\tif (mmu_notifier_range_use_change_pte(range))
\t\treturn;

\twork(mn);
}
""",
    "mm/ksm.c": b"""
static int write_protect_page(struct page *page)
{
\tinit(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, mm);
\tset_pte_at(mm, address, pte, old);
\tset_pte_at_notify(mm, address, pte, entry);
}

static int replace_page(struct page *page)
{
\tinit(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, mm);
\tset_pte_at_notify(mm, address, pte, entry);
}
""",
    "arch/x86/kvm/mmu/tdp_mmu.c": b"""
static int set_tdp_spte(struct kvm *kvm)
{
\ttdp_mmu_set_spte(kvm, &iter, 0);
\t/* The SPTE was cleared above. */
\titer.old_spte = 0;
\ttdp_mmu_set_spte(kvm, &iter, new_spte);
}
""",
    "mm/memory.c": b"""
static vm_fault_t wp_page_copy(struct vm_fault *vmf)
{
\tinit(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, mm);
}
""",
}


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_each_changes_its_own_function_only(variant) -> None:
    spoiled = spoil(variant, _FILES, lambda path: None)
    assert [p for p in _FILES if spoiled[p] != _FILES[p]] == [variant.path]
    before, after = _FILES[variant.path].split(b"\n}\n"), spoiled[variant.path].split(b"\n}\n")
    changed = [old for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1
    assert variant.function.encode() in changed[0]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_place_that_is_not_there_is_refused(variant) -> None:
    once = spoil(variant, _FILES, lambda path: None)
    with pytest.raises(Refused, match=f"variant {variant.name} cannot be made: 0 places"):
        spoil(variant, once, lambda path: None)


def test_the_guards_are_removed_one_at_a_time() -> None:
    start_only = spoil(VARIANTS[0], _FILES, lambda path: None)["virt/kvm/kvm_main.c"]
    assert start_only is not None
    assert start_only.count(b"use_change_pte") == 1
    assert b"return 0;" in start_only


def test_a_file_that_the_series_leaves_alone_comes_from_the_tree() -> None:
    files = {path: data for path, data in _FILES.items() if path != "mm/ksm.c"}
    spoiled = spoil(VARIANTS[2], files, lambda path: _FILES[path])
    assert spoiled["mm/ksm.c"] != _FILES["mm/ksm.c"]
    assert Path("mm/ksm.c").as_posix() not in files
