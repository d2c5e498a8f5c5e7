// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleepable read-copy-update, by counting the readers of two periods.
 */

#include <linux/sched.h>
#include <linux/srcu.h>

int init_srcu_struct(struct srcu_struct *ssp)
{
	atomic_set(&ssp->readers[0], 0);
	atomic_set(&ssp->readers[1], 0);
	ssp->period = 0;
	return 0;
}

int srcu_read_lock(struct srcu_struct *ssp)
{
	int idx = READ_ONCE(ssp->period) & 1;

	atomic_inc(&ssp->readers[idx]);
	return idx;
}

void srcu_read_unlock(struct srcu_struct *ssp, int idx)
{
	atomic_dec(&ssp->readers[idx]);
}

int srcu_read_lock_held(const struct srcu_struct *ssp)
{
	return atomic_read(&ssp->readers[0]) || atomic_read(&ssp->readers[1]);
}

/* Let new readers enter the other period, then wait for the old ones. */
void synchronize_srcu(struct srcu_struct *ssp)
{
	int old = ssp->period & 1;

	might_sleep();
	WRITE_ONCE(ssp->period, !old);
	while (atomic_read(&ssp->readers[old]))
		schedule();
}

/* This one waits by itself: a miniature has no threads for it. */
void call_srcu(struct srcu_struct *ssp, struct rcu_head *head,
	       void (*func)(struct rcu_head *head))
{
	synchronize_srcu(ssp);
	func(head);
}
