// SPDX-License-Identifier: GPL-2.0-only
/*
 * Going through a table of the TDP MMU.
 */

#include <linux/kvm_host.h>

#include "tdp_iter.h"

static void tdp_iter_look(struct tdp_iter *iter)
{
	iter->sptep = iter->table + iter->gfn % PT64_ENT_PER_PAGE;
	iter->old_spte = READ_ONCE(*iter->sptep);
}

void tdp_iter_start(struct tdp_iter *iter, u64 *table, gfn_t gfn)
{
	iter->table = table;
	iter->gfn = gfn;
	iter->valid = true;
	tdp_iter_look(iter);
}

void tdp_iter_next(struct tdp_iter *iter)
{
	iter->gfn++;
	if (iter->gfn % PT64_ENT_PER_PAGE == 0) {
		iter->valid = false;
		return;
	}
	tdp_iter_look(iter);
}
