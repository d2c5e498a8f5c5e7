// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: mm/narrow.c

static void huge(struct vm_area_struct *vma, unsigned long address, pmd_t *pmd)
{
	struct mmu_notifier_range range;
	unsigned long haddr = address & HPAGE_PMD_MASK;

	mmu_notifier_range_init(&range, vma->vm_mm, haddr, haddr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	pmdp_huge_clear_flush(vma, haddr, pmd); // EXPECT: MN008
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_range_init(&range, vma->vm_mm, haddr, haddr + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	pmdp_huge_clear_flush(vma, haddr, pmd);
	mmu_notifier_invalidate_range_end(&range);
}

static void beside(struct vm_area_struct *vma, unsigned long address, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, address, address + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, address + PAGE_SIZE, ptep); // EXPECT: MN008
	ptep_clear_flush(vma, address - PAGE_SIZE, ptep); // EXPECT: MN008
	ptep_clear_flush(vma, address, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void masked(struct vm_fault *vmf, struct vm_area_struct *vma)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, vmf->address & PAGE_MASK,
				(vmf->address & PAGE_MASK) + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush_notify(vma, vmf->address, vmf->pte);
	mmu_notifier_invalidate_range_end(&range);
}

static void split_locked(struct vm_area_struct *vma, pmd_t *pmd, unsigned long haddr)
{
	pmdp_huge_clear_flush(vma, haddr, pmd);
}

static void split_narrow(struct vm_area_struct *vma, pmd_t *pmd, unsigned long address)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, address & HPAGE_PMD_MASK,
				(address & HPAGE_PMD_MASK) + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	split_locked(vma, pmd, range.start); // EXPECT: MN008
	mmu_notifier_invalidate_range_end(&range);
}

static void split(struct vm_area_struct *vma, pmd_t *pmd, unsigned long address)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, address & HPAGE_PMD_MASK,
				(address & HPAGE_PMD_MASK) + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	split_locked(vma, pmd, range.start);
	mmu_notifier_invalidate_range_end(&range);
}

static void page_by_page(struct vm_area_struct *vma, pte_t *ptep, unsigned long haddr)
{
	struct mmu_notifier_range range;
	int i;

	mmu_notifier_range_init(&range, vma->vm_mm, haddr, haddr + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	for (i = 0; i < HPAGE_PMD_NR; i++, haddr += PAGE_SIZE)
		ptep_clear_flush(vma, haddr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void shared(struct vm_area_struct *vma, unsigned long start, unsigned long end, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	huge_pmd_unshare(vma->vm_mm, &start, ptep); // EXPECT: MN008
	mmu_notifier_invalidate_range_end(&range);
}

static void adjusted(struct vm_area_struct *vma, unsigned long start, unsigned long end, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
	mmu_notifier_invalidate_range_start(&range);
	huge_pmd_unshare(vma->vm_mm, &start, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void same_test(struct page *page, struct vm_area_struct *vma, unsigned long start,
		      unsigned long end, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	if (PageHuge(page))
		adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
	mmu_notifier_invalidate_range_start(&range);
	if (PageHuge(page) && huge_pmd_unshare(vma->vm_mm, &start, ptep))
		flush(vma);
	mmu_notifier_invalidate_range_end(&range);
}

static void whole_tables(struct vm_area_struct *vma, pte_t *ptep)
{
	unsigned long start = ALIGN(vma->vm_start, PUD_SIZE);
	unsigned long end = ALIGN_DOWN(vma->vm_end, PUD_SIZE);
	struct mmu_notifier_range range;
	unsigned long address = start;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	huge_pmd_unshare(vma->vm_mm, &address, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void table_by_table(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;
	unsigned long address;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	for (address = start; address < end; address += PUD_SIZE) {
		unsigned long tmp = address;

		huge_pmd_unshare(vma->vm_mm, &tmp, find(vma, address));
	}
	mmu_notifier_invalidate_range_end(&range);
}

static void given_tables(struct vm_area_struct *vma, unsigned long start, unsigned long end, pte_t *ptep)
{
	struct mmu_notifier_range range;
	unsigned long address = start;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	huge_pmd_unshare(vma->vm_mm, &address, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void gives_tables(struct vm_area_struct *vma, unsigned long address, pte_t *ptep)
{
	unsigned long floor = address & PUD_MASK;
	unsigned long ceil = floor + PUD_SIZE;

	given_tables(vma, floor, ceil, ptep);
}

static void in_a_loop(struct folio *folio, struct vm_area_struct *vma, unsigned long start,
		      unsigned long end, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	if (folio_test_hugetlb(folio))
		adjust_range_if_pmd_sharing_possible(vma, &range.start, &range.end);
	mmu_notifier_invalidate_range_start(&range);
	while (next_entry(&ptep, &folio)) {
		if (folio_test_hugetlb(folio) && huge_pmd_unshare(vma->vm_mm, &start, ptep))
			flush(vma);
	}
	mmu_notifier_invalidate_range_end(&range);
}

static void unmap_tables(struct vm_area_struct *vma, unsigned long address, pte_t *ptep)
{
	huge_pmd_unshare(vma->vm_mm, &address, ptep);
}

static void in_a_helper(struct vm_area_struct *vma, unsigned long start, unsigned long end, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	unmap_tables(vma, start, ptep); // UNDECIDED: MN008
	mmu_notifier_invalidate_range_end(&range);
}
