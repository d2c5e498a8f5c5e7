// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6
// PATH: mm/notify.c

static void after_the_end(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t e)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
	set_pte_at_notify(vma->vm_mm, addr, ptep, e); // EXPECT: MN016
}

static void on_one_path(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t e)
{
	struct mmu_notifier_range range;
	bool open = pte_write(e);

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	if (open)
		mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, e); // EXPECT: MN016
	if (open)
		mmu_notifier_invalidate_range_end(&range);
}

static void inside(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t e)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, e);
	mmu_notifier_invalidate_range_end(&range);
}

/* Both callers have a section open. */
static void insert(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t e)
{
	ptep_clear_flush_notify(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, e);
}

static void opened_by_caller(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t e)
{
	struct mmu_notifier_range range;
	bool notified = false;

	for (; addr < vma->vm_end; addr += PAGE_SIZE, ptep++) {
		if (pte_none(*ptep))
			continue;
		if (!notified) {
			notified = true;
			mmu_notifier_range_init(&range, vma->vm_mm, addr, vma->vm_end);
			mmu_notifier_invalidate_range_start(&range);
		}
		insert(vma, addr, ptep, e);
	}
	if (notified)
		mmu_notifier_invalidate_range_only_end(&range);
}

static void opened_too(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t e)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	insert(vma, addr, ptep, e);
	mmu_notifier_invalidate_range_end(&range);
}

/* One of the callers has none. */
static void place(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t e)
{
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, e); // EXPECT: MN016
}

static void with_section(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t e)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	place(vma, addr, ptep, e);
	mmu_notifier_invalidate_range_end(&range);
}

static void without_section(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t e)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	place(vma, addr, ptep, e);
}

void called_from_elsewhere(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t e)
{
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, e); // UNDECIDED: MN016
}
