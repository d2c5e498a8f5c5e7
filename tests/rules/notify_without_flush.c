// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6
// PATH: mm/flush.c

static void not_cleared(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, pte_t entry)
{
	pte_t *ptep = pte_offset_map(pmd, addr);

	set_pte_at_notify(vma->vm_mm, addr, ptep, entry); // EXPECT: MN017
}

static void cleared(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, pte_t entry)
{
	pte_t *ptep = pte_offset_map(pmd, addr);

	entry = ptep_clear_flush(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, pte_wrprotect(entry));
}

static void only_on_one_path(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, pte_t e)
{
	pte_t *ptep = pte_offset_map(pmd, addr);

	if (pte_write(e))
		ptep_clear_flush_notify(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, e); // EXPECT: MN017
}

static void not_flushed(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, pte_t e)
{
	pte_t *ptep = pte_offset_map(pmd, addr);

	ptep_get_and_clear(vma->vm_mm, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, e); // EXPECT: MN017
}

static void another_entry(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, pte_t e)
{
	pte_t *ptep = pte_offset_map(pmd, addr);

	ptep_clear_flush(vma, addr, ptep);
	ptep = pte_offset_map(pmd, addr + PAGE_SIZE);
	set_pte_at_notify(vma->vm_mm, addr, ptep, e); // EXPECT: MN017
}

static void put_back(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, pte_t e)
{
	pte_t *ptep = pte_offset_map(pmd, addr);
	pte_t old = ptep_clear_flush(vma, addr, ptep);

	if (pte_dirty(old)) {
		set_pte_at(vma->vm_mm, addr, ptep, old);
		return;
	}
	set_pte_at_notify(vma->vm_mm, addr, ptep, e);
}

static void in_a_structure(struct vm_fault *vmf, struct vm_area_struct *vma, pte_t entry)
{
	vmf->pte = pte_offset_map_lock(vma->vm_mm, vmf->pmd, vmf->address, &vmf->ptl);
	if (pte_same(*vmf->pte, vmf->orig_pte)) {
		ptep_clear_flush_notify(vma, vmf->address, vmf->pte);
		set_pte_at_notify(vma->vm_mm, vmf->address, vmf->pte, entry);
	}
}

static void structure_not_cleared(struct vm_fault *vmf, struct vm_area_struct *vma, pte_t entry)
{
	vmf->pte = pte_offset_map_lock(vma->vm_mm, vmf->pmd, vmf->address, &vmf->ptl);
	if (pte_same(*vmf->pte, vmf->orig_pte))
		set_pte_at_notify(vma->vm_mm, vmf->address, vmf->pte, entry); // EXPECT: MN017
}

static void was_empty(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, pte_t entry)
{
	pte_t *ptep = pte_offset_map(pmd, addr);

	if (!pte_none(*ptep))
		return;
	set_pte_at_notify(vma->vm_mm, addr, ptep, entry);
}

static void of_the_caller(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep, pte_t e)
{
	set_pte_at_notify(vma->vm_mm, addr, ptep, e); // UNDECIDED: MN017
}

static void take(struct vm_area_struct *vma, unsigned long addr, pte_t *ptep)
{
	ptep_clear_flush(vma, addr, ptep);
}

static void by_a_helper(struct vm_area_struct *vma, unsigned long addr, pmd_t *pmd, pte_t entry)
{
	pte_t *ptep = pte_offset_map(pmd, addr);

	take(vma, addr, ptep);
	set_pte_at_notify(vma->vm_mm, addr, ptep, entry); // UNDECIDED: MN017
}
