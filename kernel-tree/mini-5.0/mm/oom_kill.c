// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes the memory of a process that has been killed for want of memory,
 * without waiting for it to exit.
 */

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/oom.h>

/* False when a part had to stay: somebody would have had to sleep. */
bool __oom_reap_task_mm(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	bool ret = true;

	/* whoever reads the memory from now on must not trust it */
	__sync_fetch_and_or(&mm->flags, 1UL << MMF_UNSTABLE);

	for (vma = mm->mmap; vma; vma = vma->vm_next) {
		struct mmu_notifier_range range;
		struct mmu_gather tlb;

		if (vma->vm_flags & (VM_LOCKED | VM_HUGETLB | VM_PFNMAP))
			continue;
		/* what a file keeps has been reclaimed long since */
		if (!vma_is_anonymous(vma) && (vma->vm_flags & VM_SHARED))
			continue;

		mmu_notifier_range_init(&range, mm, vma->vm_start,
					vma->vm_end);
		tlb_gather_mmu(&tlb, mm);
		if (mmu_notifier_invalidate_range_start_nonblock(&range)) {
			tlb_finish_mmu(&tlb);
			ret = false;
			continue;
		}
		unmap_page_range(&tlb, vma, range.start, range.end, NULL);
		mmu_notifier_invalidate_range_end(&range);
		tlb_finish_mmu(&tlb);
	}

	return ret;
}

bool oom_reap_task_mm(struct task_struct *tsk, struct mm_struct *mm)
{
	bool ret;

	if (!down_read_trylock(&mm->mmap_sem))
		return false;

	ret = __oom_reap_task_mm(mm);
	up_read(&mm->mmap_sem);
	pr_info("process %d: %s reaped\n", tsk->pid, ret ? "all" : "partly");
	return ret;
}
