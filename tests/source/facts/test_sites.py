# SPDX-License-Identifier: GPL-2.0-only
"""The places that a 5.0-shaped kernel initialises a range at: all 28 of them."""

from collections import Counter

from patchgen.source.facts.inspection import inspect
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.registry import resolve

#: Functions of Linux 5.0 with a call of mmu_notifier_range_init(); one has two.
SITES = {
    "fs/proc/task_mmu.c": "clear_refs_write",
    "kernel/events/uprobes.c": "__replace_page",
    "mm/huge_memory.c":
        "do_huge_pmd_wp_page_fallback do_huge_pmd_wp_page __split_huge_pud __split_huge_pmd",
    "mm/hugetlb.c":
        "copy_hugetlb_page_range __unmap_hugepage_range hugetlb_cow hugetlb_change_protection",
    "mm/khugepaged.c": "collapse_huge_page",
    "mm/ksm.c": "write_protect_page replace_page",
    "mm/madvise.c": "madvise_free_single_vma",
    "mm/memory.c":
        "copy_page_range unmap_vmas zap_page_range zap_page_range_single wp_page_copy"
        " __follow_pte_pmd __follow_pte_pmd",
    "mm/migrate.c": "migrate_vma_collect migrate_vma_pages",
    "mm/mprotect.c": "change_pmd_range",
    "mm/mremap.c": "move_page_tables",
    "mm/oom_kill.c": "__oom_reap_task_mm",
    "mm/rmap.c": "page_mkclean_one try_to_unmap_one",
}  # fmt: skip


def test_all_call_sites_of_the_5_0_shape(mini50):
    found = inspect(TreeState(resolve(str(mini50))))
    sites = [site for facts in found.files for site in facts.sites]
    expected = [(path, name) for path, names in SITES.items() for name in names.split()]
    assert len(expected) == 28
    assert Counter((s.path, s.function) for s in sites) == Counter(expected)
    assert all(s.variant == "mmu_notifier_range_init" and len(s.args) == 4 for s in sites)


def test_a_member_that_is_null_is_no_callback(tree):
    (tree / "mm/made_up.c").write_text(
        "#include <linux/mmu_notifier.h>\n"
        "static void gone(struct mmu_notifier *mn, struct mm_struct *mm) { }\n"
        "static const struct mmu_notifier_ops made_up = {\n"
        "\t.release = gone, .change_pte = NULL, .test_young = (void *)0,\n};\n"
    )
    (facts,) = inspect(TreeState(resolve(str(tree))), ["mm/made_up.c"]).files
    (table,) = facts.ops
    assert [entry.member for entry in table.entries] == ["release"]
    assert table.function("change_pte") == ""


def test_a_table_that_is_an_array_is_one_table_an_element(mini50):
    found = inspect(TreeState(resolve(str(mini50))), ["drivers/gpu/drm/amd/amdgpu/amdgpu_mn.c"])
    names = [table.name for facts in found.files for table in facts.ops]
    assert names == ["amdgpu_mn_ops[AMDGPU_MN_TYPE_GFX]", "amdgpu_mn_ops[AMDGPU_MN_TYPE_HSA]"]
