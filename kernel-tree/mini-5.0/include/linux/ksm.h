/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_KSM_H
#define _LINUX_KSM_H

#include <linux/mm.h>

/* A page of an area that asked for merging. */
struct rmap_item {
	struct mm_struct *mm;
	unsigned long address;
	struct anon_vma *anon_vma;
};

#ifdef CONFIG_KSM

struct page *ksm_merge_two(struct rmap_item *rmap_item, struct page *page,
			   struct rmap_item *tree_rmap_item,
			   struct page *tree_page);

#else /* !CONFIG_KSM */

static inline struct page *ksm_merge_two(struct rmap_item *rmap_item,
					 struct page *page,
					 struct rmap_item *tree_rmap_item,
					 struct page *tree_page)
{
	return NULL;
}

#endif /* CONFIG_KSM */

#endif /* _LINUX_KSM_H */
