# SPDX-License-Identifier: GPL-2.0-only
"""A section that change_pte() covers loses the coverage with each fault, for its reason."""

from __future__ import annotations

import pytest

from patchgen.analysis.engine.program import Program
from patchgen.analysis.entries.covered import coverage_of
from patchgen.analysis.entries.flagged import flagged, judged
from patchgen.analysis.entries.objection import FORBIDDEN, LET_GO, MISFIT, NO_PAGE, UNTOLD
from patchgen.source.c.body import functions_in

SECTION = """
static void forget(struct page *gone)
{
	page_remove_rmap(gone, false);
	put_page(gone);
}

static int replace(struct vm_area_struct *vma, unsigned long addr, struct page *page, pte_t orig)
{
	struct page *old = vm_normal_page(vma, addr, orig);
	struct mmu_notifier_range range;
	pte_t *ptep;
	spinlock_t *ptl;
	int err = -EFAULT;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep = pte_offset_map_lock(vma->vm_mm, mm_find_pmd(vma->vm_mm, addr), addr, &ptl);
	if (!pte_same(*ptep, orig))
		goto unlock;
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(page, vma->vm_page_prot));
	err = 0;
unlock:
	pte_unmap_unlock(ptep, ptl);
	mmu_notifier_invalidate_range_end(&range);
	return err;
}

int merge(struct vm_area_struct *vma, unsigned long addr, struct page *page, pte_t pte)
{
	if (pte_write(pte))
		return -EBUSY;
	return replace(vma, addr, page, pte);
}
"""

#: What is replaced by what, the kind of fault, words of its reason.
FAULTS = {
    "told on one path": (
        "	set_pte_at_notify(", "	if (page)\n		set_pte_at_notify(", UNTOLD, "cleared without"),
    "never told": ("set_pte_at_notify(", "set_pte_at(", UNTOLD, "never called"),
    "gone before the notification": (
        "	set_pte_at_notify(", "	if (!page)\n		goto unlock;\n	set_pte_at_notify(", UNTOLD,
        "cleared without"),
    "the old page let go": (
        "	ptep_clear_flush(", "	put_page(old);\n	ptep_clear_flush(", LET_GO,
        "lets old go before"),
    "the old page let go by a helper": (
        "	set_pte_at_notify(", "	forget(old);\n	set_pte_at_notify(", LET_GO,
        "lets old go before"),
    "another change": (
        "	err = 0;", "	set_pte_at(vma->vm_mm, addr, ptep, pte_mkwrite(orig));", UNTOLD,
        "set without"),
    "two pages": ("addr + PAGE_SIZE", "addr + PMD_SIZE", MISFIT, "spans several pages"),
    "the next page": (
        "set_pte_at_notify(vma->vm_mm, addr,", "set_pte_at_notify(vma->vm_mm, addr + PAGE_SIZE,",
        MISFIT, "lies outside"),
    "not compared": ("if (!pte_same(*ptep, orig))", "if (!page)", FORBIDDEN, "may be writable"),
    "no page": (
        "mk_pte(page, vma->vm_page_prot)", "swp_entry_to_pte(swap)", NO_PAGE, "maps no page"),
    "a careless caller": (
        "return replace(vma, addr, page, pte)", "return replace(vma, addr, page, pte_mkwrite(pte))",
        FORBIDDEN, "may be writable"),
}  # fmt: skip


def _faults(source: str) -> list[tuple[str, str, bool, int]]:
    functions = functions_in(source.encode(), "mm/one.c")
    program, known = Program(functions, ()), {one.name: one for one in functions}
    (section,) = flagged(program, known["replace"])
    assert not section.unclear
    found = judged(section, program, known).objections
    return [(one.code, one.text, one.sure, len(one.steps)) for one in found]


def _covered(source: str) -> bool:
    functions = functions_in(source.encode(), "mm/one.c")
    known = {one.name: one for one in functions}
    (section,) = flagged(Program(functions, ()), known["replace"])
    return coverage_of(section, known).covered


def test_a_covered_section_has_no_fault() -> None:
    assert _faults(SECTION) == []
    assert _covered(SECTION)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_takes_the_coverage_and_says_why(name: str) -> None:
    before, after, kind, reason = FAULTS[name]
    assert SECTION.count(before) == 1
    source = SECTION.replace(before, after)
    found = _faults(source)
    assert [(one[0], one[2]) for one in found if reason in one[1]] == [(kind, True)]
    assert not _covered(source)


def test_unknown_callers_leave_it_open() -> None:
    alone = SECTION[: SECTION.index("int merge")]
    assert [(kind, sure) for kind, _, sure, _ in _faults(alone)] == [(FORBIDDEN, False)]


def test_a_change_has_the_path_to_it() -> None:
    before, after, *_ = FAULTS["told on one path"]
    ((_, _, _, steps),) = _faults(SECTION.replace(before, after))
    assert steps > 2
