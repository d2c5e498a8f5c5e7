// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of another machine, granted to a process of this one.
 */

#include <linux/export.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>

#include "gntdev.h"

static bool in_range(struct gntdev_grant_map *map, unsigned long start,
		     unsigned long end)
{
	return map->vma && map->vma->vm_start < end && map->vma->vm_end > start;
}

static void unmap_grant_pages(struct gntdev_grant_map *map)
{
	zap_vma_ptes(map->vma, map->vma->vm_start,
		     map->vma->vm_end - map->vma->vm_start);
	map->vma = NULL;
}

static int unmap_if_in_range(struct gntdev_grant_map *map,
			     unsigned long start, unsigned long end,
			     bool blockable)
{
	if (!in_range(map, start, end))
		return 0;

	/* the other machine takes its time to take the page back */
	if (!blockable)
		return -EAGAIN;

	unmap_grant_pages(map);
	return 0;
}

static int mn_invl_range_start(struct mmu_notifier *mn,
			       const struct mmu_notifier_range *range)
{
	struct gntdev_priv *priv = container_of(mn, struct gntdev_priv, mn);
	struct gntdev_grant_map *map;
	int ret = 0;

	if (range->blockable)
		mutex_lock(&priv->lock);
	else if (!mutex_trylock(&priv->lock))
		return -EAGAIN;

	list_for_each_entry(map, &priv->maps, next)
		if (!ret)
			ret = unmap_if_in_range(map, range->start, range->end,
						range->blockable);

	mutex_unlock(&priv->lock);
	return ret;
}

static void mn_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct gntdev_priv *priv = container_of(mn, struct gntdev_priv, mn);
	struct gntdev_grant_map *map;

	mutex_lock(&priv->lock);
	list_for_each_entry(map, &priv->maps, next)
		if (map->vma)
			unmap_grant_pages(map);
	mutex_unlock(&priv->lock);
}

static const struct mmu_notifier_ops gntdev_mmu_ops = {
	.release		= mn_release,
	.invalidate_range_start	= mn_invl_range_start,
};

int gntdev_open(struct gntdev_priv *priv, struct mm_struct *mm)
{
	mutex_init(&priv->lock);
	INIT_LIST_HEAD(&priv->maps);
	priv->mn.ops = &gntdev_mmu_ops;
	return mmu_notifier_register(&priv->mn, mm);
}
EXPORT_SYMBOL_GPL(gntdev_open);
