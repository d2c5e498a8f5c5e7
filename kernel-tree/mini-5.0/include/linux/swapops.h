/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_SWAPOPS_H
#define _LINUX_SWAPOPS_H

#include <linux/mm.h>

/* What stands in a pte that is not present: where the page went. */
typedef struct {
	unsigned long val;
} swp_entry_t;

enum swp_type {
	SWP_DEVICE_READ = 1,
	SWP_DEVICE_WRITE,
	SWP_MIGRATION_READ,
	SWP_MIGRATION_WRITE,
};

/* Bit 0 is _PAGE_PRESENT and stays clear; the type stands above it. */
static inline swp_entry_t swp_entry(unsigned long type, unsigned long offset)
{
	return (swp_entry_t) { (offset << PAGE_SHIFT) | (type << 1) };
}

static inline pte_t swp_entry_to_pte(swp_entry_t entry)
{
	return __pte(entry.val);
}

static inline swp_entry_t make_device_private_entry(struct page *page,
						    bool write)
{
	return swp_entry(write ? SWP_DEVICE_WRITE : SWP_DEVICE_READ,
			 page_to_pfn(page));
}

static inline swp_entry_t make_migration_entry(struct page *page, int write)
{
	return swp_entry(write ? SWP_MIGRATION_WRITE : SWP_MIGRATION_READ,
			 page_to_pfn(page));
}

swp_entry_t add_to_swap(struct page *page);
void try_to_free_swap(struct page *page);

#endif /* _LINUX_SWAPOPS_H */
