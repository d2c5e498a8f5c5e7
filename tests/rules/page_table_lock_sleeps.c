// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
struct dev { struct mmu_notifier mn; struct mutex lock; spinlock_t spin; struct rw_semaphore sem; struct completion done; };

static void helper(struct dev *d)
{
	might_sleep(); // EXPECT: MN030
}

static void bad(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long a, pte_t pte)
{
	struct dev *d = container_of(mn, struct dev, mn);

	mutex_lock(&d->lock); // EXPECT: MN030
	helper(d);
	mutex_unlock(&d->lock);
	cond_resched(); // EXPECT: MN030
}

static void good(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long a, pte_t pte)
{
	struct dev *d = container_of(mn, struct dev, mn);

	spin_lock(&d->spin);
	if (mutex_trylock(&d->lock))
		mutex_unlock(&d->lock);
	spin_unlock(&d->spin);
}

static const struct mmu_notifier_ops ops = { .change_pte = bad };
static const struct mmu_notifier_ops fine = { .change_pte = good };

static void flush_command(struct dev *d, unsigned long start, unsigned long size)
{
	struct command *command = kzalloc(sizeof(*command), GFP_KERNEL); // EXPECT: MN030

	submit(d, command, start, size);
	wait_for_completion(&d->done); // EXPECT: MN030
}

static void tlbs_mutex(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct dev *d = container_of(mn, struct dev, mn);

	mutex_lock(&d->lock); // EXPECT: MN030
	writel(start, d->regs);
	mutex_unlock(&d->lock);
}

static void tlbs_allocates(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	flush_command(container_of(mn, struct dev, mn), start, end - start);
}

static void tlbs_reads(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct dev *d = container_of(mn, struct dev, mn);

	if (end - start == PAGE_SIZE)
		return;
	down_read(&d->sem); // EXPECT: MN030
	up_read(&d->sem);
	msleep(1); // EXPECT: MN030
}

static void tlbs_good(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct dev *d = container_of(mn, struct dev, mn);
	struct command *command = kzalloc(sizeof(*command), GFP_ATOMIC);
	unsigned long flags;

	spin_lock_irqsave(&d->spin, flags);
	if (mutex_trylock(&d->lock)) {
		submit(d, command, start, end - start);
		mutex_unlock(&d->lock);
	}
	spin_unlock_irqrestore(&d->spin, flags);
	udelay(1);
}

/* Start and end of a section may sleep where the range lets them. */
static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct dev *d = container_of(mn, struct dev, mn);

	mutex_lock(&d->lock);
	mutex_unlock(&d->lock);
}

static const struct mmu_notifier_ops tlbs[] = {
	{ .arch_invalidate_secondary_tlbs = tlbs_mutex, .release = release },
	{ .arch_invalidate_secondary_tlbs = tlbs_allocates },
	{ .invalidate_range = tlbs_reads },
	{ .arch_invalidate_secondary_tlbs = tlbs_good },
	{ .invalidate_range = tlbs_good },
};
