// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of an address space.
 */

#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/slab.h>

struct task_struct *current_task;

void mmdrop(struct mm_struct *mm)
{
	if (!atomic_dec_and_test(&mm->mm_count))
		return;
	hmm_mm_destroy(mm);
	mmu_notifier_mm_destroy(mm);
	kfree(mm->pgd);
	kfree(mm);
}

void mmput(struct mm_struct *mm)
{
	might_sleep();

	if (atomic_dec_and_test(&mm->mm_users)) {
		exit_mmap(mm);
		mmdrop(mm);
	}
}

static struct mm_struct *mm_alloc(void)
{
	struct mm_struct *mm = kzalloc(sizeof(*mm), GFP_KERNEL);

	if (!mm)
		return NULL;
	mm->pgd = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!mm->pgd) {
		kfree(mm);
		return NULL;
	}
	atomic_set(&mm->mm_users, 1);
	atomic_set(&mm->mm_count, 1);
	spin_lock_init(&mm->page_table_lock);
	init_rwsem(&mm->mmap_sem);
	INIT_LIST_HEAD(&mm->pmd_huge_pte);
	mm->highest_vm_end = 0;
	hmm_mm_init(mm);
	mmu_notifier_mm_init(mm);
	return mm;
}

static int dup_mmap(struct mm_struct *mm, struct mm_struct *oldmm)
{
	struct vm_area_struct *mpnt, *tmp, **pprev = &mm->mmap;
	int retval = 0;

	down_write(&oldmm->mmap_sem);
	for (mpnt = oldmm->mmap; mpnt && !retval; mpnt = mpnt->vm_next) {
		tmp = kzalloc(sizeof(*tmp), GFP_KERNEL);
		if (!tmp) {
			retval = -ENOMEM;
			break;
		}
		*tmp = *mpnt;
		tmp->vm_mm = mm;
		tmp->vm_next = NULL;
		*pprev = tmp;
		pprev = &tmp->vm_next;
		mm->highest_vm_end = tmp->vm_end;
		retval = copy_page_range(mm, oldmm, mpnt);
	}
	up_write(&oldmm->mmap_sem);
	return retval;
}

struct mm_struct *dup_mm(struct mm_struct *oldmm)
{
	struct mm_struct *mm = mm_alloc();

	if (mm && dup_mmap(mm, oldmm)) {
		mmput(mm);
		return NULL;
	}
	return mm;
}
