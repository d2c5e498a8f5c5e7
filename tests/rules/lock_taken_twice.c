// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
struct dev { struct mmu_notifier mn; spinlock_t lock; struct mutex m; struct rw_semaphore sem; };

static bool guards(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		   unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	guard(mutex)(&d->m);
	if (d->active) {
		guard(mutex)(&d->m); // EXPECT: MN036
		unmap(d, range->start, range->end);
	}
	return true;
}

static void drop(struct dev *x)
{
	spin_lock(&x->lock); // EXPECT: MN036
	list_del(&x->list);
	spin_unlock(&x->lock);
}

static void drop_unlocked(struct dev *x)
{
	spin_unlock(&x->lock);
	spin_lock(&x->lock);
}

static void helper(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	spin_lock(&d->lock);
	drop_unlocked(d);
	drop(d);
	spin_unlock(&d->lock);
}

static void nest(struct dev *d, int n)
{
	mutex_lock(&d->m); // EXPECT: MN036
	if (n)
		nest(d, n - 1);
	mutex_unlock(&d->m);
}

static void recursion(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	nest(d, 2);
}

static void readers(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	down_read(&d->sem);
	down_write(&d->sem); // EXPECT: MN036
	up_write(&d->sem);
	up_read(&d->sem);
}

/* Nested sections, another object's lock, a lock of each step, and a trylock are fine. */
static void well(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	struct dev *other = d->other;
	int i;

	rcu_read_lock();
	rcu_read_lock();
	spin_lock(&d->lock);
	spin_lock_nested(&other->lock, 1);
	spin_unlock(&other->lock);
	if (spin_trylock(&d->lock))
		spin_unlock(&d->lock);
	for (i = 0; i < d->n; i++)
		spin_lock(&d->slots[i].lock);
	for (i = 0; i < d->n; i++)
		spin_unlock(&d->slots[i].lock);
	spin_unlock(&d->lock);
	rcu_read_unlock();
	rcu_read_unlock();
}

static const struct mmu_interval_notifier_ops iops = { .invalidate = guards };
static const struct mmu_notifier_ops ops[] = {
	{ .invalidate_range_end = helper },
	{ .invalidate_range_end = recursion },
	{ .invalidate_range_end = readers },
	{ .invalidate_range_end = well },
};
