// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: mm/sites.c

static void constants(struct mm_struct *mm, struct vm_area_struct *vma, unsigned long address)
{
	struct mmu_notifier_range range;
	unsigned long haddr = address & HPAGE_PMD_MASK;
	unsigned long next = address + PAGE_SIZE;

	mmu_notifier_range_init(&range, mm, address, address + PAGE_SIZE);
	mmu_notifier_range_init(&range, mm, address, next);
	mmu_notifier_range_init(&range, mm, haddr, haddr + HPAGE_PMD_SIZE);
	mmu_notifier_range_init(&range, mm, vma->vm_start, vma->vm_end);
	mmu_notifier_range_init(&range, mm, address & PAGE_MASK, (address & PAGE_MASK) + PAGE_SIZE);
	mmu_notifier_range_init(&range, mm, 0, -1UL);
	mmu_notifier_range_init(&range, mm, address, -1UL);
	mmu_notifier_range_init(&range, mm, address, address); // EXPECT: MN005
	mmu_notifier_range_init(&range, mm, next, address); // EXPECT: MN005
	mmu_notifier_range_init(&range, mm, next, address + PAGE_SIZE); // EXPECT: MN005
	mmu_notifier_range_init(&range, mm, haddr + HPAGE_PMD_SIZE, haddr); // EXPECT: MN005
	mmu_notifier_range_init(&range, mm, vma->vm_end, vma->vm_start); // EXPECT: MN005
	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, mm, vma->vm_end, vma->vm_start); // EXPECT: MN005
}

static void moving(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;
	unsigned long last = start;

	mmu_notifier_range_init(&range, mm, start, end);
	mmu_notifier_range_init(&range, mm, end, start); // EXPECT: MN005
	mmu_notifier_range_init(&range, mm, end, last); // EXPECT: MN005
	mmu_notifier_range_init(&range, mm, end, end + PAGE_SIZE);
	mmu_notifier_range_init(&range, mm, -1UL, 0); // EXPECT: MN005
	last += find_last(mm);
	mmu_notifier_range_init(&range, mm, start, last);
}

static void changed_since(struct mm_struct *mm, unsigned long start)
{
	struct mmu_notifier_range range;
	unsigned long end = start;

	start = round(start);
	mmu_notifier_range_init(&range, mm, start, end);
}

static void length(struct mm_struct *mm, unsigned long start, unsigned long len)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, start, start + len); // UNDECIDED: MN005
	mmu_notifier_range_init(&range, mm, start, start - len); // EXPECT: MN005
}

static void tested_length(struct mm_struct *mm, unsigned long start, unsigned long len)
{
	struct mmu_notifier_range range;

	if (!len)
		return;
	mmu_notifier_range_init(&range, mm, start, start + len);
}

static void tables_unchecked(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end); // EXPECT: MN005
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}

static void tables_checked(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	if (start >= end)
		return;
	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}

static void tables_checked_above(struct vm_area_struct *vma, unsigned long start, unsigned long end)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, vma->vm_mm, start, end);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}

static void rounds_inward(struct vm_area_struct *vma)
{
	unsigned long start = ALIGN(vma->vm_start, PUD_SIZE);
	unsigned long end = ALIGN_DOWN(vma->vm_end, PUD_SIZE);

	tables_unchecked(vma, ALIGN(vma->vm_start, PUD_SIZE), ALIGN_DOWN(vma->vm_end, PUD_SIZE));
	tables_checked(vma, ALIGN(vma->vm_start, PUD_SIZE), ALIGN_DOWN(vma->vm_end, PUD_SIZE));
	if (start < end)
		tables_checked_above(vma, start, end);
}

void one_section_a_step(struct vm_area_struct *vma, unsigned long addr, unsigned long end, pmd_t *pmd)
{
	struct mmu_notifier_range range;
	unsigned long next;

	for (; addr < end; pmd++, addr = next) {
		next = pmd_addr_end(addr, end);
		mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, addr, next);
		mmu_notifier_invalidate_range_start(&range);
		zap_huge_pmd(vma, pmd, addr);
		mmu_notifier_invalidate_range_end(&range);
	}
}

void one_section_a_round(struct vm_area_struct *vma, unsigned long addr, unsigned long end, pmd_t *pmd)
{
	struct mmu_notifier_range range;
	unsigned long next;

	do {
		next = pmd_addr_end(addr, end);
		mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, vma->vm_mm, addr, next);
		mmu_notifier_invalidate_range_start(&range);
		zap_huge_pmd(vma, pmd, addr);
		mmu_notifier_invalidate_range_end(&range);
	} while (pmd++, addr = next, addr != end);
}
