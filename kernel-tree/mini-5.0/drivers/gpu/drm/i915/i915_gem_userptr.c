// SPDX-License-Identifier: GPL-2.0-only
/*
 * User memory on a graphics device: only the start is of interest.
 */

#include <linux/export.h>
#include <linux/mmu_notifier.h>

#include "i915_gem_userptr.h"

static int i915_gem_userptr_mn_invalidate_range_start(struct mmu_notifier *_mn,
			const struct mmu_notifier_range *range)
{
	struct i915_mmu_notifier *mn =
		container_of(_mn, struct i915_mmu_notifier, mn);
	struct i915_mmu_object *mo;
	struct interval_tree_node *it;
	/* the tree counts the last address in, the notifier does not */
	unsigned long end = range->end - 1;

	spin_lock(&mn->lock);
	it = interval_tree_iter_first(&mn->objects, range->start, end);
	while (it) {
		if (!range->blockable) {
			spin_unlock(&mn->lock);
			return -EAGAIN;
		}
		mo = container_of(it, struct i915_mmu_object, it);
		mo->cancelled = true;
		it = interval_tree_iter_next(it, range->start, end);
	}
	spin_unlock(&mn->lock);

	return 0;
}

static const struct mmu_notifier_ops i915_gem_userptr_notifier = {
	.invalidate_range_start = i915_gem_userptr_mn_invalidate_range_start,
};

int i915_mmu_notifier_init(struct i915_mmu_notifier *mn, struct mm_struct *mm)
{
	spin_lock_init(&mn->lock);
	mn->mn.ops = &i915_gem_userptr_notifier;
	return mmu_notifier_register(&mn->mn, mm);
}
EXPORT_SYMBOL_GPL(i915_mmu_notifier_init);
