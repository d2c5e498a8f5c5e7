// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
struct dev { struct mmu_notifier mn; spinlock_t lock; struct mutex m; struct rw_semaphore sem; };

static int early(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	spin_lock(&d->lock);
	if (!d->active)
		return 0; // EXPECT: MN024
	unmap(d, range->start, range->end);
	spin_unlock(&d->lock);
	return 0;
}

static void twice(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	spin_lock(&d->lock);
	if (d->active)
		spin_unlock(&d->lock);
	d->active = 0;
	spin_unlock(&d->lock);
} // EXPECT: MN024

/* Held from start to end on purpose, and dropped where start fails. */
static int hold(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (mmu_notifier_range_blockable(range))
		down_read(&d->sem);
	else if (!down_read_trylock(&d->sem))
		return -EAGAIN;
	if (busy(d) && !mmu_notifier_range_blockable(range)) {
		up_read(&d->sem);
		return -EAGAIN;
	}
	return 0;
}

static int hold_badly(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (mmu_notifier_range_blockable(range))
		down_read(&d->sem);
	else if (!down_read_trylock(&d->sem))
		return -EAGAIN;
	if (busy(d) && !mmu_notifier_range_blockable(range))
		return -EAGAIN; // EXPECT: MN024
	return 0;
}

static void let_go(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(notifier, struct dev, mn);

	up_read(&d->sem);
}

/* The same predicate decides twice, a helper locks, a goto unwinds. */
static int take(struct dev *d, bool wait)
{
	if (wait)
		mutex_lock(&d->m);
	else if (!mutex_trylock(&d->m))
		return -EAGAIN;
	return 0;
}

static int correlated(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	bool locked = false;
	int ret, i;

	ret = take(d, mmu_notifier_range_blockable(range));
	if (ret)
		return ret;
	for (i = 0; i < 4; i++) {
		if (!locked) {
			locked = true;
			spin_lock(&d->lock);
		}
		if (wrong(d, i))
			goto out;
	}
out:
	if (locked)
		spin_unlock(&d->lock);
	mutex_unlock(&d->m);
	return 0;
}

static bool interval(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		     unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	guard(spinlock)(&d->lock);
	if (!d->active)
		return true;
	scoped_guard(mutex, &d->m) {
		if (d->gone)
			return true;
		mmu_interval_set_seq(mni, seq);
	}
	return true;
}

static bool leaky(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		  unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);
	int idx = srcu_read_lock(&d->srcu);

	switch (range->event) {
	case MMU_NOTIFY_RELEASE:
		return true; // EXPECT: MN024
	case MMU_NOTIFY_UNMAP:
		unmap(d, range->start, range->end);
		fallthrough;
	default:
		break;
	}
	srcu_read_unlock(&d->srcu, idx);
	return true;
}

/* One reference is dropped here, so it must be on every path. */
static bool references(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		       unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	if (!mmget_not_zero(mni->mm))
		return true;
	if (d->gone)
		return true; // EXPECT: MN024
	queue_work(d->wq, &d->work);
	mmput_async(mni->mm);
	return true;
}

static void keeps(struct kref *kref)
{
	struct dev *d = container_of(kref, struct dev, kref);

	spin_lock(&d->lock);
	list_del(&d->list);
}

static void returns(struct kref *kref)
{
	struct dev *d = container_of(kref, struct dev, kref);

	spin_lock(&d->lock);
	list_del(&d->list);
	spin_unlock(&d->lock);
}

static bool last_reference(struct mmu_interval_notifier *mni,
			   const struct mmu_notifier_range *range, unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	kref_put(&d->kref, keeps);
	return true; // EXPECT: MN024
}

static bool last_reference_well(struct mmu_interval_notifier *mni,
				const struct mmu_notifier_range *range, unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	if (kref_put(&d->kref, returns))
		return true;
	spin_lock(&d->lock);
	d->stale = true;
	spin_unlock(&d->lock);
	return true;
}

static const struct mmu_interval_notifier_ops krefs[] = {
	{ .invalidate = last_reference }, { .invalidate = last_reference_well },
};
static const struct mmu_interval_notifier_ops refs = { .invalidate = references };
static const struct mmu_notifier_ops ops[] = {
	{ .invalidate_range_start = early },
	{ .invalidate_range_end = twice },
	{ .invalidate_range_start = hold, .invalidate_range_end = let_go },
	{ .invalidate_range_start = hold_badly, .invalidate_range_end = let_go },
	{ .invalidate_range_start = correlated },
};
static const struct mmu_interval_notifier_ops good = { .invalidate = interval };
static const struct mmu_interval_notifier_ops bad = { .invalidate = leaky };
