/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_HOST_H
#define __KVM_HOST_H

#include <linux/interval_tree.h>
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

/* The slot is going away: what it maps is dropped, and nothing mapped anew. */
#define KVM_MEMSLOT_INVALID	(1U << 16)

struct kvm_memory_slot {
	/* by the host's addresses, in the tree of its set */
	struct interval_tree_node hva_node[1];
	gfn_t base_gfn;
	unsigned long npages;
	unsigned long userspace_addr;
	u32 flags;
	int as_id;
	struct kvm_arch_memory_slot arch;
};

/* A set is never changed once it is in use: another takes its place. */
struct kvm_memslots {
	struct rb_root_cached hva_tree;
	struct kvm_memory_slot memslots[KVM_MEM_SLOTS_NUM];
	int used_slots;
};

/* The part of one slot that an event of the host is about. */
struct kvm_gfn_range {
	struct kvm_memory_slot *slot;
	gfn_t start;
	gfn_t end;
	pte_t pte;
	bool may_block;
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
	unsigned long mmu_invalidate_seq;
	long mmu_invalidate_in_progress;
	/* what the invalidations in progress are about, all in all */
	unsigned long mmu_invalidate_range_start;
	unsigned long mmu_invalidate_range_end;
#endif
	/* protects the count of invalidations, whatever slots they find */
	spinlock_t mn_invalidate_lock;
	unsigned long mn_active_invalidate_count;
	struct srcu_struct srcu;
};

#define kvm_for_each_vcpu(idx, vcpup, kvm)				\
	for (idx = 0;							\
	     idx < atomic_read(&(kvm)->online_vcpus) &&			\
	     (vcpup = (kvm)->vcpus[idx]);				\
	     idx++)

#define KVM_MMU_LOCK(kvm)	spin_lock(&(kvm)->mmu_lock)
#define KVM_MMU_UNLOCK(kvm)	spin_unlock(&(kvm)->mmu_lock)

/* what @v points to before the pointer to it */
#define rcu_assign_pointer(p, v)					\
	do {								\
		smp_wmb();						\
		WRITE_ONCE(p, v);					\
	} while (0)

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
int kvm_delete_memory_region(struct kvm *kvm, int as_id, gfn_t base_gfn);
struct kvm_memory_slot *kvm_gfn_to_memslot(struct kvm *kvm, int as_id,
					   gfn_t gfn);
kvm_pfn_t kvm_hva_to_pfn(struct kvm *kvm, unsigned long hva, bool write_fault,
			 bool *writable);
void kvm_release_pfn_clean(kvm_pfn_t pfn);
bool kvm_make_all_cpus_request(struct kvm *kvm, unsigned int req);
void kvm_flush_remote_tlbs(struct kvm *kvm);

void kvm_arch_init_vm(struct kvm *kvm);
void kvm_arch_flush_shadow_all(struct kvm *kvm);
void kvm_arch_flush_shadow_memslot(struct kvm *kvm,
				   struct kvm_memory_slot *slot);
void kvm_arch_guest_memory_reclaimed(struct kvm *kvm);
void kvm_arch_mmu_notifier_invalidate_range(struct kvm *kvm,
					    unsigned long start,
					    unsigned long end);

/* The processor's part: sends the vCPU out of the guest, if it is in it. */
void kvm_vcpu_kick(struct kvm_vcpu *vcpu);

#if defined(CONFIG_MMU_NOTIFIER) && defined(KVM_ARCH_WANT_MMU_NOTIFIER)
bool kvm_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range);
bool kvm_set_spte_gfn(struct kvm *kvm, struct kvm_gfn_range *range);
bool kvm_age_gfn(struct kvm *kvm, struct kvm_gfn_range *range);
bool kvm_test_age_gfn(struct kvm *kvm, struct kvm_gfn_range *range);

/* With the mmu_lock held: was the page at @hva, looked up at @mmu_seq, invalidated? */
static inline int mmu_invalidate_retry_hva(struct kvm *kvm,
					   unsigned long mmu_seq,
					   unsigned long hva)
{
	if (unlikely(kvm->mmu_invalidate_in_progress) &&
	    hva >= kvm->mmu_invalidate_range_start &&
	    hva < kvm->mmu_invalidate_range_end)
		return 1;
	/* pairs with the smp_wmb() between the two at the end */
	smp_rmb();
	if (kvm->mmu_invalidate_seq != mmu_seq)
		return 1;
	return 0;
}
#endif

#endif /* __KVM_HOST_H */
