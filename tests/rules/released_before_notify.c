// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6
// PATH: mm/release.c

static void put_too_early(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *new_page)
{
	struct page *old_page = vm_normal_page(vma, addr, *ptep);

	ptep_clear_flush(vma, addr, ptep);
	put_page(old_page); // EXPECT: MN018
	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(new_page, vma->vm_page_prot));
}

static void unmapped_too_early(struct vm_fault *vmf, struct vm_area_struct *vma, pte_t entry)
{
	struct page *old_page = vmf->page;

	vmf->pte = pte_offset_map_lock(vma->vm_mm, vmf->pmd, vmf->address, &vmf->ptl);
	if (pte_same(*vmf->pte, vmf->orig_pte)) {
		ptep_clear_flush_notify(vma, vmf->address, vmf->pte);
		if (old_page)
			page_remove_rmap(old_page, false); // EXPECT: MN018
		set_pte_at_notify(vma->vm_mm, vmf->address, vmf->pte, entry);
	}
	pte_unmap_unlock(vmf->pte, vmf->ptl);
}

static void before_the_lock(struct vm_fault *vmf, struct vm_area_struct *vma, pte_t entry)
{
	struct page *old_page = vmf->page;

	put_page(old_page); // EXPECT: MN018
	vmf->pte = pte_offset_map_lock(vma->vm_mm, vmf->pmd, vmf->address, &vmf->ptl);
	ptep_clear_flush_notify(vma, vmf->address, vmf->pte);
	set_pte_at_notify(vma->vm_mm, vmf->address, vmf->pte, entry);
	page_remove_rmap(old_page, false);
}

static void its_folio(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *page, pte_t entry)
{
	struct folio *folio = page_folio(page);

	ptep_clear_flush(vma, addr, ptep);
	folio_put(folio); // EXPECT: MN018
	set_pte_at_notify(vma->vm_mm, addr, ptep, entry);
	page_remove_rmap(page, vma, false);
}

static void in_order(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *new_page)
{
	struct page *old_page = vm_normal_page(vma, addr, *ptep);

	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(new_page, vma->vm_page_prot));
	page_remove_rmap(old_page, false);
	put_page(old_page);
}

/* Another reference than the entry's. */
static void own_reference(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t entry)
{
	struct page *page = vm_normal_page(vma, addr, *ptep);

	get_page(page);
	examine(page);
	put_page(page);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, entry);
	page_remove_rmap(page, false);
}

static int gives_up(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *old_page)
{
	struct page *new_page = alloc_page_vma(GFP_HIGHUSER_MOVABLE, vma, addr);

	if (copy(new_page, old_page)) {
		put_page(new_page);
		put_page(old_page);
		return -ENOMEM;
	}
	put_page(new_page);
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(new_page, vma->vm_page_prot));
	page_remove_rmap(old_page, false);
	put_page(old_page);
	return 0;
}

static void one_after_another(struct vm_area_struct *vma, unsigned long addr, unsigned long end, pmd_t *pmd)
{
	struct page *page;
	pte_t *ptep, entry;

	for (; addr < end; addr += PAGE_SIZE) {
		ptep = pte_offset_map(pmd, addr);
		page = vm_normal_page(vma, addr, *ptep);
		entry = ptep_clear_flush(vma, addr, ptep);
		set_pte_at_notify(vma->vm_mm, addr, ptep, pte_wrprotect(entry));
		page_remove_rmap(page, false);
		put_page(page);
	}
}

static void some_page(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *page, pte_t entry)
{
	put_page(page); // UNDECIDED: MN018
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, entry);
}

static void drop(struct page *page)
{
	page_remove_rmap(page, false);
	put_page(page);
}

static void drop_later(struct vm_area_struct *vma, struct page *page)
{
	count_event(vma);
	drop(page);
}

static void maybe_drop(struct page *page)
{
	if (!page)
		return;
	put_page(page);
}

void by_a_helper(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *new_page)
{
	struct page *old = pte_page(*ptep);

	ptep_clear_flush(vma, addr, ptep);
	drop(old); // EXPECT: MN018
	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(new_page, vma->vm_page_prot));
}

void by_the_helper_of_a_helper(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *new_page)
{
	struct page *old = pte_page(*ptep);

	ptep_clear_flush(vma, addr, ptep);
	drop_later(vma, old); // EXPECT: MN018
	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(new_page, vma->vm_page_prot));
}

void by_a_helper_behind_it(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *new_page)
{
	struct page *old = pte_page(*ptep);

	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(new_page, vma->vm_page_prot));
	drop(old);
}

void of_the_helper_s_own_reference(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *new_page)
{
	struct page *old = pte_page(*ptep);

	get_page(old);
	ptep_clear_flush(vma, addr, ptep);
	maybe_drop(old);
	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(new_page, vma->vm_page_prot));
}

void of_the_entry_itself(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *new_page)
{
	pte_t orig = ptep_clear_flush(vma, addr, ptep);

	put_page(pte_page(orig)); // EXPECT: MN018
	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(new_page, vma->vm_page_prot));
}

void of_the_entry_read_in_place(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t entry)
{
	put_page(pte_page(*ptep)); // EXPECT: MN018
	ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, entry);
}

void of_the_entry_later(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *new_page)
{
	pte_t orig = ptep_clear_flush(vma, addr, ptep);

	set_pte_at_notify(vma->vm_mm, addr, ptep, mk_pte(new_page, vma->vm_page_prot));
	put_page(pte_page(orig));
}

void of_the_new_entry(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, struct page *new_page)
{
	pte_t entry = mk_pte(new_page, vma->vm_page_prot);

	ptep_clear_flush(vma, addr, ptep);
	put_page(pte_page(entry)); // UNDECIDED: MN018
	set_pte_at_notify(vma->vm_mm, addr, ptep, entry);
}
