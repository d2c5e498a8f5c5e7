// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
struct dev { struct mmu_notifier mn; struct mutex lock; int invalidating; };

static int keeps(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	d->invalidating++;
	if (mmu_notifier_range_blockable(range))
		mutex_lock(&d->lock);
	else if (!mutex_trylock(&d->lock))
		return -EAGAIN; // EXPECT: MN025
	mutex_unlock(&d->lock);
	return 0;
}

static int undoes(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	int ret = 0;

	d->invalidating++;
	if (mmu_notifier_range_blockable(range))
		mutex_lock(&d->lock);
	else if (!mutex_trylock(&d->lock)) {
		ret = -EAGAIN;
		goto out;
	}
	mutex_unlock(&d->lock);
out:
	if (ret)
		d->invalidating--;
	return ret;
}

static int later(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	d->errors++;
	d->invalidating++;
	return 0;
}

static void end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	d->invalidating--;
}

static const struct mmu_notifier_ops ops[] = {
	{ .invalidate_range_start = keeps, .invalidate_range_end = end },
	{ .invalidate_range_start = undoes, .invalidate_range_end = end },
	{ .invalidate_range_start = later, .invalidate_range_end = end },
};
