// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/PID/clear_refs: forget which pages were used, or written.
 */

#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

#include "internal.h"

enum clear_refs_types {
	CLEAR_REFS_ALL = 1,
	CLEAR_REFS_ANON,
	CLEAR_REFS_MAPPED,
	CLEAR_REFS_SOFT_DIRTY,
	CLEAR_REFS_LAST,
};

struct clear_refs_private {
	enum clear_refs_types type;
};

/* The next write faults, and sets the bit again. */
static void clear_soft_dirty(struct vm_area_struct *vma, unsigned long addr,
			     pte_t *pte)
{
	pte_t ptent = *pte;

	if (!pte_present(ptent))
		return;
	ptent = ptep_modify_prot_start(vma->vm_mm, addr, pte);
	ptent = pte_wrprotect(ptent);
	ptent = pte_clear_soft_dirty(ptent);
	ptep_modify_prot_commit(vma->vm_mm, addr, pte, ptent);
}

static void clear_soft_dirty_pmd(struct vm_area_struct *vma, unsigned long addr,
				 pmd_t *pmdp)
{
	pmd_t old, pmd = *pmdp;

	if (!pmd_present(pmd))
		return;
	/* the processor may have set these bits in the meantime */
	old = pmdp_invalidate(vma, addr, pmdp);
	if (pmd_dirty(old))
		pmd = pmd_mkdirty(pmd);
	if (pmd_young(old))
		pmd = pmd_mkyoung(pmd);
	pmd = pmd_wrprotect(pmd);
	pmd = pmd_clear_soft_dirty(pmd);
	set_pmd_at(vma->vm_mm, addr, pmdp, pmd);
}

static void clear_young(struct vm_area_struct *vma, unsigned long addr,
			pte_t *pte)
{
	struct page *page = NULL;

	if (pte_present(*pte))
		page = vm_normal_page(vma, addr, *pte);
	if (page) {
		ptep_test_and_clear_young(vma, addr, pte);
		ClearPageReferenced(page);
	}
}

static void clear_refs_huge_pmd(pmd_t *pmd, unsigned long addr,
				struct mm_walk *walk)
{
	struct clear_refs_private *cp = walk->private;
	struct vm_area_struct *vma = walk->vma;
	spinlock_t *ptl = pmd_lock(vma->vm_mm, pmd);

	if (cp->type == CLEAR_REFS_SOFT_DIRTY) {
		clear_soft_dirty_pmd(vma, addr, pmd);
	} else {
		pmdp_test_and_clear_young(vma, addr, pmd);
		ClearPageReferenced(pmd_page(*pmd));
	}
	spin_unlock(ptl);
}

static int clear_refs_pte_range(pmd_t *pmd, unsigned long addr,
				unsigned long end, struct mm_walk *walk)
{
	struct clear_refs_private *cp = walk->private;
	spinlock_t *ptl;
	pte_t *pte;

	if (pmd_trans_huge(*pmd)) {
		clear_refs_huge_pmd(pmd, addr, walk);
		return 0;
	}

	pte = pte_offset_map_lock(walk->mm, pmd, addr, &ptl);
	for (; addr != end; addr += PAGE_SIZE, pte++) {
		if (cp->type == CLEAR_REFS_SOFT_DIRTY)
			clear_soft_dirty(walk->vma, addr, pte);
		else
			clear_young(walk->vma, addr, pte);
	}
	pte_unmap_unlock(pte - 1, ptl);
	cond_resched();
	return 0;
}

static int clear_refs_test_walk(unsigned long start, unsigned long end,
				struct mm_walk *walk)
{
	struct clear_refs_private *cp = walk->private;
	struct vm_area_struct *vma = walk->vma;

	if (vma->vm_flags & VM_PFNMAP)
		return 1;
	if (cp->type == CLEAR_REFS_ANON && !vma_is_anonymous(vma))
		return 1;
	if (cp->type == CLEAR_REFS_MAPPED && vma_is_anonymous(vma))
		return 1;
	return 0;
}

static ssize_t clear_refs_write(struct file *file, const char __user *buf,
				size_t count, loff_t *ppos)
{
	struct clear_refs_private cp;
	struct mm_walk clear_refs_walk = {
		.pmd_entry = clear_refs_pte_range,
		.test_walk = clear_refs_test_walk,
		.private = &cp,
	};
	struct mm_struct *mm = file->private_data;
	struct mmu_notifier_range range;
	struct vm_area_struct *vma;
	enum clear_refs_types type;
	struct mmu_gather tlb;
	char digit;

	if (!count || copy_from_user(&digit, buf, 1))
		return -EFAULT;
	type = digit - '0';
	if (type < CLEAR_REFS_ALL || type >= CLEAR_REFS_LAST)
		return -EINVAL;

	/* the process is gone */
	if (!mm)
		return count;

	cp.type = type;
	clear_refs_walk.mm = mm;

	down_read(&mm->mmap_sem);
	tlb_gather_mmu(&tlb, mm);
	if (type == CLEAR_REFS_SOFT_DIRTY) {
		for (vma = mm->mmap; vma; vma = vma->vm_next)
			vma->vm_flags &= ~VM_SOFTDIRTY;
		mmu_notifier_range_init(&range, mm, 0, -1UL);
		mmu_notifier_invalidate_range_start(&range);
	}
	walk_page_range(0, mm->highest_vm_end, &clear_refs_walk);
	if (type == CLEAR_REFS_SOFT_DIRTY)
		mmu_notifier_invalidate_range_end(&range);
	tlb_finish_mmu(&tlb);
	up_read(&mm->mmap_sem);

	return count;
}

const struct file_operations proc_clear_refs_operations = {
	.write		= clear_refs_write,
};
