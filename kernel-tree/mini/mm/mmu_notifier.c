// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core of the mmu notifiers: who subscribed to an address space, and the
 * calls to all of them.
 */

#include <linux/export.h>
#include <linux/interval_tree.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/slab.h>
#include <linux/srcu.h>

/* Held by whoever calls callbacks, of whatever address space. */
DEFINE_STATIC_SRCU(srcu);

struct mmu_notifier_subscriptions {
	/* protects all that follows; the list's readers rely on the SRCU */
	spinlock_t lock;
	struct hlist_head list;
	struct rb_root_cached itree;
	/* who comes or goes while the tree is being walked */
	struct hlist_head deferred_list;
	bool has_itree;
	/* odd while a range with an interval notifier is being invalidated */
	unsigned long invalidate_seq;
	unsigned long nr_active;
};

#define for_each_mn(mn, mm)						\
	hlist_for_each_entry_rcu(mn, &(mm)->notifier_subscriptions->list, \
				 hlist, srcu_read_lock_held(&srcu))

static struct mmu_interval_notifier *to_interval(struct interval_tree_node *n)
{
	if (!n)
		return NULL;
	return container_of(n, struct mmu_interval_notifier, interval_tree);
}

/* The first interval notifier of the range; enters the invalidation. */
static struct mmu_interval_notifier *
intervals_enter(const struct mmu_notifier_range *range, unsigned long *seq)
{
	struct mmu_notifier_subscriptions *subs =
		range->mm->notifier_subscriptions;
	struct interval_tree_node *first;

	spin_lock(&subs->lock);
	subs->nr_active++;
	first = interval_tree_iter_first(&subs->itree, range->start,
					 range->end - 1);
	if (first)
		subs->invalidate_seq |= 1;
	*seq = subs->invalidate_seq;
	spin_unlock(&subs->lock);
	return to_interval(first);
}

static bool in_tree(struct mmu_interval_notifier *mni)
{
	return !hlist_unhashed(&mni->interval_tree.rb);
}

/* Puts it in, or takes it out; with the lock held, and nobody walking. */
static void interval_toggle(struct mmu_notifier_subscriptions *subs,
			    struct mmu_interval_notifier *mni)
{
	if (in_tree(mni))
		interval_tree_remove(&mni->interval_tree, &subs->itree);
	else
		interval_tree_insert(&mni->interval_tree, &subs->itree);
}

static void intervals_leave(struct mmu_notifier_subscriptions *subs)
{
	struct mmu_interval_notifier *mni;

	spin_lock(&subs->lock);
	subs->nr_active--;
	if (!subs->nr_active) {
		subs->invalidate_seq = (subs->invalidate_seq + 1) & ~1UL;
		while (!hlist_empty(&subs->deferred_list)) {
			mni = hlist_entry(subs->deferred_list.first,
					  struct mmu_interval_notifier,
					  deferred_item);
			hlist_del_init_rcu(&mni->deferred_item);
			interval_toggle(subs, mni);
		}
	}
	spin_unlock(&subs->lock);
}

/* Now, or as soon as the tree is no longer walked. */
static void interval_toggle_later(struct mmu_notifier_subscriptions *subs,
				  struct mmu_interval_notifier *mni)
{
	if (!hlist_unhashed(&mni->deferred_item))
		hlist_del_init_rcu(&mni->deferred_item);
	else if (subs->nr_active)
		hlist_add_head_rcu(&mni->deferred_item, &subs->deferred_list);
	else
		interval_toggle(subs, mni);
}

/* False when one of them would have to sleep and must not. */
static bool intervals_invalidate(const struct mmu_notifier_range *range)
{
	struct mmu_interval_notifier *mni;
	struct interval_tree_node *node;
	unsigned long seq;

	mni = intervals_enter(range, &seq);
	while (mni) {
		if (!mni->ops->invalidate(mni, range, seq) &&
		    !WARN_ON(mmu_notifier_range_blockable(range)))
			return false;
		node = interval_tree_iter_next(&mni->interval_tree,
					       range->start, range->end - 1);
		mni = to_interval(node);
	}
	return true;
}

unsigned long
mmu_interval_read_begin(struct mmu_interval_notifier *interval_sub)
{
	struct mmu_notifier_subscriptions *subs =
		interval_sub->mm->notifier_subscriptions;
	unsigned long seq;
	bool busy;

	spin_lock(&subs->lock);
	seq = interval_sub->invalidate_seq;
	busy = subs->invalidate_seq == seq;
	spin_unlock(&subs->lock);

	/* our own invalidation is still running */
	while (busy) {
		schedule();
		busy = READ_ONCE(subs->invalidate_seq) == seq;
	}
	return seq;
}
EXPORT_SYMBOL_GPL(mmu_interval_read_begin);

void __mmu_notifier_release(struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;
	struct mmu_notifier_range all = {
		.mm = mm,
		.start = 0,
		.end = ULONG_MAX,
		.event = MMU_NOTIFY_RELEASE,
		.flags = MMU_NOTIFIER_RANGE_BLOCKABLE,
	};
	struct mmu_notifier *mn;
	int idx;

	if (subs->has_itree) {
		intervals_invalidate(&all);
		intervals_leave(subs);
	}

	idx = srcu_read_lock(&srcu);
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

static int call_start(struct mmu_notifier *mn,
		      const struct mmu_notifier_range *range)
{
	bool blockable = mmu_notifier_range_blockable(range);
	int err;

	if (!mn->ops->invalidate_range_start)
		return 0;

	if (!blockable)
		non_block_start();
	err = mn->ops->invalidate_range_start(mn, range);
	if (!blockable)
		non_block_end();

	if (err) {
		WARN_ON(blockable || err != -EAGAIN);
		/* it is going to get an end for the start that it refused */
		WARN_ON(mn->ops->invalidate_range_end);
	}
	return err;
}

static void call_end(struct mmu_notifier *mn,
		     const struct mmu_notifier_range *range)
{
	bool blockable = mmu_notifier_range_blockable(range);

	if (!mn->ops->invalidate_range_end)
		return;

	if (!blockable)
		non_block_start();
	mn->ops->invalidate_range_end(mn, range);
	if (!blockable)
		non_block_end();
}

int __mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
	struct mmu_notifier_subscriptions *subs =
		range->mm->notifier_subscriptions;
	struct mmu_notifier *mn;
	int idx, err = 0;

	if (subs->has_itree && !intervals_invalidate(range)) {
		/* a caller whose start failed never calls end */
		intervals_leave(subs);
		return -EAGAIN;
	}

	idx = srcu_read_lock(&srcu);
	for_each_mn(mn, range->mm)
		if (call_start(mn, range))
			err = -EAGAIN;

	/* those that did start are owed their end */
	if (err)
		for_each_mn(mn, range->mm)
			call_end(mn, range);
	srcu_read_unlock(&srcu, idx);
	return err;
}

void __mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range,
					 bool only_end)
{
	struct mm_struct *mm = range->mm;
	struct mmu_notifier *mn;
	int idx;

	if (mm->notifier_subscriptions->has_itree)
		intervals_leave(mm->notifier_subscriptions);

	/* with only_end the caller has flushed under the page table lock */
	if (!only_end)
		__mmu_notifier_invalidate_range(mm, range->start, range->end);

	idx = srcu_read_lock(&srcu);
	for_each_mn(mn, mm)
		call_end(mn, range);
	srcu_read_unlock(&srcu, idx);
}

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

/* The subscriptions of @mm, made at need; with its mmap_lock for writing. */
static struct mmu_notifier_subscriptions *
get_subscriptions(struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;

	if (subs)
		return subs;

	subs = kzalloc(sizeof(*subs), GFP_KERNEL);
	if (!subs)
		return NULL;
	spin_lock_init(&subs->lock);
	subs->invalidate_seq = 2;
	mm->notifier_subscriptions = subs;
	return subs;
}

int __mmu_notifier_register(struct mmu_notifier *subscription,
			    struct mm_struct *mm)
{
	struct mmu_notifier_subscriptions *subs = get_subscriptions(mm);

	if (!subs)
		return -ENOMEM;

	/* the address space's memory lives as long as the subscription */
	atomic_inc(&mm->mm_count);
	subscription->users = 1;
	subscription->mm = mm;
	spin_lock(&subs->lock);
	hlist_add_head_rcu(&subscription->hlist, &subs->list);
	spin_unlock(&subs->lock);
	return 0;
}
EXPORT_SYMBOL_GPL(__mmu_notifier_register);

int mmu_notifier_register(struct mmu_notifier *subscription,
			  struct mm_struct *mm)
{
	int err;

	mmap_write_lock(mm);
	err = __mmu_notifier_register(subscription, mm);
	mmap_write_unlock(mm);
	return err;
}
EXPORT_SYMBOL_GPL(mmu_notifier_register);

static struct mmu_notifier *get_registered(const struct mmu_notifier_ops *ops,
					   struct mm_struct *mm)
{
	struct mmu_notifier *mn, *res = NULL;

	if (!mm_has_notifiers(mm))
		return NULL;

	spin_lock(&mm->notifier_subscriptions->lock);
	for_each_mn(mn, mm)
		if (mn->ops == ops)
			res = mn;
	if (res)
		res->users++;
	spin_unlock(&mm->notifier_subscriptions->lock);
	return res;
}

/* The one subscription with these ops, or NULL where none can be made. */
struct mmu_notifier *mmu_notifier_get_locked(const struct mmu_notifier_ops *ops,
					     struct mm_struct *mm)
{
	struct mmu_notifier *mn = get_registered(ops, mm);

	if (mn)
		return mn;

	mn = ops->alloc_notifier(mm);
	if (!mn)
		return NULL;
	mn->ops = ops;
	if (__mmu_notifier_register(mn, mm)) {
		ops->free_notifier(mn);
		return NULL;
	}
	return mn;
}
EXPORT_SYMBOL_GPL(mmu_notifier_get_locked);

static void take_off_list(struct mmu_notifier *mn, struct mm_struct *mm)
{
	spin_lock(&mm->notifier_subscriptions->lock);
	hlist_del_init_rcu(&mn->hlist);
	spin_unlock(&mm->notifier_subscriptions->lock);
	synchronize_srcu(&srcu);
}

void mmu_notifier_unregister(struct mmu_notifier *subscription,
			     struct mm_struct *mm)
{
	int idx = srcu_read_lock(&srcu);

	/* unless the end of the address space has been told already */
	if (!hlist_unhashed(&subscription->hlist) && subscription->ops->release)
		subscription->ops->release(subscription, mm);
	srcu_read_unlock(&srcu, idx);

	take_off_list(subscription, mm);
	mmdrop(mm);
}
EXPORT_SYMBOL_GPL(mmu_notifier_unregister);

void mmu_notifier_put(struct mmu_notifier *subscription)
{
	struct mm_struct *mm = subscription->mm;
	unsigned int left;

	spin_lock(&mm->notifier_subscriptions->lock);
	left = --subscription->users;
	spin_unlock(&mm->notifier_subscriptions->lock);
	if (left)
		return;

	take_off_list(subscription, mm);
	subscription->ops->free_notifier(subscription);
	mmdrop(mm);
}
EXPORT_SYMBOL_GPL(mmu_notifier_put);

/* With the mmap_lock held for writing. */
int mmu_interval_notifier_insert_locked(
	struct mmu_interval_notifier *interval_sub, struct mm_struct *mm,
	unsigned long start, unsigned long length,
	const struct mmu_interval_notifier_ops *ops)
{
	struct mmu_notifier_subscriptions *subs;

	if (!length)
		return -EINVAL;
	subs = get_subscriptions(mm);
	if (!subs)
		return -ENOMEM;

	interval_sub->ops = ops;
	interval_sub->mm = mm;
	interval_sub->interval_tree.start = start;
	interval_sub->interval_tree.last = start + length - 1;
	interval_sub->interval_tree.rb.pprev = NULL;
	interval_sub->deferred_item.pprev = NULL;

	atomic_inc(&mm->mm_count);
	spin_lock(&subs->lock);
	subs->has_itree = true;
	interval_toggle_later(subs, interval_sub);
	/* odd as after an invalidation, but not that of a running one */
	interval_sub->invalidate_seq = (subs->invalidate_seq | 1) - 2;
	spin_unlock(&subs->lock);
	return 0;
}
EXPORT_SYMBOL_GPL(mmu_interval_notifier_insert_locked);

int mmu_interval_notifier_insert(struct mmu_interval_notifier *interval_sub,
				 struct mm_struct *mm, unsigned long start,
				 unsigned long length,
				 const struct mmu_interval_notifier_ops *ops)
{
	int err;

	mmap_write_lock(mm);
	err = mmu_interval_notifier_insert_locked(interval_sub, mm, start,
						  length, ops);
	mmap_write_unlock(mm);
	return err;
}
EXPORT_SYMBOL_GPL(mmu_interval_notifier_insert);

void mmu_interval_notifier_remove(struct mmu_interval_notifier *interval_sub)
{
	struct mm_struct *mm = interval_sub->mm;
	struct mmu_notifier_subscriptions *subs = mm->notifier_subscriptions;

	spin_lock(&subs->lock);
	interval_toggle_later(subs, interval_sub);
	spin_unlock(&subs->lock);

	/* until then its callback may be running */
	might_sleep();
	while (READ_ONCE(subs->nr_active) || in_tree(interval_sub))
		schedule();
	mmdrop(mm);
}
EXPORT_SYMBOL_GPL(mmu_interval_notifier_remove);

void mmu_notifier_synchronize(void)
{
	synchronize_srcu(&srcu);
}
EXPORT_SYMBOL_GPL(mmu_notifier_synchronize);

void __mmu_notifier_subscriptions_destroy(struct mm_struct *mm)
{
	kfree(mm->notifier_subscriptions);
	mm->notifier_subscriptions = NULL;
}

bool
mmu_notifier_range_update_to_read_only(const struct mmu_notifier_range *range)
{
	struct vm_area_struct *vma = range->vma;

	return range->event == MMU_NOTIFY_PROTECTION_VMA && vma &&
		(vma->vm_flags & VM_READ);
}
EXPORT_SYMBOL_GPL(mmu_notifier_range_update_to_read_only);
