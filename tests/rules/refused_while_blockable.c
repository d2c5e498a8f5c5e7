// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
struct dev { struct mmu_notifier mn; struct mutex lock; };

static int unasked(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mutex_trylock(&d->lock))
		return -EAGAIN; // EXPECT: MN026
	mutex_unlock(&d->lock);
	return 0;
}

static int wrong_error(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range))
		return -EBUSY; // EXPECT: MN026
	return 0;
}

static int positive(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	return 1; // EXPECT: MN026
}

static int helper(struct dev *d, bool wait)
{
	if (wait)
		mutex_lock(&d->lock);
	else if (!mutex_trylock(&d->lock))
		return -EAGAIN;
	return 0;
}

static int asked(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	bool blockable = mmu_notifier_range_blockable(range);
	struct node *n;
	int ret = 0;

	if (helper(d, blockable))
		return -EAGAIN;
	list_for_each_entry(n, &d->nodes, list) {
		if (!blockable) {
			ret = -EAGAIN;
			break;
		}
		unmap(n);
	}
	mutex_unlock(&d->lock);
	return ret;
}

static int passes_on(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	return helper(container_of(mn, struct dev, mn), mmu_notifier_range_blockable(range));
}

static int unknown(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	return elsewhere(mn, range); // UNDECIDED: MN026
}

static bool interval(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		     unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	if (!mutex_trylock(&d->lock))
		return false; // EXPECT: MN026
	mutex_unlock(&d->lock);
	return true;
}

static bool good_interval(struct mmu_interval_notifier *mni,
			  const struct mmu_notifier_range *range, unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&d->lock);
	else if (!mutex_trylock(&d->lock))
		return false;
	mutex_unlock(&d->lock);
	return true;
}

static int each_error(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (d->a)
		return -EINVAL; // EXPECT: MN026
	if (d->b)
		return -EINVAL; // EXPECT: MN026
	if (d->c) {
		unmap(d);
		return -EINVAL; // EXPECT: MN026
	}
	return -EINVAL; // EXPECT: MN026
}

static bool each_no(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		    unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	if (!mmu_notifier_range_blockable(range))
		return false;
	if (d->a)
		return false; // EXPECT: MN026
	if (d->b)
		return false; // EXPECT: MN026
	return true;
}

static const struct mmu_notifier_ops ops[] = {
	{ .invalidate_range_start = each_error },
	{ .invalidate_range_start = unasked },
	{ .invalidate_range_start = wrong_error },
	{ .invalidate_range_start = positive },
	{ .invalidate_range_start = asked },
	{ .invalidate_range_start = passes_on },
	{ .invalidate_range_start = unknown },
};
static const struct mmu_interval_notifier_ops iops = { .invalidate = interval };
static const struct mmu_interval_notifier_ops good = { .invalidate = good_interval };
static const struct mmu_interval_notifier_ops noes = { .invalidate = each_no };
