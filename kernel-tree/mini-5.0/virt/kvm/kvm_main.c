// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual machines: their memory, and what the host does to it.
 */

#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched.h>
#include <linux/slab.h>

bool kvm_make_all_cpus_request(struct kvm *kvm, unsigned int req)
{
	struct kvm_vcpu *vcpu;
	bool called = false;
	int i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		kvm_make_request(req, vcpu);
		kvm_vcpu_kick(vcpu);
		called = true;
	}
	return called;
}

void kvm_flush_remote_tlbs(struct kvm *kvm)
{
	/* Entries that are dropped from here on need a flush of their own. */
	long dirty_count = smp_load_acquire(&kvm->tlbs_dirty);

	kvm_make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH);
	cmpxchg(&kvm->tlbs_dirty, dirty_count, 0);
}
EXPORT_SYMBOL_GPL(kvm_flush_remote_tlbs);

#if defined(CONFIG_MMU_NOTIFIER) && defined(KVM_ARCH_WANT_MMU_NOTIFIER)
static inline struct kvm *mmu_notifier_to_kvm(struct mmu_notifier *mn)
{
	return container_of(mn, struct kvm, mmu_notifier);
}

/* The shadow entries follow the host's entry; see kvm_set_spte_hva(). */
static void kvm_mmu_notifier_change_pte(struct mmu_notifier *mn,
					struct mm_struct *mm,
					unsigned long address,
					pte_t pte)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	spin_lock(&kvm->mmu_lock);
	/* A fault may have looked the old page up. */
	kvm->mmu_notifier_seq++;
	if (kvm_set_spte_hva(kvm, address, pte))
		kvm_flush_remote_tlbs(kvm);
	spin_unlock(&kvm->mmu_lock);
	srcu_read_unlock(&kvm->srcu, idx);
}

static int kvm_mmu_notifier_invalidate_range_start(struct mmu_notifier *mn,
					const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	int need_tlb_flush, idx;
	int ret;

	idx = srcu_read_lock(&kvm->srcu);
	spin_lock(&kvm->mmu_lock);
	/* Whoever maps a page reads the count under the same lock. */
	kvm->mmu_notifier_count++;
	need_tlb_flush = kvm_unmap_hva_range(kvm, range->start, range->end);
	/* The guest must not reach the pages when they are freed. */
	need_tlb_flush |= kvm->tlbs_dirty;
	if (need_tlb_flush)
		kvm_flush_remote_tlbs(kvm);
	spin_unlock(&kvm->mmu_lock);

	ret = kvm_arch_mmu_notifier_invalidate_range(kvm, range->start,
					range->end, range->blockable);
	srcu_read_unlock(&kvm->srcu, idx);

	return ret;
}

static void kvm_mmu_notifier_invalidate_range_end(struct mmu_notifier *mn,
					const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	spin_lock(&kvm->mmu_lock);
	/* A fault that looked its page up before this must look again. */
	kvm->mmu_notifier_seq++;
	/* Sequence before count; mmu_notifier_retry() reads them in reverse. */
	smp_wmb();
	kvm->mmu_notifier_count--;
	spin_unlock(&kvm->mmu_lock);

	BUG_ON(kvm->mmu_notifier_count < 0);
}

static int kvm_mmu_notifier_clear_flush_young(struct mmu_notifier *mn,
					      struct mm_struct *mm,
					      unsigned long start,
					      unsigned long end)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	int idx = srcu_read_lock(&kvm->srcu);
	int young;

	spin_lock(&kvm->mmu_lock);
	young = kvm_age_hva(kvm, start, end);
	if (young)
		kvm_flush_remote_tlbs(kvm);
	spin_unlock(&kvm->mmu_lock);
	srcu_read_unlock(&kvm->srcu, idx);
	return young;
}

static int kvm_mmu_notifier_clear_young(struct mmu_notifier *mn,
					struct mm_struct *mm,
					unsigned long start,
					unsigned long end)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	int idx = srcu_read_lock(&kvm->srcu);
	int young;

	/* A page that stays young for a while longer harms nobody. */
	spin_lock(&kvm->mmu_lock);
	young = kvm_age_hva(kvm, start, end);
	spin_unlock(&kvm->mmu_lock);
	srcu_read_unlock(&kvm->srcu, idx);
	return young;
}

static int kvm_mmu_notifier_test_young(struct mmu_notifier *mn,
				       struct mm_struct *mm,
				       unsigned long address)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	int idx = srcu_read_lock(&kvm->srcu);
	int young;

	spin_lock(&kvm->mmu_lock);
	young = kvm_test_age_hva(kvm, address);
	spin_unlock(&kvm->mmu_lock);
	srcu_read_unlock(&kvm->srcu, idx);
	return young;
}

static void kvm_mmu_notifier_release(struct mmu_notifier *mn,
				     struct mm_struct *mm)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	kvm_arch_flush_shadow_all(kvm);
	srcu_read_unlock(&kvm->srcu, idx);
}

static const struct mmu_notifier_ops kvm_mmu_notifier_ops = {
	.release		= kvm_mmu_notifier_release,
	.change_pte		= kvm_mmu_notifier_change_pte,
	.invalidate_range_start	= kvm_mmu_notifier_invalidate_range_start,
	.invalidate_range_end	= kvm_mmu_notifier_invalidate_range_end,
	.clear_flush_young	= kvm_mmu_notifier_clear_flush_young,
	.clear_young		= kvm_mmu_notifier_clear_young,
	.test_young		= kvm_mmu_notifier_test_young,
};

static int kvm_init_mmu_notifier(struct kvm *kvm)
{
	kvm->mmu_notifier.ops = &kvm_mmu_notifier_ops;
	return mmu_notifier_register(&kvm->mmu_notifier, current->mm);
}

static void kvm_exit_mmu_notifier(struct kvm *kvm)
{
	mmu_notifier_unregister(&kvm->mmu_notifier, kvm->mm);
}

#else  /* !(CONFIG_MMU_NOTIFIER && KVM_ARCH_WANT_MMU_NOTIFIER) */

static int kvm_init_mmu_notifier(struct kvm *kvm)
{
	return 0;
}

static void kvm_exit_mmu_notifier(struct kvm *kvm)
{
	kvm_arch_flush_shadow_all(kvm);
}

#endif /* CONFIG_MMU_NOTIFIER && KVM_ARCH_WANT_MMU_NOTIFIER */

static void kvm_free_memslots(struct kvm *kvm)
{
	struct kvm_memory_slot *memslot;
	int i;

	for (i = 0; i < KVM_ADDRESS_SPACE_NUM; i++) {
		if (!kvm->memslots[i])
			continue;
		kvm_for_each_memslot(memslot, kvm->memslots[i])
			kfree(memslot->arch.rmap);
		kfree(kvm->memslots[i]);
	}
}

struct kvm *kvm_create_vm(void)
{
	struct kvm *kvm = kzalloc(sizeof(*kvm), GFP_KERNEL);
	int i;

	if (!kvm)
		return NULL;

	for (i = 0; i < KVM_ADDRESS_SPACE_NUM; i++) {
		kvm->memslots[i] = kzalloc(sizeof(struct kvm_memslots),
					   GFP_KERNEL);
		if (!kvm->memslots[i])
			goto out_err;
	}

	spin_lock_init(&kvm->mmu_lock);
	mutex_init(&kvm->slots_lock);
	init_srcu_struct(&kvm->srcu);
	kvm_arch_init_vm(kvm);
	kvm->mm = current->mm;
	atomic_inc(&kvm->mm->mm_count);

	if (kvm_init_mmu_notifier(kvm))
		goto out_err_no_mmu_notifier;
	return kvm;

out_err_no_mmu_notifier:
	mmdrop(kvm->mm);
out_err:
	kvm_free_memslots(kvm);
	kfree(kvm);
	return NULL;
}
EXPORT_SYMBOL_GPL(kvm_create_vm);

void kvm_destroy_vm(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	int i;

	kvm_exit_mmu_notifier(kvm);
	kvm_for_each_vcpu(i, vcpu, kvm)
		kfree(vcpu);
	kvm_free_memslots(kvm);
	mmdrop(kvm->mm);
	kfree(kvm);
}
EXPORT_SYMBOL_GPL(kvm_destroy_vm);

struct kvm_vcpu *kvm_create_vcpu(struct kvm *kvm, int id)
{
	struct kvm_vcpu *vcpu;

	if (id != atomic_read(&kvm->online_vcpus) || id >= KVM_MAX_VCPUS)
		return NULL;

	vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL);
	if (!vcpu)
		return NULL;
	vcpu->kvm = kvm;
	vcpu->vcpu_id = id;
	vcpu->arch.root_spt = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (!vcpu->arch.root_spt) {
		kfree(vcpu);
		return NULL;
	}
	kvm->vcpus[id] = vcpu;
	/* the pointer before the number that makes it valid */
	smp_wmb();
	atomic_inc(&kvm->online_vcpus);
	return vcpu;
}
EXPORT_SYMBOL_GPL(kvm_create_vcpu);

/* Slots are only ever added, so that readers need no more than the SRCU. */
int kvm_set_memory_region(struct kvm *kvm, int as_id, gfn_t base_gfn,
			  unsigned long userspace_addr, unsigned long npages)
{
	struct kvm_memory_slot *slot;
	struct kvm_memslots *slots;
	int r = -ENOMEM;

	if (!npages || (userspace_addr & ~PAGE_MASK))
		return -EINVAL;

	mutex_lock(&kvm->slots_lock);
	slots = __kvm_memslots(kvm, as_id);
	if (slots->used_slots == KVM_MEM_SLOTS_NUM)
		goto out;

	slot = &slots->memslots[slots->used_slots];
	slot->arch.rmap = kzalloc(npages * sizeof(*slot->arch.rmap),
				  GFP_KERNEL);
	if (!slot->arch.rmap)
		goto out;
	slot->base_gfn = base_gfn;
	slot->userspace_addr = userspace_addr;
	slot->npages = npages;
	/* the slot before the number that makes it valid */
	smp_wmb();
	slots->used_slots++;
	r = 0;
out:
	mutex_unlock(&kvm->slots_lock);
	synchronize_srcu(&kvm->srcu);
	return r;
}
EXPORT_SYMBOL_GPL(kvm_set_memory_region);

struct kvm_memory_slot *kvm_gfn_to_memslot(struct kvm *kvm, int as_id,
					   gfn_t gfn)
{
	struct kvm_memslots *slots = __kvm_memslots(kvm, as_id);
	struct kvm_memory_slot *memslot;

	kvm_for_each_memslot(memslot, slots)
		if (gfn >= memslot->base_gfn &&
		    gfn < memslot->base_gfn + memslot->npages)
			return memslot;
	return NULL;
}

kvm_pfn_t kvm_hva_to_pfn(struct kvm *kvm, unsigned long hva, bool write_fault,
			 bool *writable)
{
	struct page *page;

	might_sleep();

	page = get_user_page(kvm->mm, hva, write_fault, writable);
	return page ? page_to_pfn(page) : KVM_PFN_ERR_FAULT;
}
EXPORT_SYMBOL_GPL(kvm_hva_to_pfn);

void kvm_release_pfn_clean(kvm_pfn_t pfn)
{
	if (!is_error_pfn(pfn))
		put_page(pfn_to_page(pfn));
}
EXPORT_SYMBOL_GPL(kvm_release_pfn_clean);
