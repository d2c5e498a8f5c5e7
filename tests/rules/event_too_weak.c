// SPDX-License-Identifier: GPL-2.0-only
// API: v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: mm/events.c

static void replaces(struct vm_area_struct *vma, struct mm_struct *mm, unsigned long addr, pte_t *ptep, struct page *page)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_PAGE, 0, vma, mm, addr, addr + PAGE_SIZE); // EXPECT: MN011
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at(mm, addr, ptep, mk_pte(page, vma->vm_page_prot));
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, vma, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at(mm, addr, ptep, mk_pte(page, vma->vm_page_prot));
	mmu_notifier_invalidate_range_end(&range);
}

static void zap(struct mmu_gather *tlb, struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	ptep_get_and_clear_full(mm, addr, ptep, tlb->fullmm);
}

static void removes(struct mmu_gather *tlb, struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_SOFT_DIRTY, 0, mm, addr, addr + PAGE_SIZE); // EXPECT: MN011
	mmu_notifier_invalidate_range_start(&range);
	zap(tlb, mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void protects(struct vm_area_struct *vma, struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_PAGE, 0, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, addr, ptep);
	entry = pte_wrprotect(entry);
	set_pte_at(mm, addr, ptep, entry);
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_range_init(&range, MMU_NOTIFY_SOFT_DIRTY, 0, mm, addr, addr + PAGE_SIZE); // EXPECT: MN011
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_clear_flush(vma, addr, ptep);
	entry = pte_wrprotect(entry);
	set_pte_at(mm, addr, ptep, entry);
	mmu_notifier_invalidate_range_end(&range);
}

/* Fork: the new process's entries are not the section's matter. */
static void copies(struct mm_struct *dst_mm, struct mm_struct *mm, unsigned long addr, pte_t *dst, pte_t *src)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_PAGE, 0, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_set_wrprotect(mm, addr, src);
	set_pte_at(dst_mm, addr, dst, pte_wrprotect(*src));
	mmu_notifier_invalidate_range_end(&range);
}

/* More than needed is no fault. */
static void cautious(struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, MMU_NOTIFY_UNMAP, 0, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_set_wrprotect(mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void moves(struct vm_area_struct *vma, struct mm_struct *mm, unsigned long addr, pte_t *old, pte_t *new)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0, mm, addr, addr + PAGE_SIZE); // UNDECIDED: MN011
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_get_and_clear(mm, addr, old);
	set_pte_at(mm, addr, new, entry);
	mmu_notifier_invalidate_range_end(&range);
}

static void by_variable(struct mm_struct *mm, unsigned long addr, pte_t *ptep, int event)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, event, 0, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_get_and_clear(mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static int clear_entry(pte_t *ptep, unsigned long addr, unsigned long end, struct mm_walk *walk)
{
	pte_t entry = ptep_modify_prot_start(walk->vma, addr, ptep);

	ptep_modify_prot_commit(walk->vma, addr, ptep, entry, pte_wrprotect(entry));
	return 0;
}

static int soft_pre_vma(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct my_walk *mine = walk->private;

	mmu_notifier_range_init(&mine->range, MMU_NOTIFY_SOFT_DIRTY, 0, walk->mm, start, end); // EXPECT: MN011
	mmu_notifier_invalidate_range_start(&mine->range);
	return 0;
}

static int strong_pre_vma(unsigned long start, unsigned long end, struct mm_walk *walk)
{
	struct my_walk *mine = walk->private;

	mmu_notifier_range_init(&mine->range, MMU_NOTIFY_PROTECTION_PAGE, 0, walk->mm, start, end);
	mmu_notifier_invalidate_range_start(&mine->range);
	return 0;
}

static void both_post_vma(struct mm_walk *walk)
{
	struct my_walk *mine = walk->private;

	mmu_notifier_invalidate_range_end(&mine->range);
}

static const struct mm_walk_ops soft_ops = {
	.pte_entry = clear_entry, .pre_vma = soft_pre_vma, .post_vma = both_post_vma,
};
static const struct mm_walk_ops strong_ops = {
	.pte_entry = clear_entry, .pre_vma = strong_pre_vma, .post_vma = both_post_vma,
};

static void cleans(struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	struct mmu_notifier_range range;
	pte_t entry;

	mmu_notifier_range_init(&range, MMU_NOTIFY_SOFT_DIRTY, 0, mm, addr, addr + PAGE_SIZE); // EXPECT: MN011
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_get_and_clear_full(mm, addr, ptep, 0);
	set_pte_at(mm, addr, ptep, pte_mkclean(pte_mkold(entry)));
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_range_init(&range, MMU_NOTIFY_PROTECTION_PAGE, 0, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	entry = ptep_get_and_clear_full(mm, addr, ptep, 0);
	set_pte_at(mm, addr, ptep, pte_mkclean(pte_mkold(entry)));
	mmu_notifier_invalidate_range_end(&range);
}

static void from_variable(struct mm_struct *mm, unsigned long addr, pte_t *ptep, bool soft)
{
	enum mmu_notifier_event event = MMU_NOTIFY_PROTECTION_PAGE;
	enum mmu_notifier_event strong = MMU_NOTIFY_CLEAR;
	enum mmu_notifier_event later;
	enum mmu_notifier_event either = soft ? MMU_NOTIFY_SOFT_DIRTY : MMU_NOTIFY_PROTECTION_VMA;
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, event, 0, mm, addr, addr + PAGE_SIZE); // EXPECT: MN011
	mmu_notifier_invalidate_range_start(&range);
	ptep_get_and_clear(mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_range_init(&range, strong, 0, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_get_and_clear(mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);

	later = MMU_NOTIFY_SOFT_DIRTY;
	mmu_notifier_range_init(&range, later, 0, mm, addr, addr + PAGE_SIZE); // EXPECT: MN011
	mmu_notifier_invalidate_range_start(&range);
	zap(NULL, mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_range_init(&range, either, 0, mm, addr, addr + PAGE_SIZE); // EXPECT: MN011
	mmu_notifier_invalidate_range_start(&range);
	zap(NULL, mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void from_choice(struct mm_struct *mm, unsigned long addr, pte_t *ptep, bool soft, int how)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, soft ? MMU_NOTIFY_SOFT_DIRTY : MMU_NOTIFY_CLEAR, 0, mm, addr, addr + PAGE_SIZE); // EXPECT: MN011
	mmu_notifier_invalidate_range_start(&range);
	if (how)
		note(mm);
	ptep_get_and_clear(mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);

	/* Who is told of soft-dirty sees no removal. */
	mmu_notifier_range_init(&range, soft ? MMU_NOTIFY_SOFT_DIRTY : MMU_NOTIFY_CLEAR, 0, mm, addr, addr + PAGE_SIZE); // UNDECIDED: MN011
	mmu_notifier_invalidate_range_start(&range);
	if (!soft)
		ptep_get_and_clear(mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);

	mmu_notifier_range_init(&range, soft ? MMU_NOTIFY_CLEAR : MMU_NOTIFY_UNMAP, 0, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_get_and_clear(mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}

static void overwritten(struct mm_struct *mm, unsigned long addr, pte_t *ptep, bool clear)
{
	enum mmu_notifier_event event = MMU_NOTIFY_SOFT_DIRTY;
	enum mmu_notifier_event given = MMU_NOTIFY_SOFT_DIRTY;
	struct mmu_notifier_range range;

	if (clear)
		event = MMU_NOTIFY_CLEAR;
	mmu_notifier_range_init(&range, event, 0, mm, addr, addr + PAGE_SIZE); // UNDECIDED: MN011
	mmu_notifier_invalidate_range_start(&range);
	ptep_get_and_clear(mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);

	choose(&given);
	mmu_notifier_range_init(&range, given, 0, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptep_get_and_clear(mm, addr, ptep);
	mmu_notifier_invalidate_range_end(&range);
}
