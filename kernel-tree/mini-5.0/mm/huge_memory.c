// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large pages that come by themselves: one pmd maps all of one.
 */

#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/slab.h>
#include <linux/swapops.h>

/* No large page could be had: give the writer small ones. */
static vm_fault_t do_huge_pmd_wp_page_fallback(struct vm_fault *vmf,
					       pmd_t orig_pmd,
					       struct page *page)
{
	unsigned long haddr = vmf->address & HPAGE_PMD_MASK;
	struct vm_area_struct *vma = vmf->vma;
	struct mmu_notifier_range range;
	vm_fault_t ret = VM_FAULT_OOM;
	struct page **pages;
	pgtable_t pgtable;
	int i, got = 0;
	pmd_t _pmd;

	pages = kzalloc(HPAGE_PMD_NR * sizeof(struct page *), GFP_KERNEL);
	if (!pages)
		return ret;

	for (; got < HPAGE_PMD_NR; got++) {
		pages[got] = alloc_page_vma(GFP_HIGHUSER_MOVABLE, vma, haddr);
		if (!pages[got])
			goto out;
		copy_user_highpage(pages[got], page + got,
				   haddr + got * PAGE_SIZE, vma);
		SetPageUptodate(pages[got]);
		cond_resched();
	}

	ret = 0;
	mmu_notifier_range_init(&range, vma->vm_mm, haddr,
				haddr + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);

	vmf->ptl = pmd_lock(vma->vm_mm, vmf->pmd);
	if (unlikely(!pmd_same(*vmf->pmd, orig_pmd)))
		goto out_unlock;

	/* A device must not read the large page after a CPU wrote a small. */
	pmdp_huge_clear_flush_notify(vma, haddr, vmf->pmd);

	pgtable = pgtable_trans_huge_withdraw(vma->vm_mm, vmf->pmd);
	pmd_populate(vma->vm_mm, &_pmd, pgtable);
	for (i = 0; i < HPAGE_PMD_NR; i++, haddr += PAGE_SIZE) {
		pte_t entry = mk_pte(pages[i], vma->vm_page_prot);

		entry = maybe_mkwrite(pte_mkdirty(entry), vma);
		page_add_new_anon_rmap(pages[i], vma, haddr, false);
		vmf->pte = pte_offset_map(&_pmd, haddr);
		set_pte_at(vma->vm_mm, haddr, vmf->pte, entry);
		pte_unmap(vmf->pte);
	}
	/* the table's entries before the table itself */
	smp_wmb();
	pmd_populate(vma->vm_mm, vmf->pmd, pgtable);
	page_remove_rmap(page, true);
	spin_unlock(vmf->ptl);

	/* pmdp_huge_clear_flush_notify() has called ->invalidate_range() */
	mmu_notifier_invalidate_range_only_end(&range);

	put_page(page);
	kfree(pages);
	return VM_FAULT_WRITE;

out_unlock:
	spin_unlock(vmf->ptl);
	mmu_notifier_invalidate_range_end(&range);
out:
	while (got--)
		put_page(pages[got]);
	kfree(pages);
	return ret;
}

static struct page *alloc_huge_copy(struct vm_fault *vmf, struct page *page)
{
	struct page *new_page = alloc_pages(GFP_HIGHUSER_MOVABLE,
					    HPAGE_PMD_ORDER);
	int i;

	if (!new_page)
		return NULL;
	for (i = 0; i < HPAGE_PMD_NR; i++)
		copy_user_highpage(new_page + i, page + i, vmf->address,
				   vmf->vma);
	SetPageUptodate(new_page);
	return new_page;
}

vm_fault_t do_huge_pmd_wp_page(struct vm_fault *vmf, pmd_t orig_pmd)
{
	unsigned long haddr = vmf->address & HPAGE_PMD_MASK;
	struct vm_area_struct *vma = vmf->vma;
	struct mmu_notifier_range range;
	struct page *page, *new_page;
	vm_fault_t ret = 0;
	pmd_t entry;

	vmf->ptl = pmd_lock(vma->vm_mm, vmf->pmd);
	if (!pmd_same(*vmf->pmd, orig_pmd)) {
		spin_unlock(vmf->ptl);
		return 0;
	}

	page = pmd_page(orig_pmd);
	if (page_count(page) == 1) {
		/* nobody else has it: no copy, only the permission */
		entry = pmd_mkyoung(orig_pmd);
		entry = maybe_pmd_mkwrite(pmd_mkdirty(entry), vma);
		set_pmd_at(vma->vm_mm, haddr, vmf->pmd, entry);
		update_mmu_cache_pmd(vma, vmf->address, vmf->pmd);
		spin_unlock(vmf->ptl);
		return VM_FAULT_WRITE;
	}
	get_page(page);
	spin_unlock(vmf->ptl);

	new_page = alloc_huge_copy(vmf, page);
	if (!new_page) {
		ret = do_huge_pmd_wp_page_fallback(vmf, orig_pmd, page);
		if (ret & VM_FAULT_OOM) {
			split_huge_pmd(vma, vmf->pmd, vmf->address);
			ret = VM_FAULT_FALLBACK;
		}
		put_page(page);
		return ret;
	}

	mmu_notifier_range_init(&range, vma->vm_mm, haddr,
				haddr + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);

	spin_lock(vmf->ptl);
	put_page(page);
	if (unlikely(!pmd_same(*vmf->pmd, orig_pmd))) {
		spin_unlock(vmf->ptl);
		put_page(new_page);
		goto out_mn;
	}

	entry = mk_huge_pmd(new_page, vma->vm_page_prot);
	entry = maybe_pmd_mkwrite(pmd_mkdirty(entry), vma);
	pmdp_huge_clear_flush_notify(vma, haddr, vmf->pmd);
	page_add_new_anon_rmap(new_page, vma, haddr, true);
	set_pmd_at(vma->vm_mm, haddr, vmf->pmd, entry);
	update_mmu_cache_pmd(vma, vmf->address, vmf->pmd);
	page_remove_rmap(page, true);
	put_page(page);
	spin_unlock(vmf->ptl);
	ret = VM_FAULT_WRITE;
out_mn:
	/* pmdp_huge_clear_flush_notify() has called ->invalidate_range() */
	mmu_notifier_invalidate_range_only_end(&range);
	return ret;
}

int copy_huge_pmd(struct mm_struct *dst_mm, struct mm_struct *src_mm,
		  pmd_t *dst_pmd, pmd_t *src_pmd, unsigned long addr,
		  struct vm_area_struct *vma)
{
	struct page *page;
	pgtable_t pgtable;
	spinlock_t *ptl;
	pmd_t pmd;

	pgtable = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!pgtable)
		return -ENOMEM;

	ptl = pmd_lock(src_mm, src_pmd);
	pmd = *src_pmd;
	page = pmd_page(pmd);
	get_page(page);
	page_dup_rmap(page, true);
	pgtable_trans_huge_deposit(dst_mm, dst_pmd, pgtable);

	pmdp_set_wrprotect(src_mm, addr, src_pmd);
	pmd = pmd_wrprotect(pmd);
	set_pmd_at(dst_mm, addr, dst_pmd, pmd);
	spin_unlock(ptl);
	return 0;
}

int zap_huge_pmd(struct mmu_gather *tlb, struct vm_area_struct *vma,
		 pmd_t *pmd, unsigned long addr)
{
	spinlock_t *ptl = pmd_lock(tlb->mm, pmd);
	struct page *page;
	pmd_t orig_pmd;

	if (!pmd_trans_huge(*pmd)) {
		spin_unlock(ptl);
		return 0;
	}

	orig_pmd = pmdp_huge_get_and_clear(tlb->mm, addr, pmd);
	page = pmd_page(orig_pmd);
	page_remove_rmap(page, true);
	add_mm_counter(tlb->mm, MM_ANONPAGES, -HPAGE_PMD_NR);
	put_page(pgtable_trans_huge_withdraw(tlb->mm, pmd));
	spin_unlock(ptl);
	list_add(&page->lru, &tlb->pages);
	return 1;
}

/* 0 when the pmd turns out to be split; else the number of pages. */
int change_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr,
		    pgprot_t newprot, int prot_numa)
{
	struct mm_struct *mm = vma->vm_mm;
	spinlock_t *ptl = pmd_lock(mm, pmd);
	pmd_t entry;

	if (!pmd_trans_huge(*pmd)) {
		spin_unlock(ptl);
		return 0;
	}

	entry = pmdp_invalidate(vma, addr, pmd);
	entry = pmd_modify(entry, newprot);
	set_pmd_at(mm, addr, pmd, entry);
	spin_unlock(ptl);
	return HPAGE_PMD_NR;
}

bool move_huge_pmd(struct vm_area_struct *vma, unsigned long old_addr,
		   unsigned long new_addr, unsigned long old_end,
		   pmd_t *old_pmd, pmd_t *new_pmd)
{
	struct mm_struct *mm = vma->vm_mm;
	spinlock_t *ptl;
	pmd_t pmd;

	if ((new_addr & ~HPAGE_PMD_MASK) || !pmd_none(*new_pmd))
		return false;

	ptl = pmd_lock(mm, old_pmd);
	pmd = pmdp_huge_get_and_clear(mm, old_addr, old_pmd);
	set_pmd_at(mm, new_addr, new_pmd, pmd);
	flush_tlb_range(vma, old_addr, old_addr + HPAGE_PMD_SIZE);
	spin_unlock(ptl);
	return true;
}

static void __split_huge_pud_locked(struct vm_area_struct *vma, pud_t *pud,
				    unsigned long haddr)
{
	/* only files have these, so that a fault brings the page back */
	pudp_huge_clear_flush_notify(vma, haddr, pud);
}

void __split_huge_pud(struct vm_area_struct *vma, pud_t *pud,
		      unsigned long address)
{
	struct mmu_notifier_range range;
	spinlock_t *ptl;

	mmu_notifier_range_init(&range, vma->vm_mm, address & HPAGE_PUD_MASK,
				(address & HPAGE_PUD_MASK) + HPAGE_PUD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptl = pud_lock(vma->vm_mm, pud);
	if (likely(pud_trans_huge(*pud)))
		__split_huge_pud_locked(vma, pud, range.start);
	spin_unlock(ptl);
	mmu_notifier_invalidate_range_only_end(&range);
}

/* With @freeze the small pages are on their way to elsewhere. */
static void __split_huge_pmd_locked(struct vm_area_struct *vma, pmd_t *pmd,
				    unsigned long haddr, bool freeze)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = haddr;
	pmd_t old_pmd, _pmd;
	struct page *page;
	pgtable_t pgtable;
	int i;

	if (!vma_is_anonymous(vma)) {
		old_pmd = pmdp_huge_clear_flush_notify(vma, haddr, pmd);
		page = pmd_page(old_pmd);
		if (pmd_dirty(old_pmd))
			set_page_dirty(page);
		page_remove_rmap(page, true);
		put_page(page);
		return;
	}

	/* Both sizes for one address in a TLB would confuse processors. */
	old_pmd = pmdp_invalidate(vma, haddr, pmd);
	page = pmd_page(old_pmd);

	pgtable = pgtable_trans_huge_withdraw(mm, pmd);
	pmd_populate(mm, &_pmd, pgtable);
	for (i = 0; i < HPAGE_PMD_NR; i++, addr += PAGE_SIZE) {
		swp_entry_t swp_entry;
		pte_t entry, *pte;

		if (freeze) {
			swp_entry = make_migration_entry(page + i,
							 pmd_write(old_pmd));
			entry = swp_entry_to_pte(swp_entry);
		} else {
			entry = mk_pte(page + i, vma->vm_page_prot);
			entry = maybe_mkwrite(entry, vma);
			if (!pmd_write(old_pmd))
				entry = pte_wrprotect(entry);
			if (!pmd_young(old_pmd))
				entry = pte_mkold(entry);
			get_page(page + i);
			page_dup_rmap(page + i, false);
		}
		pte = pte_offset_map(&_pmd, addr);
		set_pte_at(mm, addr, pte, entry);
		pte_unmap(pte);
	}

	/* the table's entries before the table itself */
	smp_wmb();
	pmd_populate(mm, pmd, pgtable);
}

void __split_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd,
		      unsigned long address, bool freeze, struct page *page)
{
	struct mmu_notifier_range range;
	spinlock_t *ptl;

	mmu_notifier_range_init(&range, vma->vm_mm, address & HPAGE_PMD_MASK,
				(address & HPAGE_PMD_MASK) + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptl = pmd_lock(vma->vm_mm, pmd);
	if (page && page != pmd_page(*pmd))
		goto out;
	if (!pmd_trans_huge(*pmd))
		goto out;
	__split_huge_pmd_locked(vma, pmd, range.start, freeze);
out:
	spin_unlock(ptl);
	/* in place, or with ->invalidate_range() called already */
	mmu_notifier_invalidate_range_only_end(&range);
}
