// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: mm/sections.c

static void ignored(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start_nonblock(&range); // EXPECT: MN003
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
}

static void cast_away(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	(void)mmu_notifier_invalidate_range_start_nonblock(&range); // EXPECT: MN003
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
}

static int ended_all_the_same(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;
	int err;

	mmu_notifier_range_init(&range, mm, start, end);
	err = mmu_notifier_invalidate_range_start_nonblock(&range);
	if (!err)
		change(mm);
	mmu_notifier_invalidate_range_end(&range); // EXPECT: MN003
	return err;
}

static bool reap(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	bool ret = true;

	for (vma = mm->mmap; vma; vma = vma->vm_next) {
		struct mmu_notifier_range range;

		mmu_notifier_range_init(&range, mm, vma->vm_start, vma->vm_end);
		if (mmu_notifier_invalidate_range_start_nonblock(&range)) {
			ret = false;
			continue;
		}
		change(vma);
		mmu_notifier_invalidate_range_end(&range);
	}
	return ret;
}

static int by_variable(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;
	int err;

	mmu_notifier_range_init(&range, mm, start, end);
	err = mmu_notifier_invalidate_range_start_nonblock(&range);
	if (err < 0)
		return err;
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static int wrong_way_round(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	if (mmu_notifier_invalidate_range_start_nonblock(&range) == 0)
		goto out;
	mmu_notifier_invalidate_range_end(&range); // EXPECT: MN003
	return 0;
out:
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}
