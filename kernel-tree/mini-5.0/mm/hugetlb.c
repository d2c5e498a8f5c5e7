// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large pages on request.  Processes that map the same file may share tables
 * of pmds, each of which covers as much as one pud does.
 */

#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>

static struct hstate default_hstate = { .order = HPAGE_PMD_ORDER };

static struct hstate *hstate_vma(struct vm_area_struct *vma)
{
	return &default_hstate;
}

static pte_t *huge_pte_offset(struct mm_struct *mm, unsigned long addr,
			      unsigned long sz)
{
	return (pte_t *)mm_find_pmd(mm, addr);
}

static pte_t *huge_pte_alloc(struct mm_struct *mm, unsigned long addr,
			     unsigned long sz)
{
	return (pte_t *)mm_alloc_pmd(mm, addr);
}

static pte_t make_huge_pte(struct vm_area_struct *vma, struct page *page,
			   int writable)
{
	pte_t entry = pte_mkhuge(mk_pte(page, vma->vm_page_prot));

	if (!writable)
		return pte_wrprotect(entry);
	return pte_mkwrite(pte_mkdirty(entry));
}

void adjust_range_if_pmd_sharing_possible(struct vm_area_struct *vma,
					  unsigned long *start,
					  unsigned long *end)
{
	if (!(vma->vm_flags & VM_SHARED))
		return;

	*start = max(vma->vm_start, *start & PUD_MASK);
	*end = min(vma->vm_end, (*end + PUD_SIZE - 1) & PUD_MASK);
}

/* Gives up a shared table: 1, and *addr is the last address it covered. */
static int huge_pmd_unshare(struct mm_struct *mm, unsigned long *addr,
			    pte_t *ptep)
{
	struct page *table = virt_to_page(ptep);
	pud_t *pud;

	if (page_count(table) == 1)
		return 0;

	pud = pud_offset(pgd_offset(mm, *addr), *addr);
	pud_clear(pud);
	put_page(table);
	*addr = (*addr | ~PUD_MASK) & huge_page_mask(&default_hstate);
	return 1;
}

int copy_hugetlb_page_range(struct mm_struct *dst, struct mm_struct *src,
			    struct vm_area_struct *vma)
{
	struct hstate *h = hstate_vma(vma);
	unsigned long sz = huge_page_size(h);
	struct mmu_notifier_range range;
	pte_t *src_pte, *dst_pte, entry;
	struct page *ptepage;
	unsigned long addr;
	spinlock_t *ptl;
	int ret = 0;
	int cow;

	cow = is_cow_mapping(vma->vm_flags);

	if (cow) {
		mmu_notifier_range_init(&range, src, vma->vm_start,
					vma->vm_end);
		mmu_notifier_invalidate_range_start(&range);
	}

	for (addr = vma->vm_start; addr < vma->vm_end; addr += sz) {
		src_pte = huge_pte_offset(src, addr, sz);
		if (!src_pte)
			continue;
		dst_pte = huge_pte_alloc(dst, addr, sz);
		if (!dst_pte) {
			ret = -ENOMEM;
			break;
		}
		/* the two share the table: there is nothing to copy */
		if (dst_pte == src_pte)
			continue;

		ptl = huge_pte_lock(h, src, src_pte);
		if (!huge_pte_none(huge_ptep_get(src_pte))) {
			if (cow)
				huge_ptep_set_wrprotect(src, addr, src_pte);
			entry = huge_ptep_get(src_pte);
			ptepage = pte_page(entry);
			get_page(ptepage);
			page_dup_rmap(ptepage, true);
			set_huge_pte_at(dst, addr, dst_pte, entry);
		}
		spin_unlock(ptl);
	}

	if (cow)
		mmu_notifier_invalidate_range_end(&range);

	return ret;
}

/* With a @ref_page, only that one. */
void __unmap_hugepage_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
			    unsigned long start, unsigned long end,
			    struct page *ref_page)
{
	struct mm_struct *mm = vma->vm_mm;
	struct hstate *h = hstate_vma(vma);
	unsigned long sz = huge_page_size(h);
	unsigned long address = start;
	struct mmu_notifier_range range;
	struct page *page;
	spinlock_t *ptl;
	pte_t *ptep;
	pte_t pte;

	/* A table that is given up may cover more than what was asked for. */
	mmu_notifier_range_init(&range, mm, start, end);
	adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
	mmu_notifier_invalidate_range_start(&range);
	for (; address < end; address += sz) {
		ptep = huge_pte_offset(mm, address, sz);
		if (!ptep)
			continue;

		ptl = huge_pte_lock(h, mm, ptep);
		if (huge_pmd_unshare(mm, &address, ptep)) {
			spin_unlock(ptl);
			continue;
		}

		pte = huge_ptep_get(ptep);
		if (huge_pte_none(pte)) {
			spin_unlock(ptl);
			continue;
		}

		if (!pte_present(pte)) {
			huge_pte_clear(mm, address, ptep, sz);
			spin_unlock(ptl);
			continue;
		}

		page = pte_page(pte);
		if (ref_page && page != ref_page) {
			spin_unlock(ptl);
			continue;
		}

		pte = huge_ptep_get_and_clear(mm, address, ptep);
		if (huge_pte_dirty(pte))
			set_page_dirty(page);
		page_remove_rmap(page, true);
		spin_unlock(ptl);
		list_add(&page->lru, &tlb->pages);

		if (ref_page)
			break;
	}
	flush_tlb_range(vma, range.start, range.end);
	mmu_notifier_invalidate_range_end(&range);
}

/* The area is going: no table of it may be shared any more. */
void __unmap_hugepage_range_final(struct mmu_gather *tlb,
				  struct vm_area_struct *vma,
				  unsigned long start, unsigned long end,
				  struct page *ref_page)
{
	__unmap_hugepage_range(tlb, vma, start, end, ref_page);
	vma->vm_flags &= ~VM_SHARED;
}

void unmap_hugepage_range(struct vm_area_struct *vma, unsigned long start,
			  unsigned long end, struct page *ref_page)
{
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, vma->vm_mm);
	__unmap_hugepage_range(&tlb, vma, start, end, ref_page);
	tlb_finish_mmu(&tlb);
}

/* With @ptl held, on return again. */
static vm_fault_t hugetlb_cow(struct mm_struct *mm, struct vm_area_struct *vma,
			      unsigned long address, pte_t *ptep,
			      spinlock_t *ptl)
{
	struct hstate *h = hstate_vma(vma);
	unsigned long haddr = address & huge_page_mask(h);
	struct page *old_page, *new_page;
	struct mmu_notifier_range range;
	vm_fault_t ret = 0;
	unsigned int i;
	pte_t pte;

	pte = huge_ptep_get(ptep);
	old_page = pte_page(pte);
	if (page_mapcount(old_page) == 1 && PageAnon(old_page)) {
		set_huge_pte_at(mm, haddr, ptep, pte_mkwrite(pte_mkdirty(pte)));
		return 0;
	}

	get_page(old_page);
	spin_unlock(ptl);
	new_page = alloc_pages(GFP_HIGHUSER_MOVABLE, h->order);
	if (!new_page || anon_vma_prepare(vma)) {
		ret = VM_FAULT_OOM;
		goto out_release;
	}
	for (i = 0; i < pages_per_huge_page(h); i++)
		copy_user_highpage(new_page + i, old_page + i, haddr, vma);
	SetPageUptodate(new_page);

	mmu_notifier_range_init(&range, mm, haddr, haddr + huge_page_size(h));
	mmu_notifier_invalidate_range_start(&range);

	spin_lock(ptl);
	ptep = huge_pte_offset(mm, haddr, huge_page_size(h));
	if (ptep && pte_same(huge_ptep_get(ptep), pte)) {
		huge_ptep_clear_flush(vma, haddr, ptep);
		mmu_notifier_invalidate_range(mm, range.start, range.end);
		set_huge_pte_at(mm, haddr, ptep,
				make_huge_pte(vma, new_page, 1));
		page_remove_rmap(old_page, true);
		page_add_new_anon_rmap(new_page, vma, haddr, true);
		/* what is left over, to be freed below */
		new_page = old_page;
	}
	spin_unlock(ptl);
	mmu_notifier_invalidate_range_end(&range);
out_release:
	if (new_page)
		put_page(new_page);
	put_page(old_page);

	spin_lock(ptl);
	return ret;
}

vm_fault_t hugetlb_fault(struct mm_struct *mm, struct vm_area_struct *vma,
			 unsigned long address, unsigned int flags)
{
	struct hstate *h = hstate_vma(vma);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	spinlock_t *ptl;
	pte_t *ptep;
	pte_t entry;

	ptep = huge_pte_alloc(mm, address, huge_page_size(h));
	if (!ptep)
		return VM_FAULT_OOM;

	ptl = huge_pte_lock(h, mm, ptep);
	entry = huge_ptep_get(ptep);
	if (huge_pte_none(entry))
		goto out;

	ret = 0;
	if ((flags & FAULT_FLAG_WRITE) && !pte_write(entry))
		ret = hugetlb_cow(mm, vma, address, ptep, ptl);
out:
	spin_unlock(ptl);
	return ret;
}

unsigned long hugetlb_change_protection(struct vm_area_struct *vma,
					unsigned long address,
					unsigned long end, pgprot_t newprot)
{
	struct mm_struct *mm = vma->vm_mm;
	struct hstate *h = hstate_vma(vma);
	unsigned long sz = huge_page_size(h);
	struct mmu_notifier_range range;
	unsigned long start = address;
	unsigned long pages = 0;
	spinlock_t *ptl;
	pte_t *ptep;
	pte_t pte;

	/* A table that is given up may cover more than what was asked for. */
	mmu_notifier_range_init(&range, mm, start, end);
	adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
	flush_cache_range(vma, range.start, range.end);

	mmu_notifier_invalidate_range_start(&range);
	i_mmap_lock_write(vma->vm_file->f_mapping);
	for (; address < end; address += sz) {
		ptep = huge_pte_offset(mm, address, sz);
		if (!ptep)
			continue;

		ptl = huge_pte_lock(h, mm, ptep);
		if (huge_pmd_unshare(mm, &address, ptep)) {
			pages++;
			spin_unlock(ptl);
			continue;
		}
		if (!huge_pte_none(huge_ptep_get(ptep))) {
			pte = huge_ptep_get_and_clear(mm, address, ptep);
			pte = pte_mkhuge(huge_pte_modify(pte, newprot));
			set_huge_pte_at(mm, address, ptep, pte);
			pages++;
		}
		spin_unlock(ptl);
	}
	flush_tlb_range(vma, range.start, range.end);
	i_mmap_unlock_write(vma->vm_file->f_mapping);
	mmu_notifier_invalidate_range_end(&range);

	return pages << h->order;
}
