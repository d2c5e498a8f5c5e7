// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages: handed out from a list, or in order from the map where it is empty.
 */

#include <linux/mm.h>
#include <linux/slab.h>

#define NR_PAGES	4096

struct page mem_map[NR_PAGES];
/* The page of zeros that all untouched memory shows. */
unsigned long zero_pfn = 1;

static DEFINE_SPINLOCK(free_lock);
static struct page *free_pages[NR_PAGES];
static unsigned long nr_free;
static unsigned long next_pfn = 2;

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	unsigned long nr = 1UL << order;
	struct page *page = NULL;
	unsigned long i;

	spin_lock(&free_lock);
	if (!order && nr_free) {
		page = free_pages[--nr_free];
	} else if (next_pfn + nr <= NR_PAGES) {
		page = pfn_to_page(next_pfn);
		next_pfn += nr;
	}
	spin_unlock(&free_lock);
	if (!page)
		return NULL;

	page->flags = 0;
	page->mapping = NULL;
	page->compound_order = order;
	atomic_set(&page->_refcount, 1);
	for (i = 0; i < nr; i++) {
		atomic_set(&page[i]._mapcount, -1);
		if (gfp & __GFP_ZERO)
			clear_page(page_address(page + i));
	}
	return page;
}

void __free_page(struct page *page)
{
	spin_lock(&free_lock);
	free_pages[nr_free++] = page;
	spin_unlock(&free_lock);
}

void *kzalloc(size_t size, gfp_t flags)
{
	struct page *page;

	if (size > PAGE_SIZE)
		return NULL;
	page = alloc_page(flags | __GFP_ZERO);
	return page ? page_address(page) : NULL;
}

void kfree(const void *objp)
{
	if (objp)
		__free_page(virt_to_page(objp));
}
