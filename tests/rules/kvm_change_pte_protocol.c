// SPDX-License-Identifier: GPL-2.0-only
// API: 5.0 v05 5.2 5.10 5.15 6.6 6.12 7.2
// PATH: virt/kvm/kvm_main.c
struct kvm;

/* The direct idiom. */
static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	spin_lock(&kvm->mmu_lock);
	kvm->mmu_notifier_count++;
	spin_unlock(&kvm->mmu_lock);
	return 0;
}

static void end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	spin_lock(&kvm->mmu_lock);
	kvm->mmu_notifier_seq++;
	smp_wmb();
	kvm->mmu_notifier_count--;
	spin_unlock(&kvm->mmu_lock);
}

static void no_barrier(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	spin_lock(&kvm->mmu_lock);
	kvm->mmu_notifier_seq++;
	kvm->mmu_notifier_count--; // EXPECT: MN023
	spin_unlock(&kvm->mmu_lock);
}

static void no_sequence(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	spin_lock(&kvm->mmu_lock);
	smp_wmb();
	kvm->mmu_notifier_count--; // EXPECT: MN023
	spin_unlock(&kvm->mmu_lock);
}

static void unlocked(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	spin_lock(&kvm->mmu_lock);
	kvm->mmu_notifier_seq++;
	smp_wmb();
	spin_unlock(&kvm->mmu_lock);
	kvm->mmu_notifier_count--; // EXPECT: MN023
}

static int guarded(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	if (mmu_notifier_range_use_change_pte(range))
		return 0; // EXPECT: MN023
	spin_lock(&kvm->mmu_lock);
	kvm->mmu_notifier_count++;
	spin_unlock(&kvm->mmu_lock);
	return 0;
}

static int guarded_well(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	if (mmu_notifier_range_use_change_pte(range))
		return 0;
	spin_lock(&kvm->mmu_lock);
	kvm->mmu_notifier_count++;
	spin_unlock(&kvm->mmu_lock);
	return 0;
}

static void change(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long a, pte_t pte)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	spin_lock(&kvm->mmu_lock);
	kvm->mmu_notifier_seq++;
	if (kvm_set_spte_hva(kvm, a, pte))
		kvm_flush_remote_tlbs(kvm);
	spin_unlock(&kvm->mmu_lock);
}

static void quiet_change(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long a, pte_t pte)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	spin_lock(&kvm->mmu_lock);
	if (kvm_set_spte_hva(kvm, a, pte))
		kvm_flush_remote_tlbs(kvm);
	spin_unlock(&kvm->mmu_lock);
}

/* The hva-range idiom: the walker calls on_lock under mmu_lock. */
static void inc_count(struct kvm *kvm, unsigned long first, unsigned long last)
{
	kvm->mmu_notifier_count++;
}

static int walker(struct kvm *kvm, const struct kvm_hva_range *range)
{
	bool locked = false;
	int i;

	for (i = 0; i < 2; i++) {
		kvm_for_each_memslot(slot, i) {
			if (!locked) {
				locked = true;
				KVM_MMU_LOCK(kvm);
				if (!IS_KVM_NULL_FN(range->on_lock))
					range->on_lock(kvm, range->start, range->end);
			}
			unmap_slot(kvm, slot);
		}
	}
	if (locked)
		KVM_MMU_UNLOCK(kvm);
	return 0;
}

static int range_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	const struct kvm_hva_range hva_range = {
		.start = range->start,
		.end = range->end,
		.on_lock = inc_count,
	};

	spin_lock(&kvm->mn_invalidate_lock);
	kvm->mn_active_invalidate_count++;
	spin_unlock(&kvm->mn_invalidate_lock);
	walker(kvm, &hva_range);
	return 0;
}

static int range_start_guarded(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	const struct kvm_hva_range hva_range = {
		.start = range->start,
		.end = range->end,
		.on_lock = inc_count,
	};

	if (mmu_notifier_range_use_change_pte(range))
		return 0; // EXPECT: MN023
	spin_lock(&kvm->mn_invalidate_lock);
	kvm->mn_active_invalidate_count++;
	spin_unlock(&kvm->mn_invalidate_lock);
	walker(kvm, &hva_range);
	return 0;
}

static int range_start_zaps(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	const struct kvm_hva_range hva_range = {
		.start = range->start,
		.end = range->end,
		.on_lock = inc_count,
		.handler = range->event ? unmap_some : unmap_all,
		.on_unlock = (void *)kvm_null_fn,
	};

	spin_lock(&kvm->mn_invalidate_lock);
	kvm->mn_active_invalidate_count++;
	spin_unlock(&kvm->mn_invalidate_lock);
	walker(kvm, &hva_range);
	return 0;
}

static int range_start_unzapped(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	const struct kvm_hva_range hva_range = {
		.start = range->start,
		.end = range->end,
		.on_lock = inc_count,
		.handler = mmu_notifier_range_use_change_pte(range) ? // EXPECT: MN023
			   (void *)kvm_null_fn : (void *)unmap_all,
	};

	spin_lock(&kvm->mn_invalidate_lock);
	kvm->mn_active_invalidate_count++;
	spin_unlock(&kvm->mn_invalidate_lock);
	walker(kvm, &hva_range);
	return 0;
}

static int unpaired(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	spin_lock(&kvm->mmu_lock);
	kvm->mmu_notifier_count++;
	spin_unlock(&kvm->mmu_lock);
	return 0; // EXPECT: MN023
}

static void forgets(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);

	spin_lock(&kvm->mmu_lock);
	kvm->mmu_notifier_seq++;
	spin_unlock(&kvm->mmu_lock);
}

static void range_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	const struct kvm_hva_range hva_range = {
		.start = range->start,
		.end = range->end,
		.on_lock = inc_count,
	};

	walker(kvm, &hva_range);
	spin_lock(&kvm->mn_invalidate_lock);
	kvm->mn_active_invalidate_count--;
	spin_unlock(&kvm->mn_invalidate_lock);
} // EXPECT: MN023

static int range_start_alone(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = mmu_notifier_to_kvm(mn);
	const struct kvm_hva_range hva_range = {
		.start = range->start,
		.end = range->end,
		.on_lock = inc_count,
	};

	spin_lock(&kvm->mn_invalidate_lock);
	kvm->mn_active_invalidate_count++;
	spin_unlock(&kvm->mn_invalidate_lock);
	walker(kvm, &hva_range);
	return 0; // EXPECT: MN023
}

static const struct mmu_notifier_ops tables[] = {
	{ .invalidate_range_start = unpaired, .invalidate_range_end = forgets },
	{ .invalidate_range_start = range_start_alone, .invalidate_range_end = range_end },
	{ .invalidate_range_start = start, .invalidate_range_end = end, .change_pte = change },
	{ .invalidate_range_start = start, .invalidate_range_end = no_barrier },
	{ .invalidate_range_start = start, .invalidate_range_end = no_sequence },
	{ .invalidate_range_start = start, .invalidate_range_end = unlocked },
	{ .invalidate_range_start = guarded, .change_pte = quiet_change },
	{ .invalidate_range_start = guarded_well, .change_pte = change },
	{ .invalidate_range_start = range_start, .change_pte = change },
	{ .invalidate_range_start = range_start_guarded, .change_pte = change },
	{ .invalidate_range_start = range_start_zaps, .change_pte = change },
	{ .invalidate_range_start = range_start_unzapped, .change_pte = change },
};
