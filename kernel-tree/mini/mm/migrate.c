// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages to and from the memory of a device.
 */

#include <linux/export.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/swapops.h>

static void migrate_vma_collect_pmd(struct migrate_vma *migrate, pmd_t *pmdp,
				    unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = migrate->vma;
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = start;
	struct page *page;
	spinlock_t *ptl;
	pte_t *ptep;
	pte_t pte;

	ptep = pte_offset_map_lock(mm, pmdp, addr, &ptl);
	for (; addr < end; addr += PAGE_SIZE, ptep++) {
		unsigned long mpfn = 0;
		swp_entry_t entry;

		pte = *ptep;
		if (pte_none(pte)) {
			mpfn = MIGRATE_PFN_MIGRATE;
			migrate->cpages++;
			goto next;
		}
		if (!pte_present(pte))
			goto next;

		page = vm_normal_page(vma, addr, pte);
		if (!page || !trylock_page(page))
			goto next;

		get_page(page);
		mpfn = migrate_pfn(page_to_pfn(page)) | MIGRATE_PFN_MIGRATE;
		migrate->cpages++;

		/* Whoever touches the address now waits for the migration. */
		ptep_get_and_clear(mm, addr, ptep);
		entry = make_migration_entry(page, pte_write(pte));
		set_pte_at(mm, addr, ptep, swp_entry_to_pte(entry));
		page_remove_rmap(page, false);
		put_page(page);
next:
		migrate->dst[migrate->npages] = 0;
		migrate->src[migrate->npages++] = mpfn;
	}
	pte_unmap_unlock(ptep - 1, ptl);
	flush_tlb_range(vma, start, end);
}

static void migrate_vma_collect(struct migrate_vma *migrate)
{
	struct mm_struct *mm = migrate->vma->vm_mm;
	struct mmu_notifier_range range;
	unsigned long addr, next;
	pmd_t *pmd;

	mmu_notifier_range_init_migrate(&range, 0, migrate->vma,
		migrate->vma->vm_mm, migrate->start, migrate->end,
		migrate->pgmap_owner);
	mmu_notifier_invalidate_range_start(&range);

	for (addr = migrate->start; addr < migrate->end; addr = next) {
		next = pmd_addr_end(addr, migrate->end);
		pmd = mm_find_pmd(mm, addr);
		if (!pmd)
			break;
		migrate_vma_collect_pmd(migrate, pmd, addr, next);
	}

	mmu_notifier_invalidate_range_end(&range);
	migrate->end = migrate->start + (migrate->npages << PAGE_SHIFT);
}

int migrate_vma_setup(struct migrate_vma *args)
{
	if (args->start >= args->end || args->start < args->vma->vm_start ||
	    args->end > args->vma->vm_end)
		return -EINVAL;

	args->cpages = 0;
	args->npages = 0;
	migrate_vma_collect(args);
	return 0;
}
EXPORT_SYMBOL(migrate_vma_setup);

/* @page where there was nothing, or the page of zeros. */
static void migrate_vma_insert_page(struct migrate_vma *migrate,
				    unsigned long addr,
				    struct page *page,
				    unsigned long *src)
{
	struct vm_area_struct *vma = migrate->vma;
	struct mm_struct *mm = vma->vm_mm;
	swp_entry_t swp_entry;
	spinlock_t *ptl;
	pte_t entry;
	pte_t *ptep;
	pmd_t *pmd;

	if (!vma_is_anonymous(vma) || anon_vma_prepare(vma))
		goto abort;
	pmd = mm_alloc_pmd(mm, addr);
	if (!pmd || pte_alloc(mm, pmd))
		goto abort;

	SetPageUptodate(page);
	if (PageDevicePrivate(page)) {
		/* the CPUs cannot reach it: they are to fault on it */
		swp_entry = make_device_private_entry(page,
						      vma->vm_flags & VM_WRITE);
		entry = swp_entry_to_pte(swp_entry);
	} else {
		entry = mk_pte(page, vma->vm_page_prot);
		if (vma->vm_flags & VM_WRITE)
			entry = pte_mkwrite(pte_mkdirty(entry));
	}

	ptep = pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (pte_present(*ptep)) {
		if (!is_zero_pfn(pte_pfn(*ptep)))
			goto unlock_abort;
		flush_cache_page(vma, addr, pte_pfn(*ptep));
		ptep_clear_flush_notify(vma, addr, ptep);
		set_pte_at_notify(mm, addr, ptep, entry);
	} else if (pte_none(*ptep)) {
		/* nothing was there that anybody could have mapped */
		set_pte_at(mm, addr, ptep, entry);
	} else {
		goto unlock_abort;
	}
	update_mmu_cache(vma, addr, ptep);

	get_page(page);
	page_add_new_anon_rmap(page, vma, addr, false);
	inc_mm_counter(mm, MM_ANONPAGES);
	pte_unmap_unlock(ptep, ptl);
	*src = MIGRATE_PFN_MIGRATE;
	return;

unlock_abort:
	pte_unmap_unlock(ptep, ptl);
abort:
	*src &= ~MIGRATE_PFN_MIGRATE;
}

void migrate_vma_pages(struct migrate_vma *migrate)
{
	unsigned long addr = migrate->start;
	struct mmu_notifier_range range;
	bool notified = false;
	unsigned long i;

	for (i = 0; i < migrate->npages; i++, addr += PAGE_SIZE) {
		struct page *newpage = migrate_pfn_to_page(migrate->dst[i]);
		struct page *page = migrate_pfn_to_page(migrate->src[i]);

		if (!newpage) {
			migrate->src[i] &= ~MIGRATE_PFN_MIGRATE;
			continue;
		}

		if (!page) {
			if (!(migrate->src[i] & MIGRATE_PFN_MIGRATE))
				continue;
			/* one section for all holes, from the first one on */
			if (!notified) {
				notified = true;

				mmu_notifier_range_init(&range,
							MMU_NOTIFY_CLEAR, 0,
							NULL,
							migrate->vma->vm_mm,
							addr, migrate->end);
				mmu_notifier_invalidate_range_start(&range);
			}
			migrate_vma_insert_page(migrate, addr, newpage,
						&migrate->src[i]);
			continue;
		}

		copy_user_highpage(newpage, page, addr, migrate->vma);
		newpage->mapping = page->mapping;
		newpage->index = page->index;
	}

	if (notified)
		mmu_notifier_invalidate_range_only_end(&range);
}
EXPORT_SYMBOL(migrate_vma_pages);

static void remove_migration_pte(struct migrate_vma *migrate,
				 unsigned long addr, struct page *page)
{
	struct vm_area_struct *vma = migrate->vma;
	struct mm_struct *mm = vma->vm_mm;
	spinlock_t *ptl;
	pmd_t *pmd;
	pte_t *ptep;

	pmd = mm_find_pmd(mm, addr);
	if (!pmd)
		return;

	ptep = pte_offset_map_lock(mm, pmd, addr, &ptl);
	if (!pte_none(*ptep) && !pte_present(*ptep)) {
		get_page(page);
		page_add_anon_rmap(page, vma, addr, false);
		set_pte_at(mm, addr, ptep, mk_pte(page, vma->vm_page_prot));
	}
	pte_unmap_unlock(ptep, ptl);
}

void migrate_vma_finalize(struct migrate_vma *migrate)
{
	unsigned long i;

	for (i = 0; i < migrate->npages; i++) {
		struct page *newpage = migrate_pfn_to_page(migrate->dst[i]);
		struct page *page = migrate_pfn_to_page(migrate->src[i]);

		if (!page)
			continue;
		if (!newpage || !(migrate->src[i] & MIGRATE_PFN_MIGRATE))
			newpage = page;
		remove_migration_pte(migrate,
				     migrate->start + (i << PAGE_SHIFT),
				     newpage);
		unlock_page(page);
		put_page(page);
	}
}
EXPORT_SYMBOL(migrate_vma_finalize);
