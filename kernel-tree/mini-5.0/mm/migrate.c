// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages to and from the memory of a device.
 */

#include <linux/export.h>
#include <linux/huge_mm.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/rmap.h>
#include <linux/swapops.h>

static void collect_one(struct migrate_vma *migrate, unsigned long mpfn)
{
	migrate->dst[migrate->npages] = 0;
	migrate->src[migrate->npages++] = mpfn;
	if (mpfn & MIGRATE_PFN_MIGRATE)
		migrate->cpages++;
}

static int migrate_vma_collect_hole(unsigned long start, unsigned long end,
				    struct mm_walk *walk)
{
	struct migrate_vma *migrate = walk->private;
	unsigned long addr;

	for (addr = start; addr < end; addr += PAGE_SIZE)
		collect_one(migrate, MIGRATE_PFN_MIGRATE);
	return 0;
}

static int migrate_vma_collect_pmd(pmd_t *pmdp, unsigned long start,
				   unsigned long end, struct mm_walk *walk)
{
	struct migrate_vma *migrate = walk->private;
	struct vm_area_struct *vma = walk->vma;
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = start;
	swp_entry_t entry;
	struct page *page;
	spinlock_t *ptl;
	pte_t *ptep;
	pte_t pte;

	if (pmd_trans_huge(*pmdp))
		split_huge_pmd(vma, pmdp, addr);

	ptep = pte_offset_map_lock(mm, pmdp, addr, &ptl);
	for (; addr < end; addr += PAGE_SIZE, ptep++) {
		pte = *ptep;
		if (pte_none(pte)) {
			collect_one(migrate, MIGRATE_PFN_MIGRATE);
			continue;
		}

		page = pte_present(pte) ? vm_normal_page(vma, addr, pte) : NULL;
		if (!page || !trylock_page(page)) {
			collect_one(migrate, 0);
			continue;
		}
		get_page(page);
		collect_one(migrate, migrate_pfn(page_to_pfn(page)) |
				     MIGRATE_PFN_MIGRATE);

		/* Whoever touches the address now waits for the migration. */
		ptep_get_and_clear(mm, addr, ptep);
		entry = make_migration_entry(page, pte_write(pte));
		set_pte_at(mm, addr, ptep, swp_entry_to_pte(entry));
		page_remove_rmap(page, false);
		put_page(page);
	}
	pte_unmap_unlock(ptep - 1, ptl);
	flush_tlb_range(vma, start, end);
	return 0;
}

static void migrate_vma_collect(struct migrate_vma *migrate)
{
	struct mmu_notifier_range range;
	struct mm_walk mm_walk = {
		.pmd_entry = migrate_vma_collect_pmd,
		.pte_hole = migrate_vma_collect_hole,
		.vma = migrate->vma,
		.mm = migrate->vma->vm_mm,
		.private = migrate,
	};

	mmu_notifier_range_init(&range, mm_walk.mm, migrate->start,
				migrate->end);
	mmu_notifier_invalidate_range_start(&range);
	walk_page_range(migrate->start, migrate->end, &mm_walk);
	mmu_notifier_invalidate_range_end(&range);

	migrate->end = migrate->start + (migrate->npages << PAGE_SHIFT);
}

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

static void migrate_vma_pages(struct migrate_vma *migrate)
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

static void migrate_vma_finalize(struct migrate_vma *migrate)
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

/*
 * Moves the pages of @start to @end.  The driver allocates the new pages into
 * @dst and copies in one callback, and tells its device in the other.
 */
int migrate_vma(const struct migrate_vma_ops *ops, struct vm_area_struct *vma,
		unsigned long start, unsigned long end, unsigned long *src,
		unsigned long *dst, void *private)
{
	struct migrate_vma migrate = {
		.vma = vma,
		.start = start,
		.end = end,
		.src = src,
		.dst = dst,
	};

	if (start >= end || start < vma->vm_start || end > vma->vm_end)
		return -EINVAL;

	migrate_vma_collect(&migrate);
	if (!migrate.cpages)
		return 0;

	ops->alloc_and_copy(vma, src, dst, start, migrate.end, private);
	migrate_vma_pages(&migrate);
	ops->finalize_and_map(vma, src, dst, start, migrate.end, private);
	migrate_vma_finalize(&migrate);
	return 0;
}
EXPORT_SYMBOL(migrate_vma);
