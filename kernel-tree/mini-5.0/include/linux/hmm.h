/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LINUX_HMM_H
#define LINUX_HMM_H

#include <linux/list.h>
#include <linux/mm_types.h>

struct hmm_mirror;

/* What a mirror is told; @blockable: may it sleep? */
struct hmm_update {
	unsigned long start;
	unsigned long end;
	bool blockable;
};

struct hmm_mirror_ops {
	void (*release)(struct hmm_mirror *mirror);
	int (*sync_cpu_device_pagetables)(struct hmm_mirror *mirror,
					  const struct hmm_update *update);
};

struct hmm_mirror {
	struct hmm *hmm;
	const struct hmm_mirror_ops *ops;
	struct list_head list;
};

#ifdef CONFIG_HMM

int hmm_mirror_register(struct hmm_mirror *mirror, struct mm_struct *mm);
void hmm_mirror_unregister(struct hmm_mirror *mirror);
void hmm_mm_destroy(struct mm_struct *mm);

static inline void hmm_mm_init(struct mm_struct *mm)
{
	mm->hmm = NULL;
}

#else /* !CONFIG_HMM */

static inline void hmm_mm_init(struct mm_struct *mm)
{
}

static inline void hmm_mm_destroy(struct mm_struct *mm)
{
}

#endif /* CONFIG_HMM */

#endif /* LINUX_HMM_H */
