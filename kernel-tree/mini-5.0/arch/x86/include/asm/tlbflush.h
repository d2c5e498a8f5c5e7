/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_TLBFLUSH_H
#define _ASM_X86_TLBFLUSH_H

struct vm_area_struct;

/* The processor's part: every CPU forgets what it knows of the addresses. */
void flush_tlb_range(struct vm_area_struct *vma, unsigned long start,
		     unsigned long end);

#define flush_tlb_page(vma, addr) \
	flush_tlb_range(vma, addr, (addr) + PAGE_SIZE)

/* The caches of this processor are indexed by physical addresses. */
#define flush_cache_page(vma, addr, pfn)	do { } while (0)
#define flush_cache_range(vma, start, end)	do { } while (0)
#define update_mmu_cache(vma, addr, ptep)	do { } while (0)
#define update_mmu_cache_pmd(vma, addr, pmd)	do { } while (0)

#endif /* _ASM_X86_TLBFLUSH_H */
