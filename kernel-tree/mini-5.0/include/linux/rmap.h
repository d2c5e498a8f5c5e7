/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_RMAP_H
#define _LINUX_RMAP_H

#include <linux/mm.h>

struct anon_vma {
	struct rw_semaphore rwsem;
	atomic_t refcount;
	/* the one area whose pages this object finds */
	struct vm_area_struct *vma;
};

static inline void get_anon_vma(struct anon_vma *anon_vma)
{
	atomic_inc(&anon_vma->refcount);
}

static inline void anon_vma_lock_write(struct anon_vma *anon_vma)
{
	down_write(&anon_vma->rwsem);
}

static inline void anon_vma_unlock_write(struct anon_vma *anon_vma)
{
	up_write(&anon_vma->rwsem);
}

int anon_vma_prepare(struct vm_area_struct *vma);
void page_add_anon_rmap(struct page *page, struct vm_area_struct *vma,
			unsigned long address, bool compound);
void page_add_new_anon_rmap(struct page *page, struct vm_area_struct *vma,
			    unsigned long address, bool compound);
void page_dup_rmap(struct page *page, bool compound);
void page_remove_rmap(struct page *page, bool compound);
bool try_to_unmap(struct page *page);
int page_referenced(struct page *page);
int page_mkclean(struct page *page);

/* In: page, vma, address.  Out: the pte that maps the page, and its lock. */
struct page_vma_mapped_walk {
	struct page *page;
	struct vm_area_struct *vma;
	unsigned long address;
	pmd_t *pmd;
	pte_t *pte;
	spinlock_t *ptl;
};

bool page_vma_mapped_walk(struct page_vma_mapped_walk *pvmw);
void page_vma_mapped_walk_done(struct page_vma_mapped_walk *pvmw);
unsigned long page_address_in_vma(struct page *page,
				  struct vm_area_struct *vma);

#endif /* _LINUX_RMAP_H */
