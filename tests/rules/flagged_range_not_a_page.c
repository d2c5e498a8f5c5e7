// SPDX-License-Identifier: GPL-2.0-only
// API: v05
// PATH: mm/misfit.c

static void two_pages(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma, vma->vm_mm, addr, addr + 2 * PAGE_SIZE); // EXPECT: MN014
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, pte_wrprotect(entry));
	mmu_notifier_invalidate_range_end(&range);
}

static void huge_page(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;
	pte_t entry;
	unsigned long haddr = addr & HPAGE_PMD_MASK;
	unsigned long end = haddr + HPAGE_PMD_SIZE;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma, vma->vm_mm, haddr, end); // EXPECT: MN014
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, haddr, ptep);
	set_pte_at_notify(vma->vm_mm, haddr, ptep, pte_wrprotect(entry));
	mmu_notifier_invalidate_range_end(&range);
}

static void next_page(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, addr + PAGE_SIZE, ptep);
	set_pte_at_notify(vma->vm_mm, addr + PAGE_SIZE, ptep, pte_wrprotect(entry)); // EXPECT: MN014
	mmu_notifier_invalidate_range_end(&range);
}

static void masked(struct vm_fault *vmf, struct vm_area_struct *vma)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, vmf->address & PAGE_MASK,
				(vmf->address & PAGE_MASK) + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, vmf->address, vmf->pte);
	set_pte_at_notify(vma->vm_mm, vmf->address, vmf->pte, pte_wrprotect(entry));
	mmu_notifier_invalidate_range_end(&range);
}

static void in_a_variable(struct vm_area_struct *vma, unsigned long start, pte_t *ptep)
{
	struct mmu_notifier_range range;
	unsigned long end = PAGE_SIZE + start;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma,
				vma->vm_mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, start, ptep);
	set_pte_at_notify(vma->vm_mm, start, ptep, pte_wrprotect(entry));
	mmu_notifier_invalidate_range_end(&range);
}

static void as_the_caller_says(struct vm_area_struct *vma, unsigned long start, unsigned long end, pte_t *ptep)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, vma, vma->vm_mm, start, end); // UNDECIDED: MN014
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, start, ptep);
	set_pte_at_notify(vma->vm_mm, start, ptep, pte_wrprotect(entry));
	mmu_notifier_invalidate_range_end(&range);
}

static void unflagged(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, addr,
				addr + PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, pte_wrprotect(entry));
	mmu_notifier_invalidate_range_end(&range);
}
