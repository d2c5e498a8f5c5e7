/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_MMU_TDP_MMU_H
#define __KVM_X86_MMU_TDP_MMU_H

#include <linux/kvm_host.h>

void kvm_tdp_mmu_map(struct kvm_vcpu *vcpu, gfn_t gfn, kvm_pfn_t pfn,
		     bool map_writable);
bool kvm_tdp_mmu_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range);
bool kvm_tdp_mmu_set_spte_gfn(struct kvm *kvm, struct kvm_gfn_range *range);

/* How many pages the guest has mapped. */
static inline void kvm_update_page_stats(struct kvm *kvm, int level,
					 int count)
{
	kvm->arch.pages[level - 1] += count;
}

#endif /* __KVM_X86_MMU_TDP_MMU_H */
