// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory regions of a network device without pinned pages.
 */

#include <linux/export.h>
#include <linux/mmu_notifier.h>
#include <linux/rwsem.h>
#include <rdma/ib_umem_odp.h>

static int start_one(struct ib_umem_odp *item, u64 start, u64 end, void *cookie)
{
	item->notifiers_count++;
	return 0;
}

static int end_one(struct ib_umem_odp *item, u64 start, u64 end, void *cookie)
{
	item->notifiers_count--;
	return 0;
}

static void ib_umem_notifier_release(struct mmu_notifier *mn,
				     struct mm_struct *mm)
{
	struct ib_ucontext_per_mm *per_mm =
		container_of(mn, struct ib_ucontext_per_mm, mn);

	down_write(&per_mm->umem_rwsem);
	per_mm->active = false;
	up_write(&per_mm->umem_rwsem);
}

static int ib_umem_notifier_invalidate_range_start(struct mmu_notifier *mn,
				const struct mmu_notifier_range *range)
{
	struct ib_ucontext_per_mm *per_mm =
		container_of(mn, struct ib_ucontext_per_mm, mn);
	int ret;

	if (range->blockable)
		down_read(&per_mm->umem_rwsem);
	else if (!down_read_trylock(&per_mm->umem_rwsem))
		return -EAGAIN;

	/* it never becomes active again, so the end sees the same */
	if (!per_mm->active) {
		up_read(&per_mm->umem_rwsem);
		return 0;
	}

	ret = rbt_ib_umem_for_each_in_range(&per_mm->umem_tree, range->start,
					    range->end, start_one,
					    range->blockable, NULL);
	if (ret)
		up_read(&per_mm->umem_rwsem);
	return ret;
}

static void ib_umem_notifier_invalidate_range_end(struct mmu_notifier *mn,
				const struct mmu_notifier_range *range)
{
	struct ib_ucontext_per_mm *per_mm =
		container_of(mn, struct ib_ucontext_per_mm, mn);

	if (!per_mm->active)
		return;

	rbt_ib_umem_for_each_in_range(&per_mm->umem_tree, range->start,
				      range->end, end_one, true, NULL);
	up_read(&per_mm->umem_rwsem);
}

static const struct mmu_notifier_ops ib_umem_notifiers = {
	.release		= ib_umem_notifier_release,
	.invalidate_range_start	= ib_umem_notifier_invalidate_range_start,
	.invalidate_range_end	= ib_umem_notifier_invalidate_range_end,
};

int rbt_ib_umem_for_each_in_range(struct rb_root_cached *root,
				  u64 start, u64 last, umem_call_back cb,
				  bool blockable, void *cookie)
{
	struct interval_tree_node *node;
	struct ib_umem_odp *umem;
	int ret = 0;

	if (start == last)
		return 0;

	node = interval_tree_iter_first(root, start, last - 1);
	while (node) {
		if (!blockable)
			return -EAGAIN;
		umem = container_of(node, struct ib_umem_odp, interval_tree);
		node = interval_tree_iter_next(node, start, last - 1);
		ret |= cb(umem, start, last, cookie);
	}
	return ret;
}
EXPORT_SYMBOL(rbt_ib_umem_for_each_in_range);

int ib_umem_odp_open(struct ib_ucontext_per_mm *per_mm, struct mm_struct *mm)
{
	init_rwsem(&per_mm->umem_rwsem);
	per_mm->active = true;
	per_mm->mn.ops = &ib_umem_notifiers;
	return mmu_notifier_register(&per_mm->mn, mm);
}
EXPORT_SYMBOL(ib_umem_odp_open);
