// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
struct dev { struct mmu_notifier mn; spinlock_t lock; int invalidating; atomic_t active; };

static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	d->invalidating++;
	return 0;
}

static int refuses(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	d->invalidating++;
	return 0;
}

static int skips(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (mmu_notifier_range_blockable(range))
		d->invalidating++;
	return 0;
}

static int start_atomic(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	atomic_inc(&d->active);
	return 0;
}

static void early(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_blockable(range))
		return; // EXPECT: MN037
	d->invalidating--;
}

static void early_twin(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_blockable(range))
		return;
	d->invalidating--;
}

static void lower(struct dev *d, bool wait)
{
	spin_lock(&d->lock);
	if (wait)
		d->invalidating--;
	spin_unlock(&d->lock);
}

static void by_helper(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	lower(container_of(mn, struct dev, mn), mmu_notifier_range_blockable(range));
} // EXPECT: MN037

static void by_atomic(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (mmu_notifier_range_blockable(range))
		return; // EXPECT: MN037
	atomic_dec(&d->active);
}

static void lowers(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	d->invalidating--;
	if (!mmu_notifier_range_blockable(range))
		return;
	wake(d);
}

static void lowers_both(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_blockable(range)) {
		d->invalidating--;
		return;
	}
	d->invalidating--;
	wake(d);
}

static const struct mmu_notifier_ops ops[] = {
	{ .invalidate_range_start = start, .invalidate_range_end = early },
	{ .invalidate_range_start = start, .invalidate_range_end = by_helper },
	{ .invalidate_range_start = start_atomic, .invalidate_range_end = by_atomic },
	{ .invalidate_range_start = refuses, .invalidate_range_end = early_twin },
	{ .invalidate_range_start = skips, .invalidate_range_end = early_twin },
	{ .invalidate_range_start = start, .invalidate_range_end = lowers },
	{ .invalidate_range_start = start, .invalidate_range_end = lowers_both },
};
