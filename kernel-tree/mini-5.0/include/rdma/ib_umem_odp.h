/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IB_UMEM_ODP_H
#define IB_UMEM_ODP_H

#include <linux/interval_tree.h>
#include <linux/mmu_notifier.h>
#include <linux/rwsem.h>

struct ib_umem_odp {
	struct interval_tree_node interval_tree;
	int notifiers_count;
};

struct ib_ucontext_per_mm {
	struct mmu_notifier mn;
	/* held for reading from a range's start to its end */
	struct rw_semaphore umem_rwsem;
	struct rb_root_cached umem_tree;
	bool active;
};

typedef int (*umem_call_back)(struct ib_umem_odp *item, u64 start, u64 end,
			      void *cookie);

int rbt_ib_umem_for_each_in_range(struct rb_root_cached *root,
				  u64 start, u64 last, umem_call_back cb,
				  bool blockable, void *cookie);
int ib_umem_odp_open(struct ib_ucontext_per_mm *per_mm, struct mm_struct *mm);

#endif /* IB_UMEM_ODP_H */
