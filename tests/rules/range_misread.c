// SPDX-License-Identifier: GPL-2.0-only
// API: v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
static int bad(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (range->event & MMU_NOTIFY_CLEAR) // EXPECT: MN032
		clear(mn);
	if (range->event == MMU_NOTIFIER_RANGE_BLOCKABLE) // EXPECT: MN032
		clear(mn);
	if (range->flags == MMU_NOTIFIER_RANGE_BLOCKABLE) // EXPECT: MN032
		clear(mn);
	if (range->flags & MMU_NOTIFY_UNMAP) // EXPECT: MN032
		clear(mn);
	if (!(range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE)) // EXPECT: MN032
		return -EAGAIN;
	if (!range->blockable) // EXPECT: MN032
		return -EAGAIN;
	if (range->flags & MMU_NOTIFIER_USE_CHANGE_PTE) // EXPECT: MN032 [v05]
		return 0;
	range->end = 0; // EXPECT: MN032
	return 0;
}

static int good(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct mmu_notifier_range own = *range;
	unsigned int flags = range->flags;
	int event = range->event == MMU_NOTIFY_CLEAR;

	own.start = 0;
	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	if (range->event != MMU_NOTIFY_UNMAP && flags && event)
		clear(mn);
	return unmap(mn, range->flags, &own);
}
