// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: mm/removal.c

static void after_the_end(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	change(ptep);
	mmu_notifier_invalidate_range_end(&range);
	ptep_clear_flush(vma, addr, ptep); // EXPECT: MN007
}

static void within(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void never_started(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + HPAGE_PMD_SIZE);
	pmdp_collapse_flush(vma, addr, pmd); // EXPECT: MN007
}

static void conditional(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, bool cow)
{
	struct mmu_notifier_range range;

	if (cow) {
		mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&range);
	}
	if (cow)
		ptep_clear_flush(vma, addr, ptep);
	if (cow)
		mmu_notifier_invalidate_range_end(&range);
}

/* Its only caller has a section open. */
static void remove_one(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	ptep_clear_flush(vma, addr, ptep);
}

static void covers(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	remove_one(vma, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

/* One of its callers calls it before the start. */
static void remove_two(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	ptep_clear_flush(vma, addr, ptep); // EXPECT: MN007
}

static void too_early(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	remove_two(vma, addr, ptep);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}

static void remove_three(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	ptep_clear_flush(vma, addr, ptep); // UNDECIDED: MN007
}

/* The caller opens the section through a helper. */
static void open_for(struct mmu_notifier_range *range, struct mm_struct *mm, unsigned long addr)
{
	mmu_notifier_range_init(range, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(range);
}

static void opened_by_helper(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	open_for(&range, vma->vm_mm, addr);
	ptep_clear_flush(vma, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

/* Unmaps the page for a moment. */
static int write_into(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, bool keep)
{
	pte_t old;

	old = ptep_clear_flush(vma, addr, ptep); // UNDECIDED: MN007
	copy_to_page(old);
	if (!keep)
		return 1;
	set_pte_at(vma->vm_mm, addr, ptep, pte_mkdirty(old));
	return 0;
}

static void writes_into(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, bool keep)
{
	struct mmu_notifier_range range;

	if (!keep) {
		mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&range);
	}
	write_into(vma, addr, ptep, keep);
	if (!keep)
		mmu_notifier_invalidate_range_end(&range);
}

static int covered_entry(pte_t *ptep, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	ptep_clear_flush(walk->vma, addr, ptep);
	return 0;
}

static int bare_entry(pte_t *ptep, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	ptep_clear_flush(walk->vma, addr, ptep); // EXPECT: MN007
	return 0;
}

static const struct mm_walk_ops covered_ops = { .pte_entry = covered_entry, };
static const struct mm_walk_ops bare_ops = { .pte_entry = bare_entry, };

static void walks_in_a_section(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	walk_page_range(mm, start, end, &covered_ops, NULL);
	mmu_notifier_invalidate_range_end(&range);
	walk_page_range(mm, start, end, &bare_ops, NULL);
}
