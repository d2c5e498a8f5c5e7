// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables: faults, copies at fork, removal.
 */

#include <linux/export.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>

struct vm_area_struct *find_vma(struct mm_struct *mm, unsigned long addr)
{
	struct vm_area_struct *vma;

	for (vma = mm->mmap; vma; vma = vma->vm_next)
		if (addr < vma->vm_end)
			return addr < vma->vm_start ? NULL : vma;
	return NULL;
}

/* The entry for the table of ptes, or NULL where there is no such table. */
pmd_t *mm_find_pmd(struct mm_struct *mm, unsigned long address)
{
	pgd_t *pgd = pgd_offset(mm, address);
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(*pgd))
		return NULL;
	pud = pud_offset(pgd, address);
	if (pud_none(*pud))
		return NULL;
	pmd = pmd_offset(pud, address);
	return pmd_none(*pmd) ? NULL : pmd;
}

/* Hangs a new table below @entry unless one is there already. */
static int table_alloc(struct mm_struct *mm, unsigned long *entry)
{
	struct page *table;

	if (READ_ONCE(*entry))
		return 0;

	table = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!table)
		return -ENOMEM;

	spin_lock(&mm->page_table_lock);
	if (!*entry) {
		*entry = (unsigned long)page_address(table) | _PAGE_PRESENT;
		table = NULL;
	}
	spin_unlock(&mm->page_table_lock);
	if (table)
		put_page(table);
	return 0;
}

int pte_alloc(struct mm_struct *mm, pmd_t *pmd)
{
	return table_alloc(mm, &pmd->pmd);
}

pmd_t *mm_alloc_pmd(struct mm_struct *mm, unsigned long address)
{
	pgd_t *pgd = pgd_offset(mm, address);
	pud_t *pud;

	if (table_alloc(mm, &pgd->pgd))
		return NULL;
	pud = pud_offset(pgd, address);
	if (table_alloc(mm, &pud->pud))
		return NULL;
	return pmd_offset(pud, address);
}

/* NULL for entries whose page nobody counts. */
struct page *vm_normal_page(struct vm_area_struct *vma, unsigned long addr,
			    pte_t pte)
{
	if (pte_special(pte) || (vma->vm_flags & VM_PFNMAP) ||
	    is_zero_pfn(pte_pfn(pte)))
		return NULL;
	return pte_page(pte);
}

void tlb_gather_mmu(struct mmu_gather *tlb, struct mm_struct *mm)
{
	tlb->mm = mm;
	INIT_LIST_HEAD(&tlb->pages);
}

/* Everything has been flushed: the pages may go. */
void tlb_finish_mmu(struct mmu_gather *tlb)
{
	struct page *page;

	while (tlb->pages.next != &tlb->pages) {
		page = list_entry(tlb->pages.next, struct page, lru);
		list_del(&page->lru);
		put_page(page);
	}
}

static void copy_one_pte(struct mm_struct *dst_mm, struct mm_struct *src_mm,
			 pte_t *dst_pte, pte_t *src_pte,
			 struct vm_area_struct *vma, unsigned long addr)
{
	unsigned long vm_flags = vma->vm_flags;
	pte_t pte = *src_pte;
	struct page *page;

	/* From now on a write in either process must fault and copy. */
	if (is_cow_mapping(vm_flags) && pte_write(pte)) {
		ptep_set_wrprotect(src_mm, addr, src_pte);
		pte = pte_wrprotect(pte);
	}
	if (vm_flags & VM_SHARED)
		pte = pte_mkclean(pte);

	page = vm_normal_page(vma, addr, pte);
	if (page) {
		get_page(page);
		page_dup_rmap(page, false);
		inc_mm_counter(dst_mm, mm_counter(page));
	}
	set_pte_at(dst_mm, addr, dst_pte, pte);
}

static int copy_pte_range(struct mm_struct *dst_mm, struct mm_struct *src_mm,
			  pmd_t *dst_pmd, pmd_t *src_pmd,
			  struct vm_area_struct *vma, unsigned long addr,
			  unsigned long end)
{
	pte_t *src_pte, *dst_pte;
	spinlock_t *src_ptl;

	if (pte_alloc(dst_mm, dst_pmd))
		return -ENOMEM;

	/* Nobody else sees the new tables yet. */
	dst_pte = pte_offset_map(dst_pmd, addr);
	src_pte = pte_offset_map_lock(src_mm, src_pmd, addr, &src_ptl);
	for (; addr != end; addr += PAGE_SIZE, src_pte++, dst_pte++) {
		if (pte_present(*src_pte))
			copy_one_pte(dst_mm, src_mm, dst_pte, src_pte, vma,
				     addr);
	}
	pte_unmap_unlock(src_pte - 1, src_ptl);
	pte_unmap(dst_pte - 1);
	cond_resched();
	return 0;
}

static int copy_pmd_range(struct mm_struct *dst_mm, struct mm_struct *src_mm,
			  struct vm_area_struct *vma, unsigned long addr,
			  unsigned long end)
{
	pmd_t *src_pmd, *dst_pmd;

	src_pmd = mm_find_pmd(src_mm, addr);
	if (!src_pmd)
		return 0;
	dst_pmd = mm_alloc_pmd(dst_mm, addr);
	if (!dst_pmd)
		return -ENOMEM;

	if (pmd_trans_huge(*src_pmd))
		return copy_huge_pmd(dst_mm, src_mm, dst_pmd, src_pmd, addr,
				     vma);
	return copy_pte_range(dst_mm, src_mm, dst_pmd, src_pmd, vma, addr, end);
}

int copy_page_range(struct mm_struct *dst_mm, struct mm_struct *src_mm,
		    struct vm_area_struct *vma)
{
	unsigned long addr = vma->vm_start, end = vma->vm_end, next;
	struct mmu_notifier_range range;
	bool is_cow;
	int ret = 0;

	/* Where faults can fill the entries again, let them. */
	if (!(vma->vm_flags & (VM_HUGETLB | VM_PFNMAP)) && !vma->anon_vma)
		return 0;

	if (is_vm_hugetlb_page(vma))
		return copy_hugetlb_page_range(dst_mm, src_mm, vma);

	/* Without copy on write the parent keeps all that it may do. */
	is_cow = is_cow_mapping(vma->vm_flags);
	if (is_cow) {
		mmu_notifier_range_init(&range, src_mm, addr, end);
		mmu_notifier_invalidate_range_start(&range);
	}

	do {
		next = pmd_addr_end(addr, end);
		ret = copy_pmd_range(dst_mm, src_mm, vma, addr, next);
		if (ret)
			break;
	} while (addr = next, addr != end);

	if (is_cow)
		mmu_notifier_invalidate_range_end(&range);
	return ret;
}

/* Restricts what is removed. */
struct zap_details {
	/* pages of this file only, or NULL */
	struct address_space *check_mapping;
};

static void zap_pte_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
			  pmd_t *pmd, unsigned long addr, unsigned long end,
			  struct zap_details *details)
{
	struct mm_struct *mm = tlb->mm;
	struct page *page;
	spinlock_t *ptl;
	pte_t *pte;
	pte_t ptent;

	pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
	for (; addr != end; addr += PAGE_SIZE, pte++) {
		ptent = *pte;
		if (pte_none(ptent))
			continue;

		if (!pte_present(ptent)) {
			pte_clear(mm, addr, pte);
			continue;
		}

		page = vm_normal_page(vma, addr, ptent);
		if (details && page && details->check_mapping &&
		    details->check_mapping != page->mapping)
			continue;

		ptent = ptep_get_and_clear(mm, addr, pte);
		if (!page)
			continue;
		if (!PageAnon(page) && pte_dirty(ptent))
			set_page_dirty(page);
		dec_mm_counter(mm, mm_counter(page));
		page_remove_rmap(page, false);
		list_add(&page->lru, &tlb->pages);
	}
	pte_unmap_unlock(pte - 1, ptl);
}

static void zap_pmd_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
			  pmd_t *pmd, unsigned long addr, unsigned long end,
			  struct zap_details *details)
{
	if (pmd_trans_huge(*pmd)) {
		if (end - addr == HPAGE_PMD_SIZE &&
		    zap_huge_pmd(tlb, vma, pmd, addr))
			return;
		__split_huge_pmd(vma, pmd, addr, false, NULL);
	}
	if (!pmd_none(*pmd))
		zap_pte_range(tlb, vma, pmd, addr, end, details);
}

void unmap_page_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
		      unsigned long addr, unsigned long end,
		      struct zap_details *details)
{
	unsigned long start = addr;
	unsigned long next;
	pmd_t *pmd;

	do {
		next = pmd_addr_end(addr, end);
		pmd = mm_find_pmd(vma->vm_mm, addr);
		if (pmd)
			zap_pmd_range(tlb, vma, pmd, addr, next, details);
	} while (addr = next, addr != end);
	flush_tlb_range(vma, start, end);
}

static void unmap_single_vma(struct mmu_gather *tlb, struct vm_area_struct *vma,
			     unsigned long start_addr, unsigned long end_addr,
			     struct zap_details *details)
{
	unsigned long start = max(vma->vm_start, start_addr);
	unsigned long end = min(vma->vm_end, end_addr);

	if (start >= end)
		return;
	if (is_vm_hugetlb_page(vma))
		__unmap_hugepage_range_final(tlb, vma, start, end, NULL);
	else
		unmap_page_range(tlb, vma, start, end, details);
}

/* The areas themselves are about to go. */
void unmap_vmas(struct mmu_gather *tlb, struct vm_area_struct *vma,
		unsigned long start_addr, unsigned long end_addr)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start_addr, end_addr);
	mmu_notifier_invalidate_range_start(&range);
	for ( ; vma && vma->vm_start < end_addr; vma = vma->vm_next)
		unmap_single_vma(tlb, vma, start_addr, end_addr, NULL);
	mmu_notifier_invalidate_range_end(&range);
}

/* The areas stay, only their pages go. */
void zap_page_range(struct vm_area_struct *vma, unsigned long start,
		    unsigned long size)
{
	struct mmu_notifier_range range;
	struct mmu_gather tlb;

	mmu_notifier_range_init(&range, vma->vm_mm, start, start + size);
	tlb_gather_mmu(&tlb, vma->vm_mm);
	mmu_notifier_invalidate_range_start(&range);
	for ( ; vma && vma->vm_start < range.end; vma = vma->vm_next)
		unmap_single_vma(&tlb, vma, start, range.end, NULL);
	mmu_notifier_invalidate_range_end(&range);
	tlb_finish_mmu(&tlb);
}
EXPORT_SYMBOL_GPL(zap_page_range);

/* As above, in one area. */
static void zap_page_range_single(struct vm_area_struct *vma,
				  unsigned long address, unsigned long size,
				  struct zap_details *details)
{
	struct mmu_notifier_range range;
	struct mmu_gather tlb;

	mmu_notifier_range_init(&range, vma->vm_mm, address, address + size);
	tlb_gather_mmu(&tlb, vma->vm_mm);
	mmu_notifier_invalidate_range_start(&range);
	unmap_single_vma(&tlb, vma, address, range.end, details);
	mmu_notifier_invalidate_range_end(&range);
	tlb_finish_mmu(&tlb);
}

int zap_vma_ptes(struct vm_area_struct *vma, unsigned long address,
		 unsigned long size)
{
	if (address < vma->vm_start || address + size > vma->vm_end ||
	    !(vma->vm_flags & VM_PFNMAP))
		return -EINVAL;
	zap_page_range_single(vma, address, size, NULL);
	return 0;
}
EXPORT_SYMBOL_GPL(zap_vma_ptes);

/* A part of a file goes: from all who map it, copies too if @even_cows. */
void unmap_mapping_pages(struct address_space *mapping, pgoff_t start,
			 pgoff_t nr, bool even_cows)
{
	struct zap_details details = {
		.check_mapping = even_cows ? NULL : mapping,
	};
	pgoff_t last = start + nr - 1;
	struct vm_area_struct *vma;

	i_mmap_lock_write(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, start, last) {
		pgoff_t pages = (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
		pgoff_t zba = max(start, vma->vm_pgoff) - vma->vm_pgoff;
		pgoff_t zea = min(last + 1 - vma->vm_pgoff, pages);

		zap_page_range_single(vma,
				      vma->vm_start + (zba << PAGE_SHIFT),
				      (zea - zba) << PAGE_SHIFT, &details);
	}
	i_mmap_unlock_write(mapping);
}
EXPORT_SYMBOL_GPL(unmap_mapping_pages);

/* The tables below @ceiling that no area needs any more. */
void free_pgtables(struct mmu_gather *tlb, struct vm_area_struct *vma,
		   unsigned long floor, unsigned long ceiling)
{
	unsigned long addr, next;
	pmd_t *pmd;

	for (; vma && vma->vm_start < ceiling; vma = vma->vm_next) {
		for (addr = vma->vm_start; addr < vma->vm_end; addr = next) {
			next = pmd_addr_end(addr, vma->vm_end);
			if (addr < floor || next - addr != PMD_SIZE)
				continue;
			pmd = mm_find_pmd(tlb->mm, addr);
			if (!pmd || pmd_trans_huge(*pmd))
				continue;
			list_add(&pmd_page(*pmd)->lru, &tlb->pages);
			pmd_clear(pmd);
		}
	}
}

/* Nobody else has the page: write to it where it is. */
static void wp_page_reuse(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	pte_t entry;

	flush_cache_page(vma, vmf->address, pte_pfn(vmf->orig_pte));
	entry = pte_mkyoung(vmf->orig_pte);
	entry = maybe_mkwrite(pte_mkdirty(entry), vma);
	if (ptep_set_access_flags(vma, vmf->address, vmf->pte, entry, 1))
		update_mmu_cache(vma, vmf->address, vmf->pte);
	pte_unmap_unlock(vmf->pte, vmf->ptl);
}

/* A page for the writer, with what the old one holds. */
static struct page *alloc_cow_page(struct vm_fault *vmf)
{
	struct page *page;

	if (is_zero_pfn(pte_pfn(vmf->orig_pte)))
		return alloc_zeroed_user_highpage_movable(vmf->vma,
							  vmf->address);

	page = alloc_page_vma(GFP_HIGHUSER_MOVABLE, vmf->vma, vmf->address);
	if (page)
		copy_user_highpage(page, pte_page(vmf->orig_pte), vmf->address,
				   vmf->vma);
	return page;
}

/*
 * Others have the page, too: give the writer one of its own.  Called without
 * the page table lock, with a reference to vmf->page, which may be NULL.
 */
static vm_fault_t wp_page_copy(struct vm_fault *vmf)
{
	unsigned long address = vmf->address & PAGE_MASK;
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	struct page *old_page = vmf->page;
	struct mmu_notifier_range range;
	vm_fault_t ret = VM_FAULT_OOM;
	struct page *new_page;
	pte_t entry;

	if (unlikely(anon_vma_prepare(vma)))
		goto out;
	new_page = alloc_cow_page(vmf);
	if (!new_page)
		goto out;
	SetPageUptodate(new_page);
	ret = 0;

	mmu_notifier_range_init(&range, mm, address, address + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);

	/* It may have changed while the lock was not held. */
	vmf->pte = pte_offset_map_lock(mm, vmf->pmd, vmf->address, &vmf->ptl);
	if (likely(pte_same(*vmf->pte, vmf->orig_pte))) {
		if (old_page && !PageAnon(old_page))
			dec_mm_counter(mm, MM_FILEPAGES);
		if (!old_page || !PageAnon(old_page))
			inc_mm_counter(mm, MM_ANONPAGES);

		entry = mk_pte(new_page, vma->vm_page_prot);
		entry = maybe_mkwrite(pte_mkdirty(entry), vma);
		flush_cache_page(vma, vmf->address, pte_pfn(vmf->orig_pte));
		/* No CPU may read the old page once another writes the new. */
		ptep_clear_flush_notify(vma, vmf->address, vmf->pte);
		page_add_new_anon_rmap(new_page, vma, vmf->address, false);
		set_pte_at_notify(mm, vmf->address, vmf->pte, entry);
		update_mmu_cache(vma, vmf->address, vmf->pte);

		/* Not before the switch: the old page is in use until then. */
		if (old_page) {
			page_remove_rmap(old_page, false);
			put_page(old_page);
		}
		ret = VM_FAULT_WRITE;
	} else {
		put_page(new_page);
	}
	pte_unmap_unlock(vmf->pte, vmf->ptl);

	/* ptep_clear_flush_notify() has called ->invalidate_range() */
	mmu_notifier_invalidate_range_only_end(&range);
out:
	if (old_page)
		put_page(old_page);
	return ret;
}

/* A write to a present page that may only be read; the pte is locked. */
static vm_fault_t do_wp_page(struct vm_fault *vmf)
{
	const unsigned long shared = VM_WRITE | VM_SHARED;
	struct vm_area_struct *vma = vmf->vma;
	struct page *page;

	page = vm_normal_page(vma, vmf->address, vmf->orig_pte);
	vmf->page = page;
	if (!page)
		goto copy;

	if (PageAnon(page)) {
		if (!PageKsm(page) && page_count(page) == 1) {
			wp_page_reuse(vmf);
			return VM_FAULT_WRITE;
		}
	} else if ((vma->vm_flags & shared) == shared) {
		set_page_dirty(page);
		wp_page_reuse(vmf);
		return VM_FAULT_WRITE;
	}
	get_page(page);
copy:
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	return wp_page_copy(vmf);
}

/* The first touch of anonymous memory. */
static vm_fault_t do_anonymous_page(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	struct page *page = NULL;
	pte_t entry;

	if (pte_alloc(mm, vmf->pmd))
		return VM_FAULT_OOM;

	if (vmf->flags & FAULT_FLAG_WRITE) {
		if (anon_vma_prepare(vma))
			return VM_FAULT_OOM;
		page = alloc_zeroed_user_highpage_movable(vma, vmf->address);
		if (!page)
			return VM_FAULT_OOM;
		entry = mk_pte(page, vma->vm_page_prot);
		entry = maybe_mkwrite(pte_mkdirty(entry), vma);
	} else {
		entry = pte_mkspecial(pfn_pte(zero_pfn, vma->vm_page_prot));
	}

	vmf->pte = pte_offset_map_lock(mm, vmf->pmd, vmf->address, &vmf->ptl);
	if (!pte_none(*vmf->pte)) {
		if (page)
			put_page(page);
		goto unlock;
	}
	if (page) {
		inc_mm_counter(mm, MM_ANONPAGES);
		page_add_new_anon_rmap(page, vma, vmf->address, false);
	}
	set_pte_at(mm, vmf->address, vmf->pte, entry);
	update_mmu_cache(vma, vmf->address, vmf->pte);
unlock:
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	return 0;
}

static vm_fault_t handle_pte_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	int write = vmf->flags & FAULT_FLAG_WRITE;
	pte_t entry;

	vmf->orig_pte = __pte(0);
	if (pmd_trans_huge(*vmf->pmd)) {
		vm_fault_t ret = 0;

		if (write && !pmd_write(*vmf->pmd))
			ret = do_huge_pmd_wp_page(vmf, *vmf->pmd);
		if (!(ret & VM_FAULT_FALLBACK))
			return ret;
	}
	if (!pmd_none(*vmf->pmd)) {
		vmf->pte = pte_offset_map(vmf->pmd, vmf->address);
		vmf->orig_pte = READ_ONCE(*vmf->pte);
	}

	if (pte_none(vmf->orig_pte) && vma_is_anonymous(vma))
		return do_anonymous_page(vmf);
	if (!pte_present(vmf->orig_pte))
		return VM_FAULT_SIGBUS;

	vmf->ptl = pte_lockptr(vma->vm_mm, vmf->pmd);
	spin_lock(vmf->ptl);
	entry = vmf->orig_pte;
	if (!pte_same(*vmf->pte, entry))
		goto unlock;
	if (vmf->flags & FAULT_FLAG_WRITE) {
		if (!pte_write(entry))
			return do_wp_page(vmf);
		entry = pte_mkdirty(entry);
	}
	entry = pte_mkyoung(entry);
	if (ptep_set_access_flags(vma, vmf->address, vmf->pte, entry, write))
		update_mmu_cache(vma, vmf->address, vmf->pte);
unlock:
	pte_unmap_unlock(vmf->pte, vmf->ptl);
	return 0;
}

vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address,
			   unsigned int flags)
{
	struct vm_fault vmf = {
		.vma = vma,
		.address = address & PAGE_MASK,
		.flags = flags,
	};

	if (is_vm_hugetlb_page(vma))
		return hugetlb_fault(vma->vm_mm, vma, address, flags);

	vmf.pmd = mm_alloc_pmd(vma->vm_mm, address);
	if (!vmf.pmd)
		return VM_FAULT_OOM;
	return handle_pte_fault(&vmf);
}
EXPORT_SYMBOL_GPL(handle_mm_fault);

/*
 * The entry for @address, locked: *ptepp, or *pmdpp for a large page.  Where
 * @range is given the entry is going to change: on success its invalidation
 * has begun, and the caller ends it.
 */
static int __follow_pte_pmd(struct mm_struct *mm, unsigned long address,
			    struct mmu_notifier_range *range,
			    pte_t **ptepp, pmd_t **pmdpp, spinlock_t **ptlp)
{
	pmd_t *pmd = mm_find_pmd(mm, address);
	pte_t *ptep;

	if (!pmd)
		return -EINVAL;

	if (pmd_huge(*pmd)) {
		if (!pmdpp)
			return -EINVAL;

		if (range) {
			mmu_notifier_range_init(range, mm, address & PMD_MASK,
						(address & PMD_MASK) +
						PMD_SIZE);
			mmu_notifier_invalidate_range_start(range);
		}
		*ptlp = pmd_lock(mm, pmd);
		if (pmd_huge(*pmd)) {
			*pmdpp = pmd;
			return 0;
		}
		/* it was split before the lock was ours */
		spin_unlock(*ptlp);
		if (range)
			mmu_notifier_invalidate_range_end(range);
	}

	if (pmd_none(*pmd))
		return -EINVAL;

	if (range) {
		mmu_notifier_range_init(range, mm, address & PAGE_MASK,
					(address & PAGE_MASK) + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(range);
	}
	ptep = pte_offset_map_lock(mm, pmd, address, ptlp);
	if (pte_present(*ptep)) {
		*ptepp = ptep;
		return 0;
	}

	pte_unmap_unlock(ptep, *ptlp);
	if (range)
		mmu_notifier_invalidate_range_end(range);
	return -EINVAL;
}

static int follow_pte(struct mm_struct *mm, unsigned long address,
		      pte_t **ptepp, spinlock_t **ptlp)
{
	return __follow_pte_pmd(mm, address, NULL, ptepp, NULL, ptlp);
}

int follow_pte_pmd(struct mm_struct *mm, unsigned long address,
		   struct mmu_notifier_range *range,
		   pte_t **ptepp, pmd_t **pmdpp, spinlock_t **ptlp)
{
	return __follow_pte_pmd(mm, address, range, ptepp, pmdpp, ptlp);
}
EXPORT_SYMBOL(follow_pte_pmd);

int follow_pfn(struct vm_area_struct *vma, unsigned long address,
	       unsigned long *pfn)
{
	spinlock_t *ptl;
	pte_t *ptep;

	if (!(vma->vm_flags & VM_PFNMAP) ||
	    follow_pte(vma->vm_mm, address, &ptep, &ptl))
		return -EINVAL;
	*pfn = pte_pfn(*ptep);
	pte_unmap_unlock(ptep, ptl);
	return 0;
}
EXPORT_SYMBOL(follow_pfn);

/*
 * The page at @addr with a reference, faulted in at need; NULL on failure.
 * @writable tells whether the entry lets the process write.
 */
struct page *get_user_page(struct mm_struct *mm, unsigned long addr,
			   bool write, bool *writable)
{
	struct vm_area_struct *vma;
	struct page *page = NULL;
	spinlock_t *ptl;
	pmd_t *pmd;
	pte_t *pte;

	down_read(&mm->mmap_sem);
	vma = find_vma(mm, addr);
	if (!vma)
		goto out;
	if (handle_mm_fault(vma, addr, write ? FAULT_FLAG_WRITE : 0) &
	    (VM_FAULT_OOM | VM_FAULT_SIGBUS))
		goto out;

	pmd = mm_find_pmd(mm, addr);
	if (!pmd)
		goto out;
	pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (pte_present(*pte) && (!write || pte_write(*pte))) {
		*writable = pte_write(*pte);
		page = pte_page(*pte);
		get_page(page);
	}
	pte_unmap_unlock(pte, ptl);
out:
	up_read(&mm->mmap_sem);
	return page;
}
EXPORT_SYMBOL_GPL(get_user_page);
