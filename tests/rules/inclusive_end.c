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
