/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_GFP_H
#define _LINUX_GFP_H

#include <linux/types.h>

#define GFP_ATOMIC		0x01u
#define GFP_KERNEL		0x02u
#define GFP_HIGHUSER_MOVABLE	0x04u
#define __GFP_ZERO		0x08u

struct page;
struct vm_area_struct;

struct page *alloc_pages(gfp_t gfp, unsigned int order);
void __free_page(struct page *page);

#define alloc_page(gfp)	alloc_pages(gfp, 0)
#define alloc_page_vma(gfp, vma, addr)	alloc_page(gfp)
#define alloc_zeroed_user_highpage_movable(vma, vaddr) \
	alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_ZERO)

#endif /* _LINUX_GFP_H */
