/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _XEN_GNTDEV_H
#define _XEN_GNTDEV_H

#include <linux/mmu_notifier.h>
#include <linux/mutex.h>

struct gntdev_priv {
	struct mmu_notifier mn;
	/* protects maps */
	struct mutex lock;
	struct list_head maps;
};

struct gntdev_grant_map {
	struct list_head next;
	struct vm_area_struct *vma;
};

int gntdev_open(struct gntdev_priv *priv, struct mm_struct *mm);

#endif /* _XEN_GNTDEV_H */
