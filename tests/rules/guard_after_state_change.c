// SPDX-License-Identifier: GPL-2.0-only
// API: v05
struct kvm { struct mmu_notifier mn; spinlock_t mmu_lock; struct srcu_struct srcu; int count; };

static int start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = container_of(mn, struct kvm, mn);
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	if (mmu_notifier_range_use_change_pte(range))
		return 0; // EXPECT: MN021
	spin_lock(&kvm->mmu_lock);
	kvm->count++;
	spin_unlock(&kvm->mmu_lock);
	srcu_read_unlock(&kvm->srcu, idx);
	return 0;
}

static void end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = container_of(mn, struct kvm, mn);

	spin_lock(&kvm->mmu_lock);
	if (mmu_notifier_range_use_change_pte(range)) {
		return; // EXPECT: MN021
	}
	kvm->count--;
	spin_unlock(&kvm->mmu_lock);
}

static int counted(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = container_of(mn, struct kvm, mn);

	spin_lock(&kvm->mmu_lock);
	kvm->count++;
	if (mmu_notifier_range_use_change_pte(range))
		goto out;
	zap(kvm, range->start, range->end);
out:
	spin_unlock(&kvm->mmu_lock);
	return 0; // EXPECT: MN021
}

static int released(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct kvm *kvm = container_of(mn, struct kvm, mn);
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	if (mmu_notifier_range_use_change_pte(range))
		goto out;
	spin_lock(&kvm->mmu_lock);
	kvm->count++;
	spin_unlock(&kvm->mmu_lock);
out:
	srcu_read_unlock(&kvm->srcu, idx);
	return 0;
}

static const struct mmu_notifier_ops ops = {
	.invalidate_range_start = start,
	.invalidate_range_end = end,
	.change_pte = change,
};

static const struct mmu_notifier_ops more = {
	.invalidate_range_start = counted,
	.invalidate_range_end = end,
	.change_pte = change,
};

static const struct mmu_notifier_ops good = {
	.invalidate_range_start = released,
	.invalidate_range_end = end,
	.change_pte = change,
};
