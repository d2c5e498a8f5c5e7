// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6
// PATH: mm/transition.c

static void not_compared(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, struct page *page)
{
	struct mmu_notifier_range range;
	spinlock_t *ptl;
	pte_t *ptep;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(page, vma->vm_page_prot)); // EXPECT: MN015 [v05]
	pte_unmap_unlock(ptep, ptl);
	mmu_notifier_invalidate_range_end(&range);
}

static int replace(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, struct page *page, pte_t orig)
{
	struct mmu_notifier_range range;
	spinlock_t *ptl;
	pte_t *ptep;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (pte_same(*ptep, orig)) {
		ptep_clear_flush(vma, addr, ptep);
		set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(page, vma->vm_page_prot));
	}
	pte_unmap_unlock(ptep, ptl);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

int merge(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, struct page *page, pte_t pte)
{
	if (pte_write(pte))
		return -EBUSY;
	return replace(vma, addr, pmd, page, pte);
}

static int rewrite(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, struct page *page, pte_t orig)
{
	struct mmu_notifier_range range;
	spinlock_t *ptl;
	pte_t *ptep;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep = pte_offset_map_lock(vma->vm_mm, pmd, addr, &ptl);
	if (pte_same(*ptep, orig)) {
		ptep_clear_flush(vma, addr, ptep);
		set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(page, vma->vm_page_prot)); // EXPECT: MN015 [v05]
	}
	pte_unmap_unlock(ptep, ptl);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

int careless(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, struct page *page, pte_t *ptep)
{
	pte_t pte = pte_mkwrite(*ptep);

	return rewrite(vma, addr, pmd, page, pte);
}

int of_anybody(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *page, pte_t orig)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	if (pte_same(*ptep, orig)) {
		ptep_clear_flush(vma, addr, ptep);
		set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(page, vma->vm_page_prot)); // UNDECIDED: MN015 [v05]
	}
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static void to_a_device(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, swp_entry_t swp)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, swp_entry_to_pte(swp)); // EXPECT: MN015
	mmu_notifier_invalidate_range_end(&range);
}

static void write_protected(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, pte_wrprotect(entry));
	mmu_notifier_invalidate_range_end(&range);
}

static void unflagged(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *page)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, addr,
				addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(page, vma->vm_page_prot));
	mmu_notifier_invalidate_range_end(&range);
}

static void emptied(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, addr,
				addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, __pte(0)); // EXPECT: MN015
	mmu_notifier_invalidate_range_end(&range);
}

static void perhaps_to_a_device(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep,
				struct page *page)
{
	pte_t entry;

	if (is_device_private_page(page))
		entry = swp_entry_to_pte(make_device_private_entry(page, 0));
	else
		entry = mk_pte(page, vma->vm_page_prot);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, entry); // UNDECIDED: MN015
}
