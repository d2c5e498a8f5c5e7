// SPDX-License-Identifier: GPL-2.0-only
/*
 * Breakpoints in user space, in a private copy of the page.
 */

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/swapops.h>
#include <linux/uprobes.h>

/* Maps @new_page, which has the breakpoint, where @old_page was. */
static int __replace_page(struct vm_area_struct *vma, unsigned long addr,
			  struct page *old_page, struct page *new_page)
{
	struct page_vma_mapped_walk pvmw = {
		.vma = vma,
		.address = addr,
		.page = old_page,
	};
	struct mm_struct *mm = vma->vm_mm;
	struct mmu_notifier_range range;
	int err = -EAGAIN;
	pte_t entry;

	mmu_notifier_range_init(&range, mm, addr, addr + PAGE_SIZE);

	lock_page(old_page);
	mmu_notifier_invalidate_range_start(&range);
	if (!page_vma_mapped_walk(&pvmw))
		goto unlock;

	dec_mm_counter(mm, mm_counter(old_page));
	flush_cache_page(vma, addr, pte_pfn(*pvmw.pte));
	ptep_clear_flush_notify(vma, addr, pvmw.pte);
	get_page(new_page);
	page_add_new_anon_rmap(new_page, vma, addr, false);
	inc_mm_counter(mm, MM_ANONPAGES);
	entry = mk_pte(new_page, vma->vm_page_prot);
	set_pte_at_notify(mm, addr, pvmw.pte, entry);

	page_remove_rmap(old_page, false);
	if (!page_mapped(old_page))
		try_to_free_swap(old_page);
	page_vma_mapped_walk_done(&pvmw);
	put_page(old_page);
	err = 0;
unlock:
	mmu_notifier_invalidate_range_end(&range);
	unlock_page(old_page);
	return err;
}

int uprobe_write_opcode(struct mm_struct *mm, unsigned long vaddr, u8 opcode)
{
	struct page *old_page, *new_page;
	struct vm_area_struct *vma;
	bool writable;
	u8 *kaddr;
	int ret;

	old_page = get_user_page(mm, vaddr, false, &writable);
	if (!old_page)
		return -EFAULT;

	down_read(&mm->mmap_sem);
	ret = -EFAULT;
	vma = find_vma(mm, vaddr);
	if (!vma)
		goto put_old;

	ret = -ENOMEM;
	if (anon_vma_prepare(vma))
		goto put_old;
	new_page = alloc_page_vma(GFP_HIGHUSER_MOVABLE, vma, vaddr);
	if (!new_page)
		goto put_old;

	copy_user_highpage(new_page, old_page, vaddr, vma);
	kaddr = page_address(new_page);
	kaddr[vaddr & ~PAGE_MASK] = opcode;
	ret = __replace_page(vma, vaddr & PAGE_MASK, old_page, new_page);
	put_page(new_page);
put_old:
	up_read(&mm->mmap_sem);
	put_page(old_page);
	return ret;
}
