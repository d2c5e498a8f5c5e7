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

static void protected(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_set_wrprotect(vma->vm_mm, addr, ptep);
	flush_tlb_page(vma, addr);
	mmu_notifier_invalidate_range_only_end(&range); // EXPECT: MN012
}

static void not_there_before(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t entry)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	set_pte_at(vma->vm_mm, addr, ptep, entry);
	mmu_notifier_invalidate_range_only_end(&range);
}

static void zap_ptes(struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	ptep_get_and_clear_full(mm, addr, ptep, 0);
}

static void zap_table(struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	if (ptep)
		zap_ptes(mm, addr, ptep);
}

static void zapped(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	zap_table(vma->vm_mm, addr, ptep);
	mmu_notifier_invalidate_range_only_end(&range); // EXPECT: MN012
}

static int clear_entry(pte_t *ptep, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	ptep_get_and_clear(walk->mm, addr, ptep);
	return 0;
}

static int look_at_entry(pte_t *ptep, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	return pte_present(*ptep);
}

static const struct mm_walk_ops clearing = { .pte_entry = clear_entry, };
static const struct mm_walk_ops looking = { .pte_entry = look_at_entry, };

static void walked(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	walk_page_range(mm, start, end, &clearing, NULL);
	mmu_notifier_invalidate_range_only_end(&range); // EXPECT: MN012

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	walk_page_range(mm, start, end, &looking, NULL);
	mmu_notifier_invalidate_range_only_end(&range);
}

static void walked_with_a_local(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mm_walk walk = { .pte_entry = clear_entry, .mm = mm, };
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	walk_page_range(start, end, &walk);
	mmu_notifier_invalidate_range_only_end(&range); // EXPECT: MN012
}
