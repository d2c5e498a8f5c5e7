// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
struct dev { struct mmu_notifier mn; struct mm_struct *mm; };

static void drop(struct dev *d)
{
	mmput(d->mm); // EXPECT: MN034
}

static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	drop(d);
	wait_event_killable(d->wq, d->idle); // EXPECT: MN034
	return 0;
}

static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	mmu_notifier_unregister(mn, mm); // EXPECT: MN034
}

static void free_it(struct mmu_notifier *mn)
{
	mmput(container_of(mn, struct dev, mn)->mm);
}

static int good(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);

	mmput_async(d->mm);
	if (wait_event_killable(d->wq, d->idle))
		return -EAGAIN;
	queue_work(d->wq, &d->remove);
	return 0;
}

static void elsewhere(struct dev *d)
{
	mmput(d->mm);
	mmu_notifier_unregister(&d->mn, d->mm);
}

static bool prints(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		   unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);
	long r;

	r = dma_resv_wait_timeout(d->resv, true, true, MAX_SCHEDULE_TIMEOUT); // EXPECT: MN034
	mutex_unlock(&d->lock);
	if (r <= 0)
		pr_err("(%ld) failed to wait\n", r);
	return true;
}

static bool in_vain(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		    unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	dma_fence_wait(d->fence, true); // EXPECT: MN034
	release_pages_of(d);
	return true;
}

static bool waits(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		  unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);
	long r = dma_resv_wait_timeout(d->resv, true, false, MAX_SCHEDULE_TIMEOUT);

	if (r <= 0)
		pr_err("(%ld) failed to wait\n", r);
	return true;
}

static bool resets(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		   unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);

	if (dma_fence_wait(d->fence, true))
		stop_the_device(d);
	if (dma_resv_wait_timeout(d->resv, true, true, 10) <= 0)
		stop_the_device(d);
	return true;
}

static bool tries_again(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
			unsigned long seq)
{
	struct dev *d = container_of(mni, struct dev, mni);
	long r;

	do {
		r = dma_fence_wait(d->fence, true);
	} while (r < 0);
	return true;
}

static const struct mmu_interval_notifier_ops iops[] = {
	{ .invalidate = prints }, { .invalidate = in_vain }, { .invalidate = waits },
	{ .invalidate = resets }, { .invalidate = tries_again },
};
static const struct mmu_notifier_ops ops = {
	.invalidate_range_start = start,
	.release = release,
	.free_notifier = free_it,
};
static const struct mmu_notifier_ops fine = { .invalidate_range_start = good };
