// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a page to the entries that map it.
 */

#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/slab.h>
#include <linux/swapops.h>

int anon_vma_prepare(struct vm_area_struct *vma)
{
	struct anon_vma *anon_vma;

	if (vma->anon_vma)
		return 0;

	anon_vma = kzalloc(sizeof(*anon_vma), GFP_KERNEL);
	if (!anon_vma)
		return -ENOMEM;
	init_rwsem(&anon_vma->rwsem);
	atomic_set(&anon_vma->refcount, 1);
	anon_vma->vma = vma;
	vma->anon_vma = anon_vma;
	return 0;
}

void page_add_anon_rmap(struct page *page, struct vm_area_struct *vma,
			unsigned long address, bool compound)
{
	atomic_inc(&page->_mapcount);
}

void page_add_new_anon_rmap(struct page *page, struct vm_area_struct *vma,
			    unsigned long address, bool compound)
{
	unsigned long anon = (unsigned long)vma->anon_vma | PAGE_MAPPING_ANON;

	page->mapping = (struct address_space *)anon;
	page->index = (address - vma->vm_start) >> PAGE_SHIFT;
	atomic_set(&page->_mapcount, 0);
}

void page_dup_rmap(struct page *page, bool compound)
{
	atomic_inc(&page->_mapcount);
}

void page_remove_rmap(struct page *page, bool compound)
{
	atomic_dec(&page->_mapcount);
}

unsigned long page_address_in_vma(struct page *page,
				  struct vm_area_struct *vma)
{
	unsigned long address = vma->vm_start + (page->index << PAGE_SHIFT);

	if (address < vma->vm_start || address >= vma->vm_end)
		return -EFAULT;
	return address;
}

/*
 * True with pvmw->pte locked, or pvmw->pmd where that maps all of a large
 * page; a page has one entry in an area.
 */
bool page_vma_mapped_walk(struct page_vma_mapped_walk *pvmw)
{
	struct mm_struct *mm = pvmw->vma->vm_mm;

	if (pvmw->ptl) {
		page_vma_mapped_walk_done(pvmw);
		return false;
	}

	pvmw->pmd = mm_find_pmd(mm, pvmw->address);
	if (!pvmw->pmd)
		return false;

	if (pmd_trans_huge(*pvmw->pmd)) {
		pvmw->ptl = pmd_lock(mm, pvmw->pmd);
		if (pmd_page(*pvmw->pmd) == pvmw->page)
			return true;
		page_vma_mapped_walk_done(pvmw);
		return false;
	}

	pvmw->pte = pte_offset_map_lock(mm, pvmw->pmd, pvmw->address,
					&pvmw->ptl);
	if (pte_present(*pvmw->pte) &&
	    pte_pfn(*pvmw->pte) == page_to_pfn(pvmw->page))
		return true;

	page_vma_mapped_walk_done(pvmw);
	return false;
}

void page_vma_mapped_walk_done(struct page_vma_mapped_walk *pvmw)
{
	if (pvmw->pte)
		pte_unmap(pvmw->pte);
	if (pvmw->ptl)
		spin_unlock(pvmw->ptl);
	pvmw->pte = NULL;
	pvmw->ptl = NULL;
}

static bool page_referenced_one(struct page *page, struct vm_area_struct *vma,
				unsigned long address, void *arg)
{
	struct page_vma_mapped_walk pvmw = {
		.page = page,
		.vma = vma,
		.address = address,
	};
	int *referenced = arg;

	while (page_vma_mapped_walk(&pvmw)) {
		if (pvmw.pte &&
		    ptep_clear_flush_young_notify(vma, pvmw.address, pvmw.pte))
			(*referenced)++;
	}
	return true;
}

static bool page_mkclean_one(struct page *page, struct vm_area_struct *vma,
			     unsigned long address, void *arg)
{
	struct page_vma_mapped_walk pvmw = {
		.page = page,
		.vma = vma,
		.address = address,
	};
	struct mmu_notifier_range range;
	int *cleaned = arg;

	mmu_notifier_range_init(&range, vma->vm_mm, address,
				min(vma->vm_end, address +
				    (PAGE_SIZE << compound_order(page))));
	mmu_notifier_invalidate_range_start(&range);

	while (page_vma_mapped_walk(&pvmw)) {
		if (pvmw.pte) {
			pte_t *pte = pvmw.pte;
			pte_t entry;

			if (!pte_dirty(*pte) && !pte_write(*pte))
				continue;

			flush_cache_page(vma, address, pte_pfn(*pte));
			entry = ptep_clear_flush(vma, pvmw.address, pte);
			entry = pte_wrprotect(entry);
			entry = pte_mkclean(entry);
			set_pte_at(vma->vm_mm, pvmw.address, pte, entry);
		} else {
			pmd_t *pmd = pvmw.pmd;
			pmd_t entry;

			if (!pmd_dirty(*pmd) && !pmd_write(*pmd))
				continue;

			entry = pmdp_huge_clear_flush(vma, pvmw.address, pmd);
			entry = pmd_wrprotect(entry);
			entry = pmd_mkclean(entry);
			set_pmd_at(vma->vm_mm, pvmw.address, pmd, entry);
		}
		(*cleaned)++;
	}

	mmu_notifier_invalidate_range_end(&range);

	return true;
}

static bool try_to_unmap_one(struct page *page, struct vm_area_struct *vma,
			     unsigned long address, void *arg)
{
	struct mm_struct *mm = vma->vm_mm;
	struct page_vma_mapped_walk pvmw = {
		.page = page,
		.vma = vma,
		.address = address,
	};
	struct mmu_notifier_range range;
	swp_entry_t entry;
	pte_t pteval;

	mmu_notifier_range_init(&range, vma->vm_mm, address,
				min(vma->vm_end, address +
				    (PAGE_SIZE << compound_order(page))));
	if (is_vm_hugetlb_page(vma))
		adjust_range_if_pmd_sharing_possible(vma, &range.start,
						     &range.end);
	mmu_notifier_invalidate_range_start(&range);

	while (page_vma_mapped_walk(&pvmw)) {
		/* the caller has split what could be split */
		if (WARN_ON_ONCE(!pvmw.pte))
			continue;

		flush_cache_page(vma, address, pte_pfn(*pvmw.pte));
		pteval = ptep_clear_flush(vma, address, pvmw.pte);
		if (pte_dirty(pteval))
			set_page_dirty(page);

		dec_mm_counter(mm, mm_counter(page));
		if (PageAnon(page)) {
			entry = add_to_swap(page);
			set_pte_at(mm, address, pvmw.pte,
				   swp_entry_to_pte(entry));
		}
		page_remove_rmap(page, false);
		put_page(page);
	}

	mmu_notifier_invalidate_range_end(&range);

	return true;
}

/* Calls @one for the area that an anonymous page belongs to. */
static bool rmap_walk(struct page *page,
		      bool (*one)(struct page *page,
				  struct vm_area_struct *vma,
				  unsigned long address, void *arg),
		      void *arg)
{
	unsigned long mapping = (unsigned long)page->mapping;
	struct anon_vma *anon_vma;
	unsigned long address;
	bool ret = true;

	if (!PageAnon(page) || PageKsm(page))
		return false;

	anon_vma = (struct anon_vma *)(mapping & ~PAGE_MAPPING_FLAGS);
	down_read(&anon_vma->rwsem);
	address = page_address_in_vma(page, anon_vma->vma);
	if (address != -EFAULT)
		ret = one(page, anon_vma->vma, address, arg);
	up_read(&anon_vma->rwsem);
	return ret;
}

int page_referenced(struct page *page)
{
	int referenced = 0;

	rmap_walk(page, page_referenced_one, &referenced);
	return referenced;
}

int page_mkclean(struct page *page)
{
	int cleaned = 0;

	rmap_walk(page, page_mkclean_one, &cleaned);
	return cleaned;
}

bool try_to_unmap(struct page *page)
{
	rmap_walk(page, try_to_unmap_one, NULL);
	return !page_mapped(page);
}
