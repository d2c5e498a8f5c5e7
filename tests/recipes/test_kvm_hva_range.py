# SPDX-License-Identifier: GPL-2.0-only
"""The hva-range idiom: what speaks against keeping ranges mapped, one edit of a tree at a time.

kvm-change-pte rests on the callbacks (``refuse``), on every architecture's setter, on x86's
page statistics (kvm-rmap-page-stats) and on its TDP MMU; kvm-unmap-before-set mends the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from patchgen.analysis.handlers.page_stats import page_stats
from patchgen.recipes.kvm import hva_range
from patchgen.recipes.kvm.kvm_change_pte import kvm_of
from patchgen.recipes.kvm.kvm_tdp_old_spte import setter_of
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe
from tests.proof.variants import keep_mapped

MAIN = "virt/kvm/kvm_main.c"
X86 = "arch/x86/kvm/mmu/mmu.c"
TDP = "arch/x86/kvm/mmu/tdp_mmu.c"
ARM = "arch/arm64/kvm/mmu.c"
HEADER = "include/linux/mmu_notifier.h"
pytestmark = pytest.mark.kernel

Edit = tuple[str, str]


@pytest.fixture
def base(kernel_tree: Callable[[str], Path]) -> TreeState:
    return TreeState(describe(kernel_tree("6.1")))


def edited(state: TreeState, path: str, *edits: Edit, behind: str = "") -> TreeState:
    """``state`` with each first text behind ``behind`` replaced."""
    source = (state.read(path) or b"").decode()
    for old, new in edits:
        at = source.index(old, source.index(behind))
        source = source[:at] + new + source[at + len(old) :]
    return state.after({path: source.encode()})


def refused(state: TreeState) -> list[str]:
    refusal = hva_range.refuse(state, kvm_of(state))
    return [str(evidence) for evidence in refusal.evidence] if refusal else []


def test_the_callbacks_of_6_1_are_understood(base: TreeState) -> None:
    assert refused(base) == []


EARLY = "\tif (!READ_ONCE(kvm->mmu_invalidate_in_progress))\n\t\treturn;"
CACHES = "\tgfn_to_pfn_cache_invalidate_start("
RAISE = "\tkvm->mn_active_invalidate_count++;\n"
INVALID = "\tif (range->slot->flags & KVM_MEMSLOT_INVALID)\n\t\treturn false;"


@pytest.mark.parametrize(
    ("edits", "behind", "said"),
    [
        ([(EARLY, EARLY.replace("!READ", "READ"))], "", "updates nothing"),
        ([(EARLY, EARLY + "\n\n\tif (address & 1)\n\t\treturn;")], "", "updates nothing"),
        ([(CACHES, "\tif (hva_range.may_block)\n\t" + CACHES)], "", "invalidate_start() before"),
        ([(CACHES + "kvm, range->start, range->end", CACHES + "kvm, range->start, range->start")],
         "", "something else than the range"),
        ([(RAISE, ""), ("\t__kvm_handle_hva_range(kvm, &hva_range);\n",
                        "\t__kvm_handle_hva_range(kvm, &hva_range);\n" + RAISE)],
         "int kvm_mmu_notifier_invalidate_range_start", "does not raise mn_active"),
        ([(RAISE, "\tif (range->event)\n\t" + RAISE)], "", "does not raise mn_active"),
        ([("if (range->flush_on_ret && ret)", "if (range->flush_on_ret && range->may_block)")],
         "", "does not flush under the lock"),
        ([("ret |= range->handler", "ret = range->handler")], "", "keep each handler's answer"),
        ([(".flush_on_ret\t= true", ".flush_on_ret\t= false")], "int kvm_handle_hva_range(",
         "does not flush under the lock"),
        ([(".may_block\t= false", ".may_block\t= true")], "int kvm_handle_hva_range(",
         "may let its handlers sleep"),
        ([(INVALID, INVALID.replace("INVALID", "INVALID || kvm->users_count.refs.counter"))],
         "", "leaves the mappings of a memslot"),
        ([(INVALID, INVALID.replace("KVM_MEMSLOT_INVALID",
                                    "(KVM_MEMSLOT_INVALID | KVM_MEM_READONLY)"))],
         "", "leaves the mappings of a memslot"),
        ([("\tkvm->mmu_invalidate_seq++;\n", "")], "", "no sequence"),
        ([("\tkvm->mmu_invalidate_seq++;\n", ""),
          ("\tkvm->mmu_invalidate_in_progress--;\n",
           "\tkvm->mmu_invalidate_in_progress--;\n\tkvm->mmu_invalidate_seq++;\n")],
         "", "does not bump mmu_invalidate_seq"),
        ([(".on_lock\t= kvm_mmu_invalidate_begin", ".on_lock\t= (void *)kvm_null_fn")], "",
         "no count"),
        ([("i < KVM_ADDRESS_SPACE_NUM", "i < 1")], "int __kvm_handle_hva_range(",
         "does not come by the memslots"),
        ([("interval_tree_iter_first(&slots->hva_tree, start, last)",
           "interval_tree_iter_first(&slots->hva_tree, start, start)")], "", "is not understood"),
        ([("range->start, range->end - 1)", "range->start, range->start)")],
         "int __kvm_handle_hva_range(", "does not come by the memslots"),
        ([("ret |= range->handler(kvm, &gfn_range);",
           "if (slot->npages)\n\t\t\t\tret |= range->handler(kvm, &gfn_range);")],
         "", "leaves mappings of a range that is not flagged"),
        ([("\t__kvm_handle_hva_range(kvm, &hva_range);\n\n\treturn 0;",
           "\treturn __kvm_handle_hva_range(kvm, &hva_range);")], "", "depends on its walk"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_must_be_is_refused(
    base: TreeState, edits: list[Edit], behind: str, said: str
) -> None:
    found = refused(edited(base, MAIN, *edits, behind=behind))
    assert any(said in one for one in found), found


def test_more_than_an_unmapping_is_refused(base: TreeState) -> None:
    more = "\tkvm_make_all_cpus_request(kvm, KVM_REQ_APIC_PAGE_RELOAD);\n\n\treturn flush;"
    state = edited(base, X86, ("\treturn flush;", more), behind="bool kvm_unmap_gfn_range(")
    assert ["kvm_make_all_cpus_request() does" in o or "kvm_make_all" in o for o in refused(state)]


# -- the handler that keeps, by hand and wrong ----------------------------------------


def kept(base: TreeState, *edits: Edit) -> TreeState:
    """6.1 with the flag and its helper, and start's handler chosen by it, then edited."""
    blockable = "static inline bool\nmmu_notifier_range_blockable(const struct mmu_notifier_range"
    helper = (
        "static inline bool\nmmu_notifier_range_use_change_pte(const struct mmu_notifier_range"
        " *range)\n{\n\treturn (range->flags & MMU_NOTIFIER_USE_CHANGE_PTE);\n}\n\n"
    )
    flag = "#define MMU_NOTIFIER_RANGE_BLOCKABLE (1 << 0)\n"
    defined = flag + "#define MMU_NOTIFIER_USE_CHANGE_PTE BIT(1)\n"
    state = edited(base, HEADER, (flag, defined), (blockable, helper + blockable))
    source = keep_mapped(state.read(MAIN) or b"").decode()
    right = INVALID.replace("false", "kvm_unmap_gfn_range(kvm, range)") + "\n\n\treturn false;"
    at = source.index("\treturn false;", source.index("bool kvm_keep_gfn_range("))
    source = source[:at] + right + source[at + len("\treturn false;") :]
    return edited(state.after({MAIN: source.encode()}), MAIN, *edits)


KEEP = INVALID.replace("false", "kvm_unmap_gfn_range(kvm, range)")
CHOICE = "mmu_notifier_range_use_change_pte(range) ?"


def test_the_handler_that_keeps_is_understood(base: TreeState) -> None:
    assert refused(kept(base)) == []


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ((KEEP + "\n\n", ""), "leaves mappings of a range"),
        ((KEEP, KEEP.replace("if (", "if (!(") .replace("INVALID)", "INVALID))")),
         "whose memslot is being removed"),
        ((KEEP, KEEP.replace("range->slot->flags", "range->slot->flags & 1")),
         "leaves mappings of a range"),
        ((CHOICE, "!" + CHOICE), "not flagged"),
        ((CHOICE, "range->event ?"), "not flagged"),
        (("kvm_keep_gfn_range : kvm", "(void *)kvm_null_fn : kvm"), "where it takes the lock"),
        ((".on_lock\t= kvm_mmu_invalidate_begin", ".on_lock\t= mmu_notifier_range_use_change_pte("
          "range) ? (void *)kvm_null_fn : kvm_mmu_invalidate_begin"), "does not raise"),
        ((".on_lock\t= kvm_mmu_invalidate_end", ".on_lock\t= mmu_notifier_range_use_change_pte("
          "range) ? (void *)kvm_null_fn : kvm_mmu_invalidate_end"), "does not bump"),
    ],
)  # fmt: skip
def test_a_handler_that_keeps_too_much_is_refused(base: TreeState, edit: Edit, said: str) -> None:
    found = refused(kept(base, edit))
    assert any(said in one for one in found), found


# -- setters ----------------------------------------------------------------------------


def test_the_setters_of_6_1_that_are_not_right_in_place(base: TreeState) -> None:
    found = {str(one.place.path) for one in hva_range.setters_against(base)}
    assert found == {ARM, "arch/riscv/kvm/mmu.c", "include/linux/kvm_host.h"}


UNMAP = "\tkvm_unmap_gfn_range(kvm, range);\n\n"
WARN = "\tWARN_ON(range->end - range->start != 1);\n"


@pytest.mark.parametrize(
    ("where", "right"),
    [
        ("\tWARN_ON(range->end", True),
        ("\tif (!kvm->arch.mmu.pgt)", True),
        ("\t/*\n\t * We've moved a page around", False),  # a path returned before
        ("\treturn false;\n}\n\nbool kvm_age_gfn", False),  # behind the new mapping
    ],
)
def test_arm64_is_right_where_it_unmaps_before_all_else(
    base: TreeState, where: str, right: bool
) -> None:
    state = edited(base, ARM, (where, UNMAP + where), behind="bool kvm_set_spte_gfn(")
    found = [one for one in hva_range.setters_against(state) if one.place.path == ARM]
    assert (found == []) == right, found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\t\t\tmmu_spte_set(sptep, new_spte);\n", ""),
        (
            "\t\tneed_flush = true;\n",
            "\t\tif (level > 1)\n\t\t\tcontinue;\n\t\tneed_flush = true;\n",
        ),
        ("\t\t\tmmu_spte_set(sptep, new_spte);", "\t\t\tmmu_spte_set(sptep, new_spte | 2);"),
        ("\t\t\t\t\t*sptep, new_pfn);", "\t\t\t\t\t*sptep, new_pfn + 1);"),
        ("\tWARN_ON(pte_huge(pte));\n", "\tif (pte_huge(pte))\n\t\treturn false;\n"),
    ],
)
def test_an_rmap_setter_that_leaves_a_mapping_is_not_right(
    base: TreeState, old: str, new: str
) -> None:
    state = edited(base, X86, (old, new), behind="static bool kvm_set_pte_rmap(")
    assert [one for one in hva_range.setters_against(state) if one.place.path == X86]


def test_the_rmap_part_may_not_be_missing(base: TreeState) -> None:
    part = "\tif (kvm_memslots_have_rmaps(kvm))\n"
    call = "\t\tflush = kvm_handle_gfn_range(kvm, range, kvm_set_pte_rmap);\n"
    state = edited(base, X86, (part + call, ""), behind="bool kvm_set_spte_gfn(")
    assert [one for one in hva_range.setters_against(state) if one.place.path == X86]


COUNT = "\t\t\tkvm_update_page_stats(kvm, level, 1);\n"
SET = "\t\t\tmmu_spte_set(sptep, new_spte);\n"


def test_a_page_is_counted_again_once(base: TreeState) -> None:
    drifts = page_stats(base.read)
    assert (drifts.answer, drifts.at and drifts.at.path) == ("drifts", X86)
    behind = "static bool kvm_set_pte_rmap("
    once = edited(base, X86, (SET, SET + COUNT), behind=behind)
    assert page_stats(once.read).answer == "right"
    assert page_stats(edited(once, X86, (COUNT, COUNT * 2)).read).answer == "undecided"
    other = edited(base, X86, (SET, SET + COUNT.replace("1)", "n)")), behind=behind)
    assert page_stats(other.read).answer == "undecided"


# -- x86's TDP MMU ---------------------------------------------------------------------

WRITE = "\t\ttdp_mmu_set_spte(kvm, iter, new_spte);\n"
CLEAR = "\ttdp_mmu_set_spte(kvm, iter, 0);\n"
CLEARED = "\t\titer->old_spte = 0;\n"
MAKE = "\t\tnew_spte = kvm_mmu_changed_pte_notifier_make_spte("


@pytest.mark.parametrize(
    ("edits", "answer"),
    [
        ([], "stale"),
        ([(WRITE, CLEARED + WRITE)], "right"),
        ([(WRITE, "")], "right"),  # dropped only
        ([(MAKE, CLEARED + MAKE)], "undecided"),  # made of what is no longer the old one
        ([(WRITE, CLEARED.replace("0", "1") + WRITE)], "stale"),
        ([(CLEAR, "\tif (is_accessed_spte(iter->old_spte))\n\t" + CLEAR)], "undecided"),
        ([(CLEAR, "")], "undecided"),
        ([("\treturn true;\n", "\treturn false;\n"), (WRITE, CLEARED + WRITE)], "undecided"),
        ([("iter->level != PG_LEVEL_4K ||", "iter->level != PG_LEVEL_4K || range->slot->as_id ||"),
          (WRITE, CLEARED + WRITE)], "undecided"),
        ([("pte_pfn(range->pte)", "pte_pfn(range->pte) + 1"), (WRITE, CLEARED + WRITE)],
         "undecided"),
    ],
)  # fmt: skip
def test_the_setter_that_a_walker_calls(base: TreeState, edits: list[Edit], answer: str) -> None:
    found = setter_of(edited(base, TDP, *edits, behind="static bool set_spte_gfn("))
    assert found.answer == answer, found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "for_each_tdp_mmu_root(kvm, root, range->slot->as_id) {",
            "for_each_tdp_mmu_root(kvm, root, 0) {",
        ),
        ("range->start, range->end)\n\t\t\tret |=", "range->start, range->start)\n\t\t\tret |="),
        ("\t\t\tret |= handler(", "\t\t\tret = handler("),
        (
            "\t\trcu_read_unlock();\n\t}\n\n\treturn ret;",
            "\t\trcu_read_unlock();\n\t\tbreak;\n\t}\n\n\treturn ret;",
        ),
    ],
)
def test_a_walk_that_leaves_something_out_is_undecided(base: TreeState, old: str, new: str) -> None:
    right = edited(base, TDP, (WRITE, CLEARED + WRITE), behind="static bool set_spte_gfn(")
    state = edited(right, TDP, (old, new), behind="bool kvm_tdp_mmu_handle_gfn(")
    assert setter_of(state).answer == "undecided"


def test_a_change_of_an_spte_that_tells_nobody_is_undecided(base: TreeState) -> None:
    right = edited(base, TDP, (WRITE, CLEARED + WRITE), behind="static bool set_spte_gfn(")
    told = "\t__handle_changed_spte(kvm, as_id, gfn, old_spte, new_spte, level, false);\n"
    behind = "static u64 __tdp_mmu_set_spte("
    silent = edited(right, TDP, (told, told.replace("old_spte", "new_spte")), behind=behind)
    assert setter_of(silent).answer == "undecided"
