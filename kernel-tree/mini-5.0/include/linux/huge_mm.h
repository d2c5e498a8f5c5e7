/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_HUGE_MM_H
#define _LINUX_HUGE_MM_H

#include <linux/mm.h>

static inline pmd_t mk_huge_pmd(struct page *page, pgprot_t prot)
{
	return pmd_mkhuge(pfn_pmd(page_to_pfn(page), prot));
}

static inline pmd_t maybe_pmd_mkwrite(pmd_t pmd, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_WRITE)
		pmd = pmd_mkwrite(pmd);
	return pmd;
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE

vm_fault_t do_huge_pmd_wp_page(struct vm_fault *vmf, pmd_t orig_pmd);
int copy_huge_pmd(struct mm_struct *dst_mm, struct mm_struct *src_mm,
		  pmd_t *dst_pmd, pmd_t *src_pmd, unsigned long addr,
		  struct vm_area_struct *vma);
int zap_huge_pmd(struct mmu_gather *tlb, struct vm_area_struct *vma,
		 pmd_t *pmd, unsigned long addr);
int change_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr,
		    pgprot_t newprot, int prot_numa);
bool move_huge_pmd(struct vm_area_struct *vma, unsigned long old_addr,
		   unsigned long new_addr, unsigned long old_end,
		   pmd_t *old_pmd, pmd_t *new_pmd);
void __split_huge_pud(struct vm_area_struct *vma, pud_t *pud,
		      unsigned long address);
void __split_huge_pmd(struct vm_area_struct *vma, pmd_t *pmd,
		      unsigned long address, bool freeze, struct page *page);

#define split_huge_pmd(__vma, __pmd, __address) \
	__split_huge_pmd(__vma, __pmd, __address, false, NULL)

#else /* !CONFIG_TRANSPARENT_HUGEPAGE */

#define do_huge_pmd_wp_page(vmf, orig_pmd)	VM_FAULT_FALLBACK
#define copy_huge_pmd(dst_mm, src_mm, dst_pmd, src_pmd, addr, vma)	0
#define zap_huge_pmd(tlb, vma, pmd, addr)	0
#define change_huge_pmd(vma, pmd, addr, newprot, prot_numa)	0
#define move_huge_pmd(vma, old_addr, new_addr, old_end, old_pmd, new_pmd) false
#define __split_huge_pud(vma, pud, address)	do { } while (0)
#define __split_huge_pmd(vma, pmd, address, freeze, page) do { } while (0)
#define split_huge_pmd(vma, pmd, address)	do { } while (0)

#endif /* CONFIG_TRANSPARENT_HUGEPAGE */

void khugepaged_scan_mm(struct mm_struct *mm);

#endif /* _LINUX_HUGE_MM_H */
