/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_SPINLOCK_H
#define _LINUX_SPINLOCK_H

#include <linux/atomic.h>

typedef struct spinlock {
	int locked;
} spinlock_t;

#define __SPIN_LOCK_UNLOCKED	{ 0 }
#define DEFINE_SPINLOCK(x)	spinlock_t x = __SPIN_LOCK_UNLOCKED

static inline void spin_lock_init(spinlock_t *lock)
{
	lock->locked = 0;
}

static inline int spin_trylock(spinlock_t *lock)
{
	return !__sync_lock_test_and_set(&lock->locked, 1);
}

static inline void spin_lock(spinlock_t *lock)
{
	while (!spin_trylock(lock))
		barrier();
}

static inline void spin_unlock(spinlock_t *lock)
{
	__sync_lock_release(&lock->locked);
}

#endif /* _LINUX_SPINLOCK_H */
