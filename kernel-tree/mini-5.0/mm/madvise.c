// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process says about how it uses its memory.
 */

#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

static int madvise_free_pte_range(pmd_t *pmd, unsigned long addr,
				  unsigned long end, struct mm_walk *walk)
{
	struct mmu_gather *tlb = walk->private;
	struct vm_area_struct *vma = walk->vma;
	struct mm_struct *mm = tlb->mm;
	unsigned long start = addr;
	struct page *page;
	spinlock_t *ptl;
	pte_t *pte, ptent;

	if (pmd_trans_huge(*pmd))
		split_huge_pmd(vma, pmd, addr);

	pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
	for (; addr != end; pte++, addr += PAGE_SIZE) {
		ptent = *pte;
		if (pte_none(ptent))
			continue;

		/* on a swap device: not worth reading back */
		if (!pte_present(ptent)) {
			pte_clear(mm, addr, pte);
			continue;
		}

		page = vm_normal_page(vma, addr, ptent);
		if (!page || page_mapcount(page) != 1)
			continue;
		ClearPageDirty(page);

		/* clean and old: reclaim may drop it, unless it is written */
		if (pte_young(ptent) || pte_dirty(ptent)) {
			ptent = ptep_get_and_clear(mm, addr, pte);
			ptent = pte_mkold(ptent);
			ptent = pte_mkclean(ptent);
			set_pte_at(mm, addr, pte, ptent);
		}
	}
	pte_unmap_unlock(pte - 1, ptl);
	flush_tlb_range(vma, start, end);
	cond_resched();
	return 0;
}

static void madvise_free_page_range(struct mmu_gather *tlb,
				    struct vm_area_struct *vma,
				    unsigned long addr, unsigned long end)
{
	struct mm_walk free_walk = {
		.pmd_entry = madvise_free_pte_range,
		.mm = vma->vm_mm,
		.private = tlb,
	};

	walk_page_range(addr, end, &free_walk);
}

static int madvise_free_single_vma(struct vm_area_struct *vma,
				   unsigned long start_addr,
				   unsigned long end_addr)
{
	struct mm_struct *mm = vma->vm_mm;
	struct mmu_notifier_range range;
	struct mmu_gather tlb;

	/* files have a place to keep what is in the pages */
	if (!vma_is_anonymous(vma))
		return -EINVAL;

	range.start = max(vma->vm_start, start_addr);
	range.end = min(vma->vm_end, end_addr);
	if (range.start >= range.end)
		return -EINVAL;
	mmu_notifier_range_init(&range, mm, range.start, range.end);

	tlb_gather_mmu(&tlb, mm);
	mmu_notifier_invalidate_range_start(&range);
	madvise_free_page_range(&tlb, vma, range.start, range.end);
	mmu_notifier_invalidate_range_end(&range);
	tlb_finish_mmu(&tlb);

	return 0;
}

/* Gone at once, and zeros from then on. */
static int madvise_dontneed_single_vma(struct vm_area_struct *vma,
				       unsigned long start, unsigned long end)
{
	zap_page_range(vma, start, end - start);
	return 0;
}

static int madvise_vma(struct vm_area_struct *vma, unsigned long start,
		       unsigned long end, int behavior)
{
	switch (behavior) {
	case MADV_FREE:
		return madvise_free_single_vma(vma, start, end);
	case MADV_DONTNEED:
		return madvise_dontneed_single_vma(vma, start, end);
	default:
		return -EINVAL;
	}
}

int do_madvise(struct mm_struct *mm, unsigned long start, size_t len,
	       int behavior)
{
	unsigned long end = start + len;
	struct vm_area_struct *vma;
	int error = 0;

	down_read(&mm->mmap_sem);
	for (vma = mm->mmap; vma && !error; vma = vma->vm_next)
		if (vma->vm_start < end && vma->vm_end > start)
			error = madvise_vma(vma, max(start, vma->vm_start),
					    min(end, vma->vm_end), behavior);
	up_read(&mm->mmap_sem);
	return error;
}
