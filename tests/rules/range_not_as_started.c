// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: mm/sections.c

static void raw(struct mm_struct *mm)
{
	struct mmu_notifier_range range;

	mmu_notifier_invalidate_range_start(&range); // EXPECT: MN004
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
}

static void sometimes(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	if (start)
		mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range); // EXPECT: MN004
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
}

static void half(struct mm_struct *mm, unsigned long start)
{
	struct mmu_notifier_range range;

	range.start = start;
	mmu_notifier_invalidate_range_start(&range); // EXPECT: MN004
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
}

static void by_hand(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range = { .mm = mm, .start = start, .end = end };
	struct mmu_notifier_range other;

	mmu_notifier_invalidate_range_start(&range);
	change(mm);
	mmu_notifier_invalidate_range_end(&range);

	other.mm = mm;
	other.start = start;
	other.end = end;
	mmu_notifier_invalidate_range_start(&other);
	change(mm);
	mmu_notifier_invalidate_range_end(&other);
}

static void shortened(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	if (change(mm))
		range.end = start + PAGE_SIZE;
	mmu_notifier_invalidate_range_end(&range); // EXPECT: MN004
}

static void restored(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;
	unsigned long saved;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	saved = range.end;
	range.end = start + PAGE_SIZE;
	change(range.start);
	range.end = saved;
	mmu_notifier_invalidate_range_end(&range);
}

static void grown_too_late(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
	change(vma);
	mmu_notifier_invalidate_range_end(&range); // EXPECT: MN004
}

static void grown(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
	range.end = max(range.end, start + PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	change(vma);
	mmu_notifier_invalidate_range_end(&range);
}

static void initialised_again(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	change(mm);
	mmu_notifier_range_init(&range, mm, end, end + PAGE_SIZE);
	mmu_notifier_invalidate_range_end(&range); // EXPECT: MN004
}

static void starts_the_callers(struct mmu_notifier_range *range)
{
	mmu_notifier_invalidate_range_start(range);
}

static void gives_a_raw_one(struct mm_struct *mm)
{
	struct mmu_notifier_range range;

	starts_the_callers(&range); // EXPECT: MN004
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
}

static void gives_a_good_one(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	starts_the_callers(&range);
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
}

struct raw_walk { struct mmu_notifier_range raw; };

static int raw_pre_vma(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct raw_walk *rwalk = walk->private;

	mmu_notifier_invalidate_range_start(&rwalk->raw);
	return 0; // EXPECT: MN004
}

static void raw_post_vma(struct mm_walk *walk)
{
	struct raw_walk *rwalk = walk->private;

	mmu_notifier_invalidate_range_end(&rwalk->raw);
}

struct good_walk { struct mmu_notifier_range good; };

static int good_pre_vma(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct good_walk *gwalk = walk->private;

	mmu_notifier_range_init(&gwalk->good, walk->mm, start, end);
	mmu_notifier_invalidate_range_start(&gwalk->good);
	return 0;
}

static void good_post_vma(struct mm_walk *walk)
{
	struct good_walk *gwalk = walk->private;

	gwalk->good.end = 0;
	mmu_notifier_invalidate_range_end(&gwalk->good); // EXPECT: MN004
}

static void grows(struct mmu_notifier_range *range)
{
	range->end = PAGE_ALIGN(range->end);
	mmu_notifier_invalidate_range_start(range);
}

static void grown_by_helper(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	grows(&range);
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
}
