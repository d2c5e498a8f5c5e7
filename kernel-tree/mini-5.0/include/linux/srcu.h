/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_SRCU_H
#define _LINUX_SRCU_H

#include <linux/atomic.h>

struct srcu_struct {
	/* readers that entered in the even and in the odd period */
	atomic_t readers[2];
	int period;
};

#define DEFINE_STATIC_SRCU(name)	static struct srcu_struct name

int init_srcu_struct(struct srcu_struct *ssp);
int srcu_read_lock(struct srcu_struct *ssp);
void srcu_read_unlock(struct srcu_struct *ssp, int idx);
int srcu_read_lock_held(const struct srcu_struct *ssp);
void call_srcu(struct srcu_struct *ssp, struct rcu_head *head,
	       void (*func)(struct rcu_head *head));
void synchronize_srcu(struct srcu_struct *ssp);

#endif /* _LINUX_SRCU_H */
