/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_RWSEM_H
#define _LINUX_RWSEM_H

#include <linux/sched.h>
#include <linux/spinlock.h>

struct rw_semaphore {
	/* protects count */
	spinlock_t wait_lock;
	/* number of readers, or -1 for a writer */
	int count;
};

static inline void init_rwsem(struct rw_semaphore *sem)
{
	spin_lock_init(&sem->wait_lock);
	sem->count = 0;
}

static inline int down_read_trylock(struct rw_semaphore *sem)
{
	int free;

	spin_lock(&sem->wait_lock);
	free = sem->count >= 0;
	if (free)
		sem->count++;
	spin_unlock(&sem->wait_lock);
	return free;
}

static inline void down_read(struct rw_semaphore *sem)
{
	while (!down_read_trylock(sem))
		schedule();
}

static inline void up_read(struct rw_semaphore *sem)
{
	spin_lock(&sem->wait_lock);
	sem->count--;
	spin_unlock(&sem->wait_lock);
}

static inline int down_write_trylock(struct rw_semaphore *sem)
{
	int free;

	spin_lock(&sem->wait_lock);
	free = !sem->count;
	if (free)
		sem->count = -1;
	spin_unlock(&sem->wait_lock);
	return free;
}

static inline void down_write(struct rw_semaphore *sem)
{
	while (!down_write_trylock(sem))
		schedule();
}

static inline void up_write(struct rw_semaphore *sem)
{
	spin_lock(&sem->wait_lock);
	sem->count = 0;
	spin_unlock(&sem->wait_lock);
}

#endif /* _LINUX_RWSEM_H */
