/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_HOST_H
#define __KVM_HOST_H

#include <linux/kvm_types.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>

#include <asm/kvm_host.h>

#define KVM_MEM_SLOTS_NUM	8

#define KVM_REQ_TLB_FLUSH	0
#define KVM_REQ_APIC_PAGE_RELOAD	1

#define KVM_PFN_ERR_FAULT	(~0ULL)

struct kvm_vcpu {
	struct kvm *kvm;
	int vcpu_id;
	unsigned long requests;
	struct kvm_vcpu_arch arch;
};

struct kvm_memory_slot {
	gfn_t base_gfn;
	unsigned long npages;
	unsigned long userspace_addr;
	struct kvm_arch_memory_slot arch;
};

struct kvm_memslots {
	struct kvm_memory_slot memslots[KVM_MEM_SLOTS_NUM];
	int used_slots;
};

struct kvm {
	/* protects the shadow page tables and the notifier's counters */
	spinlock_t mmu_lock;
	/* serialises changes of the memory slots */
	struct mutex slots_lock;
	struct mm_struct *mm;
	struct kvm_memslots *memslots[KVM_ADDRESS_SPACE_NUM];
	struct kvm_vcpu *vcpus[KVM_MAX_VCPUS];
	atomic_t online_vcpus;
	struct kvm_arch arch;

#if defined(CONFIG_MMU_NOTIFIER) && defined(KVM_ARCH_WANT_MMU_NOTIFIER)
	struct mmu_notifier mmu_notifier;
	unsigned long mmu_notifier_seq;
	long mmu_notifier_count;
#endif
	/* shadow entries dropped without a flush since the last one */
	long tlbs_dirty;
	struct srcu_struct srcu;
};

#define kvm_for_each_vcpu(idx, vcpup, kvm)				\
	for (idx = 0;							\
	     idx < atomic_read(&(kvm)->online_vcpus) &&			\
	     (vcpup = (kvm)->vcpus[idx]);				\
	     idx++)

#define kvm_for_each_memslot(memslot, slots)				\
	for (memslot = &(slots)->memslots[0];				\
	     memslot < (slots)->memslots + (slots)->used_slots;		\
	     memslot++)

static inline struct kvm_memslots *__kvm_memslots(struct kvm *kvm, int as_id)
{
	return READ_ONCE(kvm->memslots[as_id]);
}

static inline gfn_t hva_to_gfn_memslot(unsigned long hva,
				       struct kvm_memory_slot *slot)
{
	return slot->base_gfn + ((hva - slot->userspace_addr) >> PAGE_SHIFT);
}

static inline unsigned long gfn_to_hva_memslot(struct kvm_memory_slot *slot,
					       gfn_t gfn)
{
	return slot->userspace_addr + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}

static inline void kvm_make_request(int req, struct kvm_vcpu *vcpu)
{
	smp_wmb();
	__sync_fetch_and_or(&vcpu->requests, 1UL << req);
}

static inline bool is_error_pfn(kvm_pfn_t pfn)
{
	return pfn == KVM_PFN_ERR_FAULT;
}

struct kvm *kvm_create_vm(void);
void kvm_destroy_vm(struct kvm *kvm);
struct kvm_vcpu *kvm_create_vcpu(struct kvm *kvm, int id);
int kvm_set_memory_region(struct kvm *kvm, int as_id, gfn_t base_gfn,
			  unsigned long userspace_addr, unsigned long npages);
struct kvm_memory_slot *kvm_gfn_to_memslot(struct kvm *kvm, int as_id,
					   gfn_t gfn);
kvm_pfn_t kvm_hva_to_pfn(struct kvm *kvm, unsigned long hva, bool write_fault,
			 bool *writable);
void kvm_release_pfn_clean(kvm_pfn_t pfn);
bool kvm_make_all_cpus_request(struct kvm *kvm, unsigned int req);
void kvm_flush_remote_tlbs(struct kvm *kvm);

void kvm_arch_init_vm(struct kvm *kvm);
void kvm_arch_flush_shadow_all(struct kvm *kvm);
int kvm_arch_mmu_notifier_invalidate_range(struct kvm *kvm,
					   unsigned long start,
					   unsigned long end, bool blockable);

/* The processor's part: sends the vCPU out of the guest, if it is in it. */
void kvm_vcpu_kick(struct kvm_vcpu *vcpu);

#if defined(CONFIG_MMU_NOTIFIER) && defined(KVM_ARCH_WANT_MMU_NOTIFIER)
/* With the mmu_lock held: was a page looked up at @mmu_seq invalidated? */
static inline int mmu_notifier_retry(struct kvm *kvm, unsigned long mmu_seq)
{
	if (unlikely(kvm->mmu_notifier_count))
		return 1;
	/* pairs with the smp_wmb() between the two in range_end */
	smp_rmb();
	if (kvm->mmu_notifier_seq != mmu_seq)
		return 1;
	return 0;
}
#endif

#endif /* __KVM_HOST_H */
