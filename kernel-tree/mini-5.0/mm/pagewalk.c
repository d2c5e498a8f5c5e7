// SPDX-License-Identifier: GPL-2.0-only
/*
 * A walk over page tables, area by area, with callbacks.
 */

#include <linux/mm.h>

static int walk_vma(unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	unsigned long next;
	int err = 0;
	pmd_t *pmd;

	for (; addr != end && !err; addr = next) {
		next = pmd_addr_end(addr, end);
		pmd = mm_find_pmd(walk->mm, addr);
		if (pmd)
			err = walk->pmd_entry(pmd, addr, next, walk);
		else if (walk->pte_hole)
			err = walk->pte_hole(addr, next, walk);
	}
	return err;
}

int walk_page_range(unsigned long start, unsigned long end,
		    struct mm_walk *walk)
{
	struct vm_area_struct *vma;
	int err = 0;

	for (vma = walk->mm->mmap; vma && !err; vma = vma->vm_next) {
		unsigned long from = max(start, vma->vm_start);
		unsigned long to = min(end, vma->vm_end);

		if (from >= to)
			continue;
		walk->vma = vma;
		if (walk->test_walk) {
			err = walk->test_walk(from, to, walk);
			if (err > 0) {
				err = 0;
				continue;
			}
			if (err < 0)
				break;
		}
		err = walk_vma(from, to, walk);
	}
	return err;
}
