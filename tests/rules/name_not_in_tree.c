// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: mm/absent.c

static bool own_helper(const struct mmu_notifier_range *range)
{
	return range->end - range->start == PAGE_SIZE;
}

static int mmu_notifier_range_of_driver(struct mmu_notifier *mn, unsigned long start)
{
	return start ? 0 : -EINVAL;
}

static int flagged(struct mmu_notifier_range *range)
{
	return start_flags(range, MMU_NOTIFIER_USE_CHANGE_PTE); // EXPECT: MN019 [5.0 5.2 5.10 5.15 6.6 6.12 7.2]
}

static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_use_change_pte(range)) // EXPECT: MN019 [5.0 5.2 5.10 5.15 6.6 6.12 7.2]
		return 0;
	if (!mmu_notifier_range_blockable(range)) // EXPECT: MN019 [5.0]
		return -EAGAIN;
	return own_helper(range) ? mmu_notifier_range_of_driver(mn, range->start) : 0;
}

static void write(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t entry)
{
	struct mmu_notifier_range range;

	mmu_notifier_invalidate_range_start(&range);
	set_pte_at_notify(vma->vm_mm, addr, ptep, entry); // EXPECT: MN019 [6.12 7.2]
	mmu_notifier_invalidate_range_only_end(&range); // EXPECT: MN019 [6.6 6.12 7.2]
}

static bool event(const struct mmu_notifier_range *range)
{
	if (kind(range) == MMU_NOTIFY_CLAER) // EXPECT: MN019
		return true;
	if (kind(range) == MMU_NOTIFY_CLEAR) // EXPECT: MN019 [5.0]
		return true;
	if (kind(range) == MMU_NOTIFY_MIGRATE) // EXPECT: MN019 [5.0 v05 5.2]
		return true;
	return kind(range) == MMU_NOTIFY_EXCLUSIVE; // EXPECT: MN019 [5.0 v05 5.2 5.10]
}
