// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core of the mmu notifiers: who subscribed to an address space, and the
 * calls to all of them.
 */

#include <linux/export.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/slab.h>
#include <linux/srcu.h>

/* Held by whoever calls callbacks, of whatever address space. */
DEFINE_STATIC_SRCU(srcu);

#define for_each_mn(mn, mm)						\
	hlist_for_each_entry_rcu(mn, &(mm)->mmu_notifier_mm->list, hlist)

void __mmu_notifier_release(struct mm_struct *mm)
{
	struct mmu_notifier_mm *subs = mm->mmu_notifier_mm;
	int idx = srcu_read_lock(&srcu);
	struct mmu_notifier *mn;

	for_each_mn(mn, mm)
		if (mn->ops->release)
			mn->ops->release(mn, mm);

	spin_lock(&subs->lock);
	while (!hlist_empty(&subs->list))
		hlist_del_init_rcu(subs->list.first);
	spin_unlock(&subs->lock);
	srcu_read_unlock(&srcu, idx);

	/* others may still be in a callback */
	synchronize_srcu(&srcu);
}

int __mmu_notifier_clear_flush_young(struct mm_struct *mm,
				     unsigned long start, unsigned long end)
{
	int idx = srcu_read_lock(&srcu);
	struct mmu_notifier *mn;
	int young = 0;

	for_each_mn(mn, mm)
		if (mn->ops->clear_flush_young &&
		    mn->ops->clear_flush_young(mn, mm, start, end))
			young = 1;
	srcu_read_unlock(&srcu, idx);
	return young;
}

int __mmu_notifier_clear_young(struct mm_struct *mm,
			       unsigned long start, unsigned long end)
{
	int idx = srcu_read_lock(&srcu);
	struct mmu_notifier *mn;
	int young = 0;

	for_each_mn(mn, mm)
		if (mn->ops->clear_young &&
		    mn->ops->clear_young(mn, mm, start, end))
			young = 1;
	srcu_read_unlock(&srcu, idx);
	return young;
}

int __mmu_notifier_test_young(struct mm_struct *mm, unsigned long address)
{
	int idx = srcu_read_lock(&srcu);
	struct mmu_notifier *mn;
	int young = 0;

	for_each_mn(mn, mm)
		if (!young && mn->ops->test_young)
			young = mn->ops->test_young(mn, mm, address);
	srcu_read_unlock(&srcu, idx);
	return young;
}

void __mmu_notifier_change_pte(struct mm_struct *mm, unsigned long address,
			       pte_t pte)
{
	int idx = srcu_read_lock(&srcu);
	struct mmu_notifier *mn;

	for_each_mn(mn, mm)
		if (mn->ops->change_pte)
			mn->ops->change_pte(mn, mm, address, pte);
	srcu_read_unlock(&srcu, idx);
}

int __mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
	int idx = srcu_read_lock(&srcu);
	struct mmu_notifier *mn;
	int err, ret = 0;

	for_each_mn(mn, range->mm) {
		if (!mn->ops->invalidate_range_start)
			continue;
		err = mn->ops->invalidate_range_start(mn, range);
		if (err) {
			pr_info("a notifier says %d to a %sblockable range\n",
				err, !range->blockable ? "non-" : "");
			ret = err;
		}
	}
	srcu_read_unlock(&srcu, idx);
	return ret;
}
EXPORT_SYMBOL_GPL(__mmu_notifier_invalidate_range_start);

void __mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range,
					 bool only_end)
{
	int idx = srcu_read_lock(&srcu);
	struct mmu_notifier *mn;

	for_each_mn(mn, range->mm) {
		/* with only_end the caller flushed under the table's lock */
		if (!only_end && mn->ops->invalidate_range)
			mn->ops->invalidate_range(mn, range->mm, range->start,
						  range->end);
		if (mn->ops->invalidate_range_end)
			mn->ops->invalidate_range_end(mn, range);
	}
	srcu_read_unlock(&srcu, idx);
}
EXPORT_SYMBOL_GPL(__mmu_notifier_invalidate_range_end);

void __mmu_notifier_invalidate_range(struct mm_struct *mm,
				     unsigned long start, unsigned long end)
{
	int idx = srcu_read_lock(&srcu);
	struct mmu_notifier *mn;

	for_each_mn(mn, mm)
		if (mn->ops->invalidate_range)
			mn->ops->invalidate_range(mn, mm, start, end);
	srcu_read_unlock(&srcu, idx);
}
EXPORT_SYMBOL_GPL(__mmu_notifier_invalidate_range);

/* With the mmap_sem held for writing. */
int __mmu_notifier_register(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct mmu_notifier_mm *subs = mm->mmu_notifier_mm;

	if (!subs) {
		subs = kzalloc(sizeof(*subs), GFP_KERNEL);
		if (!subs)
			return -ENOMEM;
		spin_lock_init(&subs->lock);
		mm->mmu_notifier_mm = subs;
	}

	/* the address space's memory lives as long as the subscription */
	atomic_inc(&mm->mm_count);
	spin_lock(&subs->lock);
	hlist_add_head_rcu(&mn->hlist, &subs->list);
	spin_unlock(&subs->lock);
	return 0;
}
EXPORT_SYMBOL_GPL(__mmu_notifier_register);

int mmu_notifier_register(struct mmu_notifier *mn, struct mm_struct *mm)
{
	int err;

	down_write(&mm->mmap_sem);
	err = __mmu_notifier_register(mn, mm);
	up_write(&mm->mmap_sem);
	return err;
}
EXPORT_SYMBOL_GPL(mmu_notifier_register);

void mmu_notifier_unregister(struct mmu_notifier *mn, struct mm_struct *mm)
{
	int idx = srcu_read_lock(&srcu);

	/* unless the end of the address space has been told already */
	if (!hlist_unhashed(&mn->hlist) && mn->ops->release)
		mn->ops->release(mn, mm);
	srcu_read_unlock(&srcu, idx);

	spin_lock(&mm->mmu_notifier_mm->lock);
	hlist_del_init_rcu(&mn->hlist);
	spin_unlock(&mm->mmu_notifier_mm->lock);

	synchronize_srcu(&srcu);
	mmdrop(mm);
}
EXPORT_SYMBOL_GPL(mmu_notifier_unregister);

/* Without a call of ->release(); the caller has done what it does. */
void mmu_notifier_unregister_no_release(struct mmu_notifier *mn,
					struct mm_struct *mm)
{
	spin_lock(&mm->mmu_notifier_mm->lock);
	hlist_del_init_rcu(&mn->hlist);
	spin_unlock(&mm->mmu_notifier_mm->lock);
	mmdrop(mm);
}
EXPORT_SYMBOL_GPL(mmu_notifier_unregister_no_release);

/* @func once no callback is running any more. */
void mmu_notifier_call_srcu(struct rcu_head *rcu,
			    void (*func)(struct rcu_head *rcu))
{
	call_srcu(&srcu, rcu, func);
}
EXPORT_SYMBOL_GPL(mmu_notifier_call_srcu);

void __mmu_notifier_mm_destroy(struct mm_struct *mm)
{
	kfree(mm->mmu_notifier_mm);
	mm->mmu_notifier_mm = NULL;
}
