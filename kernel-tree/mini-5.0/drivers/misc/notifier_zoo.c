// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that differ only in how they ask whether a range may block: as a
 * condition and as an operand, through a variable, a helper and a copy, with
 * other names for the parameter, const and not.
 */

#include <linux/export.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>

#include "notifier_zoo.h"

static struct zoo_cage *mn_to_cage(struct mmu_notifier *mn)
{
	return container_of(mn, struct zoo_cage, mn);
}

static int zoo_lock(struct zoo_cage *cage, bool blockable)
{
	if (!blockable)
		return mutex_trylock(&cage->lock) ? 0 : -EAGAIN;
	mutex_lock(&cage->lock);
	return 0;
}

static void zoo_clear(struct zoo_cage *cage)
{
	cage->start = 0;
	cage->end = 0;
	mutex_unlock(&cage->lock);
}

static void zoo_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct zoo_cage *cage = mn_to_cage(mn);

	zoo_lock(cage, true);
	zoo_clear(cage);
}

/* The operand of a conditional expression, once in brackets. */
static int zoo_ternary_start(struct mmu_notifier *mn,
			     const struct mmu_notifier_range *nr)
{
	struct zoo_cage *cage = mn_to_cage(mn);
	int locked;

	if (nr->blockable)
		down_read(&cage->visitors);
	else if (!down_read_trylock(&cage->visitors))
		return -EAGAIN;

	locked = nr->blockable ? zoo_lock(cage, true) : zoo_lock(cage, false);
	cage->refused += (nr->blockable) ? 0 : 1;
	if (!locked)
		zoo_clear(cage);
	up_read(&cage->visitors);
	return locked;
}

/* Beside other operands, negated and not, and over two lines. */
static int zoo_logical_start(struct mmu_notifier *mn,
			     const struct mmu_notifier_range *_range)
{
	struct zoo_cage *cage = mn_to_cage(mn);

	if (!_range->blockable && cage->busy)
		return -EAGAIN;

	while (cage->busy && _range->blockable)
		schedule();

	if (_range->end <= cage->start || cage->end <= _range->start ||
	    (cage->start == cage->end && !_range->blockable))
		return 0;

	if (zoo_lock(cage, _range->blockable) == -EAGAIN)
		return -EAGAIN;
	zoo_clear(cage);
	return 0;
}

/* Through variables, at their declaration and later. */
static int zoo_local_start(struct mmu_notifier *mn,
			   const struct mmu_notifier_range *range)
{
	struct zoo_cage *cage = mn_to_cage(mn);
	bool blockable = range->blockable;
	bool hurry;

	hurry = !range->blockable;
	if (hurry && cage->busy)
		return -EAGAIN;
	if (zoo_lock(cage, blockable))
		return -EAGAIN;
	zoo_clear(cage);
	return 0;
}

static bool zoo_may_wait(const struct mmu_notifier_range *r)
{
	return r->blockable;
}

/* Not const, although nothing is written through it. */
static int zoo_wait(struct zoo_cage *cage, struct mmu_notifier_range *r)
{
	if (r->blockable == false)
		return cage->busy ? -EAGAIN : 0;

	while (cage->busy)
		schedule();
	return 0;
}

/* In helpers that get the whole range, or only the answer. */
static int zoo_helper_start(struct mmu_notifier *mn,
			    const struct mmu_notifier_range *range)
{
	struct zoo_cage *cage = mn_to_cage(mn);
	int err;

	err = zoo_lock(cage, zoo_may_wait(range));
	if (err)
		return err;
	zoo_clear(cage);
	return 0;
}

/* In a copy of the range, which is cut to what the device has. */
static int zoo_copy_start(struct mmu_notifier *mn,
			  const struct mmu_notifier_range *range)
{
	struct zoo_cage *cage = mn_to_cage(mn);
	struct mmu_notifier_range cut = *range;

	cut.start = cut.start > cage->start ? cut.start : cage->start;
	cut.end = cut.end < cage->end ? cut.end : cage->end;
	if (cut.start >= cut.end)
		return 0;

	if (zoo_wait(cage, &cut))
		return -EAGAIN;
	if (zoo_lock(cage, cut.blockable))
		return -EAGAIN;
	zoo_clear(cage);
	return 0;
}

static const struct mmu_notifier_ops zoo_ops[ZOO_KINDS] = {
	[ZOO_TERNARY] = {
		.release		= zoo_release,
		.invalidate_range_start	= zoo_ternary_start,
	},
	[ZOO_LOGICAL] = {
		.release		= zoo_release,
		.invalidate_range_start	= zoo_logical_start,
	},
	[ZOO_LOCAL] = {
		.release		= zoo_release,
		.invalidate_range_start	= zoo_local_start,
	},
	[ZOO_HELPER] = {
		.release		= zoo_release,
		.invalidate_range_start	= zoo_helper_start,
	},
	[ZOO_COPY] = {
		.release		= zoo_release,
		.invalidate_range_start	= zoo_copy_start,
	},
};

int zoo_open(struct zoo_cage *cage, struct mm_struct *mm, enum zoo_kind kind)
{
	mutex_init(&cage->lock);
	init_rwsem(&cage->visitors);
	cage->mn.ops = &zoo_ops[kind];
	return mmu_notifier_register(&cage->mn, mm);
}
EXPORT_SYMBOL_GPL(zoo_open);
