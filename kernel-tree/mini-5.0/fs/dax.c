// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files whose pages are the device itself.
 */

#include <linux/dax.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

/* The next write to @pfn is to fault, whoever does it. */
static void dax_entry_mkclean(struct address_space *mapping, pgoff_t index,
			      unsigned long pfn)
{
	struct vm_area_struct *vma;
	pte_t pte, *ptep = NULL;
	pmd_t pmd, *pmdp = NULL;
	spinlock_t *ptl;

	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, index, index) {
		struct mmu_notifier_range range;
		unsigned long address;

		cond_resched();

		if (!(vma->vm_flags & VM_SHARED))
			continue;

		address = vma->vm_start +
			((index - vma->vm_pgoff) << PAGE_SHIFT);

		/* begins the invalidation, too, before it takes the lock */
		if (follow_pte_pmd(vma->vm_mm, address, &range, &ptep, &pmdp,
				   &ptl))
			continue;

		if (pmdp) {
			if (pfn == pmd_pfn(*pmdp) &&
			    (pmd_dirty(*pmdp) || pmd_write(*pmdp))) {
				flush_cache_page(vma, address, pfn);
				pmd = pmdp_huge_clear_flush(vma, address, pmdp);
				pmd = pmd_wrprotect(pmd);
				pmd = pmd_mkclean(pmd);
				set_pmd_at(vma->vm_mm, address, pmdp, pmd);
			}
			spin_unlock(ptl);
		} else {
			if (pfn == pte_pfn(*ptep) &&
			    (pte_dirty(*ptep) || pte_write(*ptep))) {
				flush_cache_page(vma, address, pfn);
				pte = ptep_clear_flush(vma, address, ptep);
				pte = pte_wrprotect(pte);
				pte = pte_mkclean(pte);
				set_pte_at(vma->vm_mm, address, ptep, pte);
			}
			pte_unmap_unlock(ptep, ptl);
		}

		mmu_notifier_invalidate_range_end(&range);
	}
	i_mmap_unlock_read(mapping);
}

void dax_writeback_one(struct address_space *mapping, pgoff_t index,
		       unsigned long pfn)
{
	dax_entry_mkclean(mapping, index, pfn);
	ClearPageDirty(pfn_to_page(pfn));
}
EXPORT_SYMBOL_GPL(dax_writeback_one);
