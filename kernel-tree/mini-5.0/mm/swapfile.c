// SPDX-License-Identifier: GPL-2.0-only
/*
 * A swap device in name: it hands out places and never writes to them.
 */

#include <linux/swapops.h>

static unsigned long next_slot = 1;

swp_entry_t add_to_swap(struct page *page)
{
	SetPageSwapCache(page);
	page->index = __sync_fetch_and_add(&next_slot, 1);
	/* type 0: an ordinary place on the device */
	return swp_entry(0, page->index);
}

void try_to_free_swap(struct page *page)
{
	if (PageSwapCache(page)) {
		ClearPageSwapCache(page);
		SetPageDirty(page);
	}
}
