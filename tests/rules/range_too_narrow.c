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

static void loop_on(struct vm_area_struct *vma, unsigned long addr, unsigned long end, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	do {
		ptep_get_and_clear(vma->vm_mm, addr, ptep); // EXPECT: MN008
	} while (ptep++, addr += PAGE_SIZE, addr != end);
	mmu_notifier_invalidate_range_end(&range);
}

static void loop_up_to_it(struct vm_area_struct *vma, unsigned long addr, unsigned long end, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, addr, end);
	mmu_notifier_invalidate_range_start(&range);
	for (; addr < end; addr += PAGE_SIZE, ptep++)
		ptep_get_and_clear(vma->vm_mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void one_more(struct vm_area_struct *vma, unsigned long start, unsigned long end, pte_t *ptep)
{
	unsigned long addr = start;
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end - PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	for (; addr < end; addr += PAGE_SIZE, ptep++)
		ptep_get_and_clear(vma->vm_mm, addr, ptep); // EXPECT: MN008
	mmu_notifier_invalidate_range_end(&range);
}

static void page_a_round(struct vm_area_struct *vma, unsigned long addr, unsigned long end, pte_t *ptep)
{
	struct mmu_notifier_range range;

	for (; addr < end; addr += PAGE_SIZE, ptep++) {
		mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(&range);
		ptep_get_and_clear(vma->vm_mm, addr, ptep);
		mmu_notifier_invalidate_range_end(&range);
	}
}

static void from_the_first_on(struct vm_area_struct *vma, unsigned long addr, unsigned long end, pte_t *ptep)
{
	struct mmu_notifier_range range;

	range.start = 0;
	do {
		if (!range.start) {
			mmu_notifier_range_init(&range, vma->vm_mm, addr, addr + PAGE_SIZE);
			mmu_notifier_invalidate_range_start(&range);
		}
		ptep_modify_prot_start(vma, addr, ptep); // EXPECT: MN008
	} while (ptep++, addr += PAGE_SIZE, addr != end);
	if (range.start)
		mmu_notifier_invalidate_range_end(&range);
}

static void counted(struct vm_area_struct *vma, unsigned long start, unsigned long n, pte_t *ptep)
{
	struct mmu_notifier_range range;
	unsigned long addr, i;

	mmu_notifier_range_init(&range, vma->vm_mm, start, start + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	for (i = 0, addr = start; i < n; addr += PAGE_SIZE, i++)
		ptep_set_wrprotect(vma->vm_mm, addr, ptep + i); // EXPECT: MN008
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_range_init(&range, vma->vm_mm, start, start + n * PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	for (i = 0; i < n; i++)
		ptep_set_wrprotect(vma->vm_mm, start + i * PAGE_SIZE, ptep + i);
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_range_init(&range, vma->vm_mm, start, start + HPAGE_PMD_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	for (i = 0; i < HPAGE_PMD_NR; i++)
		ptep_set_wrprotect(vma->vm_mm, start + i * PAGE_SIZE, ptep + i);
	mmu_notifier_invalidate_range_end(&range);
}

static void zap_ptes(struct vm_area_struct *vma, unsigned long addr, unsigned long end)
{
	pte_t *ptep = find(vma, addr);

	do {
		ptep_get_and_clear_full(vma->vm_mm, addr, ptep, 0);
	} while (ptep++, addr += PAGE_SIZE, addr != end);
}

static void zap_tables(struct vm_area_struct *vma, unsigned long addr, unsigned long end)
{
	unsigned long next;

	do {
		next = pmd_addr_end(addr, end);
		zap_ptes(vma, addr, next);
	} while (addr = next, addr != end);
}

static void zap_one_vma(struct vm_area_struct *vma, unsigned long start_addr, unsigned long end_addr)
{
	unsigned long start = max(vma->vm_start, start_addr);
	unsigned long end;

	if (start >= vma->vm_end)
		return;
	end = min(vma->vm_end, end_addr);
	if (end > vma->vm_start)
		zap_tables(vma, start, end);
}

static void zap_vmas(struct vm_area_struct *vma, unsigned long start_addr, unsigned long end_addr)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start_addr, start_addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	for (; vma; vma = next_vma(vma))
		zap_one_vma(vma, start_addr, end_addr); // EXPECT: MN008
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_range_init(&range, vma->vm_mm, start_addr, start_addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	for (; vma; vma = next_vma(vma))
		zap_one_vma(vma, start_addr, range.end);
	mmu_notifier_invalidate_range_end(&range);
}

static void zap_known(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	if (end - start > PAGE_SIZE)
		return;
	mmu_notifier_range_init(&range, vma->vm_mm, start, start + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	zap_tables(vma, start, end);
	mmu_notifier_invalidate_range_end(&range);
}

static void zap_given(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start, start + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	zap_tables(vma, start, end);
	mmu_notifier_invalidate_range_end(&range);
}

static void gives_a_page(struct vm_area_struct *vma, unsigned long start)
{
	zap_given(vma, start, start + PAGE_SIZE);
}

static void huge_page(struct vm_area_struct *vma, unsigned long haddr, pte_t *ptep, struct hstate *h)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, haddr, haddr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	huge_ptep_clear_flush(vma, haddr, ptep); // EXPECT: MN008
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_range_init(&range, vma->vm_mm, haddr, haddr + huge_page_size(h));
	mmu_notifier_invalidate_range_start(&range);
	huge_ptep_clear_flush(vma, haddr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void rounds(struct page *page, struct vm_area_struct *vma, unsigned long address)
{
	struct page_vma_mapped_walk pvmw = { .page = page, .vma = vma, .address = address, };
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, address, address + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	while (page_vma_mapped_walk(&pvmw)) {
		address = pvmw.address;
		ptep_clear_flush(vma, address, pvmw.pte); // EXPECT: MN008
	}
	mmu_notifier_invalidate_range_end(&range);
}

static void no_rounds(struct page *page, struct vm_area_struct *vma, unsigned long address)
{
	struct page_vma_mapped_walk pvmw = { .page = page, .vma = vma, .address = address, };
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, address, address + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	if (page_vma_mapped_walk(&pvmw))
		ptep_clear_flush(vma, pvmw.address, pvmw.pte);
	mmu_notifier_invalidate_range_end(&range);
}

static int clear_entry(pte_t *ptep, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	ptep_get_and_clear(walk->mm, addr, ptep);
	return 0;
}

static int look_at_entry(pte_t *ptep, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	return pte_present(*ptep);
}

static const struct mm_walk_ops clearing = { .pte_entry = clear_entry, };
static const struct mm_walk_ops looking = { .pte_entry = look_at_entry, };

static void walks(struct mm_struct *mm, unsigned long start)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, start + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	walk_page_range(mm, start, mm->highest_vm_end, &clearing, NULL); // EXPECT: MN008
	walk_page_range(mm, start, mm->highest_vm_end, &looking, NULL);
	walk_page_range(mm, range.start, range.end, &clearing, NULL);
	mmu_notifier_invalidate_range_end(&range);
}

static int narrow_pre_vma(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct my_walk *mine = walk->private;

	mmu_notifier_range_init(&mine->range, walk->mm, start, start + PAGE_SIZE); // EXPECT: MN008
	mmu_notifier_invalidate_range_start(&mine->range);
	return 0;
}

static int good_pre_vma(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct my_walk *mine = walk->private;

	mmu_notifier_range_init(&mine->range, walk->mm, start, end);
	mmu_notifier_invalidate_range_start(&mine->range);
	return 0;
}

static void both_post_vma(struct mm_walk *walk)
{
	struct my_walk *mine = walk->private;

	mmu_notifier_invalidate_range_end(&mine->range);
}

static const struct mm_walk_ops narrow_ops = {
	.pte_entry = clear_entry, .pre_vma = narrow_pre_vma, .post_vma = both_post_vma,
};
static const struct mm_walk_ops good_ops = {
	.pte_entry = clear_entry, .pre_vma = good_pre_vma, .post_vma = both_post_vma,
};

static int opener(struct mm_struct *mm, unsigned long address, struct mmu_notifier_range *range,
		  pte_t **ptepp, pmd_t **pmdpp, pmd_t *pmd, pte_t *pte)
{
	if (pmd_huge(*pmd)) {
		mmu_notifier_range_init(range, mm, address & PMD_MASK, (address & PMD_MASK) + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(range);
		*pmdpp = pmd;
		return 0; // EXPECT: MN008
	}
	if (pmd_trans_huge(*pmd)) {
		mmu_notifier_range_init(range, mm, address & PMD_MASK, (address & PMD_MASK) + PMD_SIZE);
		mmu_notifier_invalidate_range_start(range);
		*pmdpp = pmd;
		return 0;
	}
	mmu_notifier_range_init(range, mm, address & PAGE_MASK, (address & PAGE_MASK) + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(range);
	*ptepp = pte;
	return 0;
}
