// SPDX-License-Identifier: GPL-2.0-only
/*
 * User memory on an older graphics device.
 */

#include <linux/export.h>
#include <linux/mmu_notifier.h>

#include "radeon_mn.h"

static void radeon_mn_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct radeon_mn *rmn = container_of(mn, struct radeon_mn, mn);

	mutex_lock(&rmn->lock);
	rmn->objects.nodes.first = NULL;
	mutex_unlock(&rmn->lock);
}

static int radeon_mn_invalidate_range_start(struct mmu_notifier *mn,
				const struct mmu_notifier_range *range)
{
	struct radeon_mn *rmn = container_of(mn, struct radeon_mn, mn);
	unsigned long last = range->end - 1;
	struct interval_tree_node *it;
	struct radeon_mn_node *node;
	int ret = 0;

	if (range->blockable)
		mutex_lock(&rmn->lock);
	else if (!mutex_trylock(&rmn->lock))
		return -EAGAIN;

	it = interval_tree_iter_first(&rmn->objects, range->start, last);
	while (it) {
		if (!range->blockable) {
			ret = -EAGAIN;
			goto out_unlock;
		}

		node = container_of(it, struct radeon_mn_node, it);
		it = interval_tree_iter_next(it, range->start, last);
		node->bound = false;
	}

out_unlock:
	mutex_unlock(&rmn->lock);

	return ret;
}

static const struct mmu_notifier_ops radeon_mn_ops = {
	.release = radeon_mn_release,
	.invalidate_range_start = radeon_mn_invalidate_range_start,
};

int radeon_mn_init(struct radeon_mn *rmn, struct mm_struct *mm)
{
	mutex_init(&rmn->lock);
	rmn->mn.ops = &radeon_mn_ops;
	return mmu_notifier_register(&rmn->mn, mm);
}
EXPORT_SYMBOL_GPL(radeon_mn_init);
