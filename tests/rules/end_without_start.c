// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: mm/sections.c

static void unconditional(struct mm_struct *mm, unsigned long start, unsigned long end, bool cow)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	if (cow)
		mmu_notifier_invalidate_range_start(&range);
	change(mm);
	mmu_notifier_invalidate_range_end(&range); // EXPECT: MN002
}

static void same_condition(struct mm_struct *mm, unsigned long start, unsigned long end, bool cow)
{
	struct mmu_notifier_range range;

	if (cow) {
		mmu_notifier_range_init(&range, mm, start, end);
		mmu_notifier_invalidate_range_start(&range);
	}
	change(mm);
	if (cow)
		mmu_notifier_invalidate_range_end(&range);
}

static int doubled(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;
	int err;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	err = change(mm);
	if (err)
		mmu_notifier_invalidate_range_end(&range);
	mmu_notifier_invalidate_range_end(&range); // EXPECT: MN002
	return err;
}

static int skips_the_start(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	if (!prepare(mm))
		goto out;
	mmu_notifier_invalidate_range_start(&range);
	change(mm);
out:
	mmu_notifier_invalidate_range_end(&range); // EXPECT: MN002
	return 0;
}

static int behind_the_end(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	if (!prepare(mm))
		goto out;
	mmu_notifier_invalidate_range_start(&range);
	change(mm);
	mmu_notifier_invalidate_range_only_end(&range);
out:
	return 0;
}

static void close_it(struct mmu_notifier_range *range)
{
	flush(range->mm);
	mmu_notifier_invalidate_range_end(range);
}

static void closed_by_helper(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	change(mm);
	close_it(&range);
}

static void closed_again(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	close_it(&range);
	mmu_notifier_invalidate_range_end(&range); // EXPECT: MN002
}

static void closed_by_two(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	close_it(&range); // EXPECT: MN002
}

static void rounds(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	for (; start < end; start += PAGE_SIZE) {
		mmu_notifier_range_init(&range, mm, start, start + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&range);
		change(mm);
		mmu_notifier_invalidate_range_end(&range);
	}
}

struct orphan_walk { struct mmu_notifier_range orphan; };

static void orphan_post_vma(struct mm_walk *walk)
{
	struct orphan_walk *owalk = walk->private;

	mmu_notifier_invalidate_range_end(&owalk->orphan);
} // EXPECT: MN002

struct skip_walk { struct mmu_notifier_range skip; };

static int skip_pre_vma(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct skip_walk *swalk = walk->private;

	if (start == end)
		return 0; // EXPECT: MN002
	if (!walk->vma)
		return 1;
	mmu_notifier_range_init(&swalk->skip, walk->mm, start, end);
	mmu_notifier_invalidate_range_start(&swalk->skip);
	return 0;
}

static void skip_post_vma(struct mm_walk *walk)
{
	struct skip_walk *swalk = walk->private;

	mmu_notifier_invalidate_range_end(&swalk->skip);
}
