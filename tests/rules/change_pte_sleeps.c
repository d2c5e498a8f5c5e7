// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6
struct dev { struct mmu_notifier mn; struct mutex lock; spinlock_t spin; };

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
