// SPDX-License-Identifier: GPL-2.0-only
/*
 * User memory on a graphics device that also computes: an array of ops.
 */

#include <linux/export.h>
#include <linux/mmu_notifier.h>

#include "amdgpu_mn.h"

static int amdgpu_mn_read_lock(struct amdgpu_mn *amn, bool blockable)
{
	if (blockable)
		mutex_lock(&amn->read_lock);
	else if (!mutex_trylock(&amn->read_lock))
		return -EAGAIN;

	if (atomic_add_return(1, &amn->recursion) == 1)
		down_read(&amn->lock);
	mutex_unlock(&amn->read_lock);

	return 0;
}

static void amdgpu_mn_read_unlock(struct amdgpu_mn *amn)
{
	if (atomic_dec_and_test(&amn->recursion))
		up_read(&amn->lock);
}

static int amdgpu_mn_invalidate_range_start_gfx(struct mmu_notifier *mn,
			const struct mmu_notifier_range *range)
{
	struct amdgpu_mn *amn = container_of(mn, struct amdgpu_mn, mn);
	unsigned long last = range->end - 1;
	struct interval_tree_node *it;
	struct amdgpu_mn_node *node;

	if (amdgpu_mn_read_lock(amn, range->blockable))
		return -EAGAIN;

	it = interval_tree_iter_first(&amn->objects, range->start, last);
	while (it) {
		if (!range->blockable) {
			amdgpu_mn_read_unlock(amn);
			return -EAGAIN;
		}

		node = container_of(it, struct amdgpu_mn_node, it);
		it = interval_tree_iter_next(it, range->start, last);
		node->idle = true;
	}

	return 0;
}

static int amdgpu_mn_invalidate_range_start_hsa(struct mmu_notifier *mn,
			const struct mmu_notifier_range *range)
{
	struct amdgpu_mn *amn = container_of(mn, struct amdgpu_mn, mn);
	unsigned long last = range->end - 1;
	struct interval_tree_node *it;
	struct amdgpu_mn_node *node;

	if (amdgpu_mn_read_lock(amn, range->blockable))
		return -EAGAIN;

	it = interval_tree_iter_first(&amn->objects, range->start, last);
	while (it) {
		if (!range->blockable) {
			amdgpu_mn_read_unlock(amn);
			return -EAGAIN;
		}

		node = container_of(it, struct amdgpu_mn_node, it);
		it = interval_tree_iter_next(it, range->start, last);
		node->evicted = true;
	}

	return 0;
}

static void amdgpu_mn_invalidate_range_end(struct mmu_notifier *mn,
			const struct mmu_notifier_range *range)
{
	amdgpu_mn_read_unlock(container_of(mn, struct amdgpu_mn, mn));
}

static void amdgpu_mn_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct amdgpu_mn *amn = container_of(mn, struct amdgpu_mn, mn);

	down_write(&amn->lock);
	amn->objects.nodes.first = NULL;
	up_write(&amn->lock);
}

static const struct mmu_notifier_ops amdgpu_mn_ops[] = {
	[AMDGPU_MN_TYPE_GFX] = {
		.release = amdgpu_mn_release,
		.invalidate_range_start = amdgpu_mn_invalidate_range_start_gfx,
		.invalidate_range_end = amdgpu_mn_invalidate_range_end,
	},
	[AMDGPU_MN_TYPE_HSA] = {
		.release = amdgpu_mn_release,
		.invalidate_range_start = amdgpu_mn_invalidate_range_start_hsa,
		.invalidate_range_end = amdgpu_mn_invalidate_range_end,
	},
};

int amdgpu_mn_init(struct amdgpu_mn *amn, struct mm_struct *mm,
		   enum amdgpu_mn_type type)
{
	init_rwsem(&amn->lock);
	mutex_init(&amn->read_lock);
	atomic_set(&amn->recursion, 0);
	amn->mn.ops = &amdgpu_mn_ops[type];
	return mmu_notifier_register(&amn->mn, mm);
}
EXPORT_SYMBOL_GPL(amdgpu_mn_init);
