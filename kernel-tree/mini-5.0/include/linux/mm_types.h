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
struct file;
struct hmm;
struct mmu_notifier_mm;

/* A table of ptes. */
typedef struct page *pgtable_t;

struct page {
	unsigned long flags;
	struct address_space *mapping;
	pgoff_t index;
	/* one less than the number of ptes that map the page */
	atomic_t _mapcount;
	atomic_t _refcount;
	struct list_head lru;
	/* of the first page of a large one: 1 << order small ones */
	unsigned int compound_order;
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
	struct file *vm_file;
	/* among all areas that map the file */
	struct list_head shared;
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
	struct rw_semaphore mmap_sem;
	unsigned long flags;
	unsigned long highest_vm_end;
	long rss_stat[NR_MM_COUNTERS];
	/* tables of ptes kept for when a huge pmd is split */
	struct list_head pmd_huge_pte;
#ifdef CONFIG_MMU_NOTIFIER
	struct mmu_notifier_mm *mmu_notifier_mm;
#endif
#ifdef CONFIG_HMM
	struct hmm *hmm;
#endif
};

struct vm_fault {
	struct vm_area_struct *vma;
	unsigned int flags;
	unsigned long address;
	pud_t *pud;
	pmd_t *pmd;
	pte_t orig_pte;
	struct page *page;
	pte_t *pte;
	spinlock_t *ptl;
};

#endif /* _LINUX_MM_TYPES_H */
