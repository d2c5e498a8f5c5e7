// SPDX-License-Identifier: GPL-2.0-only
/*
 * Areas come and go.
 */

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/oom.h>
#include <linux/slab.h>

/* With the mmap_sem held for writing; areas are sorted by address. */
void insert_vm_struct(struct mm_struct *mm, struct vm_area_struct *vma)
{
	struct vm_area_struct **pprev = &mm->mmap;

	while (*pprev && (*pprev)->vm_start < vma->vm_start)
		pprev = &(*pprev)->vm_next;
	vma->vm_next = *pprev;
	*pprev = vma;
	mm->highest_vm_end = max(mm->highest_vm_end, vma->vm_end);

	if (vma->vm_file) {
		i_mmap_lock_write(vma->vm_file->f_mapping);
		list_add(&vma->shared, &vma->vm_file->f_mapping->i_mmap);
		i_mmap_unlock_write(vma->vm_file->f_mapping);
	}
}

static struct vm_area_struct *remove_vma(struct vm_area_struct *vma)
{
	struct vm_area_struct *next = vma->vm_next;

	if (vma->vm_file) {
		i_mmap_lock_write(vma->vm_file->f_mapping);
		list_del(&vma->shared);
		i_mmap_unlock_write(vma->vm_file->f_mapping);
	}
	kfree(vma);
	return next;
}

static void unmap_region(struct mm_struct *mm, struct vm_area_struct *vma,
			 unsigned long start, unsigned long end)
{
	struct mmu_gather tlb;

	tlb_gather_mmu(&tlb, mm);
	unmap_vmas(&tlb, vma, start, end);
	free_pgtables(&tlb, vma, start, end);
	tlb_finish_mmu(&tlb);
}

/* With the mmap_sem held for writing; whole areas only. */
int do_munmap(struct mm_struct *mm, unsigned long start, size_t len)
{
	struct vm_area_struct **pprev = &mm->mmap;
	struct vm_area_struct *vma;
	unsigned long end = start + len;

	while (*pprev && (*pprev)->vm_start < start)
		pprev = &(*pprev)->vm_next;
	vma = *pprev;
	if (!vma || vma->vm_start >= end)
		return 0;

	unmap_region(mm, vma, start, end);
	while (vma && vma->vm_start < end)
		vma = remove_vma(vma);
	*pprev = vma;
	return 0;
}

void exit_mmap(struct mm_struct *mm)
{
	struct vm_area_struct *vma = mm->mmap;
	struct mmu_gather tlb;

	mmu_notifier_release(mm);

	/* nobody is left whom the reaper could disturb */
	if (mm->flags & (1UL << MMF_UNSTABLE))
		__oom_reap_task_mm(mm);

	if (!vma)
		return;

	tlb_gather_mmu(&tlb, mm);
	unmap_vmas(&tlb, vma, 0, -1);
	free_pgtables(&tlb, vma, 0, -1);
	tlb_finish_mmu(&tlb);

	while (vma)
		vma = remove_vma(vma);
	mm->mmap = NULL;
}
