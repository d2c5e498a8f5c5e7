/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_MMU_TDP_ITER_H
#define __KVM_X86_MMU_TDP_ITER_H

#include <linux/kvm_types.h>

/* A place in a table of the TDP MMU, and what was found there. */
struct tdp_iter {
	u64 *table;
	/* the entry that the iterator is at, what it maps, what it held */
	u64 *sptep;
	gfn_t gfn;
	u64 old_spte;
	bool valid;
};

#define for_each_tdp_pte(_iter, _table, _start, _end)			\
	for (tdp_iter_start(&_iter, _table, _start);			\
	     _iter.valid && _iter.gfn < _end;				\
	     tdp_iter_next(&_iter))

void tdp_iter_start(struct tdp_iter *iter, u64 *table, gfn_t gfn);
void tdp_iter_next(struct tdp_iter *iter);

#endif /* __KVM_X86_MMU_TDP_ITER_H */
