/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_MMU_NOTIFIER_H
#define _LINUX_MMU_NOTIFIER_H

#include <linux/interval_tree.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mmap_lock.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>

struct mmu_notifier_subscriptions;
struct mmu_notifier;
struct mmu_notifier_range;
struct mmu_interval_notifier;

/**
 * enum mmu_notifier_event - why a range is being invalidated
 * @MMU_NOTIFY_UNMAP: the addresses go away, or move elsewhere
 * @MMU_NOTIFY_CLEAR: entries are removed or get another page, the area stays
 * @MMU_NOTIFY_PROTECTION_VMA: the area's protection is applied to all of it
 * @MMU_NOTIFY_PROTECTION_PAGE: single entries change their protection
 * @MMU_NOTIFY_SOFT_DIRTY: only the tracking of writes starts anew
 * @MMU_NOTIFY_RELEASE: the whole address space is going
 * @MMU_NOTIFY_MIGRATE: pages move to or from the memory of a device, which
 *			range->migrate_pgmap_owner identifies
 */
enum mmu_notifier_event {
	MMU_NOTIFY_UNMAP = 0,
	MMU_NOTIFY_CLEAR,
	MMU_NOTIFY_PROTECTION_VMA,
	MMU_NOTIFY_PROTECTION_PAGE,
	MMU_NOTIFY_SOFT_DIRTY,
	MMU_NOTIFY_RELEASE,
	MMU_NOTIFY_MIGRATE,
};

#define MMU_NOTIFIER_RANGE_BLOCKABLE (1 << 0)

struct mmu_notifier_ops {
	/* The address space ends: drop every mapping, make no new one. */
	void (*release)(struct mmu_notifier *subscription,
			struct mm_struct *mm);

	/* Ageing: test and clear the accessed bits, and flush. */
	int (*clear_flush_young)(struct mmu_notifier *subscription,
				 struct mm_struct *mm,
				 unsigned long start,
				 unsigned long end);

	/* Ageing without the flush. */
	int (*clear_young)(struct mmu_notifier *subscription,
			   struct mm_struct *mm,
			   unsigned long start,
			   unsigned long end);

	/* Ageing, only looking. */
	int (*test_young)(struct mmu_notifier *subscription,
			  struct mm_struct *mm,
			  unsigned long address);

	/* The entry at @address becomes @pte; must not sleep. */
	void (*change_pte)(struct mmu_notifier *subscription,
			   struct mm_struct *mm,
			   unsigned long address,
			   pte_t pte);

	/*
	 * Between these two no mapping of the range may come into being.
	 * Start may sleep only in a blockable range, otherwise it answers
	 * -EAGAIN where it would have to.
	 */
	int (*invalidate_range_start)(struct mmu_notifier *subscription,
				      const struct mmu_notifier_range *range);
	void (*invalidate_range_end)(struct mmu_notifier *subscription,
				     const struct mmu_notifier_range *range);

	/* Flush a device's TLB; must not sleep. */
	void (*invalidate_range)(struct mmu_notifier *subscription,
				 struct mm_struct *mm,
				 unsigned long start,
				 unsigned long end);

	/* For mmu_notifier_get() and mmu_notifier_put(). */
	struct mmu_notifier *(*alloc_notifier)(struct mm_struct *mm);
	void (*free_notifier)(struct mmu_notifier *subscription);
};

struct mmu_notifier {
	struct hlist_node hlist;
	const struct mmu_notifier_ops *ops;
	struct mm_struct *mm;
	struct rcu_head rcu;
	unsigned int users;
};

/**
 * struct mmu_interval_notifier_ops
 * @invalidate: stop using the range; false says that this needs sleep where
 *		sleeping is not allowed
 */
struct mmu_interval_notifier_ops {
	bool (*invalidate)(struct mmu_interval_notifier *interval_sub,
			   const struct mmu_notifier_range *range,
			   unsigned long cur_seq);
};

struct mmu_interval_notifier {
	struct interval_tree_node interval_tree;
	const struct mmu_interval_notifier_ops *ops;
	struct mm_struct *mm;
	/* waits for the tree to be left alone */
	struct hlist_node deferred_item;
	unsigned long invalidate_seq;
};

#ifdef CONFIG_MMU_NOTIFIER

struct mmu_notifier_range {
	struct vm_area_struct *vma;
	struct mm_struct *mm;
	unsigned long start;
	unsigned long end;
	unsigned flags;
	enum mmu_notifier_event event;
	void *migrate_pgmap_owner;
};

static inline int mm_has_notifiers(struct mm_struct *mm)
{
	return unlikely(mm->notifier_subscriptions);
}

struct mmu_notifier *mmu_notifier_get_locked(const struct mmu_notifier_ops *ops,
					     struct mm_struct *mm);
static inline struct mmu_notifier *
mmu_notifier_get(const struct mmu_notifier_ops *ops, struct mm_struct *mm)
{
	struct mmu_notifier *mn;

	mmap_write_lock(mm);
	mn = mmu_notifier_get_locked(ops, mm);
	mmap_write_unlock(mm);
	return mn;
}

void mmu_notifier_put(struct mmu_notifier *subscription);
void mmu_notifier_synchronize(void);

int mmu_notifier_register(struct mmu_notifier *subscription,
			  struct mm_struct *mm);
int __mmu_notifier_register(struct mmu_notifier *subscription,
			    struct mm_struct *mm);
void mmu_notifier_unregister(struct mmu_notifier *subscription,
			     struct mm_struct *mm);

unsigned long
mmu_interval_read_begin(struct mmu_interval_notifier *interval_sub);
int mmu_interval_notifier_insert(struct mmu_interval_notifier *interval_sub,
				 struct mm_struct *mm, unsigned long start,
				 unsigned long length,
				 const struct mmu_interval_notifier_ops *ops);
int mmu_interval_notifier_insert_locked(
	struct mmu_interval_notifier *interval_sub, struct mm_struct *mm,
	unsigned long start, unsigned long length,
	const struct mmu_interval_notifier_ops *ops);
void mmu_interval_notifier_remove(struct mmu_interval_notifier *interval_sub);

/* Called by an invalidate callback, under the lock that readers retry under. */
static inline void
mmu_interval_set_seq(struct mmu_interval_notifier *interval_sub,
		     unsigned long cur_seq)
{
	WRITE_ONCE(interval_sub->invalidate_seq, cur_seq);
}

/* True when an invalidation came between; ask under the same lock. */
static inline bool
mmu_interval_read_retry(struct mmu_interval_notifier *interval_sub,
			unsigned long seq)
{
	return interval_sub->invalidate_seq != seq;
}

/* True, or not yet: a hint, without the lock. */
static inline bool
mmu_interval_check_retry(struct mmu_interval_notifier *interval_sub,
			 unsigned long seq)
{
	return READ_ONCE(interval_sub->invalidate_seq) != seq;
}

int __mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range);
void __mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range,
					 bool only_end);
void __mmu_notifier_invalidate_range(struct mm_struct *mm,
				     unsigned long start, unsigned long end);
void __mmu_notifier_change_pte(struct mm_struct *mm, unsigned long address,
			       pte_t pte);
int __mmu_notifier_clear_flush_young(struct mm_struct *mm,
				     unsigned long start, unsigned long end);
int __mmu_notifier_clear_young(struct mm_struct *mm,
			       unsigned long start, unsigned long end);
int __mmu_notifier_test_young(struct mm_struct *mm, unsigned long address);
void __mmu_notifier_release(struct mm_struct *mm);
void __mmu_notifier_subscriptions_destroy(struct mm_struct *mm);
bool
mmu_notifier_range_update_to_read_only(const struct mmu_notifier_range *range);

static inline bool
mmu_notifier_range_blockable(const struct mmu_notifier_range *range)
{
	return (range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE);
}

static inline void
mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
	might_sleep();

	if (!mm_has_notifiers(range->mm))
		return;
	range->flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;
	__mmu_notifier_invalidate_range_start(range);
}

/* 0, or -EAGAIN: then nothing has begun, and there is nothing to end. */
static inline int
mmu_notifier_invalidate_range_start_nonblock(struct mmu_notifier_range *range)
{
	if (!mm_has_notifiers(range->mm))
		return 0;
	range->flags &= ~MMU_NOTIFIER_RANGE_BLOCKABLE;
	return __mmu_notifier_invalidate_range_start(range);
}

static inline void
mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range)
{
	if (mmu_notifier_range_blockable(range))
		might_sleep();
	if (mm_has_notifiers(range->mm))
		__mmu_notifier_invalidate_range_end(range, false);
}

/* For those who have called mmu_notifier_invalidate_range() in between. */
static inline void
mmu_notifier_invalidate_range_only_end(struct mmu_notifier_range *range)
{
	if (mm_has_notifiers(range->mm))
		__mmu_notifier_invalidate_range_end(range, true);
}

static inline void mmu_notifier_invalidate_range(struct mm_struct *mm,
						 unsigned long start,
						 unsigned long end)
{
	if (mm_has_notifiers(mm))
		__mmu_notifier_invalidate_range(mm, start, end);
}

static inline void mmu_notifier_change_pte(struct mm_struct *mm,
					   unsigned long address, pte_t pte)
{
	if (mm_has_notifiers(mm))
		__mmu_notifier_change_pte(mm, address, pte);
}

static inline int mmu_notifier_clear_flush_young(struct mm_struct *mm,
						 unsigned long start,
						 unsigned long end)
{
	return mm_has_notifiers(mm) ?
		__mmu_notifier_clear_flush_young(mm, start, end) : 0;
}

static inline int mmu_notifier_clear_young(struct mm_struct *mm,
					   unsigned long start,
					   unsigned long end)
{
	return mm_has_notifiers(mm) ?
		__mmu_notifier_clear_young(mm, start, end) : 0;
}

static inline int mmu_notifier_test_young(struct mm_struct *mm,
					  unsigned long address)
{
	return mm_has_notifiers(mm) ?
		__mmu_notifier_test_young(mm, address) : 0;
}

static inline void mmu_notifier_release(struct mm_struct *mm)
{
	if (mm_has_notifiers(mm))
		__mmu_notifier_release(mm);
}

static inline void mmu_notifier_subscriptions_init(struct mm_struct *mm)
{
	mm->notifier_subscriptions = NULL;
}

static inline void mmu_notifier_subscriptions_destroy(struct mm_struct *mm)
{
	if (mm_has_notifiers(mm))
		__mmu_notifier_subscriptions_destroy(mm);
}

static inline void mmu_notifier_range_init(struct mmu_notifier_range *range,
					   enum mmu_notifier_event event,
					   unsigned flags,
					   struct vm_area_struct *vma,
					   struct mm_struct *mm,
					   unsigned long start,
					   unsigned long end)
{
	range->event = event;
	range->flags = flags;
	range->vma = vma;
	range->mm = mm;
	range->start = start;
	range->end = end;
}

static inline void mmu_notifier_range_init_migrate(
			struct mmu_notifier_range *range, unsigned int flags,
			struct vm_area_struct *vma, struct mm_struct *mm,
			unsigned long start, unsigned long end, void *pgmap)
{
	mmu_notifier_range_init(range, MMU_NOTIFY_MIGRATE, flags, vma, mm,
				start, end);
	range->migrate_pgmap_owner = pgmap;
}

/* Each does what its name says, here and then in the secondary MMUs. */
#define ptep_clear_flush_young_notify(__vma, __address, __ptep)		\
({									\
	unsigned long __a = (__address);				\
	struct vm_area_struct *__v = (__vma);				\
									\
	ptep_clear_flush_young(__v, __a, __ptep) |			\
	mmu_notifier_clear_flush_young(__v->vm_mm, __a, __a + PAGE_SIZE); \
})

#define ptep_clear_young_notify(__vma, __address, __ptep)		\
({									\
	unsigned long __a = (__address);				\
	struct vm_area_struct *__v = (__vma);				\
									\
	ptep_test_and_clear_young(__v, __a, __ptep) |			\
	mmu_notifier_clear_young(__v->vm_mm, __a, __a + PAGE_SIZE);	\
})

#define pmdp_clear_flush_young_notify(__vma, __address, __pmdp)		\
({									\
	unsigned long __a = (__address);				\
	struct vm_area_struct *__v = (__vma);				\
									\
	pmdp_clear_flush_young(__v, __a, __pmdp) |			\
	mmu_notifier_clear_flush_young(__v->vm_mm, __a, __a + PMD_SIZE); \
})

#define pmdp_clear_young_notify(__vma, __address, __pmdp)		\
({									\
	unsigned long __a = (__address);				\
	struct vm_area_struct *__v = (__vma);				\
									\
	pmdp_test_and_clear_young(__v, __a, __pmdp) |			\
	mmu_notifier_clear_young(__v->vm_mm, __a, __a + PMD_SIZE);	\
})

#define ptep_clear_flush_notify(__vma, __address, __ptep)		\
({									\
	unsigned long __a = (__address) & PAGE_MASK;			\
	struct vm_area_struct *__v = (__vma);				\
	pte_t __old = ptep_clear_flush(__v, __a, __ptep);		\
									\
	mmu_notifier_invalidate_range(__v->vm_mm, __a, __a + PAGE_SIZE); \
	__old;								\
})

#define pmdp_huge_clear_flush_notify(__vma, __haddr, __pmd)		\
({									\
	unsigned long __a = (__haddr) & HPAGE_PMD_MASK;			\
	struct vm_area_struct *__v = (__vma);				\
	pmd_t __old = pmdp_huge_clear_flush(__v, __a, __pmd);		\
									\
	mmu_notifier_invalidate_range(__v->vm_mm, __a,			\
				      __a + HPAGE_PMD_SIZE);		\
	__old;								\
})

#define pudp_huge_clear_flush_notify(__vma, __haddr, __pud)		\
({									\
	unsigned long __a = (__haddr) & HPAGE_PUD_MASK;			\
	struct vm_area_struct *__v = (__vma);				\
	pud_t __old = pudp_huge_clear_flush(__v, __a, __pud);		\
									\
	mmu_notifier_invalidate_range(__v->vm_mm, __a,			\
				      __a + HPAGE_PUD_SIZE);		\
	__old;								\
})

/*
 * The secondary MMUs get the new entry before this one does.  The old entry
 * must be gone from all CPUs by then: ptep_clear_flush() comes first.
 */
#define set_pte_at_notify(__mm, __address, __ptep, __pte)		\
({									\
	unsigned long __a = (__address);				\
	struct mm_struct *__m = (__mm);					\
	pte_t __new = (__pte);						\
									\
	mmu_notifier_change_pte(__m, __a, __new);			\
	set_pte_at(__m, __a, __ptep, __new);				\
})

#else /* CONFIG_MMU_NOTIFIER */

struct mmu_notifier_range {
	unsigned long start;
	unsigned long end;
};

static inline void _mmu_notifier_range_init(struct mmu_notifier_range *range,
					    unsigned long start,
					    unsigned long end)
{
	range->start = start;
	range->end = end;
}

#define mmu_notifier_range_init(range, event, flags, vma, mm, start, end) \
	_mmu_notifier_range_init(range, start, end)
#define mmu_notifier_range_init_migrate(range, flags, vma, mm, start, end, \
					pgmap) \
	_mmu_notifier_range_init(range, start, end)

static inline bool
mmu_notifier_range_blockable(const struct mmu_notifier_range *range)
{
	return true;
}

static inline void
mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
}

static inline int
mmu_notifier_invalidate_range_start_nonblock(struct mmu_notifier_range *range)
{
	return 0;
}

static inline void
mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range)
{
}

static inline void
mmu_notifier_invalidate_range_only_end(struct mmu_notifier_range *range)
{
}

static inline int mm_has_notifiers(struct mm_struct *mm)
{
	return 0;
}

static inline void mmu_notifier_invalidate_range(struct mm_struct *mm,
						 unsigned long start,
						 unsigned long end)
{
}

static inline void mmu_notifier_change_pte(struct mm_struct *mm,
					   unsigned long address, pte_t pte)
{
}

static inline int mmu_notifier_clear_flush_young(struct mm_struct *mm,
						 unsigned long start,
						 unsigned long end)
{
	return 0;
}

static inline int mmu_notifier_test_young(struct mm_struct *mm,
					  unsigned long address)
{
	return 0;
}

static inline void mmu_notifier_release(struct mm_struct *mm)
{
}

static inline void mmu_notifier_subscriptions_init(struct mm_struct *mm)
{
}

static inline void mmu_notifier_subscriptions_destroy(struct mm_struct *mm)
{
}

static inline void mmu_notifier_synchronize(void)
{
}

#define mmu_notifier_range_update_to_read_only(r) false

#define ptep_clear_flush_young_notify ptep_clear_flush_young
#define ptep_clear_young_notify ptep_test_and_clear_young
#define pmdp_clear_flush_young_notify pmdp_clear_flush_young
#define pmdp_clear_young_notify pmdp_test_and_clear_young
#define ptep_clear_flush_notify ptep_clear_flush
#define pmdp_huge_clear_flush_notify pmdp_huge_clear_flush
#define pudp_huge_clear_flush_notify pudp_huge_clear_flush
#define set_pte_at_notify set_pte_at

#endif /* CONFIG_MMU_NOTIFIER */

#endif /* _LINUX_MMU_NOTIFIER_H */
