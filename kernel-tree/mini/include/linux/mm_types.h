/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_MM_TYPES_H
#define _LINUX_MM_TYPES_H

#include <asm/pgtable_types.h>
#include <linux/list.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

typedef unsigned int vm_fault_t;

struct address_space;
struct anon_vma;
struct mmu_notifier_subscriptions;

struct page {
	unsigned long flags;
	struct address_space *mapping;
	pgoff_t index;
	/* one less than the number of ptes that map the page */
	atomic_t _mapcount;
	atomic_t _refcount;
	struct list_head lru;
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	struct vm_area_struct *vm_next;
	struct mm_struct *vm_mm;
	pgprot_t vm_page_prot;
	unsigned long vm_flags;
	struct anon_vma *anon_vma;
	unsigned long vm_pgoff;
	struct address_space *vm_file;
};

enum {
	MM_FILEPAGES,
	MM_ANONPAGES,
	NR_MM_COUNTERS
};

struct mm_struct {
	struct vm_area_struct *mmap;
	pgd_t *pgd;
	atomic_t mm_users;
	atomic_t mm_count;
	/* protects the entries of all page tables */
	spinlock_t page_table_lock;
	struct rw_semaphore mmap_lock;
	long rss_stat[NR_MM_COUNTERS];
#ifdef CONFIG_MMU_NOTIFIER
	struct mmu_notifier_subscriptions *notifier_subscriptions;
#endif
};

struct vm_fault {
	struct vm_area_struct *vma;
	unsigned int flags;
	unsigned long address;
	pmd_t *pmd;
	pte_t orig_pte;
	struct page *page;
	pte_t *pte;
	spinlock_t *ptl;
};

#endif /* _LINUX_MM_TYPES_H */
