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

static bool is_writable_pte(u64 pte)
{
	return pte & PT_WRITABLE_MASK;
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

static void mmu_spte_clear_no_track(u64 *sptep)
{
	mmu_spte_set(sptep, 0);
}

static struct kvm_rmap_head *gfn_to_rmap(struct kvm_memory_slot *slot,
					 gfn_t gfn)
{
	return &slot->arch.rmap[gfn - slot->base_gfn];
}

static void drop_spte(struct kvm_rmap_head *rmap_head, u64 *sptep)
{
	mmu_spte_clear_no_track(sptep);
	rmap_head->sptep = NULL;
}

static int kvm_unmap_rmapp(struct kvm *kvm, struct kvm_rmap_head *rmap_head,
			   unsigned long data)
{
	if (!rmap_head->sptep)
		return 0;
	drop_spte(rmap_head, rmap_head->sptep);
	return 1;
}

/*
 * A page that the host may write is left to the next fault; one that it may
 * only read takes the place of the old one, for reading.
 */
static int kvm_set_pte_rmapp(struct kvm *kvm, struct kvm_rmap_head *rmap_head,
			     unsigned long data)
{
	pte_t *ptep = (pte_t *)data;
	u64 *sptep = rmap_head->sptep;
	kvm_pfn_t new_pfn;
	u64 new_spte;

	if (!sptep)
		return 0;

	new_pfn = pte_pfn(*ptep);
	if (pte_write(*ptep)) {
		drop_spte(rmap_head, sptep);
		return 1;
	}

	new_spte = make_spte(new_pfn, false);
	mmu_spte_clear_no_track(sptep);
	mmu_spte_set(sptep, new_spte);
	return 1;
}

static int kvm_age_rmapp(struct kvm *kvm, struct kvm_rmap_head *rmap_head,
			 unsigned long data)
{
	u64 *sptep = rmap_head->sptep;

	if (!sptep || !(*sptep & PT_ACCESSED_MASK))
		return 0;
	mmu_spte_set(sptep, *sptep & ~PT_ACCESSED_MASK);
	return 1;
}

static int kvm_test_age_rmapp(struct kvm *kvm, struct kvm_rmap_head *rmap_head,
			      unsigned long data)
{
	return rmap_head->sptep && (*rmap_head->sptep & PT_ACCESSED_MASK);
}

static int kvm_handle_hva_range(struct kvm *kvm,
				unsigned long start,
				unsigned long end,
				unsigned long data,
				int (*handler)(struct kvm *kvm,
					       struct kvm_rmap_head *rmap_head,
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

			/* every page that the addresses touch */
			gfn = hva_to_gfn_memslot(hva_start, memslot);
			gfn_end = hva_to_gfn_memslot(hva_end + PAGE_SIZE - 1,
						     memslot);
			for (; gfn < gfn_end; gfn++)
				ret |= handler(kvm, gfn_to_rmap(memslot, gfn),
					       data);
		}
	}

	return ret;
}

static int kvm_handle_hva(struct kvm *kvm, unsigned long hva,
			  unsigned long data,
			  int (*handler)(struct kvm *kvm,
					 struct kvm_rmap_head *rmap_head,
					 unsigned long data))
{
	return kvm_handle_hva_range(kvm, hva, hva + 1, data, handler);
}

int kvm_unmap_hva_range(struct kvm *kvm, unsigned long start, unsigned long end,
			unsigned flags)
{
	int r = kvm_handle_hva_range(kvm, start, end, 0, kvm_unmap_rmapp);

	if (kvm->arch.tdp_mmu_enabled)
		r |= kvm_tdp_mmu_zap_hva_range(kvm, start, end);

	return r;
}

int kvm_set_spte_hva(struct kvm *kvm, unsigned long hva, pte_t pte)
{
	int r = kvm_handle_hva(kvm, hva, (unsigned long)&pte,
			       kvm_set_pte_rmapp);

	if (kvm->arch.tdp_mmu_enabled)
		r |= kvm_tdp_mmu_set_spte_hva(kvm, hva, &pte);

	return r;
}

int kvm_age_hva(struct kvm *kvm, unsigned long start, unsigned long end)
{
	return kvm_handle_hva_range(kvm, start, end, 0, kvm_age_rmapp);
}

int kvm_test_age_hva(struct kvm *kvm, unsigned long hva)
{
	return kvm_handle_hva(kvm, hva, 0, kvm_test_age_rmapp);
}

/*
 * The guest has changed its page table and flushes its own TLB: take over
 * what the shadow page does not show yet.  Entries that no longer fit are
 * dropped at once, but flushed by whoever comes next, so count them.
 */
static int sync_page(struct kvm_vcpu *vcpu, struct kvm_mmu_page *sp,
		     const gpa_t *gptes)
{
	struct kvm *kvm = vcpu->kvm;
	struct kvm_memory_slot *slot;
	int i, nr_present = 0;

	for (i = 0; i < PT64_ENT_PER_PAGE; i++) {
		gfn_t gfn = gptes[i] >> PAGE_SHIFT;

		if (!is_shadow_present_pte(sp->spt[i]))
			continue;

		if (gfn != sp->gfns[i]) {
			slot = kvm_gfn_to_memslot(kvm, 0, sp->gfns[i]);
			drop_spte(gfn_to_rmap(slot, sp->gfns[i]), &sp->spt[i]);
			/* the entry before the count of what needs a flush */
			smp_wmb();
			kvm->tlbs_dirty++;
			continue;
		}

		nr_present++;
		if (!(gptes[i] & PT_WRITABLE_MASK) &&
		    is_writable_pte(sp->spt[i]))
			mmu_spte_set(&sp->spt[i],
				     sp->spt[i] & ~PT_WRITABLE_MASK);
	}

	sp->unsync = false;
	return nr_present;
}

void kvm_mmu_sync_roots(struct kvm_vcpu *vcpu, const gpa_t *gptes)
{
	struct kvm_mmu_page *sp;

	spin_lock(&vcpu->kvm->mmu_lock);
	list_for_each_entry(sp, &vcpu->kvm->arch.active_mmu_pages, link)
		if (sp->unsync)
			sync_page(vcpu, sp, gptes);
	spin_unlock(&vcpu->kvm->mmu_lock);
}

static int direct_page_fault(struct kvm_vcpu *vcpu, gfn_t gfn, bool write)
{
	struct kvm *kvm = vcpu->kvm;
	struct kvm_memory_slot *slot;
	struct kvm_rmap_head *rmap_head;
	bool map_writable = false;
	unsigned long mmu_seq;
	kvm_pfn_t pfn;
	u64 *sptep;

	slot = kvm_gfn_to_memslot(kvm, 0, gfn);
	if (!slot)
		return -EFAULT;

	mmu_seq = kvm->mmu_notifier_seq;
	/* the sequence before the host's page tables */
	smp_rmb();

	pfn = kvm_hva_to_pfn(kvm, gfn_to_hva_memslot(slot, gfn), write,
			     &map_writable);
	if (is_error_pfn(pfn))
		return -EFAULT;

	spin_lock(&kvm->mmu_lock);
	if (mmu_notifier_retry(kvm, mmu_seq))
		goto out_unlock;

	if (kvm->arch.tdp_mmu_enabled) {
		kvm_tdp_mmu_map(vcpu, gfn, pfn, map_writable);
		goto out_unlock;
	}

	rmap_head = gfn_to_rmap(slot, gfn);
	sptep = &vcpu->arch.root_spt[gfn % PT64_ENT_PER_PAGE];
	if (rmap_head->sptep && spte_to_pfn(*rmap_head->sptep) != pfn) {
		drop_spte(rmap_head, rmap_head->sptep);
		kvm_flush_remote_tlbs(kvm);
	}
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
	INIT_LIST_HEAD(&kvm->arch.active_mmu_pages);
}

void kvm_arch_flush_shadow_all(struct kvm *kvm)
{
	spin_lock(&kvm->mmu_lock);
	if (kvm_handle_hva_range(kvm, 0, ULONG_MAX - PAGE_SIZE, 0,
				 kvm_unmap_rmapp))
		kvm_flush_remote_tlbs(kvm);
	spin_unlock(&kvm->mmu_lock);
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
