/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_SCHED_H
#define _LINUX_SCHED_H

#include <linux/kernel.h>

struct mm_struct;

struct task_struct {
	struct mm_struct *mm;
	int pid;
};

extern struct task_struct *current_task;
#define current	current_task

/* Gives the processor away; comes back some time later. */
void schedule(void);

static inline void cond_resched(void)
{
	might_sleep();
	schedule();
}

#endif /* _LINUX_SCHED_H */
