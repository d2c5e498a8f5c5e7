/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __TINY_USERPTR_H__
#define __TINY_USERPTR_H__

#include <linux/mmu_notifier.h>
#include <linux/mutex.h>

struct tiny_userptr {
	struct mmu_interval_notifier notifier;
	/* protects page */
	struct mutex lock;
	unsigned long addr;
	struct page *page;
	void *owner;
};

int tiny_userptr_init(struct tiny_userptr *bo, struct mm_struct *mm,
		      unsigned long addr, void *owner);
int tiny_userptr_validate(struct tiny_userptr *bo);
void tiny_userptr_fini(struct tiny_userptr *bo);

#endif /* __TINY_USERPTR_H__ */
