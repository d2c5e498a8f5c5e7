/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_MUTEX_H
#define _LINUX_MUTEX_H

#include <linux/sched.h>
#include <linux/spinlock.h>

struct mutex {
	/* taken for as long as the mutex is held */
	spinlock_t owner;
};

#define DEFINE_MUTEX(name)	struct mutex name = { __SPIN_LOCK_UNLOCKED }

static inline void mutex_init(struct mutex *lock)
{
	spin_lock_init(&lock->owner);
}

static inline int mutex_trylock(struct mutex *lock)
{
	return spin_trylock(&lock->owner);
}

static inline void mutex_lock(struct mutex *lock)
{
	might_sleep();
	while (!mutex_trylock(lock))
		schedule();
}

static inline void mutex_unlock(struct mutex *lock)
{
	spin_unlock(&lock->owner);
}

#endif /* _LINUX_MUTEX_H */
