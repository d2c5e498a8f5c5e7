// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
// PATH: mm/branch.c
static void zap(struct mm_struct *mm, unsigned long a, pte_t *p)
{
	ptep_get_and_clear_full(mm, a, p, 0);
}

static void branch(struct mm_struct *mm, unsigned long a, pte_t *p, bool early)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, a, a + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	if (early)
		mmu_notifier_invalidate_range_end(&range);
	ptep_get_and_clear(mm, a, p); // EXPECT: MN038
	zap(mm, a, p); // EXPECT: MN038
	if (!early)
		mmu_notifier_invalidate_range_end(&range);
}

static int jumps(struct mm_struct *mm, unsigned long a, pte_t *p, int how)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, a, a + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	if (how == 1) {
		mmu_notifier_invalidate_range_end(&range);
		goto clear;
	}
	ptep_set_wrprotect(mm, a, p);
clear:
	zap(mm, a, p); // EXPECT: MN038
	if (how != 1)
		mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static void twin(struct mm_struct *mm, unsigned long a, pte_t *p, bool early)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, a, a + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	if (early) {
		mmu_notifier_invalidate_range_end(&range);
		return;
	}
	zap(mm, a, p);
	ptep_get_and_clear(mm, a, p);
	mmu_notifier_invalidate_range_end(&range);
}

static void rounds(struct mm_struct *mm, unsigned long a, pte_t *p, bool cow, int n)
{
	struct mmu_notifier_range range;

	for (; n; n--) {
		mmu_notifier_range_init(&range, mm, a, a + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&range);
		zap(mm, a, p);
		mmu_notifier_invalidate_range_end(&range);
	}
	if (cow) {
		mmu_notifier_range_init(&range, mm, a, a + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&range);
	}
	if (cow)
		ptep_set_wrprotect(mm, a, p);
	if (cow)
		mmu_notifier_invalidate_range_end(&range);
}
