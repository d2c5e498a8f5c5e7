// SPDX-License-Identifier: GPL-2.0-only
// API: 5.10 5.15 6.1 6.6 6.12 7.2
static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN; // EXPECT: MN027
	unmap(mn, range->start, range->end);
	return 0;
}

static int never(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	unmap(mn, range->start, range->end);
	return 0;
}

static void end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
}

static const struct mmu_notifier_ops bad = {
	.invalidate_range_start = start,
	.invalidate_range_end = end,
};
static const struct mmu_notifier_ops alone = { .invalidate_range_start = start };
static const struct mmu_notifier_ops good = {
	.invalidate_range_start = never,
	.invalidate_range_end = end,
};
