// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which areas map a part of a file: a list, walked from end to end.
 */

#include <linux/fs.h>
#include <linux/mm.h>

static struct vm_area_struct *overlap_from(struct list_head *pos,
					   struct list_head *root,
					   pgoff_t start, pgoff_t last)
{
	struct vm_area_struct *vma;
	pgoff_t pages;

	for (; pos != root; pos = pos->next) {
		vma = list_entry(pos, struct vm_area_struct, shared);
		pages = (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
		if (vma->vm_pgoff <= last && vma->vm_pgoff + pages > start)
			return vma;
	}
	return NULL;
}

struct vm_area_struct *
vma_interval_tree_iter_first(struct list_head *root, pgoff_t start,
			     pgoff_t last)
{
	return overlap_from(root->next, root, start, last);
}

struct vm_area_struct *
vma_interval_tree_iter_next(struct vm_area_struct *vma, struct list_head *root,
			    pgoff_t start, pgoff_t last)
{
	return overlap_from(vma->shared.next, root, start, last);
}
