// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.1 6.6 6.12 7.2
struct dev { struct mmu_notifier mn; struct rb_root_cached objects; };

static int tree(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	struct interval_tree_node *it;
	unsigned long end = range->end, last = d->last;

	it = interval_tree_iter_first(&d->objects, range->start, range->end); // EXPECT: MN031
	it = interval_tree_iter_first(&d->objects, range->start, end); // EXPECT: MN031
	last = min(last, range->end); // EXPECT: MN031
	use(it, last);
	return 0;
}

static void overlap(struct dev *d, const struct mmu_notifier_range *range)
{
	struct node *n;

	list_for_each_entry(n, &d->nodes, list) {
		if (n->start <= range->end && n->end > range->start) // EXPECT: MN031
			unmap(n);
		if (range->end >= n->start) // EXPECT: MN031
			unmap(n);
	}
}

static int list(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	overlap(container_of(mn, struct dev, mn), range);
	return 0;
}

static int good(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct dev *d = container_of(mn, struct dev, mn);
	struct interval_tree_node *it;
	unsigned long end = range->end - 1;
	unsigned long last = (range->end - 1) >> PAGE_SHIFT;
	struct node *n;

	it = interval_tree_iter_first(&d->objects, range->start, end);
	it = interval_tree_iter_next(it, range->start, range->end - 1);
	list_for_each_entry(n, &d->nodes, list) {
		if (n->start >= range->end || n->end <= range->start)
			continue;
		if (n->end <= range->end)
			unmap(n);
		if (n->start < range->end)
			split(n, it, last);
	}
	if (range->end <= d->start)
		return 0;
	return 0;
}

static const struct mmu_notifier_ops ops[] = {
	{ .invalidate_range_start = tree },
	{ .invalidate_range_start = list },
	{ .invalidate_range_start = good },
};

static void size_by_one(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct dev *d = container_of(mn, struct dev, mn);
	size_t size = end - start + 1; // EXPECT: MN031

	flush(d, start, size);
	flush(d, start, 1UL + (end - start)); // EXPECT: MN031
	flush(d, start, end + 1 - start); // EXPECT: MN031
}

static void walks(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct dev *d = container_of(mn, struct dev, mn);
	unsigned long addr, behind = end;
	struct node *n;

	for (addr = start; addr <= end; addr += PAGE_SIZE) // EXPECT: MN031
		flush(d, addr, PAGE_SIZE);
	for (; start <= behind; start += PAGE_SIZE) // EXPECT: MN031
		flush(d, start, PAGE_SIZE);
	for (n = first(d); n && n->start <= behind; n = next(n)) // EXPECT: MN031
		flush(d, n->start, PAGE_SIZE);
}

static void flush_nodes(struct dev *d, unsigned long from, unsigned long to)
{
	use(interval_tree_iter_first(&d->objects, from, to)); // EXPECT: MN031
}

static void flush_inside(struct dev *d, unsigned long from, unsigned long last)
{
	use(interval_tree_iter_first(&d->objects, from, last));
	flush(d, from, last - from + 1);
}

static void flush_reduced(struct dev *d, unsigned long from, unsigned long to)
{
	to--;
	use(interval_tree_iter_first(&d->objects, from, to));
}

static void looks_up(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct dev *d = container_of(mn, struct dev, mn);

	flush_nodes(d, start, end);
	flush_inside(d, start, end - 1);
	flush_reduced(d, start, end);
}

static int young(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long a, unsigned long b)
{
	struct dev *d = container_of(mn, struct dev, mn);
	unsigned long last = b >> PAGE_SHIFT; // EXPECT: MN031

	return d->first <= last && is_young(d, b - a + 1); // EXPECT: MN031
}

static void good_bounds(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct dev *d = container_of(mn, struct dev, mn);
	size_t pages = ((end - 1) >> PAGE_SHIFT) - (start >> PAGE_SHIFT) + 1;
	unsigned long addr;

	if (WARN_ON(!(start <= end)) || end <= start)
		return;
	flush(d, start, end - start);
	flush(d, start, ((end - start - 1) >> PAGE_SHIFT) + 1);
	flush(d, start, (end - start + PAGE_SIZE - 1) >> PAGE_SHIFT);
	flush(d, start, pages);
	for (addr = start; addr < end; addr += PAGE_SIZE)
		flush(d, addr, PAGE_SIZE);
	use(interval_tree_iter_first(&d->objects, start, end - 1));
}

static const struct mmu_notifier_ops bounds[] = {
	{ .arch_invalidate_secondary_tlbs = size_by_one },
	{ .arch_invalidate_secondary_tlbs = walks },
	{ .invalidate_range = looks_up },
	{ .clear_flush_young = young },
	{ .invalidate_range = good_bounds },
};
