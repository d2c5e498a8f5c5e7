/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __I915_GEM_USERPTR_H__
#define __I915_GEM_USERPTR_H__

#include <linux/interval_tree.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>

struct i915_mmu_notifier {
	/* protects objects */
	spinlock_t lock;
	struct mmu_notifier mn;
	struct rb_root_cached objects;
};

struct i915_mmu_object {
	struct interval_tree_node it;
	bool cancelled;
};

int i915_mmu_notifier_init(struct i915_mmu_notifier *mn, struct mm_struct *mm);

#endif /* __I915_GEM_USERPTR_H__ */
