/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __RADEON_MN_H__
#define __RADEON_MN_H__

#include <linux/interval_tree.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>

struct radeon_mn {
	struct mmu_notifier mn;
	/* protects objects */
	struct mutex lock;
	struct rb_root_cached objects;
};

struct radeon_mn_node {
	struct interval_tree_node it;
	bool bound;
};

int radeon_mn_init(struct radeon_mn *rmn, struct mm_struct *mm);

#endif /* __RADEON_MN_H__ */
