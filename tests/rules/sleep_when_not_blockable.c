// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
struct dev { struct mmu_notifier mn; struct mutex lock; spinlock_t spin; };

static int plain(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	mutex_lock(&d->lock); // EXPECT: MN028
	mutex_unlock(&d->lock);
	return 0;
}

static void deep(struct dev *d, int flags)
{
	void *p = kmalloc(8, GFP_KERNEL); // EXPECT: MN028
	void *q = kmalloc(8, GFP_ATOMIC);

	kfree(p);
	kfree(q);
}

static void end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	deep(container_of(mn, struct dev, mn), 0);
}

static int under_spinlock(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	spin_lock(&d->spin);
	mutex_lock(&d->lock); // EXPECT: MN028
	mutex_unlock(&d->lock);
	spin_unlock(&d->spin);
	return 0;
}

static int both_sides(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&d->lock);
	else
		mutex_lock(&d->lock); // EXPECT: MN028
	cond_resched();
	mutex_unlock(&d->lock);
	return 0;
}

static int resched_under_spinlock(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	spin_lock(&d->spin);
	cond_resched(); // EXPECT: MN028
	spin_unlock(&d->spin);
	return 0;
}

struct walk { void (*handler)(struct dev *d, bool may_block); bool may_block; };

static void zap(struct dev *d, bool may_block)
{
	if (may_block)
		cond_resched_lock(&d->spin);
}

static int walker(struct dev *d, const struct walk *w)
{
	spin_lock(&d->spin);
	w->handler(d, w->may_block);
	spin_unlock(&d->spin);
	return 0;
}

static int asked(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	const struct walk w = {
		.handler = zap,
		.may_block = mmu_notifier_range_blockable(range),
	};

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&d->lock);
	else if (!mutex_trylock(&d->lock))
		return -EAGAIN;
	walker(d, &w);
	mutex_unlock(&d->lock);
	return 0;
}

static int lists(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	struct node *n;
	LIST_HEAD(gone);

	list_for_each_entry(n, &d->nodes, list) {
		if (!mmu_notifier_range_blockable(range))
			return -EAGAIN;
		list_add(&n->gone, &gone);
	}
	if (!list_empty(&gone))
		flush_workqueue(d->wq);
	return 0;
}

static bool interval(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		     unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	dma_resv_wait_timeout(d->resv, DMA_RESV_USAGE_BOOKKEEP, false, 10); // EXPECT: MN028
	if (mmu_notifier_range_blockable(range))
		mutex_lock(&d->lock);
	else if (!mutex_trylock(&d->lock))
		return false;
	mutex_unlock(&d->lock);
	return true;
}

static int refusing(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	mutex_lock(&d->lock);
	mutex_unlock(&d->lock);
	return 0;
}

static int trying(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&d->lock);
	else if (!mutex_trylock(&d->lock))
		return -EAGAIN;
	mutex_unlock(&d->lock);
	return 0;
}

static void end_of_refusing(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	mutex_lock(&d->lock);
	mutex_unlock(&d->lock);
}

static void end_of_trying(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	mutex_lock(&d->lock); // EXPECT: MN028
	mutex_unlock(&d->lock);
}

static const struct mmu_notifier_ops ops[] = {
	{ .invalidate_range_start = refusing, .invalidate_range_end = end_of_refusing },
	{ .invalidate_range_start = trying, .invalidate_range_end = end_of_trying },
	{ .invalidate_range_start = plain, .invalidate_range_end = end },
	{ .invalidate_range_start = under_spinlock },
	{ .invalidate_range_start = both_sides },
	{ .invalidate_range_start = resched_under_spinlock },
	{ .invalidate_range_start = asked },
	{ .invalidate_range_start = lists },
};
static const struct mmu_interval_notifier_ops iops = { .invalidate = interval };
