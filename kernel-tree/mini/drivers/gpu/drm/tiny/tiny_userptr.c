// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers in user memory for a display engine: a user of interval notifiers.
 */

#include <linux/export.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>

#include "tiny_userptr.h"

static bool tiny_userptr_invalidate(struct mmu_interval_notifier *mni,
				    const struct mmu_notifier_range *range,
				    unsigned long cur_seq)
{
	struct tiny_userptr *bo = container_of(mni, struct tiny_userptr,
					       notifier);

	/* Moves between our own pages and the host's need no help. */
	if (range->event == MMU_NOTIFY_MIGRATE &&
	    range->migrate_pgmap_owner == bo->owner)
		return true;

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&bo->lock);
	else if (!mutex_trylock(&bo->lock))
		return false;

	mmu_interval_set_seq(mni, cur_seq);
	bo->page = NULL;
	mutex_unlock(&bo->lock);
	return true;
}

static const struct mmu_interval_notifier_ops tiny_userptr_ops = {
	.invalidate = tiny_userptr_invalidate,
};

int tiny_userptr_init(struct tiny_userptr *bo, struct mm_struct *mm,
		      unsigned long addr, void *owner)
{
	mutex_init(&bo->lock);
	bo->addr = addr;
	bo->owner = owner;
	bo->page = NULL;
	return mmu_interval_notifier_insert(&bo->notifier, mm, addr, PAGE_SIZE,
					    &tiny_userptr_ops);
}
EXPORT_SYMBOL_GPL(tiny_userptr_init);

int tiny_userptr_validate(struct tiny_userptr *bo)
{
	unsigned long seq;
	struct page *page;
	bool writable;

again:
	seq = mmu_interval_read_begin(&bo->notifier);
	page = get_user_page(bo->notifier.mm, bo->addr, true, &writable);
	if (!page)
		return -EFAULT;
	/* The notifier tells when the page goes: no reference is kept. */
	put_page(page);

	mutex_lock(&bo->lock);
	if (mmu_interval_read_retry(&bo->notifier, seq)) {
		mutex_unlock(&bo->lock);
		goto again;
	}
	bo->page = page;
	mutex_unlock(&bo->lock);
	return 0;
}
EXPORT_SYMBOL_GPL(tiny_userptr_validate);

void tiny_userptr_fini(struct tiny_userptr *bo)
{
	mmu_interval_notifier_remove(&bo->notifier);
}
EXPORT_SYMBOL_GPL(tiny_userptr_fini);
