// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts large pages where many small ones are.
 */

#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>

static bool __collapse_huge_page_isolate(struct vm_area_struct *vma,
					 unsigned long address, pte_t *pte)
{
	struct page *page;
	int i;

	for (i = 0; i < HPAGE_PMD_NR; i++, address += PAGE_SIZE) {
		if (!pte_present(pte[i]) || !pte_write(pte[i]))
			return false;
		page = vm_normal_page(vma, address, pte[i]);
		if (!page || page_count(page) != 1)
			return false;
	}
	return true;
}

static void __collapse_huge_page_copy(pte_t *pte, struct page *page,
				      struct vm_area_struct *vma,
				      unsigned long address, spinlock_t *ptl)
{
	struct page *src_page;
	int i;

	for (i = 0; i < HPAGE_PMD_NR; i++, address += PAGE_SIZE) {
		src_page = pte_page(pte[i]);
		copy_user_highpage(page + i, src_page, address, vma);
		spin_lock(ptl);
		/* nobody finds the table any more: there is nothing to flush */
		pte_clear(vma->vm_mm, address, &pte[i]);
		page_remove_rmap(src_page, false);
		spin_unlock(ptl);
		put_page(src_page);
	}
}

/* Called with the mmap_sem held for reading, returns without it. */
static void collapse_huge_page(struct mm_struct *mm, unsigned long address)
{
	struct mmu_notifier_range range;
	spinlock_t *pmd_ptl, *pte_ptl;
	struct vm_area_struct *vma;
	struct page *new_page;
	pmd_t *pmd, _pmd;
	bool isolated;
	pte_t *pte;

	/* this may take a while */
	up_read(&mm->mmap_sem);
	new_page = alloc_pages(GFP_HIGHUSER_MOVABLE, HPAGE_PMD_ORDER);
	if (!new_page)
		return;

	down_write(&mm->mmap_sem);
	vma = find_vma(mm, address);
	if (!vma || !vma->anon_vma || address + HPAGE_PMD_SIZE > vma->vm_end)
		goto out;
	pmd = mm_find_pmd(mm, address);
	if (!pmd || pmd_trans_huge(*pmd))
		goto out;

	anon_vma_lock_write(vma->anon_vma);
	pte = pte_offset_map(pmd, address);
	pte_ptl = pte_lockptr(mm, pmd);

	mmu_notifier_range_init(&range, mm, address, address + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	pmd_ptl = pmd_lock(mm, pmd);
	/* From here on nobody gets at the pages through the table. */
	_pmd = pmdp_collapse_flush(vma, address, pmd);
	spin_unlock(pmd_ptl);
	mmu_notifier_invalidate_range_end(&range);

	spin_lock(pte_ptl);
	isolated = __collapse_huge_page_isolate(vma, address, pte);
	spin_unlock(pte_ptl);

	if (!isolated) {
		pte_unmap(pte);
		spin_lock(pmd_ptl);
		pmd_populate(mm, pmd, pmd_page(_pmd));
		spin_unlock(pmd_ptl);
		anon_vma_unlock_write(vma->anon_vma);
		goto out;
	}
	anon_vma_unlock_write(vma->anon_vma);

	__collapse_huge_page_copy(pte, new_page, vma, address, pte_ptl);
	pte_unmap(pte);
	SetPageUptodate(new_page);

	spin_lock(pmd_ptl);
	page_add_new_anon_rmap(new_page, vma, address, true);
	pgtable_trans_huge_deposit(mm, pmd, pmd_page(_pmd));
	_pmd = mk_huge_pmd(new_page, vma->vm_page_prot);
	_pmd = maybe_pmd_mkwrite(pmd_mkdirty(_pmd), vma);
	set_pmd_at(mm, address, pmd, _pmd);
	update_mmu_cache_pmd(vma, address, pmd);
	spin_unlock(pmd_ptl);
	new_page = NULL;
out:
	up_write(&mm->mmap_sem);
	if (new_page)
		put_page(new_page);
}

void khugepaged_scan_mm(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	unsigned long address;

	down_read(&mm->mmap_sem);
	for (vma = mm->mmap; vma; vma = vma->vm_next) {
		address = (vma->vm_start + HPAGE_PMD_SIZE - 1) & HPAGE_PMD_MASK;
		if (address + HPAGE_PMD_SIZE <= vma->vm_end) {
			collapse_huge_page(mm, address);
			return;
		}
	}
	up_read(&mm->mmap_sem);
}
