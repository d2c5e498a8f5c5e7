// SPDX-License-Identifier: GPL-2.0-only
// API: v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
static int bad(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (range->event & MMU_NOTIFY_CLEAR) // EXPECT: MN032
		clear(mn);
	if (range->event == MMU_NOTIFIER_RANGE_BLOCKABLE) // EXPECT: MN032
		clear(mn);
	if (range->flags == MMU_NOTIFIER_RANGE_BLOCKABLE) // EXPECT: MN032
		clear(mn);
	if (range->flags & MMU_NOTIFY_UNMAP) // EXPECT: MN032
		clear(mn);
	if (!(range->flags & MMU_NOTIFIER_RANGE_BLOCKABLE)) // EXPECT: MN032
		return -EAGAIN;
	if (!range->blockable) // EXPECT: MN032
		return -EAGAIN;
	if (range->flags & MMU_NOTIFIER_USE_CHANGE_PTE) // EXPECT: MN032 [v05]
		return 0;
	range->end = 0; // EXPECT: MN032
	return 0;
}

static int good(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct mmu_notifier_range own = *range;
	unsigned int flags = range->flags;
	int event = range->event == MMU_NOTIFY_CLEAR;

	own.start = 0;
	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	if (range->event != MMU_NOTIFY_UNMAP && flags && event)
		clear(mn);
	return unmap(mn, range->flags, &own);
}

#define EVENT_HAS(r, e) (((r)->event & (e)) != 0)
#define HAS(set, bits) ((set) & (bits))
#define IS_CLEAR(e) HAS(e, MMU_NOTIFY_CLEAR)
#define MAY_WAIT(r) HAS((r)->flags, MMU_NOTIFIER_RANGE_BLOCKABLE)
#define LEAVE_UNLESS(r, e) do { if (!((r)->event & (e))) return 0; } while (0)
#define SAME(a, b) ((a) == (b))
#define SEEN(r) (1 << (r)->event)
#ifdef DEMO
#define EITHER(r) ((r)->event & 1)
#else
#define EITHER(r) ((r)->event == 1)
#endif

static int by_macro(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	if (EVENT_HAS(range, MMU_NOTIFY_CLEAR)) // EXPECT: MN032
		clear(mn);
	if (HAS(range->event, MMU_NOTIFY_CLEAR)) // EXPECT: MN032
		clear(mn);
	if (IS_CLEAR(range->event)) // EXPECT: MN032
		clear(mn);
	LEAVE_UNLESS(range, MMU_NOTIFY_CLEAR); // EXPECT: MN032
	return MAY_WAIT(range) ? 0 : -EAGAIN; // EXPECT: MN032
}

static bool clears(enum mmu_notifier_event event)
{
	return event & MMU_NOTIFY_CLEAR; // EXPECT: MN032
}

static int by_copy(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int what = range->event;
	unsigned int flags;

	if (what & MMU_NOTIFY_CLEAR || clears(range->event)) // EXPECT: MN032
		clear(mn);
	flags = range->flags;
	if (flags == MMU_NOTIFIER_RANGE_BLOCKABLE) // EXPECT: MN032
		clear(mn);
	return 0;
}

static int macro_twins(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	int what = range->event, bits = mn->bits;

	if (SAME(range->event, MMU_NOTIFY_CLEAR) || what == MMU_NOTIFY_UNMAP)
		clear(mn);
	if (HAS(SEEN(range), mn->wanted) || HAS(bits, 1) || EITHER(range))
		clear(mn);
	return 0;
}
