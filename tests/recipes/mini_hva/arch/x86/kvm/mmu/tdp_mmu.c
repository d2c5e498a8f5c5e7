// SPDX-License-Identifier: GPL-2.0-only
/*
 * Second level page tables without shadows: one table for each address space.
 */

#include <linux/kvm_host.h>
#include <linux/mm.h>

#include "tdp_iter.h"
#include "tdp_mmu.h"

#define PT_PRESENT_MASK		0x001ULL
#define PT_WRITABLE_MASK	0x002ULL
#define PT_DIRTY_MASK		0x040ULL
#define PT64_BASE_ADDR_MASK	0x000ffffffffff000ULL

/* The roots of one address space; there may be several. */
#define for_each_tdp_mmu_root(_kvm, _root, _as_id)			\
	list_for_each_entry(_root, &_kvm->arch.tdp_mmu_roots, link)	\
		if (_root->as_id != _as_id) {				\
		} else

/* The entries of a root that map a page. */
#define tdp_root_for_each_leaf_pte(_iter, _root, _start, _end)		\
	for_each_tdp_pte(_iter, _root->spt, _start, _end)		\
		if (!is_shadow_present_pte(_iter.old_spte)) {		\
		} else

static bool is_shadow_present_pte(u64 spte)
{
	return spte & PT_PRESENT_MASK;
}

static kvm_pfn_t spte_to_pfn(u64 spte)
{
	return (spte & PT64_BASE_ADDR_MASK) >> PAGE_SHIFT;
}

/* The entry for another page in the place of an old one, for reading. */
static u64 changed_spte(u64 old_spte, kvm_pfn_t new_pfn)
{
	u64 new_spte;

	new_spte = old_spte & ~PT64_BASE_ADDR_MASK;
	new_spte |= new_pfn << PAGE_SHIFT;
	new_spte &= ~PT_WRITABLE_MASK;
	return new_spte;
}

/*
 * Every change of an entry is accounted for here.  A page must not take the
 * place of another while the guest may still have the first in its TLB.
 */
static void handle_changed_spte(u64 old_spte, u64 new_spte)
{
	bool pfn_changed = spte_to_pfn(old_spte) != spte_to_pfn(new_spte);

	if (is_shadow_present_pte(old_spte) &&
	    is_shadow_present_pte(new_spte) && pfn_changed)
		BUG();

	if ((old_spte & PT_DIRTY_MASK) && !(new_spte & PT_DIRTY_MASK))
		set_page_dirty(pfn_to_page(spte_to_pfn(old_spte)));
}

static void tdp_mmu_set_spte(struct tdp_iter *iter, u64 new_spte)
{
	WRITE_ONCE(*iter->sptep, new_spte);
	handle_changed_spte(iter->old_spte, new_spte);
}

void kvm_tdp_mmu_map(struct kvm_vcpu *vcpu, gfn_t gfn, kvm_pfn_t pfn,
		     bool map_writable)
{
	u64 spte = (pfn << PAGE_SHIFT) | PT_PRESENT_MASK;
	struct kvm_mmu_page *root;
	struct tdp_iter iter;

	if (map_writable)
		spte |= PT_WRITABLE_MASK | PT_DIRTY_MASK;
	for_each_tdp_mmu_root(vcpu->kvm, root, 0)
		for_each_tdp_pte(iter, root->spt, gfn, gfn + 1)
			tdp_mmu_set_spte(&iter, spte);
}

bool kvm_tdp_mmu_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range)
{
	struct kvm_mmu_page *root;
	struct tdp_iter iter;
	bool flush = false;

	for_each_tdp_mmu_root(kvm, root, range->slot->as_id) {
		tdp_root_for_each_leaf_pte(iter, root, range->start, range->end) {
			tdp_mmu_set_spte(&iter, 0);
			flush = true;
		}
	}

	return flush;
}

typedef bool (*tdp_handler_t)(struct kvm *kvm, struct tdp_iter *iter,
			      struct kvm_gfn_range *range);

static bool kvm_tdp_mmu_handle_gfn(struct kvm *kvm, struct kvm_gfn_range *range,
				   tdp_handler_t handler)
{
	struct kvm_mmu_page *root;
	struct tdp_iter iter;
	bool ret = false;

	for_each_tdp_mmu_root(kvm, root, range->slot->as_id)
		tdp_root_for_each_leaf_pte(iter, root, range->start, range->end)
			ret |= handler(kvm, &iter, range);

	return ret;
}

/* The host's entry for a page has changed: range->pte is the new one. */
static bool set_spte_gfn(struct kvm *kvm, struct tdp_iter *iter,
			 struct kvm_gfn_range *range)
{
	u64 new_spte;

	tdp_mmu_set_spte(iter, 0);

	if (!pte_write(range->pte)) {
		new_spte = changed_spte(iter->old_spte, pte_pfn(range->pte));
		tdp_mmu_set_spte(iter, new_spte);
	}

	return true;
}

bool kvm_tdp_mmu_set_spte_gfn(struct kvm *kvm, struct kvm_gfn_range *range)
{
	return kvm_tdp_mmu_handle_gfn(kvm, range, set_spte_gfn);
}
