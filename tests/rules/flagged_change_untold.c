// SPDX-License-Identifier: GPL-2.0-only
// API: v05
// PATH: mm/untold.c

static int only_with_a_page(struct vm_area_struct *vma, unsigned long addr, struct page *new_page)
{
	struct mm_struct *mm = vma->vm_mm;
	struct mmu_notifier_range range;
	pte_t *ptep;
	spinlock_t *ptl;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma, mm,
				addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep = pte_offset_map_lock(mm, mm_find_pmd(mm, addr), addr, &ptl);
	ptep_clear_flush_notify(vma, addr, ptep); // EXPECT: MN013
	if (new_page)
		set_pte_at_notify(mm, addr, ptep, mk_pte(new_page, vma->vm_page_prot));
	pte_unmap_unlock(ptep, ptl);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static void silently_on_one_path(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, addr, ptep);
	if (pte_dirty(entry))
		set_pte_at(vma->vm_mm, addr, ptep, pte_wrprotect(entry)); // EXPECT: MN013
	else
		set_pte_at_notify(vma->vm_mm, addr, ptep, pte_wrprotect(entry));
	mmu_notifier_invalidate_range_end(&range);
}

static void never_told(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma, vma->vm_mm, addr, addr + PAGE_SIZE); // EXPECT: MN013
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, addr, ptep);
	set_pte_at(vma->vm_mm, addr, ptep, pte_wrprotect(entry));
	mmu_notifier_invalidate_range_end(&range);
}

/* The old entry is put back: nothing has changed. */
static void put_back(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, bool busy)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, addr, ptep);
	if (busy)
		set_pte_at(vma->vm_mm, addr, ptep, entry);
	else
		set_pte_at_notify(vma->vm_mm, addr, ptep, pte_wrprotect(entry));
	mmu_notifier_invalidate_range_end(&range);
}

static void without_the_flag(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, addr,
				addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void drop(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	ptep_clear_flush(vma, addr, ptep);
}

static void by_a_helper(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t old)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	if (pte_same(*ptep, old)) {
		ptep_clear_flush(vma, addr, ptep);
		set_pte_at_notify(vma->vm_mm, addr, ptep, pte_wrprotect(old));
	} else {
		drop(vma, addr, ptep); // EXPECT: MN013
	}
	mmu_notifier_invalidate_range_end(&range);
}

static void by_a_stranger(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t old)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, pte_wrprotect(old));
	settle(vma, addr, ptep); // UNDECIDED: MN013
	mmu_notifier_invalidate_range_end(&range);
}

static void opened(struct mmu_notifier_range *range, struct vm_area_struct *vma, unsigned long addr)
{
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma, vma->vm_mm, addr, addr + PAGE_SIZE); // UNDECIDED: MN013
	mmu_notifier_invalidate_range_start(range);
}

static int follow_flagged(struct mm_struct *mm, unsigned long address,
			  struct mmu_notifier_range *range, pte_t *ptep)
{
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, NULL, mm, address, address + PAGE_SIZE); // EXPECT: MN013
	mmu_notifier_invalidate_range_start(range);
	return pte_present(*ptep);
}

static void follows(struct vm_area_struct *vma, unsigned long address, pte_t *ptep)
{
	struct mmu_notifier_range range;

	if (!follow_flagged(vma->vm_mm, address, &range, ptep))
		return;
	ptep_clear_flush(vma, address, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static int follow_told(struct mm_struct *mm, unsigned long address,
		       struct mmu_notifier_range *range, pte_t *ptep)
{
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, NULL, mm, address, address + PAGE_SIZE); // UNDECIDED: MN013
	mmu_notifier_invalidate_range_start(range);
	return pte_present(*ptep);
}

static void follows_and_tells(struct vm_area_struct *vma, unsigned long address, pte_t *ptep)
{
	struct mmu_notifier_range range;
	pte_t entry;

	if (!follow_told(vma->vm_mm, address, &range, ptep))
		return;
	entry = ptep_clear_flush(vma, address, ptep);
	set_pte_at_notify(vma->vm_mm, address, ptep, pte_wrprotect(entry));
	mmu_notifier_invalidate_range_end(&range);
}

static int protect_entry(pte_t *ptep, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	ptep_set_wrprotect(walk->mm, addr, ptep);
	return 0;
}

static int flagged_pre_vma(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct my_walk *mine = walk->private;

	mmu_notifier_range_init(&mine->range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, walk->vma, walk->mm, start, start + PAGE_SIZE); // EXPECT: MN013
	mmu_notifier_invalidate_range_start(&mine->range);
	return 0;
}

static void flagged_post_vma(struct mm_walk *walk)
{
	struct my_walk *mine = walk->private;

	mmu_notifier_invalidate_range_end(&mine->range);
}

static const struct mm_walk_ops flagged_ops = {
	.pte_entry = protect_entry, .pre_vma = flagged_pre_vma, .post_vma = flagged_post_vma,
};
