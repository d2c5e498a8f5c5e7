// SPDX-License-Identifier: GPL-2.0-only
/*
 * Merging of pages with the same contents.
 */

#include <linux/ksm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/swapops.h>

static struct vm_area_struct *find_mergeable_vma(struct mm_struct *mm,
						 unsigned long addr)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	if (!vma || !(vma->vm_flags & VM_MERGEABLE) || !vma->anon_vma)
		return NULL;
	return vma;
}

static bool pages_identical(struct page *page1, struct page *page2)
{
	const unsigned long *a = page_address(page1);
	const unsigned long *b = page_address(page2);
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / sizeof(*a); i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/*
 * Users of the page who have no entry for it: whoever asks holds one, and so
 * does the swap cache.  Any other one may be writing to the page.
 */
static bool page_has_other_users(struct page *page)
{
	int expected = page_mapcount(page) + 1 + PageSwapCache(page);

	return page_count(page) != expected;
}

/* On success *@orig_pte is the entry as it stands, which cannot be written. */
static int write_protect_page(struct vm_area_struct *vma, struct page *page,
			      pte_t *orig_pte)
{
	struct page_vma_mapped_walk pvmw = { .page = page, .vma = vma };
	struct mm_struct *mm = vma->vm_mm;
	struct mmu_notifier_range range;
	int err = -EFAULT;

	pvmw.address = page_address_in_vma(page, vma);
	if (pvmw.address == -EFAULT)
		return err;

	mmu_notifier_range_init(&range, mm, pvmw.address,
				pvmw.address + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);

	if (!page_vma_mapped_walk(&pvmw))
		goto out_mn;

	if (pte_write(*pvmw.pte) || pte_dirty(*pvmw.pte)) {
		pte_t entry;

		/*
		 * Cleared first: a device that takes the page from the entry
		 * without a lock has either counted it by now, or will not
		 * find it.
		 */
		flush_cache_page(vma, pvmw.address, page_to_pfn(page));
		entry = ptep_clear_flush(vma, pvmw.address, pvmw.pte);
		if (page_has_other_users(page)) {
			/* put it back as it was */
			set_pte_at(mm, pvmw.address, pvmw.pte, entry);
			goto out_unlock;
		}

		if (pte_dirty(entry))
			set_page_dirty(page);
		entry = pte_wrprotect(entry);
		entry = pte_mkclean(entry);
		set_pte_at_notify(mm, pvmw.address, pvmw.pte, entry);
	}
	*orig_pte = *pvmw.pte;
	err = 0;

out_unlock:
	page_vma_mapped_walk_done(&pvmw);
out_mn:
	mmu_notifier_invalidate_range_end(&range);
	return err;
}

/* Maps @kpage where @page is mapped, if the entry is still @orig_pte. */
static int replace_page(struct vm_area_struct *vma, struct page *page,
			struct page *kpage, pte_t orig_pte)
{
	unsigned long addr = page_address_in_vma(page, vma);
	struct mm_struct *mm = vma->vm_mm;
	struct mmu_notifier_range range;
	int err = -EFAULT;
	spinlock_t *ptl;
	pte_t newpte;
	pte_t *ptep;
	pmd_t *pmd;

	if (addr == -EFAULT)
		return err;
	pmd = mm_find_pmd(mm, addr);
	if (!pmd)
		return err;

	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);

	ptep = pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (!pte_same(*ptep, orig_pte))
		goto out_unlock;

	if (is_zero_pfn(page_to_pfn(kpage))) {
		/* it is nobody's page, and is not counted as one */
		newpte = pfn_pte(page_to_pfn(kpage), vma->vm_page_prot);
		newpte = pte_mkspecial(newpte);
		dec_mm_counter(mm, MM_ANONPAGES);
	} else {
		newpte = mk_pte(kpage, vma->vm_page_prot);
		get_page(kpage);
		page_add_anon_rmap(kpage, vma, addr, false);
	}

	flush_cache_page(vma, addr, pte_pfn(*ptep));
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(mm, addr, ptep, newpte);

	/* only now is the old page out of use */
	page_remove_rmap(page, false);
	if (!page_mapped(page))
		try_to_free_swap(page);
	put_page(page);
	err = 0;

out_unlock:
	pte_unmap_unlock(ptep, ptl);
	mmu_notifier_invalidate_range_end(&range);
	return err;
}

static void make_ksm_page(struct page *page)
{
	page->mapping = (struct address_space *)PAGE_MAPPING_KSM;
}

/* @kpage is NULL where @page itself is to become the shared one. */
static int try_to_merge_one_page(struct vm_area_struct *vma,
				 struct page *page, struct page *kpage)
{
	pte_t orig_pte = __pte(0);
	int err = -EFAULT;

	if (page == kpage)
		return 0;

	/* Whether the page is in the swap cache must not change meanwhile. */
	if (!PageAnon(page) || !trylock_page(page))
		return err;

	if (write_protect_page(vma, page, &orig_pte) == 0) {
		if (!kpage) {
			make_ksm_page(page);
			err = 0;
		} else if (pages_identical(page, kpage)) {
			err = replace_page(vma, page, kpage, orig_pte);
		}
	}
	unlock_page(page);
	return err;
}

static int try_to_merge_with_ksm_page(struct rmap_item *rmap_item,
				      struct page *page, struct page *kpage)
{
	struct vm_area_struct *vma;
	int err = -EFAULT;

	down_read(&rmap_item->mm->mmap_sem);
	vma = find_mergeable_vma(rmap_item->mm, rmap_item->address);
	if (vma)
		err = try_to_merge_one_page(vma, page, kpage);
	if (!err) {
		rmap_item->anon_vma = vma->anon_vma;
		get_anon_vma(vma->anon_vma);
	}
	up_read(&rmap_item->mm->mmap_sem);
	return err;
}

/* The page that both now share, or NULL. */
struct page *ksm_merge_two(struct rmap_item *rmap_item, struct page *page,
			   struct rmap_item *tree_rmap_item,
			   struct page *tree_page)
{
	if (try_to_merge_with_ksm_page(rmap_item, page, NULL))
		return NULL;
	if (try_to_merge_with_ksm_page(tree_rmap_item, tree_page, page))
		return NULL;
	return page;
}
