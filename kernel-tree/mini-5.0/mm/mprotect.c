// SPDX-License-Identifier: GPL-2.0-only
/*
 * A new protection for a range of addresses.
 */

#include <linux/export.h>
#include <linux/huge_mm.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>

static unsigned long change_pte_range(struct vm_area_struct *vma, pmd_t *pmd,
				      unsigned long addr, unsigned long end,
				      pgprot_t newprot, int dirty_accountable,
				      int prot_numa)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long pages = 0;
	pte_t *pte, ptent;
	spinlock_t *ptl;

	pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
	do {
		if (!pte_present(*pte))
			continue;
		/* no hints about where to move what has no place of its own */
		if (prot_numa && !vm_normal_page(vma, addr, *pte))
			continue;

		ptent = ptep_modify_prot_start(mm, addr, pte);
		ptent = pte_modify(ptent, newprot);
		/* spare the fault that would only mark it dirty again */
		if (dirty_accountable && pte_dirty(ptent) &&
		    pte_soft_dirty(ptent))
			ptent = pte_mkwrite(ptent);
		ptep_modify_prot_commit(mm, addr, pte, ptent);
		pages++;
	} while (pte++, addr += PAGE_SIZE, addr != end);
	pte_unmap_unlock(pte - 1, ptl);

	return pages;
}

static unsigned long change_pmd_range(struct vm_area_struct *vma, pud_t *pud,
				      unsigned long addr, unsigned long end,
				      pgprot_t newprot, int dirty_accountable,
				      int prot_numa)
{
	struct mmu_notifier_range range;
	unsigned long pages = 0;
	unsigned long next;
	int nr_ptes;
	pmd_t *pmd;

	range.start = 0;

	pmd = pmd_offset(pud, addr);
	do {
		next = pmd_addr_end(addr, end);
		if (pmd_none(*pmd))
			goto next;

		/* not before something is found that may be mapped */
		if (!range.start) {
			mmu_notifier_range_init(&range, vma->vm_mm, addr, end);
			mmu_notifier_invalidate_range_start(&range);
		}

		if (pmd_trans_huge(*pmd)) {
			if (next - addr != HPAGE_PMD_SIZE) {
				__split_huge_pmd(vma, pmd, addr, false, NULL);
			} else {
				nr_ptes = change_huge_pmd(vma, pmd, addr,
							  newprot, prot_numa);
				pages += nr_ptes;
				if (nr_ptes)
					goto next;
			}
		}
		pages += change_pte_range(vma, pmd, addr, next, newprot,
					  dirty_accountable, prot_numa);
next:
		cond_resched();
	} while (pmd++, addr = next, addr != end);

	if (range.start)
		mmu_notifier_invalidate_range_end(&range);

	return pages;
}

static unsigned long change_protection_range(struct vm_area_struct *vma,
					     unsigned long addr,
					     unsigned long end,
					     pgprot_t newprot,
					     int dirty_accountable,
					     int prot_numa)
{
	unsigned long start = addr;
	unsigned long pages = 0;
	unsigned long next;
	pgd_t *pgd;
	pud_t *pud;

	flush_cache_range(vma, addr, end);
	do {
		next = min((addr + PUD_SIZE) & PUD_MASK, end);
		pgd = pgd_offset(vma->vm_mm, addr);
		if (pgd_none(*pgd))
			continue;
		pud = pud_offset(pgd, addr);
		if (pud_none(*pud))
			continue;
		pages += change_pmd_range(vma, pud, addr, next, newprot,
					  dirty_accountable, prot_numa);
	} while (addr = next, addr != end);
	if (pages)
		flush_tlb_range(vma, start, end);

	return pages;
}

unsigned long change_protection(struct vm_area_struct *vma, unsigned long start,
				unsigned long end, pgprot_t newprot,
				int dirty_accountable, int prot_numa)
{
	if (is_vm_hugetlb_page(vma))
		return hugetlb_change_protection(vma, start, end, newprot);
	return change_protection_range(vma, start, end, newprot,
				       dirty_accountable, prot_numa);
}
EXPORT_SYMBOL_GPL(change_protection);
