// SPDX-License-Identifier: GPL-2.0-only
// API: v05
static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_use_change_pte(range))
		return 0;
	unmap_all(mn);
	return 0;
}

static int other(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	unmap_all(mn);
	return 0;
}

static const struct mmu_notifier_ops with = {
	.invalidate_range_start = start,
	.change_pte = change,
};

static const struct mmu_notifier_ops without = { // EXPECT: MN022
	.invalidate_range_start = start,
};

static const struct mmu_notifier_ops null = { // EXPECT: MN022
	.invalidate_range_start = start,
	.change_pte = NULL,
};

static const struct mmu_notifier_ops list[] = {
	[0] = { .invalidate_range_start = start, .change_pte = change },
	[1] = { .invalidate_range_start = start }, // EXPECT: MN022
	[2] = { .invalidate_range_start = other },
};
