// SPDX-License-Identifier: GPL-2.0-only
// API: 5.10 5.15 6.1 6.6 6.12 7.2
struct obj { struct mmu_interval_notifier notifier; struct mutex lock; spinlock_t other; };
struct pinned { struct mmu_interval_notifier notifier; };

static int fault(struct obj *o)
{
	unsigned long seq;

again:
	seq = mmu_interval_read_begin(&o->notifier);
	if (collect(o))
		goto again;
	mutex_lock(&o->lock);
	if (mmu_interval_read_retry(&o->notifier, seq)) {
		mutex_unlock(&o->lock);
		goto again;
	}
	map(o);
	mutex_unlock(&o->lock);
	return 0;
}

static bool forgets(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		    unsigned long seq)
{
	struct obj *o = container_of(mni, struct obj, notifier);

	mutex_lock(&o->lock);
	unmap(o);
	mutex_unlock(&o->lock);
	return true; // EXPECT: MN035
}

static bool outside(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		    unsigned long seq)
{
	struct obj *o = container_of(mni, struct obj, notifier);

	mmu_interval_set_seq(mni, seq); // EXPECT: MN035
	mutex_lock(&o->lock);
	unmap(o);
	mutex_unlock(&o->lock);
	return true;
}

static bool wrong_lock(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		       unsigned long seq)
{
	struct obj *o = container_of(mni, struct obj, notifier);

	spin_lock(&o->other);
	mmu_interval_set_seq(mni, seq); // EXPECT: MN035
	spin_unlock(&o->other);
	return true;
}

static bool filters(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		    unsigned long seq)
{
	struct obj *o = container_of(mni, struct obj, notifier);

	if (range->event == MMU_NOTIFY_MIGRATE && range->owner == o->owner)
		return true; // UNDECIDED: MN035
	mutex_lock(&o->lock);
	mmu_interval_set_seq(mni, seq);
	mutex_unlock(&o->lock);
	return true;
}

static bool half(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		 unsigned long seq)
{
	struct obj *o = container_of(mni, struct obj, notifier);

	if (range->event == MMU_NOTIFY_RELEASE)
		return true; // UNDECIDED: MN035
	mutex_lock(&o->lock);
	unmap(o);
	mutex_unlock(&o->lock);
	return true; // EXPECT: MN035
}

static bool good(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		 unsigned long seq)
{
	struct obj *o = container_of(mni, struct obj, notifier);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&o->lock);
	else if (!mutex_trylock(&o->lock))
		return false;
	mmu_interval_set_seq(mni, seq);
	unmap(o);
	mutex_unlock(&o->lock);
	return true;
}

struct user { struct mmu_interval_notifier notifier; struct rw_semaphore sem; };

/* Whether this one is called under a lock is not seen here. */
int still_valid(struct user *u, unsigned long seq)
{
	return !mmu_interval_read_retry(&u->notifier, seq);
}

static bool too_early(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		      unsigned long seq)
{
	struct user *u = container_of(mni, struct user, notifier);
	struct device *d = device_of(u);

	mmu_interval_set_seq(mni, seq); // EXPECT: MN035
	down_write(&u->sem);
	unmap(d);
	up_write(&u->sem);
	return true;
}

static bool too_late(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		     unsigned long seq)
{
	struct user *u = container_of(mni, struct user, notifier);

	down_write(&u->sem);
	unmap(u);
	up_write(&u->sem);
	mmu_interval_set_seq(mni, seq); // EXPECT: MN035
	return true;
}

static bool lockless(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		     unsigned long seq)
{
	struct user *u = container_of(mni, struct user, notifier);

	u->stale = true;
	mmu_interval_set_seq(mni, seq); // UNDECIDED: MN035
	return true;
}

/* lock_user() is not seen, and locked() takes the lock. */
static bool by_helper(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		      unsigned long seq)
{
	struct user *u = container_of(mni, struct user, notifier);

	lock_user(u);
	mmu_interval_set_seq(mni, seq);
	unlock_user(u);
	return true;
}

static void locked(struct user *u)
{
	down_write(&u->sem);
}

static bool by_known_helper(struct mmu_interval_notifier *mni,
			    const struct mmu_notifier_range *range, unsigned long seq)
{
	struct user *u = container_of(mni, struct user, notifier);

	locked(u);
	mmu_interval_set_seq(mni, seq);
	up_write(&u->sem);
	return true;
}

static bool passed_on(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		      unsigned long seq)
{
	evict(container_of(mni, struct user, notifier), seq);
	return true;
}

/* Pages are pinned: no reader retries on this struct's notifier. */
static bool unread(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		   unsigned long seq)
{
	struct pinned *p = container_of(mni, struct pinned, notifier);

	tell_user(p);
	return true;
}

static bool no_reader_left(struct mmu_interval_notifier *mni,
			   const struct mmu_notifier_range *range, unsigned long seq)
{
	struct user *u = container_of(mni, struct user, notifier);
	struct mm_struct *mm = mni->mm;

	if (!mmget_not_zero(mm))
		return true;
	down_write(&u->sem);
	mmu_interval_set_seq(mni, seq);
	up_write(&u->sem);
	mmput_async(mm);
	return true;
}

static bool users_left(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		       unsigned long seq)
{
	if (mmget_not_zero(range->mm))
		return true; // EXPECT: MN035
	return true;
}

static bool whose_mm(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		     unsigned long seq)
{
	struct user *u = container_of(mni, struct user, notifier);

	if (!mmget_not_zero(u->owner))
		return true; // UNDECIDED: MN035
	down_write(&u->sem);
	mmu_interval_set_seq(mni, seq);
	up_write(&u->sem);
	return true;
}

static bool another_sequence(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
			     unsigned long seq)
{
	struct obj *o = container_of(mni, struct obj, notifier);

	mutex_lock(&o->lock);
	mmu_interval_set_seq(mni, o->seq); // EXPECT: MN035
	unmap(o);
	mutex_unlock(&o->lock);
	return true;
}

static bool a_number(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		     unsigned long seq)
{
	struct obj *o = container_of(mni, struct obj, notifier);

	mutex_lock(&o->lock);
	mmu_interval_set_seq(mni, seq + 1); // EXPECT: MN035
	mutex_unlock(&o->lock);
	return true;
}

static bool a_copy(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		   unsigned long seq)
{
	struct obj *o = container_of(mni, struct obj, notifier);
	unsigned long now = seq;

	mutex_lock(&o->lock);
	mmu_interval_set_seq(mni, now);
	mutex_unlock(&o->lock);
	return true;
}

static bool set_before(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		       unsigned long seq)
{
	struct obj *o = container_of(mni, struct obj, notifier);

	seq = o->seq;
	mutex_lock(&o->lock);
	mmu_interval_set_seq(mni, seq); // UNDECIDED: MN035
	mutex_unlock(&o->lock);
	return true;
}

struct hasty { struct mmu_interval_notifier notifier; struct mutex lock; };

static int maps_too_late(struct hasty *h)
{
	unsigned long seq;

again:
	seq = mmu_interval_read_begin(&h->notifier);
	collect(h);
	if (mmu_interval_read_retry(&h->notifier, seq))
		goto again;
	mutex_lock(&h->lock); // EXPECT: MN035
	map(h);
	mutex_unlock(&h->lock);
	return 0;
}

static int asks_twice(struct hasty *h)
{
	unsigned long seq;

again:
	seq = mmu_interval_read_begin(&h->notifier);
	collect(h);
	if (mmu_interval_read_retry(&h->notifier, seq))
		goto again;
	mutex_lock(&h->lock);
	if (mmu_interval_read_retry(&h->notifier, seq)) {
		mutex_unlock(&h->lock);
		goto again;
	}
	map(h);
	mutex_unlock(&h->lock);
	return 0;
}

static bool hasty_invalidate(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
			     unsigned long seq)
{
	struct hasty *h = container_of(mni, struct hasty, notifier);

	mutex_lock(&h->lock);
	mmu_interval_set_seq(mni, seq);
	unmap(h);
	mutex_unlock(&h->lock);
	return true;
}

static const struct mmu_interval_notifier_ops ops[] = {
	{ .invalidate = no_reader_left }, { .invalidate = users_left }, { .invalidate = whose_mm },
	{ .invalidate = forgets }, { .invalidate = outside }, { .invalidate = wrong_lock },
	{ .invalidate = filters }, { .invalidate = half }, { .invalidate = good }, { .invalidate = unread },
	{ .invalidate = too_early }, { .invalidate = too_late }, { .invalidate = by_helper },
	{ .invalidate = lockless },
	{ .invalidate = another_sequence }, { .invalidate = a_number }, { .invalidate = a_copy },
	{ .invalidate = set_before }, { .invalidate = hasty_invalidate },
	{ .invalidate = by_known_helper }, { .invalidate = passed_on },
};
