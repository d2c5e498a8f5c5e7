// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of a single entry that include the flush.
 */

#include <linux/mm.h>

pte_t ptep_clear_flush(struct vm_area_struct *vma, unsigned long address,
		       pte_t *ptep)
{
	pte_t pte = ptep_get_and_clear(vma->vm_mm, address, ptep);

	if (pte_present(pte))
		flush_tlb_page(vma, address);
	return pte;
}

int ptep_clear_flush_young(struct vm_area_struct *vma, unsigned long address,
			   pte_t *ptep)
{
	int young = ptep_test_and_clear_young(vma, address, ptep);

	if (young)
		flush_tlb_page(vma, address);
	return young;
}

/* Only ever grants more, so that a stale TLB costs no more than a fault. */
int ptep_set_access_flags(struct vm_area_struct *vma, unsigned long address,
			  pte_t *ptep, pte_t entry, int dirty)
{
	int changed = !pte_same(*ptep, entry);

	if (changed && dirty)
		set_pte_at(vma->vm_mm, address, ptep, entry);
	return changed;
}

pmd_t pmdp_huge_clear_flush(struct vm_area_struct *vma, unsigned long address,
			    pmd_t *pmdp)
{
	pmd_t pmd = pmdp_huge_get_and_clear(vma->vm_mm, address, pmdp);

	flush_tlb_range(vma, address, address + HPAGE_PMD_SIZE);
	return pmd;
}

pud_t pudp_huge_clear_flush(struct vm_area_struct *vma, unsigned long address,
			    pud_t *pudp)
{
	pud_t pud = pudp_huge_get_and_clear(vma->vm_mm, address, pudp);

	flush_tlb_range(vma, address, address + HPAGE_PUD_SIZE);
	return pud;
}

/* The page is still there, but the processor no longer uses the entry. */
pmd_t pmdp_invalidate(struct vm_area_struct *vma, unsigned long address,
		      pmd_t *pmdp)
{
	pmd_t old = __pmd(__sync_fetch_and_and(&pmdp->pmd, ~_PAGE_PRESENT));

	flush_tlb_range(vma, address, address + HPAGE_PMD_SIZE);
	return old;
}

/* Takes a table of ptes away, to put a large page in its place. */
pmd_t pmdp_collapse_flush(struct vm_area_struct *vma, unsigned long address,
			  pmd_t *pmdp)
{
	return pmdp_huge_clear_flush(vma, address, pmdp);
}

void pgtable_trans_huge_deposit(struct mm_struct *mm, pmd_t *pmdp,
				pgtable_t pgtable)
{
	list_add(&pgtable->lru, &mm->pmd_huge_pte);
}

pgtable_t pgtable_trans_huge_withdraw(struct mm_struct *mm, pmd_t *pmdp)
{
	pgtable_t pgtable = list_entry(mm->pmd_huge_pte.next, struct page, lru);

	list_del(&pgtable->lru);
	return pgtable;
}

int pmdp_clear_flush_young(struct vm_area_struct *vma, unsigned long address,
			   pmd_t *pmdp)
{
	int young = pmdp_test_and_clear_young(vma, address, pmdp);

	if (young)
		flush_tlb_range(vma, address, address + HPAGE_PMD_SIZE);
	return young;
}
