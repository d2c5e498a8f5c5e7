/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SCRATCH_ENGINE_H
#define _SCRATCH_ENGINE_H

struct mm_struct;
struct mmu_notifier;

struct mmu_notifier *scratch_open(struct mm_struct *mm);
int scratch_map(struct mmu_notifier *mn, unsigned long addr);
void scratch_close(struct mmu_notifier *mn);

#endif /* _SCRATCH_ENGINE_H */
