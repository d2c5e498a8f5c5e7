// SPDX-License-Identifier: GPL-2.0-only
/*
 * The same pages at other addresses.
 */

#include <linux/export.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/slab.h>

/* While pages move nobody may look for them by way of their file. */
static void take_rmap_locks(struct vm_area_struct *vma)
{
	struct address_space *mapping = vma->vm_file ?
		vma->vm_file->f_mapping : NULL;

	if (mapping)
		i_mmap_lock_write(mapping);
	if (vma->anon_vma)
		down_write(&vma->anon_vma->rwsem);
}

static void drop_rmap_locks(struct vm_area_struct *vma)
{
	struct address_space *mapping = vma->vm_file ?
		vma->vm_file->f_mapping : NULL;

	if (vma->anon_vma)
		up_write(&vma->anon_vma->rwsem);
	if (mapping)
		i_mmap_unlock_write(mapping);
}

static void move_ptes(struct vm_area_struct *vma, pmd_t *old_pmd,
		      unsigned long old_addr, unsigned long old_end,
		      struct vm_area_struct *new_vma, pmd_t *new_pmd,
		      unsigned long new_addr)
{
	unsigned long start = old_addr;
	struct mm_struct *mm = vma->vm_mm;
	pte_t *old_pte, *new_pte, pte;
	spinlock_t *ptl;

	old_pte = pte_offset_map_lock(mm, old_pmd, old_addr, &ptl);
	new_pte = pte_offset_map(new_pmd, new_addr);
	for (; old_addr < old_end; old_addr += PAGE_SIZE,
	     new_addr += PAGE_SIZE, old_pte++, new_pte++) {
		if (pte_none(*old_pte))
			continue;
		pte = ptep_get_and_clear(mm, old_addr, old_pte);
		set_pte_at(mm, new_addr, new_pte, pte_mksoft_dirty(pte));
	}
	flush_tlb_range(vma, start, old_end);
	pte_unmap(new_pte - 1);
	pte_unmap_unlock(old_pte - 1, ptl);
}

/* A whole table of ptes at once. */
static bool move_normal_pmd(struct vm_area_struct *vma, unsigned long old_addr,
			    unsigned long new_addr, pmd_t *old_pmd,
			    pmd_t *new_pmd)
{
	struct mm_struct *mm = vma->vm_mm;
	spinlock_t *ptl;
	pmd_t pmd;

	if ((old_addr | new_addr) & ~PMD_MASK)
		return false;
	if (WARN_ON(!pmd_none(*new_pmd)))
		return false;

	ptl = pmd_lock(mm, old_pmd);
	pmd = *old_pmd;
	pmd_clear(old_pmd);
	set_pmd_at(mm, new_addr, new_pmd, pmd);
	flush_tlb_range(vma, old_addr, old_addr + PMD_SIZE);
	spin_unlock(ptl);
	return true;
}

unsigned long move_page_tables(struct vm_area_struct *vma,
			       unsigned long old_addr,
			       struct vm_area_struct *new_vma,
			       unsigned long new_addr, unsigned long len,
			       bool need_rmap_locks)
{
	unsigned long extent, old_end = old_addr + len;
	struct mmu_notifier_range range;
	pmd_t *old_pmd, *new_pmd;
	bool moved;

	flush_cache_range(vma, old_addr, old_end);

	mmu_notifier_range_init(&range, vma->vm_mm, old_addr, old_end);
	mmu_notifier_invalidate_range_start(&range);

	for (; old_addr < old_end; old_addr += extent, new_addr += extent) {
		cond_resched();
		/* neither end may cross the end of its table */
		extent = min(pmd_addr_end(old_addr, old_end) - old_addr,
			     PMD_SIZE - (new_addr & ~PMD_MASK));
		old_pmd = mm_find_pmd(vma->vm_mm, old_addr);
		if (!old_pmd)
			continue;
		new_pmd = mm_alloc_pmd(vma->vm_mm, new_addr);
		if (!new_pmd)
			break;

		if (need_rmap_locks)
			take_rmap_locks(vma);
		moved = false;
		if (extent == PMD_SIZE && pmd_trans_huge(*old_pmd))
			moved = move_huge_pmd(vma, old_addr, new_addr, old_end,
					      old_pmd, new_pmd);
		else if (extent == PMD_SIZE)
			moved = move_normal_pmd(vma, old_addr, new_addr,
						old_pmd, new_pmd);
		if (need_rmap_locks)
			drop_rmap_locks(vma);
		if (moved)
			continue;

		if (pmd_trans_huge(*old_pmd))
			split_huge_pmd(vma, old_pmd, old_addr);
		if (pte_alloc(new_vma->vm_mm, new_pmd))
			break;
		if (need_rmap_locks)
			take_rmap_locks(vma);
		move_ptes(vma, old_pmd, old_addr, old_addr + extent, new_vma,
			  new_pmd, new_addr);
		if (need_rmap_locks)
			drop_rmap_locks(vma);
	}

	mmu_notifier_invalidate_range_end(&range);

	return len + old_addr - old_end;
}
EXPORT_SYMBOL_GPL(move_page_tables);

/* With the mmap_sem held for writing; the new address, or an error. */
unsigned long move_vma(struct vm_area_struct *vma, unsigned long old_addr,
		       unsigned long len, unsigned long new_addr)
{
	struct mm_struct *mm = vma->vm_mm;
	struct vm_area_struct *new_vma;
	unsigned long moved_len;

	new_vma = kzalloc(sizeof(*new_vma), GFP_KERNEL);
	if (!new_vma)
		return -ENOMEM;
	*new_vma = *vma;
	new_vma->vm_start = new_addr;
	new_vma->vm_end = new_addr + len;
	new_vma->vm_pgoff += (old_addr - vma->vm_start) >> PAGE_SHIFT;
	insert_vm_struct(mm, new_vma);

	moved_len = move_page_tables(vma, old_addr, new_vma, new_addr, len,
				     true);
	if (moved_len < len) {
		/* no memory for tables: what has been moved goes back */
		move_page_tables(new_vma, new_addr, vma, old_addr, moved_len,
				 true);
		do_munmap(mm, new_addr, len);
		return -ENOMEM;
	}

	do_munmap(mm, old_addr, len);
	return new_addr;
}
