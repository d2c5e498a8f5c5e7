// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15
// PATH: mm/only.c

static void silent(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t entry)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at(vma->vm_mm, addr, ptep, entry);
	mmu_notifier_invalidate_range_only_end(&range); // EXPECT: MN012
}

static void told(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t entry)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	if (pte_same(*ptep, entry)) {
		ptep_clear_flush_notify(vma, addr, ptep);
		set_pte_at_notify(vma->vm_mm, addr, ptep, entry);
	}
	mmu_notifier_invalidate_range_only_end(&range);
}

static void told_by_hand(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	mmu_notifier_invalidate_range(vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_only_end(&range);
}

static void full_end(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static int one_branch(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, bool flush)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	if (flush)
		ptep_clear_flush_notify(vma, addr, ptep);
	else
		ptep_clear_flush(vma, addr, ptep);
	if (!addr)
		goto full;
	mmu_notifier_invalidate_range_only_end(&range); // EXPECT: MN012
	return 0;
full:
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static void split_locked(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd)
{
	pmdp_huge_clear_flush(vma, addr, pmd);
	populate(vma, addr, pmd);
}

static void split_zero(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd)
{
	pmdp_huge_clear_flush(vma, addr, pmd);
	set_entry(vma, addr, pmd, my_zero_pfn(addr));
}

static void split(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	split_locked(vma, addr, pmd);
	mmu_notifier_invalidate_range_only_end(&range); // EXPECT: MN012
}

static void split_zero_page(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	split_zero(vma, addr, pmd);
	mmu_notifier_invalidate_range_only_end(&range);
}
