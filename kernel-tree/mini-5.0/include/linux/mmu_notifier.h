/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_MMU_NOTIFIER_H
#define _LINUX_MMU_NOTIFIER_H

#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>

struct mmu_notifier;
struct mmu_notifier_ops;

#ifdef CONFIG_MMU_NOTIFIER

/* All who subscribed to an address space. */
struct mmu_notifier_mm {
	struct hlist_head list;
	/* serialises changes of the list; its readers rely on an SRCU */
	spinlock_t lock;
};

struct mmu_notifier_range {
	struct mm_struct *mm;
	unsigned long start;
	unsigned long end;
	bool blockable;
};

struct mmu_notifier_ops {
	/* The address space ends: drop every mapping, make no new one. */
	void (*release)(struct mmu_notifier *mn,
			struct mm_struct *mm);

	/* Ageing: test and clear the accessed bits, and flush. */
	int (*clear_flush_young)(struct mmu_notifier *mn,
				 struct mm_struct *mm,
				 unsigned long start,
				 unsigned long end);

	/* Ageing without the flush. */
	int (*clear_young)(struct mmu_notifier *mn,
			   struct mm_struct *mm,
			   unsigned long start,
			   unsigned long end);

	/* Ageing, only looking. */
	int (*test_young)(struct mmu_notifier *mn,
			  struct mm_struct *mm,
			  unsigned long address);

	/* The entry at @address becomes @pte; must not sleep. */
	void (*change_pte)(struct mmu_notifier *mn,
			   struct mm_struct *mm,
			   unsigned long address,
			   pte_t pte);

	/*
	 * Between these two no mapping of the range may come into being.
	 * Start may sleep only where the range says so; otherwise it answers
	 * -EAGAIN where it would have to.
	 */
	int (*invalidate_range_start)(struct mmu_notifier *mn,
				      const struct mmu_notifier_range *range);
	void (*invalidate_range_end)(struct mmu_notifier *mn,
				     const struct mmu_notifier_range *range);

	/* Flush a device's TLB; must not sleep. */
	void (*invalidate_range)(struct mmu_notifier *mn, struct mm_struct *mm,
				 unsigned long start, unsigned long end);
};

struct mmu_notifier {
	struct hlist_node hlist;
	const struct mmu_notifier_ops *ops;
};

static inline int mm_has_notifiers(struct mm_struct *mm)
{
	return unlikely(mm->mmu_notifier_mm);
}

int mmu_notifier_register(struct mmu_notifier *mn, struct mm_struct *mm);
int __mmu_notifier_register(struct mmu_notifier *mn, struct mm_struct *mm);
void mmu_notifier_unregister(struct mmu_notifier *mn, struct mm_struct *mm);
void mmu_notifier_unregister_no_release(struct mmu_notifier *mn,
					struct mm_struct *mm);
void mmu_notifier_call_srcu(struct rcu_head *rcu,
			    void (*func)(struct rcu_head *rcu));

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
void __mmu_notifier_mm_destroy(struct mm_struct *mm);

static inline void
mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
	if (mm_has_notifiers(range->mm)) {
		range->blockable = true;
		__mmu_notifier_invalidate_range_start(range);
	}
}

/* 0, or -EAGAIN: then nothing has begun, and there is nothing to end. */
static inline int
mmu_notifier_invalidate_range_start_nonblock(struct mmu_notifier_range *range)
{
	if (!mm_has_notifiers(range->mm))
		return 0;
	range->blockable = false;
	return __mmu_notifier_invalidate_range_start(range);
}

static inline void
mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range)
{
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

static inline void mmu_notifier_mm_init(struct mm_struct *mm)
{
	mm->mmu_notifier_mm = NULL;
}

static inline void mmu_notifier_mm_destroy(struct mm_struct *mm)
{
	if (mm_has_notifiers(mm))
		__mmu_notifier_mm_destroy(mm);
}

static inline void mmu_notifier_range_init(struct mmu_notifier_range *range,
					   struct mm_struct *mm,
					   unsigned long start,
					   unsigned long end)
{
	range->mm = mm;
	range->start = start;
	range->end = end;
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

#define mmu_notifier_range_init(range, mm, start, end) \
	_mmu_notifier_range_init(range, start, end)

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

static inline void mmu_notifier_mm_init(struct mm_struct *mm)
{
}

static inline void mmu_notifier_mm_destroy(struct mm_struct *mm)
{
}

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
