// SPDX-License-Identifier: GPL-2.0-only
// API: v05
struct dev { struct mmu_notifier mn; spinlock_t lock; int count; };

static int both_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (mmu_notifier_range_use_change_pte(range))
		return 0;
	spin_lock(&d->lock);
	d->count++;
	spin_unlock(&d->lock);
	return 0;
}

static void both_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (mmu_notifier_range_use_change_pte(range))
		return;
	spin_lock(&d->lock);
	d->count--;
	spin_unlock(&d->lock);
}

static void plain_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	spin_lock(&d->lock);
	d->count--;
	spin_unlock(&d->lock);
}

static int lonely_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (unlikely(mmu_notifier_range_use_change_pte(range)))
		return 0; // EXPECT: MN020
	spin_lock(&d->lock);
	d->count++;
	spin_unlock(&d->lock);
	return 0;
}

static int inverted_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_use_change_pte(range))
		return 0; // EXPECT: MN020
	spin_lock(&d->lock);
	d->count++;
	spin_unlock(&d->lock);
	return 0;
}

static int zap_less_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	spin_lock(&d->lock);
	d->count++;
	if (!mmu_notifier_range_use_change_pte(range))
		zap(d, range->start, range->end);
	spin_unlock(&d->lock);
	return 0;
}

static int bits_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (range->flags & MMU_NOTIFIER_USE_CHANGE_PTE)
		return 0; // EXPECT: MN020
	spin_lock(&d->lock);
	d->count++;
	spin_unlock(&d->lock);
	return 0;
}

static const struct mmu_notifier_ops good = {
	.invalidate_range_start = both_start,
	.invalidate_range_end = both_end,
	.change_pte = change,
};

static const struct mmu_notifier_ops bad[] = {
	{
		.invalidate_range_start = lonely_start,
		.invalidate_range_end = plain_end,
		.change_pte = change,
	}, {
		.invalidate_range_start = inverted_start,
		.invalidate_range_end = both_end,
		.change_pte = change,
	}, {
		.invalidate_range_start = bits_start,
		.invalidate_range_end = plain_end,
		.change_pte = change,
	},
};

static const struct mmu_notifier_ops half = {
	.invalidate_range_start = zap_less_start,
	.invalidate_range_end = plain_end,
	.change_pte = change,
};
