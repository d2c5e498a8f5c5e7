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

static void no_owner(struct vm_area_struct *vma, struct mm_struct *mm, unsigned long a, unsigned long b, bool exclusive)
{
	enum mmu_notifier_event event = MMU_NOTIFY_EXCLUSIVE;
	struct mmu_notifier_range range, clear, chosen, seven;

	mmu_notifier_range_init(&range, MMU_NOTIFY_MIGRATE, 0, mm, a, b); // EXPECT: MN033 [5.10 5.15 6.1 6.6 6.12 7.2]
	mmu_notifier_range_init(&range, event, 0, mm, a, b); // EXPECT: MN033 [5.10 5.15 6.1 6.6 6.12 7.2]
	mmu_notifier_range_init(&chosen, exclusive ? MMU_NOTIFY_EXCLUSIVE : MMU_NOTIFY_CLEAR, 0, mm, a, b); // EXPECT: MN033 [5.10 5.15 6.1 6.6 6.12 7.2]
	mmu_notifier_range_init(&seven, MMU_NOTIFY_MIGRATE, 0, vma, mm, a, b); // EXPECT: MN033 [5.10 5.15 6.1 6.6 6.12 7.2]
	mmu_notifier_range_init(&clear, MMU_NOTIFY_CLEAR, 0, mm, a, b);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}

static void with_owner(struct mm_struct *mm, unsigned long a, unsigned long b, void *me, struct mmu_notifier_range *given)
{
	struct mmu_notifier_range range, copy, wiped, asked, zero = { 0 };

	mmu_notifier_range_init_owner(&range, MMU_NOTIFY_MIGRATE, 0, mm, a, b, me);
	mmu_notifier_range_init(&zero, MMU_NOTIFY_MIGRATE, 0, mm, a, b);
	mmu_notifier_range_init(&copy, MMU_NOTIFY_EXCLUSIVE, 0, mm, a, b);
	copy.owner = me;
	copy.migrate_pgmap_owner = me;
	memset(&wiped, 0, sizeof(wiped));
	mmu_notifier_range_init(&wiped, MMU_NOTIFY_MIGRATE, 0, mm, a, b);
	mmu_notifier_range_init(&asked, MMU_NOTIFY_MIGRATE, 0, mm, a, b); // UNDECIDED: MN033 [5.10 5.15 6.1 6.6 6.12 7.2]
	own(&asked, me);
	mmu_notifier_range_init(given, MMU_NOTIFY_MIGRATE, 0, mm, a, b);
}
