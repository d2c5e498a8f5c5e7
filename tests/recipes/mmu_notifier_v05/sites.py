# SPDX-License-Identifier: GPL-2.0-only
"""The 28 calls of 5.0 with the posted series' events, flags and missing vmas.

From "mmu notifier provide context informations", v5, on Linux 5.0.
"""

from __future__ import annotations

UNMAP, CLEAR = "MMU_NOTIFY_UNMAP", "MMU_NOTIFY_CLEAR"
VMA, PAGE = "MMU_NOTIFY_PROTECTION_VMA", "MMU_NOTIFY_PROTECTION_PAGE"
SOFT_DIRTY = "MMU_NOTIFY_SOFT_DIRTY"

#: function, how many calls, event
EVENTS = [
    ("mm/hugetlb.c", "__unmap_hugepage_range", 1, UNMAP),
    ("mm/memory.c", "unmap_vmas", 1, UNMAP),
    ("mm/mremap.c", "move_page_tables", 1, UNMAP),
    ("mm/oom_kill.c", "__oom_reap_task_mm", 1, UNMAP),
    ("kernel/events/uprobes.c", "__replace_page", 1, CLEAR),
    ("mm/huge_memory.c", "do_huge_pmd_wp_page_fallback", 1, CLEAR),
    ("mm/huge_memory.c", "do_huge_pmd_wp_page", 1, CLEAR),
    ("mm/huge_memory.c", "__split_huge_pud", 1, CLEAR),
    ("mm/huge_memory.c", "__split_huge_pmd", 1, CLEAR),
    ("mm/hugetlb.c", "copy_hugetlb_page_range", 1, CLEAR),
    ("mm/hugetlb.c", "hugetlb_cow", 1, CLEAR),
    ("mm/khugepaged.c", "collapse_huge_page", 1, CLEAR),
    ("mm/ksm.c", "write_protect_page", 1, CLEAR),
    ("mm/ksm.c", "replace_page", 1, CLEAR),
    ("mm/madvise.c", "madvise_free_single_vma", 1, CLEAR),
    ("mm/memory.c", "zap_page_range", 1, CLEAR),
    ("mm/memory.c", "zap_page_range_single", 1, CLEAR),
    ("mm/memory.c", "wp_page_copy", 1, CLEAR),
    ("mm/memory.c", "__follow_pte_pmd", 2, CLEAR),
    ("mm/migrate.c", "migrate_vma_collect", 1, CLEAR),
    ("mm/migrate.c", "migrate_vma_pages", 1, CLEAR),
    ("mm/rmap.c", "try_to_unmap_one", 1, CLEAR),
    ("mm/hugetlb.c", "hugetlb_change_protection", 1, VMA),
    ("mm/mprotect.c", "change_pmd_range", 1, VMA),
    ("mm/memory.c", "copy_page_range", 1, PAGE),
    ("mm/rmap.c", "page_mkclean_one", 1, PAGE),
    ("fs/proc/task_mmu.c", "clear_refs_write", 1, SOFT_DIRTY),
]
#: What the analysis says where the series chose otherwise.
BY_ANALYSIS = {
    "copy_hugetlb_page_range": PAGE,
    "__follow_pte_pmd": PAGE,
    "__oom_reap_task_mm": CLEAR,
}
WITHOUT_VMA = {
    "collapse_huge_page",
    "__follow_pte_pmd",
    "migrate_vma_collect",
    "migrate_vma_pages",
    "clear_refs_write",
}
FLAGGED = {"write_protect_page", "replace_page", "wp_page_copy"}
