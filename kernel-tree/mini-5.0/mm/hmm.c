// SPDX-License-Identifier: GPL-2.0-only
/*
 * One notifier for all devices that mirror the page tables of a process.
 */

#include <linux/export.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/slab.h>

struct hmm {
	struct mmu_notifier mmu_notifier;
	struct rw_semaphore mirrors_sem;
	struct list_head mirrors;
	struct mm_struct *mm;
};

static int hmm_invalidate_range(struct hmm *hmm,
				const struct hmm_update *update)
{
	struct hmm_mirror *mirror;
	int err, ret = 0;

	if (update->blockable)
		down_read(&hmm->mirrors_sem);
	else if (!down_read_trylock(&hmm->mirrors_sem))
		return -EAGAIN;

	list_for_each_entry(mirror, &hmm->mirrors, list) {
		err = mirror->ops->sync_cpu_device_pagetables(mirror, update);
		if (!update->blockable && err == -EAGAIN) {
			ret = err;
			break;
		}
	}
	up_read(&hmm->mirrors_sem);
	return ret;
}

static void hmm_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct hmm *hmm = mm->hmm;
	struct hmm_mirror *mirror;

	down_read(&hmm->mirrors_sem);
	list_for_each_entry(mirror, &hmm->mirrors, list)
		if (mirror->ops->release)
			mirror->ops->release(mirror);
	up_read(&hmm->mirrors_sem);
}

static int hmm_invalidate_range_start(struct mmu_notifier *mn,
				      const struct mmu_notifier_range *range)
{
	struct hmm_update update;

	update.start = range->start;
	update.end = range->end;
	update.blockable = range->blockable;
	return hmm_invalidate_range(range->mm->hmm, &update);
}

static void hmm_invalidate_range_end(struct mmu_notifier *mn,
				     const struct mmu_notifier_range *range)
{
	struct hmm_update update;

	/* what the CPUs fill in again may have been mirrored too early */
	update.start = range->start;
	update.end = range->end;
	update.blockable = true;
	hmm_invalidate_range(range->mm->hmm, &update);
}

static const struct mmu_notifier_ops hmm_mmu_notifier_ops = {
	.release		= hmm_release,
	.invalidate_range_start	= hmm_invalidate_range_start,
	.invalidate_range_end	= hmm_invalidate_range_end,
};

/* With the mmap_sem held for writing. */
int hmm_mirror_register(struct hmm_mirror *mirror, struct mm_struct *mm)
{
	struct hmm *hmm = mm->hmm;

	if (!hmm) {
		hmm = kzalloc(sizeof(*hmm), GFP_KERNEL);
		if (!hmm)
			return -ENOMEM;
		init_rwsem(&hmm->mirrors_sem);
		INIT_LIST_HEAD(&hmm->mirrors);
		hmm->mm = mm;
		hmm->mmu_notifier.ops = &hmm_mmu_notifier_ops;
		mm->hmm = hmm;
		if (__mmu_notifier_register(&hmm->mmu_notifier, mm)) {
			hmm_mm_destroy(mm);
			return -ENOMEM;
		}
	}

	mirror->hmm = hmm;
	down_write(&hmm->mirrors_sem);
	list_add(&mirror->list, &hmm->mirrors);
	up_write(&hmm->mirrors_sem);
	return 0;
}
EXPORT_SYMBOL(hmm_mirror_register);

void hmm_mirror_unregister(struct hmm_mirror *mirror)
{
	struct hmm *hmm = mirror->hmm;

	down_write(&hmm->mirrors_sem);
	list_del(&mirror->list);
	up_write(&hmm->mirrors_sem);
}
EXPORT_SYMBOL(hmm_mirror_unregister);

void hmm_mm_destroy(struct mm_struct *mm)
{
	kfree(mm->hmm);
	mm->hmm = NULL;
}
