/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __AMDGPU_MN_H__
#define __AMDGPU_MN_H__

#include <linux/interval_tree.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>

enum amdgpu_mn_type {
	AMDGPU_MN_TYPE_GFX,
	AMDGPU_MN_TYPE_HSA,
};

struct amdgpu_mn {
	struct mmu_notifier mn;
	/* held for reading from a range's start to its end */
	struct rw_semaphore lock;
	struct rb_root_cached objects;
	/* serialises those who take the lock for reading */
	struct mutex read_lock;
	atomic_t recursion;
};

struct amdgpu_mn_node {
	struct interval_tree_node it;
	bool idle;
	bool evicted;
};

int amdgpu_mn_init(struct amdgpu_mn *amn, struct mm_struct *mm,
		   enum amdgpu_mn_type type);

#endif /* __AMDGPU_MN_H__ */
