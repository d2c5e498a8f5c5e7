// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: mm/sections.c

static int early_return(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	if (prepare(mm))
		return -ENOMEM; // EXPECT: MN001
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static int one_way_out(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;
	int err = 0;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	if (prepare(mm)) {
		err = -ENOMEM;
		goto out;
	}
	change(mm);
out:
	mmu_notifier_invalidate_range_end(&range);
	return err;
}

static int conditional(struct mm_struct *mm, unsigned long start, unsigned long end, int flags)
{
	struct mmu_notifier_range range;
	bool is_cow = is_cow_mapping(flags);

	if (is_cow) {
		mmu_notifier_range_init(&range, mm, start, end);
		mmu_notifier_invalidate_range_start(&range);
	}
	change(mm);
	if (is_cow)
		mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static int other_condition(struct mm_struct *mm, unsigned long start, unsigned long end, int flags)
{
	struct mmu_notifier_range range;
	bool is_cow = is_cow_mapping(flags);

	if (is_cow) {
		mmu_notifier_range_init(&range, mm, start, end);
		mmu_notifier_invalidate_range_start(&range);
	}
	if (change(mm) && is_cow)
		mmu_notifier_invalidate_range_end(&range);
	return 0; // EXPECT: MN001
}

static int by_argument(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct scan p = arguments(mm);
	struct mmu_notifier_range range;

	if (p.arg.flags & WRITE_PROTECT) {
		mmu_notifier_range_init(&range, mm, start, end);
		mmu_notifier_invalidate_range_start(&range);
	}
	scan_pages(mm, &p);
	if (p.arg.flags & WRITE_PROTECT)
		mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static int changed_argument(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct scan p = arguments(mm);
	struct mmu_notifier_range range;

	if (p.arg.flags & WRITE_PROTECT) {
		mmu_notifier_range_init(&range, mm, start, end);
		mmu_notifier_invalidate_range_start(&range);
	}
	p.arg.flags = scan_pages(mm, &p);
	if (p.arg.flags & WRITE_PROTECT)
		mmu_notifier_invalidate_range_end(&range);
	return 0; // EXPECT: MN001
}

static int in_a_loop(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;
	bool notified = false;
	unsigned long addr;

	for (addr = start; addr < end; addr += PAGE_SIZE) {
		if (skipped(addr))
			continue;
		if (!notified) {
			notified = true;
			mmu_notifier_range_init(&range, mm, addr, end);
			mmu_notifier_invalidate_range_start(&range);
		}
		change(addr);
	}
	if (notified)
		mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static unsigned long by_start(struct mm_struct *mm, unsigned long addr, unsigned long end)
{
	struct mmu_notifier_range range;

	range.start = 0;
	do {
		if (skipped(addr))
			continue;
		if (!range.start) {
			mmu_notifier_range_init(&range, mm, addr, end);
			mmu_notifier_invalidate_range_start(&range);
		}
		change(addr);
	} while (addr += PAGE_SIZE, addr != end);
	if (range.start)
		mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static unsigned long by_end(struct mm_struct *mm, unsigned long addr, unsigned long end)
{
	struct mmu_notifier_range range;

	range.start = 0;
	do {
		if (skipped(addr))
			continue;
		if (!range.start) {
			mmu_notifier_range_init(&range, mm, addr, end);
			mmu_notifier_invalidate_range_start(&range);
		}
	} while (addr += PAGE_SIZE, addr != end);
	if (range.start && change(addr))
		mmu_notifier_invalidate_range_end(&range);
	return 0; // EXPECT: MN001
}

static int twice_started(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	for (; start < end; start += PAGE_SIZE) {
		mmu_notifier_range_init(&range, mm, start, start + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&range); // EXPECT: MN001
		change(start);
	}
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static void next_round(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	for (; start < end; start += PAGE_SIZE) {
		struct mmu_notifier_range range; // EXPECT: MN001

		mmu_notifier_range_init(&range, mm, start, start + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&range);
		if (!change(start))
			continue;
		mmu_notifier_invalidate_range_end(&range);
	}
} // EXPECT: MN001

/* Opens the section for its caller, who closes it where this returned 0. */
int follow(struct mm_struct *mm, unsigned long addr, struct mmu_notifier_range *range, pte_t **ptepp)
{
	if (range) {
		mmu_notifier_range_init(range, mm, addr, addr + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(range);
	}
	*ptepp = find(mm, addr);
	if (!present(**ptepp))
		goto out;
	return 0;
out:
	if (range)
		mmu_notifier_invalidate_range_end(range);
	return -EINVAL;
}

static void without_range(struct mm_struct *mm, unsigned long addr)
{
	pte_t *ptep;

	if (follow(mm, addr, NULL, &ptep))
		return;
	change(ptep);
}

static void closes(struct mm_struct *mm, unsigned long addr)
{
	struct mmu_notifier_range range;
	pte_t *ptep;

	if (follow(mm, addr, &range, &ptep))
		return;
	change(ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static int forgets(struct mm_struct *mm, unsigned long addr)
{
	struct mmu_notifier_range range;
	pte_t *ptep;

	if (follow(mm, addr, &range, &ptep))
		return -EINVAL;
	if (!dirty(ptep))
		return 0; // EXPECT: MN001
	change(ptep);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

static int forgets_on_error(struct mm_struct *mm, unsigned long addr, struct mmu_notifier_range *range)
{
	mmu_notifier_range_init(range, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(range);
	if (!find(mm, addr))
		return -EINVAL;
	return 0;
}

static int trusts(struct mm_struct *mm, unsigned long addr)
{
	struct mmu_notifier_range range;

	if (forgets_on_error(mm, addr, &range))
		return -EINVAL; // EXPECT: MN001
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}

struct clean_walk { struct mmu_notifier_range range; unsigned long flush_end; };

static int pre_vma(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct clean_walk *cwalk = walk->private;

	mmu_notifier_range_init(&cwalk->range, walk->mm, start, end);
	mmu_notifier_invalidate_range_start(&cwalk->range);
	return 0;
}

static void post_vma(struct mm_walk *walk)
{
	struct clean_walk *cwalk = walk->private;

	if (cwalk->flush_end)
		flush(walk);
	mmu_notifier_invalidate_range_end(&cwalk->range);
}

struct lost_walk { struct mmu_notifier_range area; };

static int lost_pre_vma(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct lost_walk *lwalk = walk->private;

	mmu_notifier_range_init(&lwalk->area, walk->mm, start, end);
	mmu_notifier_invalidate_range_start(&lwalk->area);
	return 0; // EXPECT: MN001
}

struct half_walk { struct mmu_notifier_range half; bool flush; };

static int half_pre_vma(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct half_walk *hwalk = walk->private;

	mmu_notifier_range_init(&hwalk->half, walk->mm, start, end);
	mmu_notifier_invalidate_range_start(&hwalk->half);
	return 0;
}

static void half_post_vma(struct mm_walk *walk)
{
	struct half_walk *hwalk = walk->private;

	if (!hwalk->flush)
		return; // EXPECT: MN001
	mmu_notifier_invalidate_range_end(&hwalk->half);
}

static void never_started(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, end);
	if (covers(&range, start))
		change(mm);
}

static int any_range(struct mm_struct *mm, bool which) // UNDECIDED: MN001
{
	struct mmu_notifier_range *range = choose(mm, which);

	mmu_notifier_invalidate_range_start(range);
	change(mm);
	mmu_notifier_invalidate_range_end(range);
	return 0;
}

/* A helper of another file opens it: the file alone does not tell. */
static int opened_elsewhere(struct mm_struct *mm, unsigned long addr) // UNDECIDED: MN001
{
	struct mmu_notifier_range range;

	if (follow_elsewhere(mm, addr, &range))
		return -EINVAL;
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}
