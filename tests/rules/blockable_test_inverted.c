// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
struct dev { struct mmu_notifier mn; struct mutex lock; };

static int refuses(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_blockable(range))
		return -EAGAIN; // EXPECT: MN029
	unmap(mn);
	return 0;
}

static int locks(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_blockable(range))
		mutex_lock(&d->lock); // EXPECT: MN029
	else if (!mutex_trylock(&d->lock))
		return -EAGAIN; // EXPECT: MN029
	mutex_unlock(&d->lock);
	return 0;
}

static int shadow(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	struct node *n;
	int ret = 0;

	list_for_each_entry(n, &d->nodes, list) {
		int ret = unmap_node(n, mmu_notifier_range_blockable(range)); // EXPECT: MN029

		if (ret)
			break;
	}
	return ret;
}

static int good(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	struct node *n;
	int ret = 0;

	if (!mmu_notifier_range_blockable(range) && busy(d))
		return -EAGAIN;
	list_for_each_entry(n, &d->nodes, list) {
		int err = unmap_node(n);

		if (err)
			ret = -EAGAIN;
	}
	return mmu_notifier_range_blockable(range) ? 0 : ret;
}

static bool interval(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		     unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	if (mmu_notifier_range_blockable(range))
		return false; // EXPECT: MN029
	mmu_interval_set_seq(mni, seq);
	return true;
}

static const struct mmu_notifier_ops ops[] = {
	{ .invalidate_range_start = refuses },
	{ .invalidate_range_start = locks },
	{ .invalidate_range_start = shadow },
	{ .invalidate_range_start = good },
};
static const struct mmu_interval_notifier_ops iops = { .invalidate = interval };
