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
	struct tdp_iter iter;

	if (map_writable)
		spte |= PT_WRITABLE_MASK | PT_DIRTY_MASK;
	for_each_tdp_pte(iter, vcpu->kvm->arch.tdp_roots[0], gfn, gfn + 1)
		tdp_mmu_set_spte(&iter, spte);
}

static int kvm_tdp_mmu_handle_hva_range(struct kvm *kvm, unsigned long start,
					unsigned long end, unsigned long data,
					int (*handler)(struct kvm *kvm,
						       u64 *root, gfn_t start,
						       gfn_t end,
						       unsigned long data))
{
	struct kvm_memory_slot *memslot;
	struct kvm_memslots *slots;
	int ret = 0;
	int i;

	for (i = 0; i < KVM_ADDRESS_SPACE_NUM; i++) {
		slots = __kvm_memslots(kvm, i);
		kvm_for_each_memslot(memslot, slots) {
			unsigned long hva_start, hva_end;
			gfn_t gfn, gfn_end;

			hva_start = max(start, memslot->userspace_addr);
			hva_end = min(end, memslot->userspace_addr +
				      (memslot->npages << PAGE_SHIFT));
			if (hva_start >= hva_end)
				continue;

			gfn = hva_to_gfn_memslot(hva_start, memslot);
			gfn_end = hva_to_gfn_memslot(hva_end + PAGE_SIZE - 1,
						     memslot);
			ret |= handler(kvm, kvm->arch.tdp_roots[i], gfn,
				       gfn_end, data);
		}
	}

	return ret;
}

static int zap_gfn_range(struct kvm *kvm, u64 *root, gfn_t start, gfn_t end,
			 unsigned long unused)
{
	struct tdp_iter iter;
	int flush = 0;

	for_each_tdp_pte(iter, root, start, end) {
		if (!is_shadow_present_pte(iter.old_spte))
			continue;
		tdp_mmu_set_spte(&iter, 0);
		flush = 1;
	}

	return flush;
}

int kvm_tdp_mmu_zap_hva_range(struct kvm *kvm, unsigned long start,
			      unsigned long end)
{
	return kvm_tdp_mmu_handle_hva_range(kvm, start, end, 0, zap_gfn_range);
}

/* The host's entry for a page has changed: data points to the new one. */
static int set_tdp_spte(struct kvm *kvm, u64 *root, gfn_t gfn, gfn_t unused,
			unsigned long data)
{
	pte_t *ptep = (pte_t *)data;
	struct tdp_iter iter;
	int need_flush = 0;
	u64 new_spte;

	for_each_tdp_pte(iter, root, gfn, gfn + 1) {
		if (!is_shadow_present_pte(iter.old_spte))
			break;

		tdp_mmu_set_spte(&iter, 0);

		if (!pte_write(*ptep)) {
			new_spte = changed_spte(iter.old_spte, pte_pfn(*ptep));
			tdp_mmu_set_spte(&iter, new_spte);
		}

		need_flush = 1;
	}

	if (need_flush)
		kvm_flush_remote_tlbs(kvm);

	return 0;
}

int kvm_tdp_mmu_set_spte_hva(struct kvm *kvm, unsigned long address,
			     pte_t *host_ptep)
{
	return kvm_tdp_mmu_handle_hva_range(kvm, address, address + 1,
					    (unsigned long)host_ptep,
					    set_tdp_spte);
}
