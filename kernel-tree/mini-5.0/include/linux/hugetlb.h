/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_HUGETLB_H
#define _LINUX_HUGETLB_H

#include <linux/mm.h>

/* A size of large pages. */
struct hstate {
	unsigned int order;
};

static inline unsigned long huge_page_size(struct hstate *h)
{
	return PAGE_SIZE << h->order;
}

static inline unsigned long huge_page_mask(struct hstate *h)
{
	return ~(huge_page_size(h) - 1);
}

static inline unsigned int pages_per_huge_page(struct hstate *h)
{
	return 1 << h->order;
}

/* Entries for large pages have the same bits as those for small ones. */
static inline pte_t huge_ptep_get(pte_t *ptep)
{
	return *ptep;
}

static inline int huge_pte_none(pte_t pte)
{
	return pte_none(pte);
}

static inline int huge_pte_dirty(pte_t pte)
{
	return pte_dirty(pte);
}

static inline pte_t huge_pte_modify(pte_t pte, pgprot_t newprot)
{
	return pte_modify(pte, newprot);
}

static inline void set_huge_pte_at(struct mm_struct *mm, unsigned long addr,
				   pte_t *ptep, pte_t pte)
{
	set_pte_at(mm, addr, ptep, pte);
}

static inline pte_t huge_ptep_get_and_clear(struct mm_struct *mm,
					    unsigned long addr, pte_t *ptep)
{
	return ptep_get_and_clear(mm, addr, ptep);
}

static inline void huge_pte_clear(struct mm_struct *mm, unsigned long addr,
				  pte_t *ptep, unsigned long sz)
{
	pte_clear(mm, addr, ptep);
}

static inline void huge_ptep_set_wrprotect(struct mm_struct *mm,
					   unsigned long addr, pte_t *ptep)
{
	ptep_set_wrprotect(mm, addr, ptep);
}

static inline void huge_ptep_clear_flush(struct vm_area_struct *vma,
					 unsigned long addr, pte_t *ptep)
{
	ptep_clear_flush(vma, addr, ptep);
}

static inline spinlock_t *huge_pte_lockptr(struct hstate *h,
					   struct mm_struct *mm, pte_t *pte)
{
	return &mm->page_table_lock;
}

static inline spinlock_t *huge_pte_lock(struct hstate *h, struct mm_struct *mm,
					pte_t *pte)
{
	spinlock_t *ptl = huge_pte_lockptr(h, mm, pte);

	spin_lock(ptl);
	return ptl;
}

#ifdef CONFIG_HUGETLB_PAGE

int copy_hugetlb_page_range(struct mm_struct *dst, struct mm_struct *src,
			    struct vm_area_struct *vma);
void __unmap_hugepage_range(struct mmu_gather *tlb, struct vm_area_struct *vma,
			    unsigned long start, unsigned long end,
			    struct page *ref_page);
void __unmap_hugepage_range_final(struct mmu_gather *tlb,
				  struct vm_area_struct *vma,
				  unsigned long start, unsigned long end,
				  struct page *ref_page);
void unmap_hugepage_range(struct vm_area_struct *vma, unsigned long start,
			  unsigned long end, struct page *ref_page);
vm_fault_t hugetlb_fault(struct mm_struct *mm, struct vm_area_struct *vma,
			 unsigned long address, unsigned int flags);
unsigned long hugetlb_change_protection(struct vm_area_struct *vma,
					unsigned long address,
					unsigned long end, pgprot_t newprot);
void adjust_range_if_pmd_sharing_possible(struct vm_area_struct *vma,
					  unsigned long *start,
					  unsigned long *end);

#else /* !CONFIG_HUGETLB_PAGE */

#define copy_hugetlb_page_range(dst, src, vma)			0
#define __unmap_hugepage_range_final(tlb, vma, start, end, ref_page)	\
	do { } while (0)
#define hugetlb_fault(mm, vma, address, flags)		VM_FAULT_SIGBUS
#define hugetlb_change_protection(vma, address, end, newprot)	0
#define adjust_range_if_pmd_sharing_possible(vma, start, end)	\
	do { } while (0)

#endif /* CONFIG_HUGETLB_PAGE */

#endif /* _LINUX_HUGETLB_H */
