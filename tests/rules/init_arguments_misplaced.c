// SPDX-License-Identifier: GPL-2.0-only
// API: v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: mm/sites.c

static void with_vma(struct vm_area_struct *vma, struct mm_struct *mm, unsigned long start,
		     unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, mm, start, end);
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, MMU_NOTIFIER_USE_CHANGE_PTE, NULL,
				vma->vm_mm, start, end);
	mmu_notifier_range_init(&range, 0, MMU_NOTIFY_CLEAR, vma, mm, start, end); // EXPECT: MN009
	mmu_notifier_range_init(&range, MMU_NOTIFIER_USE_CHANGE_PTE, 0, vma, mm, start, end); // EXPECT: MN009
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, vma, start, end); // EXPECT: MN009
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma, start, end); // EXPECT: MN009
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma->vm_mm, mm, start, end); // EXPECT: MN009
}

static void without_vma(struct vm_area_struct *vma, struct mm_struct *mm, unsigned long start,
			unsigned long end, int event, void *owner)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, start, end);
	mmu_notifier_range_init(&range, event, 0, vma->vm_mm, start, end);
	mmu_notifier_range_init(&range, 0, MMU_NOTIFY_CLEAR, mm, start, end); // EXPECT: MN009
	mmu_notifier_range_init(&range, 0, 0, mm, start, end); // EXPECT: MN009
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, start, end); // EXPECT: MN009
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, NULL, start, end); // EXPECT: MN009
	mmu_notifier_range_init_migrate(&range, 0, vma, mm, start, end, owner);
	mmu_notifier_range_init_migrate(&range, MMU_NOTIFY_MIGRATE, vma, mm, start, end, owner); // EXPECT: MN009
	mmu_notifier_range_init_owner(&range, MMU_NOTIFY_EXCLUSIVE, 0, mm, start, end, owner);
	mmu_notifier_range_init_owner(&range, 0, MMU_NOTIFY_EXCLUSIVE, mm, start, end, owner); // EXPECT: MN009
}
