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
	kvm_make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH);
}
EXPORT_SYMBOL_GPL(kvm_flush_remote_tlbs);

static void kvm_flush_shadow_all(struct kvm *kvm)
{
	kvm_arch_flush_shadow_all(kvm);
	kvm_arch_guest_memory_reclaimed(kvm);
}

#if defined(CONFIG_MMU_NOTIFIER) && defined(KVM_ARCH_WANT_MMU_NOTIFIER)
static inline struct kvm *mmu_notifier_to_kvm(struct mmu_notifier *mn)
{
	return container_of(mn, struct kvm, mmu_notifier);
}

typedef bool (*hva_handler_t)(struct kvm *kvm, struct kvm_gfn_range *range);

typedef void (*on_lock_fn_t)(struct kvm *kvm, unsigned long start,
			     unsigned long end);

/* What is to be done with the memory between two of the host's addresses. */
struct kvm_hva_range {
	unsigned long start;
	unsigned long end;
	pte_t pte;
	/* for each slot's part, with the mmu_lock held */
	hva_handler_t handler;
	/* once, if there is a part at all */
	on_lock_fn_t on_lock;
	bool flush_on_ret;
	bool may_block;
};

/* Stands where there is nothing to be called. */
static void kvm_null_fn(void)
{
}

#define IS_KVM_NULL_FN(fn)	((fn) == (void *)kvm_null_fn)

#define kvm_for_each_memslot_in_hva_range(node, slots, start, last)	\
	for (node = interval_tree_iter_first(&slots->hva_tree, start, last); \
	     node;							\
	     node = interval_tree_iter_next(node, start, last))

static int __kvm_handle_hva_range(struct kvm *kvm,
				  const struct kvm_hva_range *range)
{
	bool ret = false, locked = false;
	struct kvm_gfn_range gfn_range;
	struct kvm_memory_slot *slot;
	struct kvm_memslots *slots;
	int i, idx;

	if (WARN_ON_ONCE(range->end <= range->start))
		return 0;

	idx = srcu_read_lock(&kvm->srcu);

	for (i = 0; i < KVM_ADDRESS_SPACE_NUM; i++) {
		struct interval_tree_node *node;

		slots = __kvm_memslots(kvm, i);
		kvm_for_each_memslot_in_hva_range(node, slots,
						  range->start, range->end - 1) {
			unsigned long hva_start, hva_end;

			slot = container_of(node, struct kvm_memory_slot,
					    hva_node[0]);
			hva_start = max(range->start, slot->userspace_addr);
			hva_end = min(range->end, slot->userspace_addr +
				      (slot->npages << PAGE_SHIFT));

			/* every page that the addresses touch */
			gfn_range.slot = slot;
			gfn_range.start = hva_to_gfn_memslot(hva_start, slot);
			gfn_range.end = hva_to_gfn_memslot(hva_end + PAGE_SIZE - 1,
							   slot);
			gfn_range.pte = range->pte;
			gfn_range.may_block = range->may_block;

			if (!locked) {
				locked = true;
				KVM_MMU_LOCK(kvm);
				if (!IS_KVM_NULL_FN(range->on_lock))
					range->on_lock(kvm, range->start, range->end);
				if (IS_KVM_NULL_FN(range->handler))
					break;
			}
			ret |= range->handler(kvm, &gfn_range);
		}
	}

	if (range->flush_on_ret && ret)
		kvm_flush_remote_tlbs(kvm);

	if (locked)
		KVM_MMU_UNLOCK(kvm);

	srcu_read_unlock(&kvm->srcu, idx);
	return ret;
}

static int kvm_handle_hva_range(struct mmu_notifier *mn, unsigned long start,
				unsigned long end, pte_t pte,
				hva_handler_t handler)
{
	const struct kvm_hva_range range = {
		.start		= start,
		.end		= end,
		.pte		= pte,
		.handler	= handler,
		.on_lock	= (void *)kvm_null_fn,
		.flush_on_ret	= true,
		.may_block	= false,
	};

	return __kvm_handle_hva_range(mmu_notifier_to_kvm(mn), &range);
}

static int kvm_handle_hva_range_no_flush(struct mmu_notifier *mn,
					 unsigned long start, unsigned long end,
					 hva_handler_t handler)
{
	const struct kvm_hva_range range = {
		.start		= start,
		.end		= end,
		.pte		= __pte(0),
		.handler	= handler,
		.on_lock	= (void *)kvm_null_fn,
		.flush_on_ret	= false,
		.may_block	= false,
	};

	return __kvm_handle_hva_range(mmu_notifier_to_kvm(mn), &range);
}

static bool kvm_change_spte_gfn(struct kvm *kvm, struct kvm_gfn_range *range)
{
	/* What such a slot mapped is gone since the section began. */
	if (range->slot->flags & KVM_MEMSLOT_INVALID)
		return false;

	return kvm_set_spte_gfn(kvm, range);
}

/* The shadow entries follow the host's entry; see kvm_set_spte_gfn(). */
static void kvm_mmu_notifier_change_pte(struct mmu_notifier *mn,
					struct mm_struct *mm,
					unsigned long address,
					pte_t pte)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	/* The section that this is in has found no slot: nor would we. */
	if (!READ_ONCE(kvm->mmu_invalidate_in_progress))
		return;

	kvm_handle_hva_range(mn, address, address + 1, pte, kvm_change_spte_gfn);
}

static void kvm_mmu_notifier_invalidate_range(struct mmu_notifier *mn,
					      struct mm_struct *mm,
					      unsigned long start,
					      unsigned long end)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	kvm_arch_mmu_notifier_invalidate_range(kvm, start, end);
	srcu_read_unlock(&kvm->srcu, idx);
}

static void kvm_mmu_invalidate_begin(struct kvm *kvm, unsigned long start,
				     unsigned long end)
{
	/* Whoever maps a page reads the count under the same lock. */
	kvm->mmu_invalidate_in_progress++;
	if (kvm->mmu_invalidate_in_progress == 1) {
		kvm->mmu_invalidate_range_start = start;
		kvm->mmu_invalidate_range_end = end;
	} else {
		kvm->mmu_invalidate_range_start =
			min(kvm->mmu_invalidate_range_start, start);
		kvm->mmu_invalidate_range_end =
			max(kvm->mmu_invalidate_range_end, end);
	}
}

static int kvm_mmu_notifier_invalidate_range_start(struct mmu_notifier *mn,
					const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	const struct kvm_hva_range hva_range = {
		.start		= range->start,
		.end		= range->end,
		.pte		= __pte(0),
		.handler	= kvm_unmap_gfn_range,
		.on_lock	= kvm_mmu_invalidate_begin,
		.flush_on_ret	= true,
		.may_block	= mmu_notifier_range_blockable(range),
	};

	/* No slot comes or goes before the section ends. */
	spin_lock(&kvm->mn_invalidate_lock);
	kvm->mn_active_invalidate_count++;
	spin_unlock(&kvm->mn_invalidate_lock);

	__kvm_handle_hva_range(kvm, &hva_range);

	return 0;
}

static void kvm_mmu_invalidate_end(struct kvm *kvm, unsigned long start,
				   unsigned long end)
{
	/* A fault that looked its page up before this must look again. */
	kvm->mmu_invalidate_seq++;
	/* Sequence before count; mmu_invalidate_retry_hva() reads in reverse. */
	smp_wmb();
	kvm->mmu_invalidate_in_progress--;
}

static void kvm_mmu_notifier_invalidate_range_end(struct mmu_notifier *mn,
					const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	const struct kvm_hva_range hva_range = {
		.start		= range->start,
		.end		= range->end,
		.pte		= __pte(0),
		.handler	= (void *)kvm_null_fn,
		.on_lock	= kvm_mmu_invalidate_end,
		.flush_on_ret	= false,
		.may_block	= mmu_notifier_range_blockable(range),
	};

	__kvm_handle_hva_range(kvm, &hva_range);

	spin_lock(&kvm->mn_invalidate_lock);
	kvm->mn_active_invalidate_count--;
	spin_unlock(&kvm->mn_invalidate_lock);

	BUG_ON(kvm->mmu_invalidate_in_progress < 0);
}

static int kvm_mmu_notifier_clear_flush_young(struct mmu_notifier *mn,
					      struct mm_struct *mm,
					      unsigned long start,
					      unsigned long end)
{
	return kvm_handle_hva_range(mn, start, end, __pte(0), kvm_age_gfn);
}

static int kvm_mmu_notifier_clear_young(struct mmu_notifier *mn,
					struct mm_struct *mm,
					unsigned long start,
					unsigned long end)
{
	/* A page that stays young for a while longer harms nobody. */
	return kvm_handle_hva_range_no_flush(mn, start, end, kvm_age_gfn);
}

static int kvm_mmu_notifier_test_young(struct mmu_notifier *mn,
				       struct mm_struct *mm,
				       unsigned long address)
{
	return kvm_handle_hva_range_no_flush(mn, address, address + 1,
					     kvm_test_age_gfn);
}

static void kvm_mmu_notifier_release(struct mmu_notifier *mn,
				     struct mm_struct *mm)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	kvm_flush_shadow_all(kvm);
	srcu_read_unlock(&kvm->srcu, idx);
}

static const struct mmu_notifier_ops kvm_mmu_notifier_ops = {
	.release		= kvm_mmu_notifier_release,
	.change_pte		= kvm_mmu_notifier_change_pte,
	.invalidate_range_start	= kvm_mmu_notifier_invalidate_range_start,
	.invalidate_range_end	= kvm_mmu_notifier_invalidate_range_end,
	.invalidate_range	= kvm_mmu_notifier_invalidate_range,
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
	kvm_flush_shadow_all(kvm);
}

#endif /* CONFIG_MMU_NOTIFIER && KVM_ARCH_WANT_MMU_NOTIFIER */

static void kvm_free_memslots(struct kvm *kvm)
{
	struct kvm_memslots *slots;
	int i, n;

	for (i = 0; i < KVM_ADDRESS_SPACE_NUM; i++) {
		slots = kvm->memslots[i];
		if (!slots)
			continue;
		for (n = 0; n < slots->used_slots; n++)
			kfree(slots->memslots[n].arch.rmap);
		kfree(slots);
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
	spin_lock_init(&kvm->mn_invalidate_lock);
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

/* Another set with the same slots, but for @without; their nodes are its own. */
static struct kvm_memslots *kvm_copy_memslots(struct kvm_memslots *old,
					      struct kvm_memory_slot *without)
{
	struct kvm_memslots *slots = kzalloc(sizeof(*slots), GFP_KERNEL);
	struct kvm_memory_slot *slot;
	int i;

	if (!slots)
		return NULL;
	for (i = 0; i < old->used_slots; i++) {
		if (&old->memslots[i] == without)
			continue;
		slot = &slots->memslots[slots->used_slots++];
		*slot = old->memslots[i];
		interval_tree_insert(&slot->hva_node[0], &slots->hva_tree);
	}
	return slots;
}

/* No section of the notifier may see one set at its start and another later. */
static void kvm_swap_active_memslots(struct kvm *kvm, int as_id,
				     struct kvm_memslots *slots)
{
	spin_lock(&kvm->mn_invalidate_lock);
	while (kvm->mn_active_invalidate_count) {
		spin_unlock(&kvm->mn_invalidate_lock);
		schedule();
		spin_lock(&kvm->mn_invalidate_lock);
	}
	rcu_assign_pointer(kvm->memslots[as_id], slots);
	spin_unlock(&kvm->mn_invalidate_lock);

	synchronize_srcu(&kvm->srcu);
}

int kvm_set_memory_region(struct kvm *kvm, int as_id, gfn_t base_gfn,
			  unsigned long userspace_addr, unsigned long npages)
{
	struct kvm_memslots *old, *slots;
	struct kvm_memory_slot *slot;
	int r = -ENOMEM;

	if (!npages || (userspace_addr & ~PAGE_MASK))
		return -EINVAL;

	mutex_lock(&kvm->slots_lock);
	old = __kvm_memslots(kvm, as_id);
	slots = kvm_copy_memslots(old, NULL);
	if (!slots || slots->used_slots == KVM_MEM_SLOTS_NUM)
		goto out;

	slot = &slots->memslots[slots->used_slots];
	slot->arch.rmap = kzalloc(npages * sizeof(*slot->arch.rmap),
				  GFP_KERNEL);
	if (!slot->arch.rmap)
		goto out;
	slot->base_gfn = base_gfn;
	slot->userspace_addr = userspace_addr;
	slot->npages = npages;
	slot->as_id = as_id;
	slot->hva_node[0].start = userspace_addr;
	slot->hva_node[0].last = userspace_addr + (npages << PAGE_SHIFT) - 1;
	interval_tree_insert(&slot->hva_node[0], &slots->hva_tree);
	slots->used_slots++;
	kvm_swap_active_memslots(kvm, as_id, slots);
	slots = old;
	r = 0;
out:
	kfree(slots);
	mutex_unlock(&kvm->slots_lock);
	return r;
}
EXPORT_SYMBOL_GPL(kvm_set_memory_region);

/* Marked first, so that nothing maps it anew; then dropped, then gone. */
int kvm_delete_memory_region(struct kvm *kvm, int as_id, gfn_t base_gfn)
{
	struct kvm_memslots *old, *marked = NULL, *slots = NULL;
	struct kvm_memory_slot *slot = NULL;
	int i, r = -EINVAL;

	mutex_lock(&kvm->slots_lock);
	old = __kvm_memslots(kvm, as_id);
	marked = kvm_copy_memslots(old, NULL);
	for (i = 0; marked && i < marked->used_slots; i++)
		if (marked->memslots[i].base_gfn == base_gfn)
			slot = &marked->memslots[i];
	if (!slot)
		goto out;
	slots = kvm_copy_memslots(marked, slot);
	if (!slots)
		goto out;

	slot->flags |= KVM_MEMSLOT_INVALID;
	kvm_swap_active_memslots(kvm, as_id, marked);
	kvm_arch_flush_shadow_memslot(kvm, slot);
	kvm_swap_active_memslots(kvm, as_id, slots);
	kfree(slot->arch.rmap);
	kfree(old);
	r = 0;
out:
	kfree(marked);
	mutex_unlock(&kvm->slots_lock);
	return r;
}
EXPORT_SYMBOL_GPL(kvm_delete_memory_region);

struct kvm_memory_slot *kvm_gfn_to_memslot(struct kvm *kvm, int as_id,
					   gfn_t gfn)
{
	struct kvm_memslots *slots = __kvm_memslots(kvm, as_id);
	struct kvm_memory_slot *slot;
	int i;

	for (i = 0; i < slots->used_slots; i++) {
		slot = &slots->memslots[i];
		if (gfn >= slot->base_gfn &&
		    gfn < slot->base_gfn + slot->npages)
			return slot;
	}
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
