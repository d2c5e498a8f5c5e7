// SPDX-License-Identifier: GPL-2.0-only
/*
 * A copy engine that works on the addresses of a process and has a TLB of
 * its own: a user of struct mmu_notifier_ops.
 */

#include <linux/export.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "scratch_engine.h"

struct scratch_ctx {
	struct mmu_notifier mn;
	/* taken by whoever starts a job */
	struct mutex job_lock;
	/* protects the fields below */
	spinlock_t lock;
	unsigned long ptes[64];
	unsigned long base;
	bool dead;
};

static struct scratch_ctx *mn_to_ctx(struct mmu_notifier *mn)
{
	return container_of(mn, struct scratch_ctx, mn);
}

static void scratch_drop(struct scratch_ctx *ctx, unsigned long start,
			 unsigned long end)
{
	unsigned long addr = ctx->base;
	unsigned int i;

	spin_lock(&ctx->lock);
	for (i = 0; i < 64; i++, addr += PAGE_SIZE)
		if (addr < end && addr + PAGE_SIZE > start)
			ctx->ptes[i] = 0;
	spin_unlock(&ctx->lock);
}

static int scratch_invalidate_range_start(struct mmu_notifier *mn,
					  const struct mmu_notifier_range *range)
{
	struct scratch_ctx *ctx = mn_to_ctx(mn);

	/* A running job has to end before its pages may go. */
	if (mmu_notifier_range_blockable(range))
		mutex_lock(&ctx->job_lock);
	else if (!mutex_trylock(&ctx->job_lock))
		return -EAGAIN;

	scratch_drop(ctx, range->start, range->end);
	mutex_unlock(&ctx->job_lock);
	return 0;
}

static void scratch_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct scratch_ctx *ctx = mn_to_ctx(mn);

	mutex_lock(&ctx->job_lock);
	ctx->dead = true;
	scratch_drop(ctx, 0, ULONG_MAX);
	mutex_unlock(&ctx->job_lock);
}

static struct mmu_notifier *scratch_alloc_notifier(struct mm_struct *mm)
{
	struct scratch_ctx *ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);

	if (!ctx)
		return NULL;
	mutex_init(&ctx->job_lock);
	spin_lock_init(&ctx->lock);
	return &ctx->mn;
}

static void scratch_free_notifier(struct mmu_notifier *mn)
{
	kfree(mn_to_ctx(mn));
}

static const struct mmu_notifier_ops scratch_mn_ops = {
	.release		= scratch_release,
	.invalidate_range_start	= scratch_invalidate_range_start,
	.alloc_notifier		= scratch_alloc_notifier,
	.free_notifier		= scratch_free_notifier,
};

struct mmu_notifier *scratch_open(struct mm_struct *mm)
{
	return mmu_notifier_get(&scratch_mn_ops, mm);
}
EXPORT_SYMBOL_GPL(scratch_open);

/* A window of 64 pages; the pages stay as long as the notifier is silent. */
int scratch_map(struct mmu_notifier *mn, unsigned long addr)
{
	struct scratch_ctx *ctx = mn_to_ctx(mn);
	int ret = 0;

	mutex_lock(&ctx->job_lock);
	if (ctx->dead)
		ret = -EFAULT;
	else
		ctx->base = addr & PAGE_MASK;
	mutex_unlock(&ctx->job_lock);
	return ret;
}
EXPORT_SYMBOL_GPL(scratch_map);

void scratch_close(struct mmu_notifier *mn)
{
	mmu_notifier_put(mn);
	mmu_notifier_synchronize();
}
EXPORT_SYMBOL_GPL(scratch_close);
