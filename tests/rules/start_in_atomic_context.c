// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: mm/atomic.c

static void under_a_spinlock(struct mm_struct *mm, unsigned long addr)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	spin_lock(&mm->page_table_lock);
	mmu_notifier_invalidate_range_start(&range); // EXPECT: MN006
	spin_unlock(&mm->page_table_lock);
	mmu_notifier_invalidate_range_end(&range);
}

static void before_the_spinlock(struct mm_struct *mm, unsigned long addr)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	spin_lock(&mm->page_table_lock);
	change(mm);
	spin_unlock(&mm->page_table_lock);
	mmu_notifier_invalidate_range_end(&range);
}

static void under_the_table_lock(struct mm_struct *mm, pmd_t *pmd, unsigned long addr)
{
	struct mmu_notifier_range range;
	spinlock_t *ptl;
	pte_t *pte;

	pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (!pte)
		return;
	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range); // EXPECT: MN006
	mmu_notifier_invalidate_range_end(&range);
	pte_unmap_unlock(pte, ptl);
}

static void lock_dropped(struct mm_struct *mm, pmd_t *pmd, unsigned long addr)
{
	struct mmu_notifier_range range;
	spinlock_t *ptl;
	pte_t *pte;

	pte = pte_offset_map_lock(mm, pmd, addr, &ptl);
	pte_unmap_unlock(pte, ptl);
	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	ptl = pmd_lock(mm, pmd);
	change(pmd);
	spin_unlock(ptl);
	mmu_notifier_invalidate_range_end(&range);
}

static void under_a_returned_lock(struct mm_struct *mm, pmd_t *pmd, unsigned long addr)
{
	struct mmu_notifier_range range;
	spinlock_t *ptl = pmd_lock(mm, pmd);

	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range); // EXPECT: MN006
	mmu_notifier_invalidate_range_end(&range);
	spin_unlock(ptl);
}

static void mapped(struct mm_struct *mm, pmd_t *pmd, unsigned long addr)
{
	struct mmu_notifier_range range;
	pte_t *pte = pte_offset_map(pmd, addr);

	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range); // EXPECT: MN006
	change(pte);
	mmu_notifier_invalidate_range_end(&range);
	pte_unmap(pte);
}

static void under_rcu(struct mm_struct *mm, unsigned long addr)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	rcu_read_lock();
	mmu_notifier_invalidate_range_start(&range); // EXPECT: MN006
	rcu_read_unlock();
	mmu_notifier_invalidate_range_end(&range);
}

static int without_blocking(struct mm_struct *mm, unsigned long addr)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	rcu_read_lock();
	if (mmu_notifier_invalidate_range_start_nonblock(&range)) {
		rcu_read_unlock();
		return -EAGAIN;
	}
	mmu_notifier_invalidate_range_end(&range);
	rcu_read_unlock();
	return 0;
}

static void trylock(struct mm_struct *mm, unsigned long addr)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	if (spin_trylock(&mm->page_table_lock)) {
		change(mm);
		spin_unlock(&mm->page_table_lock);
		return;
	}
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}

static void sleeps(struct mm_struct *mm, unsigned long addr)
{
	struct mmu_notifier_range range;

	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	change(mm);
	mmu_notifier_invalidate_range_end(&range);
}

static void calls_a_starter(struct mm_struct *mm, unsigned long addr)
{
	mutex_lock(&mm->some_mutex);
	sleeps(mm, addr);
	mutex_unlock(&mm->some_mutex);
	spin_lock(&mm->page_table_lock);
	sleeps(mm, addr); // EXPECT: MN006
	spin_unlock(&mm->page_table_lock);
}

/* The caller's lock is dropped before the section. */
static void drops_first(struct mm_struct *mm, spinlock_t *ptl, unsigned long addr)
{
	struct mmu_notifier_range range;

	spin_unlock(ptl);
	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
}

static void hands_over(struct mm_struct *mm, spinlock_t *ptl, unsigned long addr)
{
	spin_lock(ptl);
	drops_first(mm, ptl, addr);
}

static int through_pointers(struct mm_struct *mm, pmd_t *pmd, unsigned long addr, spinlock_t **ptlp)
{
	struct mmu_notifier_range range;

	*ptlp = pmd_lock(mm, pmd);
	if (present(pmd))
		return 0;
	spin_unlock(*ptlp);
	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	return 0;
}
