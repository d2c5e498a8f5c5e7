// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow page tables: the guest's pages as the processor sees them.
 */

#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "tdp_mmu.h"

#define PT_PRESENT_MASK		0x001ULL
#define PT_WRITABLE_MASK	0x002ULL
#define PT_ACCESSED_MASK	0x020ULL
#define SPTE_HOST_WRITEABLE	0x200ULL
#define PT64_BASE_ADDR_MASK	0x000ffffffffff000ULL

static bool is_shadow_present_pte(u64 pte)
{
	return pte & PT_PRESENT_MASK;
}

static kvm_pfn_t spte_to_pfn(u64 pte)
{
	return (pte & PT64_BASE_ADDR_MASK) >> PAGE_SHIFT;
}

static u64 make_spte(kvm_pfn_t pfn, bool writable)
{
	u64 spte = (pfn << PAGE_SHIFT) | PT_PRESENT_MASK | PT_ACCESSED_MASK;

	if (writable)
		spte |= PT_WRITABLE_MASK | SPTE_HOST_WRITEABLE;
	return spte;
}

static void mmu_spte_set(u64 *sptep, u64 spte)
{
	WRITE_ONCE(*sptep, spte);
}

/* The page is not mapped any more, and is counted as such. */
static u64 mmu_spte_clear_track_bits(struct kvm *kvm, u64 *sptep)
{
	u64 old_spte = *sptep;

	mmu_spte_set(sptep, 0);
	if (is_shadow_present_pte(old_spte))
		kvm_update_page_stats(kvm, PG_LEVEL_4K, -1);
	return old_spte;
}

static struct kvm_rmap_head *gfn_to_rmap(struct kvm_memory_slot *slot,
					 gfn_t gfn)
{
	return &slot->arch.rmap[gfn - slot->base_gfn];
}

static void drop_spte(struct kvm *kvm, struct kvm_rmap_head *rmap_head,
		      u64 *sptep)
{
	mmu_spte_clear_track_bits(kvm, sptep);
	rmap_head->sptep = NULL;
}

static bool kvm_zap_rmap(struct kvm *kvm, struct kvm_rmap_head *rmap_head,
			 int level, pte_t unused)
{
	if (!rmap_head->sptep)
		return false;
	drop_spte(kvm, rmap_head, rmap_head->sptep);
	return true;
}

/*
 * A page that the host may write is left to the next fault; one that it may
 * only read takes the place of the old one, for reading.
 */
static bool kvm_set_pte_rmap(struct kvm *kvm, struct kvm_rmap_head *rmap_head,
			     int level, pte_t pte)
{
	u64 *sptep = rmap_head->sptep;
	u64 new_spte;

	if (!sptep)
		return false;

	if (pte_write(pte)) {
		drop_spte(kvm, rmap_head, sptep);
		return true;
	}

	new_spte = make_spte(pte_pfn(pte), false);
	mmu_spte_clear_track_bits(kvm, sptep);
	mmu_spte_set(sptep, new_spte);
	return true;
}

static bool kvm_age_rmap(struct kvm *kvm, struct kvm_rmap_head *rmap_head,
			 int level, pte_t unused)
{
	u64 *sptep = rmap_head->sptep;

	if (!sptep || !(*sptep & PT_ACCESSED_MASK))
		return false;
	mmu_spte_set(sptep, *sptep & ~PT_ACCESSED_MASK);
	return true;
}

static bool kvm_test_age_rmap(struct kvm *kvm, struct kvm_rmap_head *rmap_head,
			      int level, pte_t unused)
{
	return rmap_head->sptep && (*rmap_head->sptep & PT_ACCESSED_MASK);
}

typedef bool (*rmap_handler_t)(struct kvm *kvm, struct kvm_rmap_head *rmap_head,
			       int level, pte_t pte);

/* Where a walk over the rmaps of a part of a slot is: no huge pages here. */
struct slot_rmap_walk_iterator {
	struct kvm_memory_slot *slot;
	gfn_t gfn;
	gfn_t last_gfn;
	/* NULL at the end */
	struct kvm_rmap_head *rmap;
	int level;
};

static void slot_rmap_walk_init(struct slot_rmap_walk_iterator *iterator,
				struct kvm_memory_slot *slot, int first_level,
				int last_level, gfn_t gfn, gfn_t last_gfn)
{
	iterator->slot = slot;
	iterator->gfn = gfn;
	iterator->last_gfn = last_gfn;
	iterator->level = first_level;
	iterator->rmap = gfn_to_rmap(slot, gfn);
}

static bool slot_rmap_walk_okay(struct slot_rmap_walk_iterator *iterator)
{
	return iterator->rmap;
}

static void slot_rmap_walk_next(struct slot_rmap_walk_iterator *iterator)
{
	iterator->rmap = NULL;
	if (iterator->gfn++ < iterator->last_gfn)
		iterator->rmap = gfn_to_rmap(iterator->slot, iterator->gfn);
}

#define for_each_slot_rmap_range(_slot_, _start_level_, _end_level_,	\
				 _start_gfn, _end_gfn, _iter_)		\
	for (slot_rmap_walk_init(_iter_, _slot_, _start_level_,		\
				 _end_level_, _start_gfn, _end_gfn);	\
	     slot_rmap_walk_okay(_iter_);				\
	     slot_rmap_walk_next(_iter_))

static bool kvm_handle_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range,
				 rmap_handler_t handler)
{
	struct slot_rmap_walk_iterator iterator;
	bool ret = false;

	for_each_slot_rmap_range(range->slot, PG_LEVEL_4K, KVM_MAX_HUGEPAGE_LEVEL,
				 range->start, range->end - 1, &iterator)
		ret |= handler(kvm, iterator.rmap, iterator.level, range->pte);
	return ret;
}

bool kvm_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range)
{
	bool flush = kvm_handle_gfn_range(kvm, range, kvm_zap_rmap);

	if (kvm->arch.tdp_mmu_enabled)
		flush |= kvm_tdp_mmu_unmap_gfn_range(kvm, range);

	return flush;
}

bool kvm_set_spte_gfn(struct kvm *kvm, struct kvm_gfn_range *range)
{
	bool flush = kvm_handle_gfn_range(kvm, range, kvm_set_pte_rmap);

	if (kvm->arch.tdp_mmu_enabled)
		flush |= kvm_tdp_mmu_set_spte_gfn(kvm, range);

	return flush;
}

bool kvm_age_gfn(struct kvm *kvm, struct kvm_gfn_range *range)
{
	return kvm_handle_gfn_range(kvm, range, kvm_age_rmap);
}

bool kvm_test_age_gfn(struct kvm *kvm, struct kvm_gfn_range *range)
{
	return kvm_handle_gfn_range(kvm, range, kvm_test_age_rmap);
}

static int direct_page_fault(struct kvm_vcpu *vcpu, gfn_t gfn, bool write)
{
	struct kvm *kvm = vcpu->kvm;
	struct kvm_memory_slot *slot;
	struct kvm_rmap_head *rmap_head;
	bool map_writable = false;
	unsigned long mmu_seq, hva;
	kvm_pfn_t pfn;
	u64 *sptep;

	slot = kvm_gfn_to_memslot(kvm, 0, gfn);
	if (!slot)
		return -EFAULT;
	/* Its mappings are being dropped: try again until it is gone. */
	if (slot->flags & KVM_MEMSLOT_INVALID)
		return 0;

	hva = gfn_to_hva_memslot(slot, gfn);
	mmu_seq = kvm->mmu_invalidate_seq;
	/* the sequence before the host's page tables */
	smp_rmb();

	pfn = kvm_hva_to_pfn(kvm, hva, write, &map_writable);
	if (is_error_pfn(pfn))
		return -EFAULT;

	spin_lock(&kvm->mmu_lock);
	if (mmu_invalidate_retry_hva(kvm, mmu_seq, hva))
		goto out_unlock;

	if (kvm->arch.tdp_mmu_enabled) {
		kvm_tdp_mmu_map(vcpu, gfn, pfn, map_writable);
		goto out_unlock;
	}

	rmap_head = gfn_to_rmap(slot, gfn);
	sptep = &vcpu->arch.root_spt[gfn % PT64_ENT_PER_PAGE];
	if (rmap_head->sptep && spte_to_pfn(*rmap_head->sptep) != pfn) {
		drop_spte(kvm, rmap_head, rmap_head->sptep);
		kvm_flush_remote_tlbs(kvm);
	}
	if (!rmap_head->sptep)
		kvm_update_page_stats(kvm, PG_LEVEL_4K, 1);
	mmu_spte_set(sptep, make_spte(pfn, map_writable));
	rmap_head->sptep = sptep;

out_unlock:
	spin_unlock(&kvm->mmu_lock);
	kvm_release_pfn_clean(pfn);
	return 0;
}

int kvm_mmu_page_fault(struct kvm_vcpu *vcpu, gpa_t cr2_or_gpa, bool write)
{
	int idx, r;

	idx = srcu_read_lock(&vcpu->kvm->srcu);
	r = direct_page_fault(vcpu, cr2_or_gpa >> PAGE_SHIFT, write);
	srcu_read_unlock(&vcpu->kvm->srcu, idx);
	return r;
}

void kvm_arch_init_vm(struct kvm *kvm)
{
	INIT_LIST_HEAD(&kvm->arch.tdp_mmu_roots);
}

static void kvm_zap_slot(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	struct kvm_gfn_range range = {
		.slot	= slot,
		.start	= slot->base_gfn,
		.end	= slot->base_gfn + slot->npages,
	};

	spin_lock(&kvm->mmu_lock);
	if (kvm_unmap_gfn_range(kvm, &range))
		kvm_flush_remote_tlbs(kvm);
	spin_unlock(&kvm->mmu_lock);
}

void kvm_arch_flush_shadow_memslot(struct kvm *kvm,
				   struct kvm_memory_slot *slot)
{
	kvm_zap_slot(kvm, slot);
}

void kvm_arch_flush_shadow_all(struct kvm *kvm)
{
	struct kvm_memslots *slots;
	int i, n;

	for (i = 0; i < KVM_ADDRESS_SPACE_NUM; i++) {
		slots = __kvm_memslots(kvm, i);
		for (n = 0; n < slots->used_slots; n++)
			kvm_zap_slot(kvm, &slots->memslots[n]);
	}
}

/* No guest here has encrypted memory whose cache lines would be left over. */
void kvm_arch_guest_memory_reclaimed(struct kvm *kvm)
{
}

void kvm_arch_mmu_notifier_invalidate_range(struct kvm *kvm,
					    unsigned long start,
					    unsigned long end)
{
	unsigned long apic_address = kvm->arch.apic_access_hva;

	/* The processor holds this page by its physical address. */
	if (start <= apic_address && apic_address < end)
		kvm_make_all_cpus_request(kvm, KVM_REQ_APIC_PAGE_RELOAD);
}
