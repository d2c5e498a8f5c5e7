/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_PGTABLE_H
#define _LINUX_PGTABLE_H

#include <asm/pgtable.h>
#include <linux/mm_types.h>

/*
 * Tables lie in memory that is mapped one to one, so that the address in an
 * entry is the table's own.
 */
#define __table_of(val)		((val) & PTE_PFN_MASK)
#define __table_index(addr, shift) \
	(((addr) >> (shift)) & (PTRS_PER_PTE - 1))

static inline pgd_t *pgd_offset(struct mm_struct *mm, unsigned long addr)
{
	return mm->pgd + __table_index(addr, PGDIR_SHIFT);
}

static inline pud_t *pud_offset(pgd_t *pgd, unsigned long addr)
{
	return (pud_t *)__table_of(pgd_val(*pgd)) +
		__table_index(addr, PUD_SHIFT);
}

static inline pmd_t *pmd_offset(pud_t *pud, unsigned long addr)
{
	return (pmd_t *)__table_of(pud_val(*pud)) +
		__table_index(addr, PMD_SHIFT);
}

static inline pte_t *pte_offset_map(pmd_t *pmd, unsigned long addr)
{
	return (pte_t *)__table_of(pmd_val(*pmd)) +
		__table_index(addr, PAGE_SHIFT);
}

static inline void pte_unmap(pte_t *pte)
{
}

static inline spinlock_t *pte_lockptr(struct mm_struct *mm, pmd_t *pmd)
{
	return &mm->page_table_lock;
}

#define pte_offset_map_lock(mm, pmd, address, ptlp)	\
({							\
	spinlock_t *__ptl = pte_lockptr(mm, pmd);	\
	pte_t *__pte = pte_offset_map(pmd, address);	\
							\
	*(ptlp) = __ptl;				\
	spin_lock(__ptl);				\
	__pte;						\
})

#define pte_unmap_unlock(pte, ptl)	\
do {					\
	spin_unlock(ptl);		\
	pte_unmap(pte);			\
} while (0)

/* The end of the part of @addr to @end that one table of ptes covers. */
#define pmd_addr_end(addr, end)						\
({									\
	unsigned long __boundary = ((addr) + PMD_SIZE) & PMD_MASK;	\
									\
	__boundary - 1 < (end) - 1 ? __boundary : (end);		\
})

pte_t ptep_clear_flush(struct vm_area_struct *vma, unsigned long address,
		       pte_t *ptep);
int ptep_clear_flush_young(struct vm_area_struct *vma, unsigned long address,
			   pte_t *ptep);
int pmdp_clear_flush_young(struct vm_area_struct *vma, unsigned long address,
			   pmd_t *pmdp);
int ptep_set_access_flags(struct vm_area_struct *vma, unsigned long address,
			  pte_t *ptep, pte_t entry, int dirty);
pmd_t pmdp_huge_clear_flush(struct vm_area_struct *vma, unsigned long address,
			    pmd_t *pmdp);
pud_t pudp_huge_clear_flush(struct vm_area_struct *vma, unsigned long address,
			    pud_t *pudp);

#endif /* _LINUX_PGTABLE_H */
