/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _NOTIFIER_ZOO_H
#define _NOTIFIER_ZOO_H

#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>

/* A device for each way to ask whether a range may block. */
enum zoo_kind {
	ZOO_TERNARY,
	ZOO_LOGICAL,
	ZOO_LOCAL,
	ZOO_HELPER,
	ZOO_COPY,
	ZOO_KINDS,
};

struct zoo_cage {
	struct mmu_notifier mn;
	/* protects what follows */
	struct mutex lock;
	struct rw_semaphore visitors;
	unsigned long start;
	unsigned long end;
	bool busy;
	unsigned int refused;
};

int zoo_open(struct zoo_cage *cage, struct mm_struct *mm, enum zoo_kind kind);

#endif /* _NOTIFIER_ZOO_H */
