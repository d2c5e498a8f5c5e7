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

static int says_done(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_blockable(range)) {
		pr_debug("not now");
		return 0; // EXPECT: MN029
	}
	mutex_lock(&d->lock);
	unmap(d);
	mutex_unlock(&d->lock);
	return 0;
}

static int busy_is_done(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&d->lock);
	else if (!mutex_trylock(&d->lock))
		return 0; // EXPECT: MN029
	unmap(d);
	mutex_unlock(&d->lock);
	return 0;
}

/* Nothing is mapped yet: that is the reason, on both sides. */
static int nothing_there(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&d->lock);
	else if (!mutex_trylock(&d->lock))
		return -EAGAIN;
	if (d->pages)
		unmap(d);
	mutex_unlock(&d->lock);
	return 0;
}

/* No need to block: what is left to do is done without. */
static int without_blocking(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_blockable(range)) {
		d->stale = true;
		return 0;
	}
	unmap(d);
	return 0;
}

/* Both sides wait: MN028's. */
static int both_wait(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&d->lock);
	else
		mutex_lock(&d->lock);
	unmap(d);
	mutex_unlock(&d->lock);
	return 0;
}

static int lost(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	struct node *n;
	int ret = 0;

	list_for_each_entry(n, &d->nodes, list) {
		if (!mmu_notifier_range_blockable(range)) {
			int ret = -EAGAIN; // EXPECT: MN029
			break;
		}
		if (n->dead) {
			int ret = 1;

			count(n, ret);
			continue;
		}
		unmap_node(n);
	}
	return ret;
}

static bool interval_says_done(struct mmu_interval_notifier *mni,
			       const struct mmu_notifier_range *range, unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	if (!mmu_notifier_range_blockable(range))
		return true; // EXPECT: MN029
	unmap(d);
	return true;
}

static bool try_unmap(struct dev *d, const struct mmu_notifier_range *range)
{
	if (!mmu_notifier_range_blockable(range))
		return false;
	unmap(d);
	return true;
}

static bool told(struct dev *d, bool may_block)
{
	if (!may_block)
		return false;
	unmap(d);
	return true;
}

static bool twice_removed(struct dev *d, const struct mmu_notifier_range *range)
{
	return try_unmap(d, range);
}

static bool drops(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		  unsigned long seq)
{
	twice_removed(container_of(mni, struct dev, mni), range);
	return true; // EXPECT: MN029
}

static int drops_told(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	bool done = told(d, mmu_notifier_range_blockable(range));

	pr_debug("%d", done);
	return 0; // EXPECT: MN029
}

static bool hands_on(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		     unsigned long seq)
{
	return twice_removed(container_of(mni, struct dev, mni), range);
}

static int heeds(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (!try_unmap(container_of(mn, struct dev, mn), range))
		return -EAGAIN;
	return 0;
}

static bool does_it_later(struct mmu_interval_notifier *mni,
			  const struct mmu_notifier_range *range, unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	if (!try_unmap(d, range))
		zap_at_once(d);
	return true;
}

static bool does_it_before(struct mmu_interval_notifier *mni,
			   const struct mmu_notifier_range *range, unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	zap_at_once(d);
	try_unmap(d, range);
	return true;
}

static const struct mmu_notifier_ops ops[] = {
	{ .invalidate_range_start = drops_told },
	{ .invalidate_range_start = heeds },
	{ .invalidate_range_start = says_done },
	{ .invalidate_range_start = busy_is_done },
	{ .invalidate_range_start = nothing_there },
	{ .invalidate_range_start = without_blocking },
	{ .invalidate_range_start = both_wait },
	{ .invalidate_range_start = lost },
	{ .invalidate_range_start = refuses },
	{ .invalidate_range_start = locks },
	{ .invalidate_range_start = shadow },
	{ .invalidate_range_start = good },
};
static const struct mmu_interval_notifier_ops iops[] = {
	{ .invalidate = interval }, { .invalidate = interval_says_done },
	{ .invalidate = drops }, { .invalidate = hands_on }, { .invalidate = does_it_later },
	{ .invalidate = does_it_before },
};
