// SPDX-License-Identifier: GPL-2.0-only
// API: v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
static int bad(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct vm_area_struct *vma = range->vma; // EXPECT: MN033 [6.6 6.12 7.2]

	if (vma->vm_flags & VM_WRITE) // EXPECT: MN033
		writable(mn);
	if (range->event == MMU_NOTIFY_CLEAR)
		flags(range->vma->vm_flags); // EXPECT: MN033
	return 0;
}

static int checked(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct vm_area_struct *vma = range->vma; // EXPECT: MN033 [6.6 6.12 7.2]

	if (!vma)
		return 0;
	if (vma->vm_flags & VM_WRITE)
		writable(mn);
	done(mn);
	return vma->vm_start;
}

static bool owner(struct mmu_interval_notifier *mni, const struct mmu_notifier_range *range,
		  unsigned long seq)
{
	if (range->owner == mni->mine) // EXPECT: MN033
		return true;
	if (range->event == MMU_NOTIFY_MIGRATE && range->owner == mni->mine)
		return true;
	switch (range->event) {
	case MMU_NOTIFY_EXCLUSIVE:
	case MMU_NOTIFY_MIGRATE:
		return range->owner == mni->mine;
	case MMU_NOTIFY_CLEAR:
		return range->owner == mni->mine; // EXPECT: MN033
	default:
		return true;
	}
}
